"""The stage in which a language model judges: what it leaves, and what a rerun asks and pays."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from judge_server import COLOURS, JudgeServer
from llm_asking import verdict_counts
from llm_judging import (
    BESIDE,
    MANY,
    NEAR,
    RIGHT,
    SAID,
    TRUTH,
    make_place,
    many_truth,
    read_annotations,
    run_judge,
    settings,
)
from PIL import Image
from synthetic_results import predictions

from nounflow.annotation.log import DecisionLog, read_records
from nounflow.annotation.plan import Ask, Task
from nounflow.annotation.questions import groups_of, request_of
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.config.llm import PriceConfig
from nounflow.files import sha256_file
from nounflow.llm.ledger import Ledger
from nounflow.llm.prices import worst_cost
from nounflow.llm.requests import Request
from nounflow.schemas.annotations import CATEGORIES
from nounflow.schemas.decisions import Decision, DecisionDraft
from nounflow.schemas.documents import write_document


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three pictures and what two runs say of them."""
    return make_place(tmp_path, SAID)


class Judged(NamedTuple):
    """The stage's folder after it has run, and after it has run again."""

    folder: Path
    server: JudgeServer
    first: bytes  # the annotations of the first run
    asked: int  # requests of the first run


@pytest.fixture(scope="module", params=["chat", "batch"])
def judged(request: pytest.FixtureRequest, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Three pictures, judged twice over the same ledger."""
    folder = make_place(tmp_path_factory.mktemp(request.param), SAID)
    values = settings(folder=folder, server={"mode": request.param, "batch": {"poll_s": 0.01}})
    with JudgeServer(TRUTH) as server:
        values["server"]["base_url"] = server.url
        done = run_judge(repository, folder, values)
        assert done.returncode == 0, done.stderr
        asked, first = server.asked.total(), (folder / "openai.json").read_bytes()
        (folder / "openai.json").unlink()
        assert run_judge(repository, folder, values).returncode == 0
    return Judged(folder, server, first, asked)


def test_a_rerun_asks_nothing_and_changes_no_byte(judged: Judged) -> None:
    assert judged.server.asked.total() == judged.asked
    assert (judged.folder / "openai.json").read_bytes() == judged.first


def test_a_group_of_nouns_is_one_question_with_the_picture_for_each_vote(judged: Judged) -> None:
    assert sum(colour == "blue" for colour, _ in judged.server.lists) == 3
    assert set(judged.server.sizes) == {(64, 32)}


def test_nouns_stand_in_the_list_that_most_votes_name(judged: Judged) -> None:
    images = read_annotations(judged.folder).images
    assert images["red.png"].correct_primary == ("apple", "fruit")
    assert images["green.png"].correct_secondary == ("lawn",)
    assert images["blue.png"].correct_primary == ("Sea", "sea")


def test_the_annotations_name_their_rule_and_no_agreement_where_no_people_judged(judged: Judged) -> None:
    found = read_annotations(judged.folder)
    assert "voting rule" in found.rule
    assert found.agreement is None


def test_a_decision_holds_its_votes_its_picture_and_what_the_model_saw(judged: Judged) -> None:
    apple = decisions(judged)["red.png", "apple"]
    assert apple.votes == {RIGHT: 3}
    assert apple.image == sha256_file(judged.folder / "images/red.png")
    assert apple.evidence == "Something red."


def test_a_noun_that_votes_differ_on_gets_more_of_them(judged: Judged) -> None:
    assert sum(decisions(judged)["red.png", "cherry"].votes.values()) in (3, 5)


def test_the_empty_noun_is_incorrect_and_never_asked_about(judged: Judged) -> None:
    assert read_annotations(judged.folder).images["green.png"].incorrect == ("",)
    assert len(decisions(judged)) == 12 - 1


def test_the_table_of_votes_has_a_row_for_each_pair(judged: Judged) -> None:
    with open(judged.folder / "openai.votes.tsv", newline="") as handle:
        rows = {(row["image"], row["noun"]): row for row in csv.DictReader(handle, delimiter="\t")}
    assert rows["green.png", "lawn"]["votes_correct_secondary"] == "3"


def test_the_ledger_says_how_many_votes_each_answer_brought(judged: Judged) -> None:
    with Ledger.read(judged.folder / "ledger.sqlite") as ledger:
        assert all(reason.startswith("votes: ") or not reason for reason in verdict_counts(ledger))


def decisions(judged: Judged) -> dict[tuple[str, str], Decision]:
    """What the stage has written to its decision log, by picture and noun."""
    return {(one.file, one.noun): one for one in judgements_in(judged.folder)}


def judgements_in(folder: Path) -> list[Decision]:
    return [one for one in read_records(folder / "judgements.sqlite") if isinstance(one, Decision)]


def test_only_what_is_missing_is_asked_when_a_run_says_something_new(repository: Path, place: Path) -> None:
    with JudgeServer(TRUTH) as server:
        values = settings(server.url, place)
        assert run_judge(repository, place, values).returncode == 0
        server.lists.clear()
        more = {**SAID, "red.png": (["apple", "balloon"], ["apple", "fruit"])}
        write_document(
            place / "one.json", predictions("one", {f: said[0] for f, said in more.items()}, image_set="drawn")
        )
        assert run_judge(repository, place, values).returncode == 0
        assert server.lists == [("red", ("balloon",))] * 3
    assert "balloon" in read_annotations(place).images["red.png"].incorrect


def test_another_model_is_another_judge(repository: Path, place: Path) -> None:
    with JudgeServer(TRUTH) as server:
        assert run_judge(repository, place, settings(server.url, place)).returncode == 0
        n = len(server.lists)
        other = {"model": "other", "prices": {"other": {"input": 1.0, "output": 2.0}}}
        assert run_judge(repository, place, settings(server.url, place, server=other)).returncode == 0
        assert len(server.lists) == 2 * n
    assert {record.tool.split()[1] for record in read_records(place / "judgements.sqlite")} == {"tiny", "other"}


def test_a_refused_picture_and_an_unreadable_one_are_counted_and_the_others_judged(
    repository: Path, place: Path
) -> None:
    with JudgeServer(TRUTH) as server:
        values = settings(server.url, place)
        for request in _requests(values, place, "red.png"):
            server.script(request.messages[1]["content"][1]["text"], "refusal")
        done = run_judge(repository, place, values)
        assert done.returncode == 0, done.stderr
        assert sum(colour == "red" for colour, _ in server.lists) == 0  # no further votes are bought
    found = read_annotations(place)
    assert found.images["red.png"] == type(found.images["red.png"])()
    assert "tree" in found.images["green.png"].correct_primary
    dropped = json.loads((place / "openai.counts.json").read_text())["flows"][0]["dropped"]
    assert sum(n for reason, n in dropped.items() if "refused" in reason) == 4


def test_boxes_are_judged_by_what_their_frame_is_around_and_tags_by_the_picture(
    repository: Path, tmp_path: Path
) -> None:
    (tmp_path / "images").mkdir()
    image = Image.new("RGB", (400, 300), COLOURS["gold"])
    image.paste(COLOURS["blue"], (20, 30, 120, 130))
    image.paste(COLOURS["green"], (250, 150, 350, 280))
    image.save(tmp_path / "images/a.png")
    boxes = {"sea": (20, 30, 120, 130), "tree": (250, 150, 350, 280), "boat": (250, 150, 350, 280)}
    tags = [{"noun": noun, "score": 1.0, "box": box} for noun, box in boxes.items()]
    named = [{"set": "mine", "run": "small", "file": "a.png", "tags": tags}]
    (tmp_path / "regions.json").write_text(json.dumps({"rows": [], "per_name": {}, "unretrieved": {}, "named": named}))
    (tmp_path / "tags.json").write_text(json.dumps({"rows": [], "problems": {}, "seen": {}, "examples": named}))
    truth: dict[tuple[str, str], tuple[str, ...]] = {
        ("blue", "sea"): (RIGHT,),
        ("green", "tree"): (RIGHT,),
        ("gold", "boat"): (BESIDE,),
    }
    with JudgeServer(truth) as server:
        values = settings(server.url, tmp_path, max_side=400)
        for kind in ("regions", "tags"):
            done = run_judge(
                repository, tmp_path, values, kind,
                "--image-set", f"{kind}-mine", "--predictions", str(tmp_path / f"{kind}.json"),
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
    found = read_annotations(tmp_path, "regions").images
    assert {name: (lists.correct_primary, lists.incorrect) for name, lists in found.items()} == {
        "a.png#20-30-120-130": (("sea",), ()), "a.png#250-150-350-280": (("tree",), ("boat",)),
    }  # fmt: skip
    (lists,) = read_annotations(tmp_path, "tags").images.values()
    assert (lists.correct_secondary, set(lists.incorrect)) == (("boat",), {"sea", "tree"})


class Mumbling(JudgeServer):
    """Answers with what is no judgement where the picture has one of these colours."""

    mumbles: tuple[str, ...] = ()

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        completion = super()._completion(fault, body, message)
        if self.lists and self.lists[-1][0] in self.mumbles:
            completion["choices"][0]["message"]["content"] = "What a nice picture!"
        return completion


@pytest.mark.parametrize(
    ("mumbles", "said"),
    [
        (("red", "green", "blue"), "Not one noun was judged; the commonest reason: an answer that cannot be read"),
        (("red", "green"), "Most answers cannot be read (6, against 3 that can)"),
    ],
)
def test_a_model_whose_answers_can_mostly_not_be_read_fails_the_stage_and_what_was_good_stays(
    repository: Path, place: Path, mumbles: tuple[str, ...], said: str
) -> None:
    with Mumbling(TRUTH) as server:
        server.mumbles = mumbles
        values = settings(server.url, place)
        done = run_judge(repository, place, values)
        assert (done.returncode, (place / "openai.json").exists()) == (1, False)
        assert said in done.stderr
        assert "run the same command" in done.stderr
        asked = len(server.lists)
        assert run_judge(repository, place, values).returncode == 1  # nor by a rerun, which asks and pays nothing
        assert len(server.lists) == asked
    assert {getattr(record, "file", "") for record in read_records(place / "judgements.sqlite")} == (
        {"blue.png"} if len(mumbles) == 2 else set()
    )


def test_a_few_answers_that_cannot_be_read_are_counted_and_fail_no_rerun(repository: Path, place: Path) -> None:
    with Mumbling(TRUTH) as server:
        server.mumbles = ("red",)
        values = settings(server.url, place)
        for _ in range(2):
            done = run_judge(repository, place, values)
            assert done.returncode == 0, done.stderr
    dropped = json.loads((place / "openai.counts.json").read_text())["flows"][0]["dropped"]
    assert dropped == {"an answer that cannot be read": 4}


def _requests(values: dict[str, Any], place: Path, file: str) -> list[Request]:
    parsed = OpenAIAnnotatorConfig.model_validate(values)
    nouns = sorted({noun for nouns in SAID[file] for noun in nouns if noun})
    picture = Task(sha256_file(place / "images" / file), (file,), tuple(Ask(noun, 1.0, False) for noun in nouns))
    (group,) = groups_of(picture, nouns, parsed.nouns_per_request)
    return [request_of(group, "data:,x", attempt, parsed) for attempt in range(3)]


def test_a_spent_budget_keeps_what_was_settled_and_goes_on(repository: Path, place: Path) -> None:
    with JudgeServer(TRUTH) as server:
        requests = [request for file in SAID for request in _requests(settings(), place, file)]
        worst = max(worst_cost(PriceConfig(input=1.0, output=2.0), request, 200) for request in requests)
        poor = {"budget_usd": worst + 6 * 4e-5, "concurrency": 1}  # an answer costs 20 and 10 tokens
        done = run_judge(repository, place, settings(server.url, place, server=poor))
        assert done.returncode == 1
        assert "budget" in done.stderr
        assert not (place / "openai.json").exists()
        kept = len(read_records(place / "judgements.sqlite"))
        asked = server.votes_asked.copy()
        assert 0 < kept < 11
        assert run_judge(repository, place, settings(server.url, place)).returncode == 0
        again = server.votes_asked - asked
        assert not set(again) & set(asked)
    assert len(read_records(place / "judgements.sqlite")) == 11


def test_the_key_comes_from_the_environment_alone(repository: Path, place: Path) -> None:
    values = settings("https://api.openai.com/v1", place, server={"api_key_env": "NOUNFLOW_TEST_NO_SUCH_KEY"})
    done = run_judge(repository, place, values)
    assert done.returncode == 1
    assert "NOUNFLOW_TEST_NO_SUCH_KEY" in done.stderr


def test_agreement_with_people_and_calibrated_probabilities_stand_with_the_annotations(
    repository: Path, tmp_path: Path
) -> None:
    place = make_place(tmp_path, MANY)
    truth: dict[tuple[str, str], tuple[str, ...]] = {
        pair: (NEAR if said[0] == BESIDE else said[0],) for pair, said in many_truth().items()
    }
    with JudgeServer(truth) as server:
        values = settings(server.url, place)
        assert run_judge(repository, place, values).returncode == 0
        asked = server.asked.total()
        judged = judgements_in(place)
        with DecisionLog.open(place / "people.sqlite") as log:
            drafts = []
            for number, record in enumerate(judged):
                colour = record.file.split(".")[0].rstrip("0123456789")
                people = many_truth()[colour, record.noun][0]
                values_ = {"kind": "decision", "id": f"{number:032x}", "annotator": "ann", "tool": "test"}
                drafts.append(DecisionDraft(**values_, image=record.image, noun=record.noun, category=people))
            log.append(drafts).result()
        assert run_judge(repository, place, values).returncode == 0
        assert server.asked.total() == asked
    found = read_annotations(place)
    assert found.agreement is not None
    assert found.agreement.kappa is not None
    assert found.agreement.kappa_voting is not None
    assert found.agreement.people == ("ann",)
    assert found.agreement.pairs == len(judged)
    assert "calibrated" in found.rule or found.agreement.kappa >= found.agreement.kappa_voting
    assert found.agreement.kappa > 0.5
    assert set(found.agreement.confusion) == set(CATEGORIES)
