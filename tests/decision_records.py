"""Records of a decision log, made short, and drawn at random."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nounflow.config.annotators import PeopleAnnotatorConfig, PolicyRule
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import ABSTENTIONS, Decision, DecisionDraft, Mark, MarkDraft, time_text

DIGESTS = ("a" * 64, "b" * 64)
NAMES = ("ann", "bob", "cyd")
ANSWERS = (*CATEGORIES, *ABSTENTIONS)


def record(
    number: int,
    noun: str = "dog",
    category: str = "incorrect",
    annotator: str = "ann",
    image: str = DIGESTS[0],
    time: int | None = None,
    **more: Any,
) -> Decision:
    return Decision(
        kind="decision", id=f"{number:032x}", annotator=annotator, tool="test", image=image, noun=noun,
        category=category, time=time_text(1_000_000 * (number if time is None else time)), **more,
    )  # fmt: skip


def mark(number: int, kind: str, target: int, annotator: str = "ann", time: int | None = None) -> Mark:
    return Mark(
        kind=kind, id=f"{number:032x}", annotator=annotator, tool="test", target=f"{target:032x}",
        time=time_text(1_000_000 * (number if time is None else time)),
    )  # fmt: skip


def draft(of: Decision | Mark) -> DecisionDraft | MarkDraft:
    kind = DecisionDraft if isinstance(of, Decision) else MarkDraft
    return kind(**of.model_dump(exclude={"time"}))


@st.composite
def logs(draw: st.DrawFn) -> list[Decision | Mark]:
    """Records of a few annotators on few pairs, with marks on any of them, at times that may coincide."""
    n = draw(st.integers(0, 14))
    times = st.integers(0, 6)
    records: list[Decision | Mark] = []
    for number in range(n):
        if len(records) > 0 and draw(st.booleans()) and draw(st.booleans()):
            kind, target = draw(st.sampled_from(("undo", "redo"))), draw(st.integers(0, n))
            records.append(mark(number, kind, target, draw(st.sampled_from(NAMES)), draw(times)))
        else:
            noun, category = draw(st.sampled_from(("dog", ""))), draw(st.sampled_from(ANSWERS))
            who, image = draw(st.sampled_from(NAMES)), draw(st.sampled_from(DIGESTS))
            records.append(record(number, noun, category, who, image, draw(times)))
    return records


def people(
    policy: tuple[PolicyRule, ...] = ("majority", "senior", "latest"),
    seniority: tuple[str, ...] = (),
    members: tuple[str, ...] = (),
) -> PeopleAnnotatorConfig:
    """Settings of people who judge."""
    return PeopleAnnotatorConfig(kind="people", policy=policy, seniority=seniority, members=members)
