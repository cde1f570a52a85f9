"""What stands in a decision log: for every picture, noun and annotator the judgement in force. Nothing here is stored.

A decision is in force unless its annotator took it back (the latest undo or redo of a decision counts). Of several in
force by one annotator on one pair the latest stands. So the outcome depends on the set of records alone, not on their
order, and logs can be merged in any order. Reviews are kept apart: who saw what others said takes back nothing of what
was judged blind, also if they judged it themselves.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from nounflow.config.annotators import Scheme
from nounflow.schemas.decisions import ABSTENTIONS, Decision, Mark

Pair = tuple[str, str]  # place (the sha256 of a picture, or a box of it), noun


class CurrentDecisions:
    """Built up record by record; a record that is known already changes nothing."""

    def __init__(self, records: Iterable[Decision | Mark] = (), scheme: Scheme | None = None) -> None:
        """`scheme`: what labels count as now; the log holds what they counted as when they were judged."""
        self._scheme = scheme or {}
        self._decisions: dict[str, Decision] = {}
        self._marks: dict[tuple[str, str], Mark] = {}  # (decision's id, who marked) -> latest
        # pair -> (annotator, whether in review) -> id -> decision
        self._pairs: dict[Pair, dict[tuple[str, bool], dict[str, Decision]]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Decision | Mark) -> None:
        """Take in a record; an undo may come before the decision that it takes back."""
        if isinstance(record, Decision):
            if record.label in self._scheme:
                record = record.model_copy(update={"category": self._scheme[record.label].counts_as})
            self._decisions[record.id] = record
            by_annotator = self._pairs.setdefault((record.place, record.noun), {})
            by_annotator.setdefault((record.annotator, record.review), {})[record.id] = record
        else:
            key = (record.target, record.annotator)
            self._marks[key] = max(self._marks.get(key, record), record, key=_mark_order)

    def decision(self, identity: str) -> Decision | None:
        """A decision by its id, in force or not."""
        return self._decisions.get(identity)

    def in_force(self, decision: Decision) -> bool:
        """Whether it was not taken back."""
        mark = self._marks.get((decision.id, decision.annotator))
        return mark is None or mark.kind == "redo"

    def current(self, pair: Pair, annotator: str, review: bool = False) -> tuple[Decision, ...]:
        """What an annotator says of a pair (in review): nothing, one decision, or several that contradict each other.

        Several only where they have one and the same time, as after an import of contradicting lists.
        """
        return self._latest(self._pairs.get(pair, {}).get((annotator, review), {}))

    def judgements(self, pair: Pair, review: bool = False) -> dict[str, tuple[Decision, ...]]:
        """Annotator -> what they say of a pair (in review); those who abstain are left out."""
        known = self._pairs.get(pair, {})
        found = {who: self._latest(decisions) for (who, reviewed), decisions in known.items() if reviewed == review}
        return {annotator: decisions for annotator, decisions in sorted(found.items()) if is_judgement(decisions)}

    def counting(self, pair: Pair, annotators: Collection[str] = ()) -> list[Decision]:
        """What is to be settled of a pair: the reviews, or else the judgements; of all if no annotators are named."""
        for review in (True, False):
            found = self.judgements(pair, review)
            if said := [d for who, each in found.items() if not annotators or who in annotators for d in each]:
                return said
        return []

    def pairs(self, at_least: int = 1) -> Iterator[Pair]:
        """All pairs that at least so many annotators ever decided on."""
        return (pair for pair, by_annotator in self._pairs.items() if len(by_annotator) >= at_least)

    def annotators(self) -> tuple[str, ...]:
        """All who decided anything, sorted."""
        return tuple(sorted({decision.annotator for decision in self._decisions.values()}))

    def _latest(self, known: Mapping[str, Decision]) -> tuple[Decision, ...]:
        in_force = [decision for decision in known.values() if self.in_force(decision)]
        if len(in_force) < 2:
            return tuple(in_force)
        time = max(decision.time for decision in in_force)
        by_category = {d.category: d for d in sorted(in_force, key=lambda d: d.id, reverse=True) if d.time == time}
        return tuple(sorted(by_category.values(), key=lambda decision: decision.id))


def is_judgement(decisions: Sequence[Decision]) -> bool:
    """Whether what an annotator says of a pair is one of the five categories, and not nothing or an abstention."""
    return bool(decisions) and not any(decision.category in ABSTENTIONS for decision in decisions)


def _mark_order(mark: Mark) -> tuple[str, bool, str]:
    return mark.time, mark.kind == "undo", mark.id
