"""What people are asked, in which order, and what each of them has still to do; pictures of the folder only."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from decision_records import ANSWERS, DIGESTS, NAMES, mark, record
from hypothesis import given
from hypothesis import strategies as st
from synthetic_results import predictions

from nounflow.annotation.pictures import digest_images, inside
from nounflow.annotation.plan import in_second_pass, plan_tasks
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.images import ImageError
from nounflow.schemas.decisions import Decision, Mark
from nounflow.schemas.documents import write_document
from nounflow.schemas.inputs import InputManifest
from nounflow.web.task_queue import LEASE_SECONDS, TaskQueue

PLANNED = [
    predictions("one", {"a.png": ["dog", "cat"], "b.png": ["cup", "jug"], "c.png": ["ship"]}),
    predictions("two", {"a.png": ["dog", "fox"], "b.png": ["jug", "cup"], "c.png": ["ship"]}),
    predictions("three", {"a.png": ["dog", "cat"], "b.png": ["jug", "pot"], "gone.png": ["pot"]}),
]
FILES = {"a.png": DIGESTS[0], "b.png": DIGESTS[1], "c.png": "c" * 64}


def test_disagreements_come_first_and_then_what_many_runs_say() -> None:
    tasks = plan_tasks(PLANNED, 2, FILES)
    assert [task.files[0] for task in tasks] == ["b.png", "a.png", "c.png"]
    assert [ask.noun for ask in tasks[0].asks] == ["jug", "cup", "pot"]  # 2.5, 1.5, 0.5 and the first two disputed
    assert [ask.noun for ask in tasks[1].asks] == ["dog", "cat", "fox"]
    assert plan_tasks(PLANNED[::-1], 2, FILES) == tasks


def test_equal_pictures_under_two_names_are_judged_once() -> None:
    tasks = plan_tasks(PLANNED, 2, {**FILES, "c.png": DIGESTS[0]})
    assert tasks[0].files == ("a.png", "c.png")


def test_the_second_pass_is_the_stated_share_and_the_same_everywhere() -> None:
    chance = random.Random(1)
    digests = [f"{chance.getrandbits(256):064x}" for _ in range(4000)]
    tenth = {digest for digest in digests if in_second_pass(digest, 0.1)}
    assert 320 < len(tenth) < 480
    assert all(in_second_pass(digest, 0.3) for digest in tenth)
    assert not any(in_second_pass(digest, 0.0) for digest in digests)
    assert all(in_second_pass(digest, 1.0) for digest in digests)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def queue_of(*records: Decision, clock: Clock, second_pass: float = 0.0) -> TaskQueue:
    return TaskQueue(plan_tasks(PLANNED, 2, FILES), records, second_pass=second_pass, clock=clock)


def asked(queue: TaskQueue, who: str, n: int = 9, skipped: bool = False) -> dict[str, list[str]]:
    return {t["file"]: [x["noun"] for x in t["nouns"]] for t in queue.next_tasks(who, 0, (), n, skipped)}


def test_only_what_is_missing_is_asked(clock: Clock) -> None:
    queue = queue_of(
        record(1, "jug", image=DIGESTS[1], annotator="bob"), record(2, "ship", image="c" * 64), clock=clock
    )
    assert asked(queue, "ann") == {"b.png": ["cup", "pot"], "a.png": ["dog", "cat", "fox"]}
    assert queue.progress("ann") == {"pairs": 7, "judged": 2, "mine": 1}


def test_a_second_annotator_judges_blind_what_is_in_the_second_pass(clock: Clock) -> None:
    first = record(1, "ship", "close_primary", image="c" * 64, annotator="bob", evidence="a secret")
    queue = queue_of(first, clock=clock, second_pass=1.0)
    assert asked(queue, "ann")["c.png"] == ["ship"]
    assert "secret" not in json.dumps(queue.next_tasks("ann", 0, (), 9))
    assert "close" not in json.dumps(queue.next_tasks("ann", 0, (), 9))
    queue.add(record(2, "ship", image="c" * 64))
    assert "c.png" not in asked(queue, "ann")
    assert "c.png" not in asked(queue, "cyd")  # two are enough


def test_two_annotators_get_different_pictures_until_the_lease_ends(clock: Clock) -> None:
    queue = queue_of(clock=clock)
    assert list(asked(queue, "ann", 1)) == ["b.png"]
    assert list(asked(queue, "bob", 3)) == ["a.png", "c.png", "b.png"]
    clock.now = LEASE_SECONDS + 1
    assert list(asked(queue, "cyd", 1)) == ["b.png"]


def test_what_was_skipped_is_asked_when_all_else_is_done_and_unsure_is_an_answer(clock: Clock) -> None:
    skipped = [record(n, noun, "skipped", image=DIGESTS[1]) for n, noun in enumerate(("jug", "cup", "pot"))]
    queue = queue_of(*skipped, record(9, "ship", "unsure", image="c" * 64), clock=clock)
    assert list(asked(queue, "ann")) == ["a.png"]
    assert list(asked(queue, "ann", skipped=True)) == ["b.png"]
    assert queue.next_tasks("ann", 1, (), 9, skipped=True) == []  # once through
    assert "ship" in asked(queue, "bob")["c.png"]  # another one may know


def test_undo_opens_a_pair_again_and_history_is_what_undo_and_redo_walk(clock: Clock) -> None:
    queue = queue_of(record(1, "ship", image="c" * 64), record(2, "fox"), clock=clock)
    assert [one["noun"] for one in queue.history("ann")["done"]] == ["ship", "fox"]
    queue.add(mark(3, "undo", 2))
    assert [one["noun"] for one in queue.history("ann")["undone"]] == ["fox"]
    assert queue.progress("ann")["judged"] == 1
    assert "fox" in asked(queue, "ann")["a.png"]
    queue.add(mark(4, "redo", 2))
    assert queue.history("ann")["undone"] == []
    assert queue.progress("ann") == {"pairs": 7, "judged": 2, "mine": 2}


def test_reviewers_are_asked_until_one_has_decided_and_again_where_they_differ(clock: Clock) -> None:
    said = [record(1, "ship", "incorrect", image="c" * 64), record(2, "ship", "close_primary", "bob", "c" * 64)]
    tasks = [task for task in plan_tasks(PLANNED, 2, FILES) if task.files == ("c.png",)]
    queue = TaskQueue(tasks, said, review=True, clock=clock)
    assert asked(queue, "rae") == asked(queue, "ann") == {"c.png": ["ship"]}
    shown = queue.task("c" * 64, "rae")
    assert shown
    (noun,) = shown["nouns"]
    assert sorted(one["who"] for one in noun["said"]) == ["A", "B"]
    assert sorted(one["who"] for one in queue.said(("c" * 64, "ship"), names=True)) == ["ann", "bob"]
    queue.add(record(3, "ship", "incorrect", "rae", "c" * 64, review=True))
    assert asked(queue, "rae") == asked(queue, "sam") == {}
    assert queue.progress("rae") == {"pairs": 1, "judged": 1, "mine": 1}
    other = record(4, "ship", "close_primary", "sam", "c" * 64, review=True)
    queue.add(other)
    assert list(asked(queue, "tim")) == ["c.png"]
    assert asked(queue, "rae") == {}
    assert list(asked(queue, "rae", skipped=True)) == ["c.png"]  # once more, at the end
    members = PeopleAnnotatorConfig(kind="people", members=("ann", "bob", "rae"))
    queue = TaskQueue(tasks, [*said, other], review=True, people=members)
    assert list(asked(queue, "rae")) == ["c.png"]  # sam does not count


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ANSWERS), st.integers(0, 6), st.booleans()), max_size=25)
)
def test_the_counts_in_the_queue_are_those_of_a_queue_set_up_anew(steps: list[tuple[str, str, int, bool]]) -> None:
    tasks = plan_tasks(PLANNED, 2, FILES)
    pairs = [(task.image, ask.noun) for task in tasks for ask in task.asks]
    queue = TaskQueue(tasks, [], second_pass=0.5)
    records: list[Decision | Mark] = []
    for who in NAMES:
        queue.next_tasks(who, 0, (), 1)  # so that their states are kept up to date rather than made anew
    for number, (who, category, pair, undo) in enumerate(steps):
        own = [one for one in records if isinstance(one, Decision) and one.annotator == who]
        image, noun = pairs[pair]
        new = (
            mark(number, "undo", int(own[-1].id, 16), who)
            if undo and own
            else record(number, noun, category, who, image)
        )
        records.append(new)
        queue.add(new)
    anew = TaskQueue(tasks, records, second_pass=0.5)
    for who in NAMES:
        assert queue.progress(who) == anew.progress(who)
        assert queue.history(who) == anew.history(who)
        kept, fresh = asked(queue, who), asked(anew, who)
        assert {k: sorted(v) for k, v in kept.items()} == {k: sorted(v) for k, v in fresh.items()}


def test_no_file_outside_the_folder_is_a_picture(tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "in.png").write_bytes(b"y")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "way").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    bad = ["../secret.png", str(tmp_path / "secret.png"), "link.png", "way/secret.png", "loop", "a\0b", "", "none.png"]
    known = InputManifest(
        name="a", source="b", version="c", licence="d", folder="images", files={"link.png": DIGESTS[0]}, megabytes=1
    )
    write_document(tmp_path / "manifest.json", known)
    found = digest_images(tmp_path / "manifest.json", ["in.png", *bad])
    assert set(found.images) == {"in.png"}
    assert set(found.problems) == set(bad)
    with pytest.raises(ImageError):
        inside(folder, "sub/../../secret.png")
