"""What stands of a decision log, in whatever order its records come."""

from __future__ import annotations

from random import Random
from typing import Any

from decision_records import DIGESTS, NAMES, logs, mark, record
from hypothesis import given
from hypothesis import strategies as st

from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.schemas.decisions import Decision, Mark


def everything(current: CurrentDecisions) -> dict[Any, Any]:
    pairs = [(image, noun) for image in DIGESTS for noun in ("dog", "")]
    return {(pair, who): current.current(pair, who) for pair in pairs for who in NAMES}


def oracle(records: list[Decision | Mark], pair: tuple[str, str], who: str) -> set[str]:
    """What stands, by going through all records again and again."""
    standing: list[Decision] = []
    for one in records:
        if not (isinstance(one, Decision) and (one.image, one.noun) == pair and one.annotator == who):
            continue
        marks = [m for m in records if isinstance(m, Mark) and m.target == one.id and m.annotator == who]
        marks.sort(key=lambda m: (m.time, m.kind == "undo", m.id))
        if not marks or marks[-1].kind == "redo":
            standing.append(one)
    latest = max((one.time for one in standing), default="")
    return {one.category for one in standing if one.time == latest}


@given(logs(), st.randoms(use_true_random=False))
def test_what_stands_depends_on_the_set_of_records_alone(records: list[Decision | Mark], chance: Random) -> None:
    shuffled = records + records[: len(records) // 2]  # some twice
    chance.shuffle(shuffled)
    assert everything(CurrentDecisions(shuffled)) == everything(CurrentDecisions(records))


@given(logs())
def test_what_stands_is_what_a_slow_reading_of_the_log_says(records: list[Decision | Mark]) -> None:
    current = CurrentDecisions(records)
    for (pair, who), decisions in everything(current).items():
        assert {one.category for one in decisions} == oracle(records, pair, who)


@given(logs(), logs())
def test_merging_two_logs_is_the_same_either_way(one: list[Decision | Mark], other: list[Decision | Mark]) -> None:
    other = [r.model_copy(update={"id": f"{int(r.id, 16) + 100:032x}"}) for r in other]
    assert everything(CurrentDecisions([*one, *other])) == everything(CurrentDecisions([*other, *one]))


def test_undo_brings_back_what_stood_before_and_redo_reverses_it() -> None:
    records: list[Decision | Mark] = [
        record(1, category="incorrect"),
        record(2, category="close_primary"),
        mark(3, "undo", 2),
    ]
    pair = (DIGESTS[0], "dog")
    assert CurrentDecisions(records).current(pair, "ann")[0].category == "incorrect"
    assert CurrentDecisions([*records, mark(4, "redo", 2)]).current(pair, "ann")[0].category == "close_primary"
    assert CurrentDecisions([*records, mark(4, "undo", 1)]).current(pair, "ann") == ()


def test_nobody_can_take_back_what_another_one_decided() -> None:
    current = CurrentDecisions([record(1), mark(2, "undo", 1, annotator="bob")])
    assert len(current.current((DIGESTS[0], "dog"), "ann")) == 1


def test_unsure_and_skipped_are_no_judgements() -> None:
    current = CurrentDecisions([record(1, category="unsure"), record(2, category="skipped", annotator="bob")])
    assert current.judgements((DIGESTS[0], "dog")) == {}
