"""Gates as programs, the command line and the server use them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from open_set_material import IDENTITY, KNOWN, a_bank, a_run, pictures, write_gate

from nounflow import NounClassifier, NounflowError
from nounflow.cli import main
from nounflow.config.open_set import GateConfig, OpenSetConfig
from nounflow.errors import MismatchError
from nounflow.open_set.bank import read_bank, unit, write_bank
from nounflow.open_set.gate import StoredGate, Verdict
from nounflow.open_set.gate_fitting import fit_gate
from nounflow.predictors.protocol import Answers, Predictor, lexicon_answers
from nounflow.schemas.tables import lexicon_digest
from nounflow.serving.app import Limits, naming_app


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def stored(tmp_path: Path, rng: np.random.Generator) -> Path:
    return write_gate(tmp_path, rng)


def test_a_gate_accepts_the_known_and_says_what_spoke_against_the_others(
    stored: Path, rng: np.random.Generator
) -> None:
    gate = StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN)
    images = np.concatenate([pictures(gate.bank, [0, 3], rng), -gate.bank.vectors[:1]])
    found = gate.own()(images, [["tiger", "lion"], ["mug", "cup"], ["oak"]])
    assert [verdict.accepted for verdict in found] == [True, True, False]
    assert found[0].reason == ""
    assert "closest: oak" in found[2].reason
    assert "against: other" in found[2].reason
    assert found[2].score < found[2].threshold == found[0].threshold


def test_a_class_list_gets_a_gate_of_its_own(stored: Path, rng: np.random.Generator) -> None:
    gate = StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN)

    embedder: Any = Vectors(gate.bank)
    listed = gate.for_list(["cup", "mug", "oak"], embedder)
    verdicts = listed(pictures(gate.bank, [2, 3, 20, 30], rng), [()] * 4)
    assert [verdict.accepted for verdict in verdicts] == [True, True, False, False]
    assert verdicts[2].reason.startswith("energy")
    with pytest.raises(NounflowError, match="holds one name only"):
        gate.for_list(["cup"], embedder)
    with pytest.raises(NounflowError, match="is empty"):
        gate.for_list([], embedder)


def test_a_gate_of_another_lexicon_embedder_or_bank_is_refused(stored: Path, rng: np.random.Generator) -> None:
    with pytest.raises(MismatchError, match="another lexicon"):
        StoredGate.load(stored, IDENTITY, lexicon_digest(("cat",)), ("cat",))
    with pytest.raises(MismatchError, match="another embedder"):
        StoredGate.load(
            stored, IDENTITY.model_copy(update={"digest": "e", "weights": "v"}), lexicon_digest(KNOWN), KNOWN
        )
    other = a_bank(np.random.default_rng(9))
    write_bank(stored.parent.parent / "bank.json", other.manifest, other.vectors, other.patterns)
    with pytest.raises(MismatchError, match="another bank of nouns"):
        StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN)
    with pytest.raises(NounflowError, match="This run has no gate"):
        StoredGate.load(stored.with_name("none.json"), IDENTITY, lexicon_digest(KNOWN), KNOWN)


# The classifier


class Nearest(Predictor):
    """The nearest known noun."""

    def __init__(self, known: np.ndarray, manifest: Any) -> None:
        self.known, self.manifest = known, manifest

    @property
    def width(self) -> int:
        return len(self.known)

    def answer(self, embeddings: np.ndarray, top_k: int) -> Answers:
        cosines = embeddings @ self.known.T
        ids = np.argsort(-cosines, axis=1)[:, :top_k]
        best = np.take_along_axis(cosines, ids, axis=1)
        return lexicon_answers(self.manifest.nouns, ids, best, np.exp(best))

    def log_probabilities(self, embeddings: np.ndarray, nouns: np.ndarray) -> np.ndarray:
        return np.take_along_axis(embeddings @ self.known.T, nouns, axis=1)


class Vectors:
    """An embedder whose images are their vectors."""

    dim, device = 16, "cpu"

    def __init__(self, bank: Any) -> None:
        self.bank = bank

    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        nouns = self.bank.manifest.nouns
        rows = [next(i for i, noun in enumerate(nouns) if f" {noun}" in f" {text}") for text in texts]
        return np.asarray(self.bank.vectors[rows])


@pytest.fixture
def classifier(stored: Path) -> NounClassifier:
    bank = StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN).bank
    predictor = Nearest(bank.vectors[: len(KNOWN)], a_run(bank))
    return NounClassifier(predictor, Vectors(bank), 1, stored.with_name("manifest.json"))  # type: ignore[arg-type]


def test_a_classifier_answers_the_same_with_a_gate_and_says_whether_to_believe_it(
    classifier: NounClassifier,
) -> None:
    bank = classifier._embedder.bank  # type: ignore[attr-defined]
    images = np.concatenate([bank.vectors[[0, 3, 5]], -bank.vectors[:8].mean(axis=0, keepdims=True)])
    plain, gated = classifier.classify_embeddings(images), classifier.gated().classify_embeddings(images)
    assert [(one.nouns, one.probabilities) for one in plain] == [(one.nouns, one.probabilities) for one in gated]
    assert {one.verdict for one in plain} == {None}
    assert [one.verdict.accepted for one in gated if one.verdict] == [True, True, True, False]
    assert (
        classifier.gated().classify_embeddings(images, 1)[3].verdict == gated[3].verdict
    )  # however many are asked for


@pytest.mark.parametrize("score", ["ctw", "atd"])
def test_a_no_model_gates_like_any_score_and_names_stay_as_they_are(
    score: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    stored = write_gate(tmp_path, rng, score)
    gate = StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN)
    predictor = Nearest(gate.bank.vectors[: len(KNOWN)], a_run(gate.bank))
    embedder: Any = Vectors(gate.bank)
    classifier = NounClassifier(predictor, embedder, 1, stored.with_name("manifest.json"))
    rows = [i % 8 for i in range(200)]
    images = unit(pictures(gate.bank, rows, rng) + 0.3 * rng.normal(size=(200, 16)))  # some are called wrongly
    for plain in (classifier, classifier.guide(KNOWN)):
        names, gated = ([one.nouns[0] for one in c.classify_embeddings(images)] for c in (plain, plain.gated()))
        assert names == gated
        assert 0.5 < np.mean([KNOWN[row] == name for row, name in zip(rows, gated, strict=True)]) < 1
    clear = pictures(gate.bank, rows, rng)
    verdicts = [one.verdict for one in classifier.gated().classify_embeddings(clear)]
    assert np.mean([one.accepted for one in verdicts if one]) == pytest.approx(0.9, abs=0.08)
    assert all(one.reason.startswith(score) for one in verdicts if one and not one.accepted)
    listed = gate.for_list(KNOWN, embedder)
    assert np.abs(listed.held.no - gate.no.no[: len(KNOWN)]).max() < 1e-2  # type: ignore[union-attr]
    (tmp_path / "no.safetensors").write_bytes(b"another")
    with pytest.raises(MismatchError, match="another no-model"):
        StoredGate.load(stored, IDENTITY, lexicon_digest(KNOWN), KNOWN)


def test_a_no_model_of_another_bank_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    write_gate(tmp_path, rng, "ctw")
    other = a_bank(np.random.default_rng(9))
    write_bank(tmp_path / "other.json", other.manifest, other.vectors, other.patterns)
    config = OpenSetConfig(gate=GateConfig(score="ctw", no_model="no"))
    with pytest.raises(MismatchError, match="made for the nouns of another bank"):
        fit_gate(
            a_run(other), read_bank(tmp_path / "other.json"), tmp_path / "other.json", config, other.vectors[:1],
            [["tiger"]], "images", tmp_path / "run/gate.json", tmp_path / "no.safetensors",
        )  # fmt: skip
    with pytest.raises(ValueError, match="score: ctw needs `no_model`"):
        GateConfig(score="ctw")


def test_a_list_has_a_gate_of_its_own_before_or_after_it_is_given(
    classifier: NounClassifier, rng: np.random.Generator
) -> None:
    bank = classifier._embedder.bank  # type: ignore[attr-defined]
    images = pictures(bank, [2, 30], rng)
    listed = classifier.guide(["cup", "oak"]).gated().classify_embeddings(images)
    assert listed == classifier.gated().guide(["cup", "oak"]).classify_embeddings(images)
    assert [one.verdict.accepted for one in listed if one.verdict] == [True, False]
    assert listed[0].nouns[0] == "cup"


def test_a_gate_can_keep_less(classifier: NounClassifier, rng: np.random.Generator) -> None:
    bank = classifier._embedder.bank  # type: ignore[attr-defined]
    images = pictures(bank, [i % 8 for i in range(200)], rng)

    def kept(gated: NounClassifier) -> float:
        return float(np.mean([one.verdict.accepted for one in gated.classify_embeddings(images) if one.verdict]))

    assert kept(classifier.gated(keep=0.5)) == pytest.approx(0.5, abs=0.12)
    assert kept(classifier.gated()) == pytest.approx(0.9, abs=0.08)
    listed = classifier.guide(["cup", "oak"])
    assert kept(listed.gated(keep=0.3)) < kept(listed.gated(keep=0.9))
    assert kept(listed.gated(keep=0.3)) == kept(classifier.gated(keep=0.3).guide(["cup", "oak"]))


def test_a_percentage_is_no_share(classifier: NounClassifier) -> None:
    for each in (classifier, classifier.guide(["tiger", "oak"])):
        with pytest.raises(NounflowError, match="share of known images to keep is 95"):
            each.gated(keep=95)


def test_any_function_is_a_gate(classifier: NounClassifier) -> None:
    never = classifier.gated(lambda vectors, nouns: [Verdict(0, 1, False, nouns[0][0])] * len(vectors))
    found = never.classify_embeddings(np.eye(16)[:2])
    assert [one.verdict for one in found] == [Verdict(0, 1, False, found[0].nouns[0])] * 2


def test_a_threshold_can_be_fitted_on_known_images(
    classifier: NounClassifier, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = classifier._embedder.bank  # type: ignore[attr-defined]
    known = unit(pictures(bank, [i % 8 for i in range(60)], rng) + rng.normal(size=(60, 16)) / 4)  # less clear ones
    monkeypatch.setattr(NounClassifier, "_known", lambda *_: known)
    gated = classifier.gated(known="my photos")
    accepted = [one.verdict.accepted for one in gated.classify_embeddings(known) if one.verdict]
    assert np.mean(accepted) == 0.9
    assert np.mean([one.verdict.accepted for one in classifier.gated().classify_embeddings(known) if one.verdict]) < 0.7


# The command and the server


@pytest.fixture
def at(classifier: NounClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two images, of which one is known; classes in cats.txt."""
    bank = classifier._embedder.bank  # type: ignore[attr-defined]
    seen = {"a.png": bank.vectors[0], "b.png": bank.vectors[20]}
    monkeypatch.setattr(NounClassifier, "load", lambda *_, **__: classifier)
    monkeypatch.setattr("nounflow.model_folders.find_model", lambda _model: tmp_path / "manifest.json")

    def embedded(_self: NounClassifier, images: list[str], _progress: bool) -> Any:
        yield images, [None] * len(images), np.stack([seen[Path(image).name] for image in images])

    monkeypatch.setattr(NounClassifier, "_embedded", embedded)
    monkeypatch.chdir(tmp_path)
    for name in seen:
        (tmp_path / name).write_bytes(b"a picture")
    (tmp_path / "cats.txt").write_text("tiger\nlion\n")
    return tmp_path


def test_the_command_says_none_of_these(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["name", "a.png", "b.png", "--classes", "cats.txt", "--unknown"])
    one, other = capsys.readouterr().out.splitlines()
    assert one.startswith("a.png\ttiger")
    assert other.startswith("b.png\tnone of these (energy ")
    assert "closest: " in other
    main(["name", "b.png", "--gate", "--json", "--out", "table.tsv"])
    verdict = json.loads(capsys.readouterr().out)["images"][0]["verdict"]
    assert verdict["accepted"] is False
    assert verdict["score"] < verdict["threshold"]
    assert (at / "table.tsv").read_text().splitlines()[1].split("\t")[7] == "rejected"
    with pytest.raises(SystemExit):
        main(["name", "b.png", "--unknown"])
    assert "None of which?" in capsys.readouterr().err


def test_the_server_answers_with_the_verdict(classifier: NounClassifier) -> None:
    bank = classifier._embedder.bank  # type: ignore[attr-defined]

    class Server:
        threads, calibrated_on = 1, ""

        def prepare(self, _image: bytes) -> np.ndarray:
            return np.zeros(1)

        def encode_prepared(self, _images: Any) -> np.ndarray:
            return np.asarray(bank.vectors[20:21])

        def __init__(self, classifier: NounClassifier) -> None:
            self.classify_embeddings = classifier.classify_embeddings
            self.calibrated_on = classifier.calibrated_on

    for served, there in ((classifier, False), (classifier.gated(), True)):
        with TestClient(naming_app(Server(served), "model", Limits(), None, set())) as web:  # type: ignore[arg-type]
            answer = web.post("/name", content=b"x").json()
        assert ("verdict" in answer) == there
    assert answer["verdict"]["accepted"] is False
    assert answer["verdict"]["reason"].startswith("energy")
