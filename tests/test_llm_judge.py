"""The annotator `openai`: what a language model is asked about pictures, how votes are settled, what a rerun pays."""

from __future__ import annotations

import contextlib
import csv
import json
import random
import sqlite3
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judge_server import COLOURS, JudgeServer, colour_of
from PIL import Image
from synthetic_results import predictions

from nounflow.annotation.calibration import Compared, held_out_verdicts, settle
from nounflow.annotation.log import DecisionLog, read_records
from nounflow.annotation.plan import Ask, Task
from nounflow.annotation.questions import groups_of, picture_url, read_answer, request_of
from nounflow.annotation.votes import VotingRule, verdict, votes_needed
from nounflow.config.annotators import OpenAIAnnotatorConfig
from nounflow.config.llm import PriceConfig
from nounflow.files import sha256_file
from nounflow.llm.ledger import Ledger
from nounflow.llm.prices import prompt_tokens_bound, prompt_tokens_estimate, worst_cost
from nounflow.schemas.decisions import DecisionDraft
from nounflow.schemas.documents import CATEGORIES, Annotations, read_document, write_document

RIGHT, BESIDE, NEAR, NEAR_BESIDE, WRONG = CATEGORIES
SAID = {  # picture -> what two runs say of it
    "red.png": (["apple", "fruit", "kite"], ["cherry", "apple"]),
    "green.png": (["tree", "lawn", ""], ["tree", "bush"]),
    "blue.png": (["sea", "boat"], ["Sea", "sky"]),
}
TRUTH = {
    ("red", "apple"): (RIGHT,), ("red", "fruit"): (RIGHT,), ("red", "cherry"): (NEAR, WRONG, RIGHT),
    ("green", "tree"): (RIGHT,), ("green", "lawn"): (BESIDE,), ("green", "bush"): (NEAR,),
    ("blue", "sea"): (RIGHT,), ("blue", "Sea"): (RIGHT,), ("blue", "sky"): (BESIDE,),
}  # fmt: skip
RULE = VotingRule()


# --- votes ---


@pytest.mark.parametrize(
    ("right", "wrong", "needed", "category"),
    [(0, 0, 3, None), (3, 0, 0, RIGHT), (0, 3, 0, WRONG), (2, 1, 2, None), (1, 2, 2, None),
     (4, 1, 0, RIGHT), (1, 4, 0, WRONG), (3, 2, 0, NEAR), (2, 3, 0, NEAR)],
)  # fmt: skip
def test_two_answers_are_counted_as_the_published_rule_counts_them(right, wrong, needed, category):
    votes = {RIGHT: right, WRONG: wrong}
    assert votes_needed(votes, RULE) == needed
    assert category is None or verdict(votes, RULE) == category


def test_five_categories_are_settled_by_kind_and_then_by_side():
    assert verdict({RIGHT: 1, BESIDE: 3}, RULE) == BESIDE
    assert verdict({RIGHT: 2, BESIDE: 2}, RULE) == RIGHT
    assert verdict({BESIDE: 2, WRONG: 2, NEAR: 1}, RULE) == NEAR_BESIDE
    assert verdict({NEAR_BESIDE: 4, WRONG: 1}, RULE) == NEAR_BESIDE
    assert votes_needed({RIGHT: 2, BESIDE: 1}, RULE) == 0


@given(st.lists(st.sampled_from(CATEGORIES), max_size=12), st.integers(1, 4), st.integers(0, 5))
def test_the_votes_asked_for_are_the_fewest_that_can_settle_a_noun(cast, least, more):
    rule = VotingRule(least, least + more)
    votes = {category: cast.count(category) for category in CATEGORIES if category in cast}

    def settled(counts):
        kinds = [sum(n for c, n in counts.items() if c.startswith(kind)) for kind in ("correct", "close", "incorrect")]
        n = sum(counts.values())
        return n >= rule.least and (n >= rule.most or max(kinds) >= rule.confidence * n)

    fewest = next(
        n for n in range(20) if any(settled({**votes, category: votes.get(category, 0) + n}) for category in CATEGORIES)
    )
    assert votes_needed(votes, rule) == fewest


# --- questions ---


def settings(url="http://127.0.0.1:9/v1", folder=None, **changes):
    server = {
        "base_url": url, "model": "tiny", "budget_usd": 1.0, "prices": {"tiny": {"input": 1.0, "output": 2.0}},
        "first_wait_s": 0.001, "max_wait_s": 0.05, "max_attempts": 6, "concurrency": 4,
        "max_output_tokens": 200, "max_retry_tokens": 400,
    }  # fmt: skip
    values = {"kind": "openai", "server": {**server, **changes.pop("server", {})}, "max_side": 64}
    if folder:
        values |= {"log": str(folder / "judgements.sqlite"), "ledger": str(folder / "ledger.sqlite")}
    return {**values, **changes}


def task(*nouns):
    return Task("ab" * 32, ("a.png",), tuple(Ask(noun, 1.0, False) for noun in nouns))


def test_nouns_are_asked_about_in_groups_of_like_size_and_each_word_once():
    nouns = [f"noun {i}" for i in range(25)] + ["Noun 3", "noun-7"]
    groups = groups_of(task(*nouns), nouns, 12)
    assert sorted(len(group.nouns) for group in groups) == [8, 8, 9]
    assert len({noun.lower().replace("-", " ") for group in groups for noun in group.nouns}) == 25
    assert groups == groups_of(task(*nouns), list(reversed(nouns)), 12)


def test_each_vote_has_an_order_of_its_own_that_the_seed_fixes():
    one, other = (OpenAIAnnotatorConfig.model_validate(settings(seed=seed)) for seed in (1, 2))
    (group,) = groups_of(task(*"abcdefgh"), "abcdefgh", 12)
    orders = [request_of(group, "data:,x", attempt, one).messages[1]["content"][1]["text"] for attempt in range(5)]
    assert len(set(orders)) == 5
    assert all(sorted(order) == sorted(orders[0]) for order in orders)
    assert orders[0] == request_of(group, "data:,x", 0, one).messages[1]["content"][1]["text"]
    assert orders[0] != request_of(group, "data:,x", 0, other).messages[1]["content"][1]["text"]


def test_a_picture_costs_its_tokens_and_not_its_bytes():
    one = OpenAIAnnotatorConfig.model_validate(settings(image_tokens=700))
    (group,) = groups_of(task("a"), "a", 12)
    small, large = (request_of(group, f"data:,{'x' * n}", 0, one) for n in (10, 100_000))
    assert prompt_tokens_bound(small) == prompt_tokens_bound(large) > 700 + len(str(small.messages[0]))
    assert 700 < prompt_tokens_estimate(small) == prompt_tokens_estimate(large) < prompt_tokens_bound(small)


def test_answers_are_read_noun_by_noun():
    text = json.dumps(
        {
            "description": "A dog.",
            "judgements": [
                {"noun": "Dog", "category": RIGHT}, {"noun": "cat", "category": WRONG},
                {"noun": "cat", "category": RIGHT}, {"noun": "cow", "category": "maybe"},
                {"noun": "horse", "category": WRONG}, {"noun": '"x-ray"', "category": NEAR}, "pig",
            ],
        }
    )  # fmt: skip
    reading = read_answer(f"```json\n{text}\n```", ["dog", "cat", "cow", "x ray", "pig"])
    assert reading == ("A dog.", {"dog": RIGHT, "x ray": NEAR})
    for nonsense in ("", "[1]", '{"judgements": 1}', '{"description": "half'):
        with pytest.raises((ValueError, AttributeError)):
            read_answer(nonsense, ["dog"])


def test_a_picture_is_sent_upright_small_and_on_white(tmp_path):
    Image.new("RGBA", (400, 100), (0, 0, 0, 0)).save(tmp_path / "wide.png")
    _, image = colour_of(picture_url((tmp_path / "wide.png").read_bytes(), 128))
    assert image.size == (128, 32)
    assert image.getpixel((5, 5)) == (255, 255, 255)


# --- the stage ---


@pytest.fixture
def place(tmp_path):
    """Three pictures and what two runs say of them."""
    return make_place(tmp_path, SAID)


def make_place(folder, said):
    (folder / "images").mkdir()
    for number, file in enumerate(said):
        colour = COLOURS[file.split(".")[0].rstrip("0123456789")]
        image = Image.new("RGB", (200, 100), colour)
        image.putpixel((0, 0), (number % 256, number // 256, 7))  # no two files alike
        image.save(folder / "images" / file)
    for which, run in enumerate(("one", "two")):
        document = predictions(run, {file: nouns[which] for file, nouns in said.items()}, image_set="drawn")
        write_document(folder / f"{run}.json", document)
    return folder


def judge_command(repository, folder, values, out="openai", *options):
    return [
        sys.executable, str(repository / "workflow_scripts/ask_judgements.py"), "--annotator", "openai",
        "--image-set", "drawn", "--settings", json.dumps(values), "--images", str(folder / "images"),
        "--predictions", str(folder / "one.json"), str(folder / "two.json"), "--out", str(folder / f"{out}.json"),
        "--votes", str(folder / f"{out}.votes.tsv"), "--counts", str(folder / f"{out}.counts.json"),
        "--people", json.dumps({"kind": "people", "log": str(folder / "people.sqlite")}), *options,
    ]  # fmt: skip


def run_judge(repository, folder, values, *options):
    done = subprocess.run(
        judge_command(repository, folder, values, *options), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def annotations(folder, out="openai"):
    return read_document(Annotations, folder / f"{out}.json", "annotations")


def sql(path, query):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_nouns_are_judged_by_several_votes_and_a_rerun_pays_nothing(repository, place, mode):
    values = settings(folder=place, server={"mode": mode, "batch": {"poll_s": 0.01}})
    with JudgeServer(TRUTH) as server:
        values["server"]["base_url"] = server.url
        done = run_judge(repository, place, values)
        assert done.returncode == 0, done.stderr
        asked, first = server.asked.total(), (place / "openai.json").read_bytes()
        assert set(server.sizes) == {(64, 32)}
        # a group of nouns is one question, three votes each; the picture is sent with each, and never once a noun
        assert sum(colour == "blue" for colour, _ in server.lists) == 3
        (place / "openai.json").unlink()
        assert run_judge(repository, place, values).returncode == 0
        assert server.asked.total() == asked
    assert (place / "openai.json").read_bytes() == first
    found = annotations(place)
    assert found.images["red.png"].correct_primary == ("apple", "fruit")
    assert found.images["green.png"].incorrect == ("",)
    assert found.images["green.png"].correct_secondary == ("lawn",)
    assert found.images["blue.png"].correct_primary == ("Sea", "sea")
    assert "voting rule" in found.rule
    assert found.agreement is None
    records = {(record.file, record.noun): record for record in read_records(place / "judgements.sqlite")}
    assert len(records) == 12 - 1  # the empty noun is never asked about
    apple = records["red.png", "apple"]
    assert apple.evidence == "Something red."
    assert apple.votes == {RIGHT: 3}
    assert apple.image == sha256_file(place / "images/red.png")
    assert sum(records["red.png", "cherry"].votes.values()) in (3, 5)
    with open(place / "openai.votes.tsv", newline="") as handle:
        rows = {(row["image"], row["noun"]): row for row in csv.DictReader(handle, delimiter="\t")}
    assert rows["green.png", "lawn"]["votes_correct_secondary"] == "3"
    with Ledger.read(place / "ledger.sqlite") as ledger:
        assert all(reason.startswith("votes: ") or not reason for reason in ledger.verdict_counts())


def test_only_what_is_missing_is_asked_when_a_run_says_something_new(repository, place):
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
    assert "balloon" in annotations(place).images["red.png"].incorrect


def test_another_model_is_another_judge(repository, place):
    with JudgeServer(TRUTH) as server:
        assert run_judge(repository, place, settings(server.url, place)).returncode == 0
        n = len(server.lists)
        other = {"model": "other", "prices": {"other": {"input": 1.0, "output": 2.0}}}
        assert run_judge(repository, place, settings(server.url, place, server=other)).returncode == 0
        assert len(server.lists) == 2 * n
    assert {record.tool.split()[1] for record in read_records(place / "judgements.sqlite")} == {"tiny", "other"}


def test_a_refused_picture_and_an_unreadable_one_are_counted_and_the_others_judged(repository, place):
    with JudgeServer(TRUTH) as server:
        values = settings(server.url, place)
        for request in _requests(values, place, "red.png"):
            server.script(request.messages[1]["content"][1]["text"], "refusal")
        done = run_judge(repository, place, values)
        assert done.returncode == 0, done.stderr
        assert sum(colour == "red" for colour, _ in server.lists) == 0  # no further votes are bought
    found = annotations(place)
    assert found.images["red.png"] == type(found.images["red.png"])()
    assert "tree" in found.images["green.png"].correct_primary
    dropped = json.loads((place / "openai.counts.json").read_text())["flows"][0]["dropped"]
    assert sum(n for reason, n in dropped.items() if "refused" in reason) == 4


def _requests(values, place, file):
    parsed = OpenAIAnnotatorConfig.model_validate(values)
    nouns = sorted({noun for nouns in SAID[file] for noun in nouns if noun})
    picture = Task(sha256_file(place / "images" / file), (file,), tuple(Ask(noun, 1.0, False) for noun in nouns))
    (group,) = groups_of(picture, nouns, parsed.nouns_per_request)
    return [request_of(group, "data:,x", attempt, parsed) for attempt in range(3)]


def test_a_spent_budget_keeps_what_was_settled_and_goes_on(repository, place):
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


def test_the_key_comes_from_the_environment_alone(repository, place):
    values = settings("https://api.openai.com/v1", place, server={"api_key_env": "NOUNFLOW_TEST_NO_SUCH_KEY"})
    done = run_judge(repository, place, values)
    assert done.returncode == 1
    assert "NOUNFLOW_TEST_NO_SUCH_KEY" in done.stderr


# --- faults and kills ---


MANY = {
    f"{colour}{i}.png": ([f"thing {j}" for j in range(i, i + 4)], [f"thing {j}" for j in range(i + 2, i + 6)])
    for i, colour in enumerate([*COLOURS] * 4)
}


def _many_truth():
    dice = random.Random(3)
    return {
        (colour, f"thing {j}"): tuple(dice.choices(CATEGORIES, k=dice.choice((1, 2, 3))))
        for colour in COLOURS
        for j in range(40)
    }


def test_faults_and_kills_change_no_byte_and_nothing_answered_is_asked_again(repository, tmp_path):
    (calm := tmp_path / "calm").mkdir()
    (rough := tmp_path / "rough").mkdir()
    for folder in (calm, rough):
        make_place(folder, MANY)
    with JudgeServer(_many_truth()) as server:
        assert run_judge(repository, calm, settings(server.url, calm)).returncode == 0
        n_questions = server.votes_asked.total()
    kills = 0
    with JudgeServer(_many_truth(), trouble=True, delay_s=0.005) as server:
        values = settings(server.url, rough)
        for until in (8, n_questions // 2, n_questions):
            child = subprocess.Popen(
                judge_command(repository, rough, values), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            while child.poll() is None and server.votes_asked.total() < until:
                time.sleep(0.002)
            if child.poll() is None:
                child.kill()
                kills += 1
            child.communicate()
        done = run_judge(repository, rough, values)
        assert done.returncode == 0, done.stderr
    assert kills >= 2
    for name in ("openai.json", "openai.votes.tsv", "openai.counts.json"):
        assert (rough / name).read_bytes() == (calm / name).read_bytes(), name
    _nothing_paid_twice(rough / "ledger.sqlite")
    ids = [sorted(record.id for record in read_records(folder / "judgements.sqlite")) for folder in (calm, rough)]
    assert ids[0] == ids[1]


def test_errors_while_polling_and_kills_lose_no_paid_batch(repository, tmp_path):
    place = make_place(tmp_path, MANY)
    with JudgeServer(_many_truth()) as server:
        batch = {"poll_s": 0.01, "max_requests": 20}
        values = settings(server.url, place, server={"mode": "batch", "batch": batch})
        batches = server.batches
        batches.on("retrieve", "500", "drop", "429:0", "503")
        batches.on("create", "drop_after", "good", "kill_after")
        batches.on("content", "cut_wire", "500", "kill")
        batches.fates("good", "late", "expired", "good", "half")
        kills = 0
        for _ in range(4):
            child = subprocess.Popen(judge_command(repository, place, values), stderr=subprocess.PIPE, text=True)
            batches.victim = child.pid
            _, said = child.communicate(timeout=60)
            batches.victim = None
            if child.returncode == 0:
                break
            assert child.returncode == -9, said
            kills += 1
        assert child.returncode == 0
        assert kills == 2
        paid = sum(server.answered[message] for message in server.votes_asked)
    answered = """
        SELECT count(DISTINCT requests.id) FROM requests JOIN sendings ON sendings.request = requests.id
        JOIN endings ON endings.sending = sendings.id
        WHERE endings.outcome = 'answered' AND requests.prompt_version = 'judgements-1'"""
    assert sql(place / "ledger.sqlite", answered) == [(paid,)]  # each question was answered, and so paid, once
    assert paid >= 3 * len(MANY)
    _nothing_paid_twice(place / "ledger.sqlite")
    assert json.loads((place / "openai.counts.json").read_text())["flows"][0]["dropped"] == {}


def _nothing_paid_twice(ledger):
    again = """
        SELECT count(*) FROM sendings AS later JOIN sendings AS earlier USING (request)
        JOIN endings ON endings.sending = earlier.id
        JOIN requests ON requests.id = later.request AND requests.prompt_version NOT LIKE 'probe%'
        WHERE later.id > earlier.id AND endings.outcome IN ('answered', 'refused')
        AND endings.raw NOT LIKE '%"finish_reason": "length"%'"""
    assert sql(ledger, again) == [(0,)]


# --- people ---


def test_votes_are_calibrated_where_that_agrees_better_with_people_on_pictures_not_fitted_on():
    dice = random.Random(1)
    habits = {RIGHT: RIGHT, BESIDE: NEAR, NEAR: NEAR_BESIDE, NEAR_BESIDE: WRONG, WRONG: WRONG}  # what the model says
    pairs = []
    for _ in range(300):
        people = dice.choice(CATEGORIES)
        cast = [habits[people] if dice.random() < 0.85 else dice.choice(CATEGORIES) for _ in range(3)]
        votes = {category: cast.count(category) for category in CATEGORIES if category in cast}
        pairs.append(Compared(f"{dice.randrange(16**8):08x}", votes, people))
    settling = settle(pairs, ["ann"], RULE, 50)
    assert settling.calibration is not None
    assert settling.agreement.held_out
    assert settling.agreement.kappa > settling.agreement.kappa_voting + 0.3
    assert sum(settling.calibration.probabilities({NEAR: 3}).values()) == pytest.approx(1)
    assert settling.category({NEAR: 3}) == BESIDE
    unseen = held_out_verdicts(pairs)
    assert settling.agreement.share == sum(a.people == b for a, b in zip(pairs, unseen, strict=True)) / 300
    assert sum(n for row in settling.agreement.confusion.values() for n in row.values()) == 300
    few = settle(pairs[:49], ["ann"], RULE, 50)
    assert few.calibration is None
    assert "49" in few.words
    assert few.agreement.pairs == 49


def test_where_the_voting_rule_says_what_people_say_nothing_is_calibrated():
    pairs = [Compared(f"{i:08x}", {CATEGORIES[i % 5]: 3}, CATEGORIES[i % 5]) for i in range(80)]
    settling = settle(pairs, ["ann"], RULE, 50)
    assert settling.calibration is None
    assert settling.agreement.kappa == 1.0
    assert settle([], [], RULE, 50).agreement is None


def test_agreement_with_people_and_calibrated_probabilities_stand_with_the_annotations(repository, tmp_path):
    place = make_place(tmp_path, MANY)
    truth = {pair: (NEAR if said[0] == BESIDE else said[0],) for pair, said in _many_truth().items()}
    with JudgeServer(truth) as server:
        values = settings(server.url, place)
        assert run_judge(repository, place, values).returncode == 0
        asked = server.asked.total()
        judged = read_records(place / "judgements.sqlite")
        with DecisionLog.open(place / "people.sqlite") as log:
            drafts = []
            for number, record in enumerate(judged):
                colour = record.file.split(".")[0].rstrip("0123456789")
                people = _many_truth()[colour, record.noun][0]
                values_ = {"kind": "decision", "id": f"{number:032x}", "annotator": "ann", "tool": "test"}
                drafts.append(DecisionDraft(**values_, image=record.image, noun=record.noun, category=people))
            log.append(drafts).result()
        assert run_judge(repository, place, values).returncode == 0
        assert server.asked.total() == asked
    found = annotations(place)
    assert found.agreement.people == ("ann",)
    assert found.agreement.pairs == len(judged)
    assert "calibrated" in found.rule or found.agreement.kappa >= found.agreement.kappa_voting
    assert found.agreement.kappa > 0.5
    assert set(found.agreement.confusion) == set(CATEGORIES)
