"""From what annotators say to one category a noun: the stated policy, and the five lists that scoring reads."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from nounflow.annotation.current_decisions import CurrentDecisions, Pair
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.counts import Counts
from nounflow.schemas.annotations import CATEGORIES, ImageAnnotations
from nounflow.schemas.decisions import Decision

# What settled a pair, where no rule of the policy was needed or none could.
AGREED, REVIEWED, OPEN = "agreed", "review", "open"


class Verdict(NamedTuple):
    """The category that stands for a pair, or None where the policy leaves it open; and which rule settled it."""

    category: str | None
    settled_by: str


class Contradiction(NamedTuple):
    """One judgement of a pair on which annotators differ: a row of `{annotator}.contradictions.tsv`."""

    image: str
    noun: str
    annotator: str
    category: str
    time: str
    evidence: str
    verdict: str  # "" where it stays open
    settled_by: str


def resolve(judgements: Iterable[Decision], people: PeopleAnnotatorConfig) -> Verdict:
    """One category out of the judgements or the reviews of a pair (at least one, no abstentions).

    Each rule of the policy narrows what the one before it left, down to a single category.
    """
    left = list(judgements)
    if len({decision.category for decision in left}) == 1:
        return Verdict(left[0].category, REVIEWED if left[0].review else AGREED)
    for rule in people.policy:
        left = _NARROW[rule](left, people.seniority)
        if len({decision.category for decision in left}) == 1:
            return Verdict(left[0].category, rule)
    return Verdict(None, OPEN)


def _by_majority(decisions: list[Decision], _seniority: tuple[str, ...]) -> list[Decision]:
    votes = Counter(decision.category for decision in decisions)
    return [decision for decision in decisions if votes[decision.category] == max(votes.values())]


def _by_seniority(decisions: list[Decision], seniority: tuple[str, ...]) -> list[Decision]:
    for annotator in seniority:
        if own := [decision for decision in decisions if decision.annotator == annotator]:
            return own
    return decisions


def _by_time(decisions: list[Decision], _seniority: tuple[str, ...]) -> list[Decision]:
    latest = max(decision.time for decision in decisions)
    return [decision for decision in decisions if decision.time == latest]


_NARROW = {"majority": _by_majority, "senior": _by_seniority, "latest": _by_time}


def contradicted(
    current: CurrentDecisions, people: PeopleAnnotatorConfig
) -> Iterator[tuple[Pair, list[Decision], Verdict]]:
    """Pairs on which the members (all if none are named) differ, or one contradicts themselves; and what stands.

    A pair that was reviewed is none of them, unless the reviewers differ.
    """
    for pair in sorted(current.pairs()):
        judgements = current.counting(pair, people.members)
        if judgements and (verdict := resolve(judgements, people)).settled_by not in (AGREED, REVIEWED):
            yield pair, judgements, verdict


def five_lists(
    current: CurrentDecisions, images: Mapping[str, str], people: PeopleAnnotatorConfig
) -> tuple[dict[str, ImageAnnotations], list[Contradiction], Counts]:
    """The judged nouns of each picture that has any, the contradictions, and what was left out for which reason.

    Args:
        images: what annotations call a thing -> its place, of pictures their sha256; what the log says of others is
            left out.
        people: how contradictions are settled, and the members whose judgements count (all if none are named).
    """
    by_image: dict[str, list[Pair]] = {}
    for pair in current.pairs():
        by_image.setdefault(pair[0], []).append(pair)
    counts = Counts("annotations")
    flow = counts.flow("pairs", sum(map(len, by_image.values())), "image-noun pairs with a record")
    elsewhere = sum(len(pairs) for digest, pairs in by_image.items() if digest not in set(images.values()))
    flow.drop(elsewhere, "the picture is not in this image set, or asked was something else of it")
    verdicts: dict[str, dict[str, Verdict]] = {}  # sha256 -> noun -> verdict
    contradictions: list[Contradiction] = []
    file_of = {digest: file for file, digest in sorted(images.items(), reverse=True)}
    for digest in sorted(by_image.keys() & file_of.keys(), key=lambda digest: file_of[digest]):
        for pair in sorted(by_image[digest]):
            judgements = current.counting(pair, people.members)
            if not judgements:
                flow.drop(1, "taken back, or nobody who counts is sure")
                continue
            verdict = resolve(judgements, people)
            if verdict.settled_by not in (AGREED, REVIEWED):
                what = verdict.category or "", verdict.settled_by
                contradictions += [
                    Contradiction(file_of[digest], d.noun, d.annotator, d.category, d.time, d.evidence, *what)
                    for d in judgements
                ]
            if verdict.category is None:
                flow.drop(1, "annotators contradict each other and the policy leaves it open")
            else:
                verdicts.setdefault(digest, {})[pair[1]] = verdict
    flow.out(sum(map(len, verdicts.values())), "pairs judged")
    _count_settling(counts, verdicts)
    lists = {file: _lists(verdicts[digest]) for file, digest in sorted(images.items()) if digest in verdicts}
    return lists, contradictions, counts


def _lists(verdicts: Mapping[str, Verdict]) -> ImageAnnotations:
    lists = {c: tuple(sorted(noun for noun, v in verdicts.items() if v.category == c)) for c in CATEGORIES}
    return ImageAnnotations(**lists)


def _count_settling(counts: Counts, verdicts: Mapping[str, Mapping[str, Verdict]]) -> None:
    settled = Counter(verdict.settled_by for nouns in verdicts.values() for verdict in nouns.values())
    flow = counts.flow("agreed", settled.total(), "pairs judged")
    for rule in sorted(settled.keys() - {AGREED}):
        flow.drop(settled[rule], f"contradictions settled by: {rule}")
    flow.out(settled[AGREED], "pairs on which all agree")
