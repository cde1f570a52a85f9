"""The decision log: what stands in it in any order, how contradictions are settled, what goes in and out."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys

import pytest
from annotation_site import ROOT, Site, decision, environment
from hypothesis import given
from hypothesis import strategies as st
from synthetic_results import annotations, predictions

from nounflow.annotation.agreement import agreement, cohen_kappa, krippendorff_alpha, shared_judgements
from nounflow.annotation.consensus import Policy, five_lists, resolve
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.exchange import DecisionOrigin, read_judgements, records_of, write_five_lists
from nounflow.annotation.log import DecisionLog, log_digest, read_records, write_records
from nounflow.annotation.pictures import digest_images, inside
from nounflow.annotation.plan import in_second_pass, plan_tasks
from nounflow.cli import main
from nounflow.counts import Counts
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.images import ImageError
from nounflow.schemas.decisions import (
    ABSTENTIONS,
    Decision,
    DecisionDraft,
    Mark,
    MarkDraft,
    microseconds,
    parse_record,
    record_line,
    time_text,
)
from nounflow.schemas.documents import CATEGORIES, Annotations, read_document, write_document
from nounflow.web.task_queue import LEASE_SECONDS, TaskQueue

DIGESTS = ("a" * 64, "b" * 64)
NAMES = ("ann", "bob", "cyd")
ANSWERS = (*CATEGORIES, *ABSTENTIONS)


def record(number: int, noun="dog", category="incorrect", annotator="ann", image=DIGESTS[0], time=None, **more):
    return Decision(
        kind="decision", id=f"{number:032x}", annotator=annotator, tool="test", image=image, noun=noun,
        category=category, time=time_text(1_000_000 * (number if time is None else time)), **more,
    )  # fmt: skip


def mark(number: int, kind: str, target: int, annotator="ann", time=None):
    time = time_text(1_000_000 * (number if time is None else time))
    return Mark(kind=kind, id=f"{number:032x}", annotator=annotator, tool="test", target=f"{target:032x}", time=time)


def draft(of: Decision | Mark) -> DecisionDraft | MarkDraft:
    kind = DecisionDraft if isinstance(of, Decision) else MarkDraft
    return kind(**of.model_dump(exclude={"time"}))


@st.composite
def logs(draw):
    """Records of a few annotators on few pairs, with marks on any of them, at times that may coincide."""
    n = draw(st.integers(0, 14))
    times = st.integers(0, 6)
    records = []
    for number in range(n):
        if records and draw(st.booleans()) and draw(st.booleans()):
            kind, target = draw(st.sampled_from(("undo", "redo"))), draw(st.integers(0, n))
            records.append(mark(number, kind, target, draw(st.sampled_from(NAMES)), draw(times)))
        else:
            noun, category = draw(st.sampled_from(("dog", ""))), draw(st.sampled_from(ANSWERS))
            who, image = draw(st.sampled_from(NAMES)), draw(st.sampled_from(DIGESTS))
            records.append(record(number, noun, category, who, image, draw(times)))
    return records


def everything(current: CurrentDecisions) -> dict:
    pairs = [(image, noun) for image in DIGESTS for noun in ("dog", "")]
    return {(pair, who): current.current(pair, who) for pair in pairs for who in NAMES}


def oracle(records, pair, who) -> set:
    """What stands, by going through all records again and again."""
    standing = []
    for one in records:
        if not (isinstance(one, Decision) and (one.image, one.noun) == pair and one.annotator == who):
            continue
        marks = [m for m in records if isinstance(m, Mark) and m.target == one.id and m.annotator == who]
        marks.sort(key=lambda m: (m.time, m.kind == "undo", m.id))
        if not marks or marks[-1].kind == "redo":
            standing.append(one)
    latest = max((one.time for one in standing), default="")
    return {one.category for one in standing if one.time == latest}


# --- what stands ----------------------------------------------------------------------------------------------------


@given(logs(), st.randoms(use_true_random=False))
def test_what_stands_depends_on_the_set_of_records_alone(records, chance):
    shuffled = records + records[: len(records) // 2]  # some twice
    chance.shuffle(shuffled)
    assert everything(CurrentDecisions(shuffled)) == everything(CurrentDecisions(records))


@given(logs())
def test_what_stands_is_what_a_slow_reading_of_the_log_says(records):
    current = CurrentDecisions(records)
    for (pair, who), decisions in everything(current).items():
        assert {one.category for one in decisions} == oracle(records, pair, who)


@given(logs(), logs())
def test_merging_two_logs_is_the_same_either_way(one, other):
    other = [r.model_copy(update={"id": f"{int(r.id, 16) + 100:032x}"}) for r in other]
    assert everything(CurrentDecisions([*one, *other])) == everything(CurrentDecisions([*other, *one]))


def test_undo_brings_back_what_stood_before_and_redo_reverses_it():
    records = [record(1, category="incorrect"), record(2, category="close_primary"), mark(3, "undo", 2)]
    pair = (DIGESTS[0], "dog")
    assert CurrentDecisions(records).current(pair, "ann")[0].category == "incorrect"
    assert CurrentDecisions([*records, mark(4, "redo", 2)]).current(pair, "ann")[0].category == "close_primary"
    assert CurrentDecisions([*records, mark(4, "undo", 1)]).current(pair, "ann") == ()


def test_nobody_can_take_back_what_another_one_decided():
    current = CurrentDecisions([record(1), mark(2, "undo", 1, annotator="bob")])
    assert len(current.current((DIGESTS[0], "dog"), "ann")) == 1


def test_unsure_and_skipped_are_no_judgements():
    current = CurrentDecisions([record(1, category="unsure"), record(2, category="skipped", annotator="bob")])
    assert current.judgements((DIGESTS[0], "dog")) == {}


# --- the log on disk ------------------------------------------------------------------------------------------------


@given(logs())
def test_a_record_survives_its_line(records):
    for one in records:
        assert parse_record(record_line(one), "here") == one


@pytest.mark.parametrize(
    "change",
    [
        {"image": "../etc/passwd"}, {"id": "1"}, {"category": "right"}, {"annotator": "a\nb"}, {"time": "2026-01-01"},
        {"votes": {"incorrect": 0}}, {"evidence": "x" * 5000}, {"more": 1}, {"kind": "remark"}, {"noun": None},
    ],
)  # fmt: skip
def test_what_is_no_record_is_refused_when_it_is_read(change):
    values = {**record(1).model_dump(), **change}
    with pytest.raises(DamagedFileError, match="Not a record"):
        parse_record(json.dumps(values), "here")


def test_times_rise_even_if_the_clock_goes_back(tmp_path):
    clock = iter((50.0, 10.0, 10.0))
    with DecisionLog.open(tmp_path / "log.sqlite", now=lambda: next(clock)) as log:
        for number in range(3):
            log.append([draft(record(number))]).result()
        times = [one.time for one in log.records()]
    assert times == sorted(set(times))
    with DecisionLog.open(tmp_path / "log.sqlite", now=lambda: 1.0) as log:
        log.add([record(7, time=99)]).result()
        log.append([draft(record(8))]).result()
        assert microseconds(log.records()[-1].time) == 99_000_001  # above what was merged


def test_the_same_draft_twice_is_one_record_and_another_under_its_id_is_refused(tmp_path):
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        first, again = log.append([draft(record(1)), draft(record(1))]).result()
        assert first.new
        assert not again.new
        assert again.record == first.record
        (other,) = log.append([draft(record(1, category="close_primary"))]).result()
        assert other.refused
        assert len(log.records()) == 1


def test_a_log_only_grows(tmp_path):
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        log.append([draft(record(1))]).result()
    connection = sqlite3.connect(tmp_path / "log.sqlite")
    for sql in ("UPDATE records SET record = '{}'", "DELETE FROM records"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            connection.execute(sql)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_two_processes_do_not_write_to_one_log_and_others_may_read(tmp_path):
    path = tmp_path / "log.sqlite"
    with DecisionLog.open(path) as log:
        with pytest.raises(NounflowError, match="Another process writes to this decision log"):
            DecisionLog.open(path)
        log.append([draft(record(1))]).result()
        assert len(read_records(path)) == 1


def test_a_file_that_is_no_log_is_one_message(tmp_path):
    (tmp_path / "log.sqlite").write_text("hello" * 1000)
    with pytest.raises(DamagedFileError, match="decision log cannot be read"):
        read_records(tmp_path / "log.sqlite")
    (tmp_path / "log.jsonl").write_text('{"kind": "decision"}\n')
    with pytest.raises(DamagedFileError) as caught:
        read_records(tmp_path / "log.jsonl")
    assert "line 1" in str(caught.value)
    with pytest.raises(NounflowError, match="SQLite file"):
        DecisionLog.open(tmp_path / "log.jsonl")


def test_the_text_form_holds_the_same_records_in_the_order_of_time(tmp_path):
    records = [record(3), record(1, noun="a\tb\n\u2028\x00"), mark(2, "undo", 1)]
    write_records(tmp_path / "log.jsonl", records)
    assert read_records(tmp_path / "log.jsonl") == sorted(records, key=lambda one: one.time)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 3
    with DecisionLog.open(tmp_path / "log.sqlite") as log:
        log.add(records).result()
    assert log_digest(tmp_path / "log.jsonl") == log_digest(tmp_path / "log.sqlite")


def test_text_logs_merged_line_by_line_are_a_log_and_edited_records_are_found(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{record_line(one)}\n" for one in (record(2), record(1), record(2))))
    assert len(read_records(path)) == 2
    path.write_text(f"{record_line(record(1))}\n{record_line(record(1, category='unsure'))}\n")
    with pytest.raises(MismatchError, match="Two different records"):
        read_records(path)


# --- contradictions -------------------------------------------------------------------------------------------------


def said(*pairs):
    return [record(n, category=category, annotator=who) for n, (who, category) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("judgements", "policy", "verdict"),
    [
        ([("ann", "incorrect"), ("bob", "incorrect")], Policy(), ("incorrect", "agreed")),
        ([("ann", "incorrect"), ("bob", "incorrect"), ("cyd", "close_primary")], Policy(), ("incorrect", "majority")),
        ([("ann", "incorrect"), ("bob", "close_primary")], Policy(), ("close_primary", "latest")),
        ([("ann", "close_primary"), ("bob", "incorrect")], Policy(), ("incorrect", "latest")),
        ([("ann", "incorrect"), ("bob", "close_primary")], Policy(seniority=("ann",)), ("incorrect", "senior")),
        ([("ann", "incorrect"), ("bob", "close_primary")], Policy(("majority",)), (None, "open")),
        ([("ann", "incorrect"), ("bob", "close_primary")], Policy(()), (None, "open")),
        # the senior one decides among the categories that the majority left, and only there
        (
            [("ann", "correct_primary"), ("bob", "incorrect"), ("cyd", "incorrect")],
            Policy(seniority=("ann",)),
            ("incorrect", "majority"),
        ),
        (
            [("ann", "correct_primary"), ("bob", "incorrect"), ("cyd", "incorrect")],
            Policy(("senior",), ("ann",)),
            ("correct_primary", "senior"),
        ),
        ([("ann", "incorrect"), ("bob", "close_primary")], Policy(("senior",), ("dan",)), (None, "open")),
    ],
)
def test_contradictions_are_settled_by_the_stated_policy(judgements, policy, verdict):
    assert resolve(said(*judgements), policy) == verdict


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(CATEGORIES)), min_size=1, max_size=6), st.randoms())
def test_neither_order_nor_the_alphabet_settles_anything(pairs, chance):
    judgements = said(*pairs)
    verdict = resolve(judgements, Policy())
    shuffled = judgements.copy()
    chance.shuffle(shuffled)
    assert resolve(shuffled, Policy()) == verdict
    # renaming the categories renames the verdict, so their names play no part
    turned = dict(zip(CATEGORIES, CATEGORIES[::-1], strict=True))
    renamed = [one.model_copy(update={"category": turned[one.category]}) for one in judgements]
    assert resolve(renamed, Policy()).category == turned.get(verdict.category)


def test_what_one_and_the_same_file_contradicts_itself_in_stays_open_and_is_shown():
    both = [record(1, category="close_primary", time=5), record(2, category="correct_primary", time=5)]
    lists, rows, counts = five_lists(CurrentDecisions(both), {"a.png": DIGESTS[0]}, Policy())
    assert lists == {}
    assert [(row.category, row.verdict, row.settled_by) for row in rows] == [
        ("close_primary", "", "open"),
        ("correct_primary", "", "open"),
    ]
    assert "leaves it open" in json.dumps(counts.as_dict())


def test_the_five_lists_hold_what_stands_of_those_who_count():
    records = [
        *said(("ann", "correct_primary"), ("bob", "incorrect")),
        record(5, noun="cat", category="unsure"),
        record(6, noun="cup", category="close_secondary"),
        record(7, noun="cup", image="c" * 64),
    ]
    files = {"a.png": DIGESTS[0], "same.png": DIGESTS[0], "b.png": DIGESTS[1]}
    lists, rows, _ = five_lists(CurrentDecisions(records), files, Policy(), ("ann",))
    assert lists["a.png"].correct_primary == ("dog",)
    assert lists["a.png"].close_secondary == ("cup",)
    assert lists["same.png"] == lists["a.png"]
    assert set(lists) == {"a.png", "same.png"}
    assert rows == []
    everyone, rows, _ = five_lists(CurrentDecisions(records), files, Policy())
    assert everyone["a.png"].incorrect == ("dog",)
    assert {row.annotator for row in rows} == {"ann", "bob"}


# --- agreement ------------------------------------------------------------------------------------------------------


def test_kappa_and_alpha_of_a_table_worked_by_hand():
    # 20 pairs: both yes 8, both no 6, and 6 on which they differ (3 each way): po = .7, pe = .55*.55 + .45*.45 = .505
    first = ["incorrect"] * 8 + ["close_primary"] * 6 + ["incorrect"] * 3 + ["close_primary"] * 3
    second = ["incorrect"] * 8 + ["close_primary"] * 6 + ["close_primary"] * 3 + ["incorrect"] * 3
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.505) / 0.495)
    rows = [{"a": x, "b": y} for x, y in zip(first, second, strict=True)]
    # observed disagreement .3; expected 2 * 22 * 18 / (40 * 39)
    assert krippendorff_alpha(rows) == pytest.approx(1 - 0.3 / (2 * 22 * 18 / (40 * 39)))
    found = agreement(rows)
    assert (found.pairs, found.twos[0].share) == (20, pytest.approx(0.7))
    assert found.twos[0].kappa_coarse == pytest.approx(found.twos[0].kappa)


def test_agreement_is_none_where_nothing_varies_or_nobody_overlaps():
    assert cohen_kappa(["incorrect"], ["incorrect"]) is None
    assert agreement([]) == (0, None, None, ())
    current = CurrentDecisions([record(1), record(2, noun="cat", annotator="bob")])
    assert shared_judgements(current) == {}


# --- in and out -----------------------------------------------------------------------------------------------------

ORIGIN = DecisionOrigin("ann", "import", "drawn", time_text(0))


def test_five_lists_go_in_and_come_out_the_same(tmp_path):
    lists = {
        "b.png": {"correct_primary": ["dog", "a <b>\u00e9"], "correct_secondary": ["sofa"], "incorrect": [""]},
        "a.png": {"close_primary": ["wolf"], "close_secondary": ["chair"]},
    }
    full = {image: {c: sorted(found.get(c, [])) for c in CATEGORIES} for image, found in sorted(lists.items())}
    (tmp_path / "in.json").write_text(json.dumps(lists))
    counts = Counts("x")
    imported = read_judgements(tmp_path / "in.json", counts)
    digests = {"a.png": DIGESTS[0], "b.png": DIGESTS[1]}
    records = records_of(imported.judged, digests, ORIGIN, counts)
    assert records == records_of(imported.judged, digests, ORIGIN, counts)  # the same ids: importing twice adds nothing
    out, _, _ = five_lists(CurrentDecisions(records), digests, Policy())
    write_five_lists(tmp_path / "out.json", out)
    text = (tmp_path / "out.json").read_text()
    assert json.loads(text) == full
    assert '    "correct_primary": ["a <b>é", "dog"],\n' in text  # a line a list


def test_a_noun_in_two_lists_is_a_contradiction_and_not_settled_silently(tmp_path):
    (tmp_path / "in.json").write_text(json.dumps({"a.png": {"correct_primary": ["dog"], "close_primary": ["dog"]}}))
    counts = Counts("x")
    judged = read_judgements(tmp_path / "in.json", counts).judged
    lists, rows, _ = five_lists(
        CurrentDecisions(records_of(judged, {"a.png": DIGESTS[0]}, ORIGIN, counts)), {"a.png": DIGESTS[0]}, Policy()
    )
    assert lists == {}
    assert len(rows) == 2


def test_votes_become_categories_by_the_published_rule(tmp_path):
    votes = {
        "three": [1, 1, 1],
        "none": [0, 0, 0],
        "four": [1, 1, 1, 1, 0],
        "one": [0, 0, 0, 1, 0],
        "split": [1, 1, 0, 0, 1],
    }
    state = {
        "_meta": {"opinions_min": 3, "confidence": 0.78, "model": "a model"},
        "annotations": {"a.png": {noun: list(map(bool, cast)) for noun, cast in {**votes, "two": [1, 1]}.items()}},
        "descriptions": {"a.png": {"a dog": 1, "a dog asleep": 2}},
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    counts = Counts("x")
    imported = read_judgements(tmp_path / "state.json", counts)
    found = {one.noun: one.category for one in imported.judged}
    right, wrong = "correct_primary", "incorrect"
    assert found == {"three": right, "none": wrong, "four": right, "one": wrong, "split": "close_primary"}
    records = records_of(imported.judged, {"a.png": DIGESTS[0]}, ORIGIN, counts)
    assert {one.noun: one.votes for one in records}["four"] == {right: 4, wrong: 1}
    assert records[0].evidence == "a dog asleep"
    assert imported.tool == "a model"
    assert counts.flows[0].dropped == {"fewer than 3 votes": 1}


def test_what_the_wordnet_annotator_says_fits_the_log_and_gives_its_annotations_again(tmp_path):
    document = annotations({"a.png": {"correct_primary": ["dog"], "incorrect": ["cat", "cup"]}, "b.png": {}})
    write_document(tmp_path / "wordnet.json", document)
    (tmp_path / "wordnet.reasons.tsv").write_text(
        "image\tnoun\tcategory\treason\na.png\tcat\tincorrect\tnear no label\n"
    )
    counts = Counts("x")
    imported = read_judgements(tmp_path / "wordnet.json", counts)
    assert (imported.annotator, imported.tool, imported.image_set) == ("wordnet", "1", "photos")
    digests = {"a.png": DIGESTS[0], "b.png": DIGESTS[1]}
    records = records_of(imported.judged, digests, ORIGIN._replace(annotator="wordnet"), counts)
    assert {one.noun: one.evidence for one in records}["cat"] == "near no label"
    lists, _, _ = five_lists(CurrentDecisions(records), digests, Policy())
    assert lists == {image: lists_ for image, lists_ in document.images.items() if image == "a.png"}


@pytest.mark.parametrize(
    "text",
    [
        "[1]", "{", '{"a.png": {"right": []}}', '{"a.png": {}, "a.png": {}}', '{"a.png": []}',
        '{"_meta": {}, "annotations": 3}',
    ],
)  # fmt: skip
def test_a_file_of_no_known_form_is_one_message(tmp_path, text):
    (tmp_path / "in.json").write_text(text)
    with pytest.raises(NounflowError):
        read_judgements(tmp_path / "in.json", Counts("x"))


# --- what is asked --------------------------------------------------------------------------------------------------

PLANNED = [
    predictions("one", {"a.png": ["dog", "cat"], "b.png": ["cup", "jug"], "c.png": ["ship"]}),
    predictions("two", {"a.png": ["dog", "fox"], "b.png": ["jug", "cup"], "c.png": ["ship"]}),
    predictions("three", {"a.png": ["dog", "cat"], "b.png": ["jug", "pot"], "gone.png": ["pot"]}),
]
FILES = {"a.png": DIGESTS[0], "b.png": DIGESTS[1], "c.png": "c" * 64}


def test_disagreements_come_first_and_then_what_many_runs_say():
    tasks = plan_tasks(PLANNED, 2, FILES)
    assert [task.files[0] for task in tasks] == ["b.png", "a.png", "c.png"]
    assert [ask.noun for ask in tasks[0].asks] == ["jug", "cup", "pot"]  # 2.5, 1.5, 0.5 and the first two disputed
    assert [ask.noun for ask in tasks[1].asks] == ["dog", "cat", "fox"]
    assert plan_tasks(PLANNED[::-1], 2, FILES) == tasks


def test_equal_pictures_under_two_names_are_judged_once():
    tasks = plan_tasks(PLANNED, 2, {**FILES, "c.png": DIGESTS[0]})
    assert tasks[0].files == ("a.png", "c.png")


def test_the_second_pass_is_the_stated_share_and_the_same_everywhere():
    chance = random.Random(1)
    digests = [f"{chance.getrandbits(256):064x}" for _ in range(4000)]
    tenth = {digest for digest in digests if in_second_pass(digest, 0.1)}
    assert 320 < len(tenth) < 480
    assert all(in_second_pass(digest, 0.3) for digest in tenth)
    assert not any(in_second_pass(digest, 0.0) for digest in digests)
    assert all(in_second_pass(digest, 1.0) for digest in digests)


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def desk_of(*records, clock, second_pass=0.0):
    return TaskQueue(plan_tasks(PLANNED, 2, FILES), records, second_pass=second_pass, clock=clock)


def asked(desk, who, n=9, skipped=False):
    return {t["file"]: [x["noun"] for x in t["nouns"]] for t in desk.next_tasks(who, 0, (), n, skipped)}


def test_only_what_is_missing_is_asked(clock):
    desk = desk_of(record(1, "jug", image=DIGESTS[1], annotator="bob"), record(2, "ship", image="c" * 64), clock=clock)
    assert asked(desk, "ann") == {"b.png": ["cup", "pot"], "a.png": ["dog", "cat", "fox"]}
    assert desk.progress("ann") == {"pairs": 7, "judged": 2, "mine": 1}


def test_a_second_annotator_judges_blind_what_is_in_the_second_pass(clock):
    first = record(1, "ship", "close_primary", image="c" * 64, annotator="bob", evidence="a secret")
    desk = desk_of(first, clock=clock, second_pass=1.0)
    assert asked(desk, "ann")["c.png"] == ["ship"]
    assert "secret" not in json.dumps(desk.next_tasks("ann", 0, (), 9))
    assert "close" not in json.dumps(desk.next_tasks("ann", 0, (), 9))
    desk.add(record(2, "ship", image="c" * 64))
    assert "c.png" not in asked(desk, "ann")
    assert "c.png" not in asked(desk, "cyd")  # two are enough


def test_two_annotators_get_different_pictures_until_the_lease_ends(clock):
    desk = desk_of(clock=clock)
    assert list(asked(desk, "ann", 1)) == ["b.png"]
    assert list(asked(desk, "bob", 3)) == ["a.png", "c.png", "b.png"]
    clock.now = LEASE_SECONDS + 1
    assert list(asked(desk, "cyd", 1)) == ["b.png"]


def test_what_was_skipped_is_asked_when_all_else_is_done_and_unsure_is_an_answer(clock):
    skipped = [record(n, noun, "skipped", image=DIGESTS[1]) for n, noun in enumerate(("jug", "cup", "pot"))]
    desk = desk_of(*skipped, record(9, "ship", "unsure", image="c" * 64), clock=clock)
    assert list(asked(desk, "ann")) == ["a.png"]
    assert list(asked(desk, "ann", skipped=True)) == ["b.png"]
    assert desk.next_tasks("ann", 1, (), 9, skipped=True) == []  # once through
    assert "ship" in asked(desk, "bob")["c.png"]  # another one may know


def test_undo_opens_a_pair_again_and_history_is_what_undo_and_redo_walk(clock):
    desk = desk_of(record(1, "ship", image="c" * 64), record(2, "fox"), clock=clock)
    assert [one["noun"] for one in desk.history("ann")["done"]] == ["ship", "fox"]
    desk.add(mark(3, "undo", 2))
    assert [one["noun"] for one in desk.history("ann")["undone"]] == ["fox"]
    assert desk.progress("ann")["judged"] == 1
    assert "fox" in asked(desk, "ann")["a.png"]
    desk.add(mark(4, "redo", 2))
    assert desk.history("ann")["undone"] == []
    assert desk.progress("ann") == {"pairs": 7, "judged": 2, "mine": 2}


@given(
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(ANSWERS), st.integers(0, 6), st.booleans()), max_size=25)
)
def test_the_counts_on_the_desk_are_those_of_a_desk_set_up_anew(steps):
    tasks = plan_tasks(PLANNED, 2, FILES)
    pairs = [(task.image, ask.noun) for task in tasks for ask in task.asks]
    desk = TaskQueue(tasks, [], second_pass=0.5)
    records = []
    for who in NAMES:
        desk.next_tasks(who, 0, (), 1)  # so that their states are kept up to date rather than made anew
    for number, (who, category, pair, undo) in enumerate(steps):
        own = [one for one in records if isinstance(one, Decision) and one.annotator == who]
        image, noun = pairs[pair]
        new = (
            mark(number, "undo", int(own[-1].id, 16), who)
            if undo and own
            else record(number, noun, category, who, image)
        )
        records.append(new)
        desk.add(new)
    anew = TaskQueue(tasks, records, second_pass=0.5)
    for who in NAMES:
        assert desk.progress(who) == anew.progress(who)
        assert desk.history(who) == anew.history(who)
        kept, fresh = asked(desk, who), asked(anew, who)
        assert {k: sorted(v) for k, v in kept.items()} == {k: sorted(v) for k, v in fresh.items()}


# --- pictures -------------------------------------------------------------------------------------------------------


def test_no_file_outside_the_folder_is_a_picture(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (tmp_path / "secret.png").write_bytes(b"x")
    (folder / "in.png").write_bytes(b"y")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "way").symlink_to(tmp_path)
    (folder / "loop").symlink_to(folder / "loop")
    bad = ["../secret.png", str(tmp_path / "secret.png"), "link.png", "way/secret.png", "loop", "a\0b", "", "none.png"]
    found = digest_images(folder, ["in.png", *bad], {"link.png": DIGESTS[0]})
    assert set(found.images) == {"in.png"}
    assert set(found.problems) == set(bad)
    with pytest.raises(ImageError):
        inside(folder, "sub/../../secret.png")


# --- command line and stage -----------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path, wordnet_input):
    return Site(tmp_path, wordnet_input)


@pytest.fixture
def run(site, monkeypatch, capsys):
    """The command line in the site's folder; returns what it printed."""
    monkeypatch.chdir(site.folder)

    def call(*arguments):
        main([*arguments, "--configfile", "mine.yaml"])
        return capsys.readouterr().out

    return call


def test_logs_are_imported_shown_exported_and_merged_by_command(site, run, tmp_path):
    lists = {"dog.png": {"correct_primary": ["dog"], "incorrect": ["wolf"]}, "lost.png": {"incorrect": ["x"]}}
    (tmp_path / "ann.json").write_text(json.dumps(lists))
    (tmp_path / "bob.json").write_text(json.dumps({"dog.png": {"correct_secondary": ["dog"], "incorrect": ["wolf"]}}))
    for name in ("ann", "bob"):
        out = run("decisions", "import", f"{name}.json", "--annotator", name, "--image-set", "drawn")
    assert "2 records, 2 of them new, 0 refused" in out
    again = run("decisions", "import", "ann.json", "--annotator", "ann", "--image-set", "drawn")
    assert "1 dropped: no such picture in the image folder" in again
    assert "2 records, 0 of them new, 0 refused" in again
    shown = run("decisions", "show")
    assert "ann, bob: 2 pairs, 50.0% the same" in shown
    assert "contradictions: 1, settled by majority, senior, latest" in shown
    assert "'dog' of 'dog.png'" in shown
    assert "ann: correct primary, bob: correct secondary -> " in shown
    assert "'wolf'" not in shown
    (tmp_path / "both.json").write_text(json.dumps({"cup.png": {"close_primary": ["mug"], "incorrect": ["mug"]}}))
    run("decisions", "import", "both.json", "--annotator", "cy", "--image-set", "drawn")
    (own,) = (line for line in run("decisions", "show").splitlines() if "'mug' of 'cup.png'" in line)
    assert {said.strip() for said in own.split("): ")[1].removesuffix(" -> open").split(",")} == {
        "cy: close primary",
        "cy: incorrect",
    }
    run("decisions", "export", "log.jsonl")
    run("decisions", "merge", "log.jsonl", "--log", "other.sqlite")
    assert sorted(read_records(tmp_path / "other.sqlite"), key=lambda r: r.id) == sorted(
        read_records(site.log), key=lambda r: r.id
    )
    said_out = run("decisions", "export", "lists.json", "--image-set", "drawn")
    assert "differ on 'dog'" in said_out
    assert json.loads((tmp_path / "lists.json").read_text())["dog.png"]["incorrect"] == ["wolf"]


def collect(site, tmp_path, settings):
    arguments = [
        *("--annotator", "people", "--image-set", "drawn", "--settings", json.dumps(settings)),
        *("--images", str(site.folder / "images")),
        *("--predictions", *(str(p) for p in sorted(site.folder.glob("results/predictions/*/drawn.json")))),
        *("--out", str(tmp_path / "people.json"), "--contradictions", str(tmp_path / "people.contradictions.tsv")),
        *("--counts", str(tmp_path / "people.counts.json")),
    ]
    script = str(ROOT / "workflow_scripts/collect_decisions.py")
    done = subprocess.run([sys.executable, script, *arguments], env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_stage_makes_annotations_of_the_log_that_scoring_reads(site, tmp_path):
    settings = {"kind": "people", "log": str(site.log)}
    assert "there is no decision log" in collect(site, tmp_path, settings)
    assert read_document(Annotations, tmp_path / "people.json", "annotations").images == {}
    with DecisionLog.open(site.log) as log:
        drafts = [
            decision(site.image("dog.png"), "dog", "correct_primary"),
            decision(site.image("dog.png"), "sofa", "correct_secondary", "bob"),
            decision(site.image("dog.png"), "sofa", "close_secondary", "ann"),
        ]
        log.append([DecisionDraft(**one) for one in drafts]).result()
    out = collect(site, tmp_path, settings)
    assert "1 dropped: contradictions settled by: latest" in out
    document = read_document(Annotations, tmp_path / "people.json", "annotations")
    assert document.images["dog.png"].close_secondary == ("sofa",)
    assert document.rule == "people: majority, senior, latest"
    rows = (tmp_path / "people.contradictions.tsv").read_text().splitlines()
    assert len(rows) == 3
    collect(site, tmp_path, {**settings, "seniority": ["bob"]})
    assert read_document(Annotations, tmp_path / "people.json", "annotations").images["dog.png"].correct_secondary


def test_a_new_decision_reruns_the_rule_and_nothing_else_does(site, tmp_path):
    document = (tmp_path / "results/predictions/one/drawn.json").read_text()
    for name in ("small", "small_head", "small_retrieval", "small_fused"):  # the runs of the config
        (tmp_path / f"results/predictions/{name}").mkdir()
        (tmp_path / f"results/predictions/{name}/drawn.json").write_text(document)
    target = "results/annotations/drawn/people.json"

    def snakemake(*options):
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "1"]
        command += ["--directory", str(tmp_path), "--allowed-rules", "collect_decisions", *options]
        command += ["--configfile", str(tmp_path / "mine.yaml"), "--", target]
        done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert "there is no decision log" in snakemake()
    with DecisionLog.open(site.log) as log:
        log.append([DecisionDraft(**decision(site.image("dog.png"), "dog", "correct_primary"))]).result()
        assert "collect_decisions" in snakemake("--dry-run")  # also while the page runs, before SQLite tidies up
        snakemake()
        assert "Nothing to be done" in snakemake("--dry-run")
    assert read_document(Annotations, tmp_path / target, "annotations").images["dog.png"].correct_primary == ("dog",)
