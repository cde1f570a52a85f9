"""Who is asked what next: the plan of tasks, what the log says of it, and who works on which picture right now.

All in memory and made anew from the log at each start; one thread uses it.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain
from typing import Any

from nounflow.annotation.current_decisions import CurrentDecisions, Pair
from nounflow.annotation.plan import Task, in_second_pass
from nounflow.annotation.scheme import answer_of
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.schemas.decisions import Decision, Mark, asked_at

LEASE_SECONDS = 600.0
_HISTORY = 500  # decisions that undo reaches back over after the page was loaded anew
_DONE, _OPEN, _SKIPPED = b"\x00", b"\x01", b"\x02"


class TaskQueue:
    """Hands out pictures. Nobody sees what others said of a noun: each judges blind, but in review."""

    def __init__(
        self,
        tasks: Sequence[Task],
        records: Sequence[Decision | Mark],
        *,
        second_pass: float = 0.0,
        review: bool = False,
        people: PeopleAnnotatorConfig | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`second_pass`: share of the pictures that two people judge; 0 asks only for what nobody judged yet.

        `review`: the tasks are contradictions, and what is decided are reviews, one each.
        """
        self.tasks = tasks
        self.review = review
        self.people = people or PeopleAnnotatorConfig(kind="people")
        self.decisions = CurrentDecisions(scheme=self.people.scheme)
        self._clock = clock
        self._needed = [2 if in_second_pass(task.image, second_pass) else 1 for task in tasks]
        self._number = {task.image: number for number, task in enumerate(tasks)}
        self._planned: set[Pair] = {(task.image, ask.noun) for task in tasks for ask in task.asks}
        self._leases: dict[int, tuple[str, float]] = {}  # task -> who, until when
        self._states: dict[str, bytearray] = {}  # annotator -> state of each task
        self._history: dict[str, list[Decision | Mark]] = {}
        self._judged_by: Counter[str] = Counter()
        self._judged = 0
        for record in records:
            if not review or self.counts(record.annotator):
                self.add(record)

    def counts(self, annotator: str) -> bool:
        """Whether what they say is settled by: of the members, if the config names any."""
        return not self.people.members or annotator in self.people.members

    def add(self, record: Decision | Mark) -> None:
        """Take in a new record of the log."""
        decision = record if isinstance(record, Decision) else self.decisions.decision(record.target)
        pair = (decision.place, decision.noun) if decision else None
        before = set(self.decisions.judgements(pair, self.review)) if pair else set()
        self.decisions.add(record)
        if pair not in self._planned or pair is None or decision is None or decision.review != self.review:
            return
        self._history.setdefault(record.annotator, []).append(record)
        after = set(self.decisions.judgements(pair, self.review))
        self._judged += bool(after) - bool(before)
        self._judged_by.update(after - before)
        self._judged_by.subtract(before - after)
        number = self._number[pair[0]]
        for annotator, states in self._states.items():
            states[number] = self._state(number, annotator)

    def next_tasks(
        self, annotator: str, after: int, have: Collection[str], n: int, skipped: bool = False
    ) -> list[dict[str, Any]]:
        """Up to `n` pictures to show next: those behind number `after`, then those before it.

        Pictures on which another annotator is at work come last.

        Args:
            have: digests of pictures that the page holds already.
            skipped: instead those of which only skipped nouns are left, once through to the end.
        """
        states, now = self._states_of(annotator), self._clock()
        free: list[int] = []
        leased: list[int] = []
        onwards = _positions(states, _SKIPPED if skipped else _OPEN, after)
        for number in onwards if skipped else chain(onwards, _positions(states, _OPEN, 0, after)):
            if len(free) == n:
                break
            if self.tasks[number].image not in have:
                who, until = self._leases.get(number, ("", 0.0))
                (leased if who != annotator and until > now else free).append(number)
        found = [*free, *leased][:n]
        for number in found:
            self._leases[number] = (annotator, now + LEASE_SECONDS)
        return [self._view(number, annotator) for number in found]

    def task(self, image: str, annotator: str) -> dict[str, Any] | None:
        """What is asked of a picture, or of a box of it, as an annotator sees it; None if it is not in the plan."""
        number = self._number.get(image)
        return None if number is None else self._view(number, annotator)

    def progress(self, annotator: str) -> dict[str, int]:
        """Pairs in all, judged by anyone, judged by this annotator."""
        return {"pairs": len(self._planned), "judged": self._judged, "mine": self._judged_by[annotator]}

    def history(self, annotator: str) -> dict[str, list[dict[str, Any]]]:
        """What undo would take back, the last one first, and what redo would bring again."""
        done: deque[Decision] = deque(maxlen=_HISTORY)
        undone: list[Decision] = []
        for record in self._history.get(annotator, []):
            if isinstance(record, Decision):
                done.append(record)
                undone.clear()
            elif record.kind == "undo" and done and done[-1].id == record.target:
                undone.append(done.pop())
            elif record.kind == "redo" and undone and undone[-1].id == record.target:
                done.append(undone.pop())
        return {"done": [_brief(d) for d in done], "undone": [_brief(d) for d in undone]}

    def _states_of(self, annotator: str) -> bytearray:
        if annotator not in self._states:
            self._states[annotator] = bytearray(self._state(number, annotator) for number in range(len(self.tasks)))
        return self._states[annotator]

    def _state(self, number: int, annotator: str) -> int:
        states = {self._ask_state(number, ask.noun, annotator) for ask in self.tasks[number].asks}
        return next(state[0] for state in (_OPEN, _SKIPPED, _DONE) if state in states)

    def _ask_state(self, number: int, noun: str, annotator: str) -> bytes:
        pair = (self.tasks[number].image, noun)
        own = self.decisions.current(pair, annotator, self.review)
        said = self.decisions.judgements(pair, self.review)
        if self.review and len({d.category for decisions in said.values() for d in decisions}) > 1:
            return _SKIPPED if own else _OPEN  # reviewers differ
        if own and own[0].category != "skipped":
            return _DONE
        if len(said) >= self._needed[number]:
            return _DONE
        return _SKIPPED if own else _OPEN

    def _view(self, number: int, annotator: str) -> dict[str, Any]:
        """A picture with the nouns that are asked of this annotator or were answered by them."""
        task = self.tasks[number]
        nouns = []
        for ask in task.asks:
            pair = (task.image, ask.noun)
            own = self.decisions.current(pair, annotator, self.review)
            if own or self._ask_state(number, ask.noun, annotator) != _DONE:
                answer = answer_of(own[0]) if own else None
                noun = {"noun": ask.noun, "category": answer, "note": own[0].evidence if own else ""}
                nouns.append({**noun, "said": self.said(pair)} if self.review else noun)
        asked = asked_at(task.image)
        return {"image": task.image, "asked": asked, "file": task.files[0], "number": number + 1, "nouns": nouns}

    def said(self, pair: Pair, names: bool = False) -> list[dict[str, str]]:
        """What was said of a pair, in an order that tells nothing of who said it: A, B … or, if asked for, names."""
        found = [each for review in (False, True) for each in self.decisions.judgements(pair, review).values()]
        judgements = sorted((d for decisions in found for d in decisions), key=lambda d: (d.review, d.id))
        letters = {who: chr(ord("A") + n) for n, who in enumerate(dict.fromkeys(d.annotator for d in judgements))}
        return [
            {"who": d.annotator if names else letters[d.annotator], "category": answer_of(d), "note": d.evidence}
            for d in judgements
        ]

    def coverage(self, pairs: Collection[Pair]) -> int:
        """How many of some pairs anyone has judged."""
        return sum(bool(self.decisions.judgements(pair, self.review)) for pair in pairs)


def _positions(states: bytearray, wanted: bytes, start: int, stop: int | None = None) -> Iterator[int]:
    """Where `wanted` stands from `start` on."""
    at = states.find(wanted, start, stop)
    while at >= 0:
        yield at
        at = states.find(wanted, at + 1, stop)


def _brief(decision: Decision) -> dict[str, Any]:
    brief = {"id": decision.id, "image": decision.place, "noun": decision.noun, "category": answer_of(decision)}
    return {**brief, "note": decision.evidence}
