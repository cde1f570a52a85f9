"""The open set: draws, negatives, measures, thresholds, gates, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from nounflow.config.open_set import NegativesConfig, OpenSetConfig
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.open_set.bank import NounBank, check_classes, read_bank, read_no, unit, write_bank, write_no
from nounflow.open_set.calibration import fit_threshold
from nounflow.open_set.comparison import Answered, ImageVectors, Material, compare
from nounflow.open_set.draws import draw_known
from nounflow.open_set.gate import StoredGate
from nounflow.open_set.gate_fitting import fit_gate
from nounflow.open_set.measures import measure, points_at
from nounflow.open_set.negatives import choose_negatives, closeness, no_kinds
from nounflow.open_set.patterns import patterns
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.open_set import BankManifest
from nounflow.schemas.tables import lexicon_digest
from nounflow.senses import WordSenses
from nounflow.wordnet import WordNet

IDENTITY = EmbedderIdentity(
    spec="bundled:minilm-conse", dim=16, digest="d", weights="w", tokenizer="t", preprocessing="p", precision="fp32"
)
KNOWN = ("tiger", "lion", "cup", "mug", "oak", "violin", "hammer", "trumpet")
OTHERS = tuple(f"other {i}" for i in range(40))


def a_bank(rng: np.random.Generator) -> NounBank:
    """Eight known nouns and forty others, at random."""
    nouns = (*KNOWN, *OTHERS)
    manifest = BankManifest(
        embedder=IDENTITY,
        lexicon="l",
        nouns=nouns,
        candidates=len(nouns),
        above=(("cat kind", "animal"), *((noun, "thing") for noun in nouns[1:])),
        names=(False,) * len(nouns),
        kinds=("artifact",) * len(nouns),
        prompts=("a photo of a {}.",),
        patterns=("noise 1", "noise 2"),
    )
    return NounBank(manifest, unit(rng.normal(size=(len(nouns), 16))), unit(rng.normal(size=(2, 16))))


def pictures(bank: NounBank, rows: list[int], rng: np.random.Generator) -> np.ndarray:
    return unit(bank.vectors[rows] + 0.1 * rng.normal(size=(len(rows), 16)))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# Draws and negatives


def test_a_draw_keeps_kinds_of_known_nouns_apart_from_unknown_ones(wordnet: WordNet) -> None:
    nouns = ["tiger", "lion", "leopard", "dog", "poodle", "cup", "hammer", "oak", "violin", "piano"]
    animals = ("tiger", "lion", "leopard")
    synsets = [
        wordnet.by_sense_key(f"{noun}%1:05:00::").id if noun in animals else wordnet.senses(noun)[0].id
        for noun in nouns
    ]
    seen = set()
    for seed in range(20):
        draw = draw_known(nouns, synsets, wordnet, 0.5, seed)
        sides = np.stack([draw.known, *draw.unknown.values()])
        assert (sides.sum(axis=0) <= 1).all()
        assert set(draw.classes) == {noun for noun, known in zip(nouns, draw.known, strict=True) if known}
        dog, poodle = nouns.index("dog"), nouns.index("poodle")
        if draw.known[dog] != draw.known[poodle]:
            assert not any(part[dog] or part[poodle] for part in draw.unknown.values())
        tiger, lion = nouns.index("tiger"), nouns.index("lion")  # both are big cats
        if draw.known[tiger] and not draw.known[lion]:
            assert draw.unknown["near"][lion]
        seen.add(tuple(draw.known))
    assert len(seen) > 5
    assert draw_known(nouns, synsets, wordnet, 0.5, 3).classes == draw_known(nouns, synsets, wordnet, 0.5, 3).classes


def test_nouns_of_one_meaning_go_together(wordnet: WordNet) -> None:
    synset = wordnet.senses("sofa")[0].id
    for seed in range(8):
        draw = draw_known(["sofa", "couch", "oak"], [synset, synset, None], wordnet, 0.5, seed)
        assert draw.known[0] == draw.known[1]


def test_negatives_are_the_least_close_and_never_known(rng: np.random.Generator) -> None:
    candidates, known = unit(rng.normal(size=(50, 8))), unit(rng.normal(size=(7, 8)))
    found = closeness(candidates, known, 0.95)
    assert found == pytest.approx(np.quantile(candidates @ known.T, 0.95, axis=1), abs=1e-6)
    allowed = np.arange(50) != int(found.argmin())
    settings = NegativesConfig(share=0.2)
    rows = choose_negatives(candidates, known, allowed, settings, seed=1)
    assert sorted(rows) == sorted(np.flatnonzero(allowed)[np.argsort(found[allowed])[:9]])
    assert rows.tolist() == choose_negatives(candidates, known, allowed, settings, seed=1).tolist()
    assert rows.tolist() != choose_negatives(candidates, known, allowed, settings, seed=2).tolist()
    assert len(choose_negatives(candidates, known, np.zeros(50, bool), settings, seed=1)) == 0


def test_names_and_kinds_of_known_nouns_are_refined_away() -> None:
    above = [("poodle", "dog", "animal"), ("etna", "volcano"), ("cup", "vessel"), ("dog", "animal"), ()]
    kept = no_kinds(above, [False, True, False, False, False], ["dog"])
    assert kept.tolist() == [False, False, True, False, True]


def test_patterns_are_the_same_for_a_seed_and_others_for_another() -> None:
    first, again, other = (dict(patterns(seed)) for seed in (1, 1, 2))
    assert len(first) == 60
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["noise 1"], other["noise 1"])
    assert not np.array_equal(first["noise 1"], first["noise 2"])


# Measures


def test_fpr95_takes_known_images_for_positive() -> None:
    scores = np.concatenate([np.linspace(0.5, 1, 20), [0.1, 0.2, 0.3, 0.45, 0.52, 0.6, 0.75, 0.97]])
    known = np.arange(28) < 20
    assert measure(scores, known, known, np.ones((1, 28)))["fpr95"] == pytest.approx([0.375])
    assert measure(-scores, ~known, ~known, np.ones((1, 28)))["fpr95"] == pytest.approx([0.9])


def test_measures_agree_with_a_library_and_weights_with_copies(rng: np.random.Generator) -> None:
    scores, known = np.round(rng.random(80), 1), rng.random(80) < 0.5
    right = known & (rng.random(80) < 0.7)
    weights = rng.integers(1, 4, size=80)
    found = measure(scores, known, right, np.stack([np.ones(80), weights]))
    assert found["auroc"][0] == pytest.approx(roc_auc_score(known, scores))
    assert found["aupr"][0] == pytest.approx(average_precision_score(known, scores))
    copies = measure(*(np.repeat(values, weights) for values in (scores, known, right)), np.ones((1, weights.sum())))
    assert {name: values[1] for name, values in found.items()} == pytest.approx(
        {name: values[0] for name, values in copies.items()}
    )
    assert found["oscr"][0] < found["auroc"][0]


def test_what_is_kept_earns_more_if_the_score_knows() -> None:
    points = np.array([1.0, 1.0, 0.0, 0.5, 0.0])
    ones = np.ones((1, 5))
    assert points_at(points, points, 0.4, ones) == pytest.approx([1.0])
    assert points_at(-points, points, 0.4, ones) == pytest.approx([0.0])
    assert points_at(np.zeros(5), points, 0.4, ones) == pytest.approx([points.mean()])  # of one score: in equal parts


# Thresholds


def test_a_threshold_keeps_the_share_that_was_asked_for(rng: np.random.Generator) -> None:
    scores = rng.normal(size=2000)
    assert (scores >= fit_threshold(scores, 0.9)).mean() == pytest.approx(0.9, abs=0.001)


def test_a_conformal_threshold_keeps_new_images_as_promised(rng: np.random.Generator) -> None:
    kept = []
    for _ in range(2000):
        scores = rng.normal(size=61)
        kept.append(scores[60] >= fit_threshold(scores[:60], 0.9, conformal=True))
    assert np.mean(kept) >= 0.9 - 3 * np.sqrt(0.09 / 2000)
    assert np.mean(kept) <= 0.9 + 1 / 61 + 3 * np.sqrt(0.09 / 2000)


def test_too_few_known_images_are_refused() -> None:
    with pytest.raises(NounflowError, match="50 known images or more, and there are 49"):
        fit_threshold(np.zeros(49), 0.95)


# Banks and class lists


def test_a_bank_comes_back_as_it_was_and_damage_is_noticed(tmp_path: Path, rng: np.random.Generator) -> None:
    bank = a_bank(rng)
    path = tmp_path / "bank.json"
    write_bank(path, bank.manifest, bank.vectors, bank.patterns)
    found = read_bank(path)
    assert found.vectors == pytest.approx(bank.vectors, abs=1e-3)
    assert found.rows(["Tiger", "mug"]).tolist() == [0, 3]
    with pytest.raises(NounflowError, match="no embedding in the bank of the open set: zebra"):
        found.rows(["zebra"])
    write_no(tmp_path / "no.safetensors", bank.vectors[::-1], found.manifest)
    digest, no = read_no(tmp_path / "no.safetensors")
    assert digest == found.manifest.weights_sha256
    assert no == pytest.approx(bank.vectors[::-1], abs=1e-3)
    path.with_suffix(".safetensors").write_bytes(b"torn")
    with pytest.raises(DamagedFileError, match="open set's bank"):
        read_bank(path)
    with pytest.raises(DamagedFileError, match="no-embeddings cannot be read"):
        read_no(path.with_suffix(".safetensors"))


def test_embeddings_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NounflowError, match="1 embeddings hold NaN"):
        unit(np.array([[1.0, 0.0], [np.nan, 1.0]]))


def test_class_lists_of_no_use_are_refused() -> None:
    rows = np.eye(3, dtype=np.float32)
    check_classes(["a", "b", "c"], rows)
    for names, message in (([], "is empty"), (["cat"], r"holds one name only \(cat\)")):
        with pytest.raises(NounflowError, match=message):
            check_classes(names, rows[: len(names)])
    with pytest.raises(NounflowError, match="tell two known classes apart: b and c"):
        check_classes(["a", "b", "c"], rows[[0, 1, 1]])


# The comparison


def material(wordnet: WordNet, rng: np.random.Generator, **tests: Any) -> Material:
    """Sixty clear pictures of known nouns, twenty of others, and a run that names the known ones rightly."""
    bank = a_bank(rng)
    known, others = [i % 8 for i in range(60)], [8 + i % 20 for i in range(20)]
    seen = [ImageVectors("mine", "d", tuple(f"{i}.png" for i in range(60)), pictures(bank, known, rng))]
    seen.append(ImageVectors("strange", "d", tuple(f"s{i}.png" for i in range(20)), pictures(bank, others, rng)))
    settings = OpenSetConfig.model_validate(
        {"tests": tests or {"t": {"known": "mine", "unknown": {"strange": "far"}}}, "background": 10,
         "negatives": {"share": 0.5, "groups": 4}}
    )  # fmt: skip
    said = Answered(
        "run", "mine", "d", bank.manifest.nouns, seen[0].files, [[KNOWN[i], "other 3"] for i in known], [0.5] * 60,
        np.arange(60) < 50, (np.arange(60) < 50).astype(float), [["other 1"], ["other 2"]], [0.4, 0.4],
    )  # fmt: skip
    labels = {"mine": {f"{i}.png": Labels(gold=KNOWN[noun]) for i, noun in enumerate(known)}}
    return Material(settings, [bank], seen, labels, {}, WordSenses(wordnet), ["tiger"], [said])


def test_the_comparison_tells_known_from_unknown_images_with_and_without_a_list(
    wordnet: WordNet, rng: np.random.Generator
) -> None:
    results = compare(material(wordnet, rng))
    listed = {(row.method, row.unknown): row.measures for row in results.rows if not row.run}
    assert {kind for _, kind in listed} == {"strange", "far", "all", "not ImageNet", "farthest"}
    for method in ("msp", "maxlogit", "energy", "mcm", "neglabel", "negrefine"):
        auroc = listed[method, "far"]["auroc"]
        assert 0.9 < auroc.low <= auroc.value <= auroc.high
        assert listed[method, "far"]["oscr"].value == pytest.approx(auroc.value)  # all known ones are called rightly
    of_run = {(row.method, row.unknown): row.measures for row in results.rows if row.run}
    assert "neglabel" not in {method for method, _ in of_run}  # the lexicon has no noun that is not known
    plain = of_run["probability", "wrong"]
    assert plain["auroc"].value == 0.5  # it was always as sure
    assert plain["score_kept"].value == pytest.approx(50 / 60)
    assert plain["score_kept_gain"].value == 0
    assert {one.file for one in results.fooled if not one.run} <= {f"s{i}.png" for i in range(20)} | {
        "noise 1",
        "noise 2",
    }
    assert any("negatives of 48 nouns" in note for note in results.notes)
    assert compare(material(wordnet, np.random.default_rng(0))) == results


def test_known_and_unknown_sets_that_overlap_are_named(wordnet: WordNet, rng: np.random.Generator) -> None:
    both = material(wordnet, rng)
    labels = {**both.labels, "strange": {"s0.png": Labels(gold="Lion")}}
    with pytest.raises(NounflowError, match="1 nouns of strange are known: Lion"):
        compare(Material(both.settings, both.banks, both.images, labels, {}, both.senses, [], both.answered))


# Gates


def a_run(bank: NounBank, nouns: tuple[str, ...] = KNOWN) -> PredictorManifest:
    return PredictorManifest(
        run="run", predictor="retrieval", embedder=bank.manifest.embedder, lexicon=lexicon_digest(nouns),
        lexicon_path="x", nouns=nouns, settings={"noise": {"scheme": "gauss_elem", "norm": 0.6}}, weights_sha256="",
        parameters=0, samples=0,
    )  # fmt: skip


@pytest.fixture
def stored(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A gate fitted on sixty clear pictures."""
    bank = a_bank(rng)
    write_bank(tmp_path / "bank.json", bank.manifest, bank.vectors, bank.patterns)
    rows = [i % 8 for i in range(60)]
    config = OpenSetConfig.model_validate({"gate": {"score": "energy", "keep": 0.9}, "negatives": {"share": 0.5}})
    (tmp_path / "run").mkdir()
    path, answers = tmp_path / "run/gate.json", [[KNOWN[row]] for row in rows]
    read = read_bank(tmp_path / "bank.json")
    fitted = fit_gate(
        a_run(bank), read, tmp_path / "bank.json", config, pictures(bank, rows, rng), answers, "images of mine", path
    )
    write_document(path, fitted)
    return path


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

    def encode(texts: Any) -> np.ndarray:
        """Each text where its noun is, nearly."""
        rows = [
            next(i for i, noun in enumerate(gate.bank.manifest.nouns) if f" {noun}" in f" {text}") for text in texts
        ]
        return gate.bank.vectors[rows]

    listed = gate.for_list(["cup", "mug", "oak"], encode)
    verdicts = listed(pictures(gate.bank, [2, 3, 20, 30], rng), [()] * 4)
    assert [verdict.accepted for verdict in verdicts] == [True, True, False, False]
    assert verdicts[2].reason.startswith("energy")
    with pytest.raises(NounflowError, match="holds one name only"):
        gate.for_list(["cup"], encode)
    with pytest.raises(NounflowError, match="is empty"):
        gate.for_list([], encode)


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
