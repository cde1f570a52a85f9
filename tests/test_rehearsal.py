"""The rehearsal embedder: the angles of a published statistic, the same vector for a text wherever it is embedded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.modality_gaps import gap_statistics, known_gap, published_names
from nounflow.embedders import bundled
from nounflow.embedders.golden import check_golden
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.rehearsal import Rehearsal, rehearsed, solved
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import NounflowError
from nounflow.report.words import rehearsals
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.rows import ScoreRow

DIM = 384
TOLERANCE = 0.5  # degrees, of mean angles


def degrees(cosines: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return found


def bundled_like(nouns: int = 60, prompts: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Prompts and images, drawn, whose cosines have the means and spreads of the bundled towers (rehearsal.py).

    An image is a mixture of its noun and something else: half are known well, half are not.
    """
    generator = np.random.default_rng(0)
    common, *rest = np.linalg.qr(generator.standard_normal((DIM, 1 + 2 * nouns)))[0].T
    own, other = unit(np.array(rest[:nouns])), unit(np.array(rest[nouns:]))
    texts = np.sqrt(0.4) * common + np.sqrt(0.6) * own
    spread = generator.standard_normal((nouns, prompts, DIM)) / np.sqrt(DIM)
    texts_of_prompts = unit(texts[:, None] + np.sqrt(1 / 0.7274 - 1) * spread)
    share = np.where(np.arange(nouns) % 2, 0.4445 + 0.3356, 0.4445 - 0.3356)[:, None]
    images = 0.577 * common + np.sqrt(1 - 0.577**2) * (share * own + np.sqrt(1 - share**2) * other)
    return texts_of_prompts.astype(np.float32), unit(images).astype(np.float32)


@pytest.fixture(scope="module")
def inner() -> TwoTowers:
    return bundled.load("", ComputeOptions("cpu", "fp32", "auto", compile=False), images=True)


@pytest.fixture(scope="module")
def towers(inner: TwoTowers) -> Rehearsal:
    return rehearsed(inner, gap_statistics()["siglip-b16"])


@pytest.mark.parametrize("name", published_names())
def test_mean_angles_are_those_of_the_statistic(name: str, inner: TwoTowers) -> None:
    texts, images = bundled_like()
    nouns, prompts, _dim = texts.shape
    gap = gap_statistics()[name]
    model = rehearsed(inner, gap)
    model.lengths = solved(gap, prompts)
    names = [f"noun {i}" for i in range(nouns * prompts)]
    classes = unit(model.text_vectors(names, texts.reshape(-1, DIM)).reshape(nouns, prompts, -1).mean(1))
    pictures = model.image_vectors([bytes([i]) for i in range(nouns)], images)
    assert pictures.shape == (nouns, gap.dim)
    cosines = pictures @ classes.T
    assert degrees(np.diag(cosines)).mean() == pytest.approx(gap.matched, abs=TOLERANCE)
    # Without the 60 matched pairs of 3,600, which weigh little among a thousand classes.
    assert degrees(cosines[~np.eye(nouns, dtype=bool)]).mean() == pytest.approx(gap.all, abs=TOLERANCE)


@pytest.mark.parametrize("name", published_names())
def test_vectors_have_length_one_and_no_part_is_negative(name: str) -> None:
    found = solved(gap_statistics()[name])
    assert min(found.semantic, found.offset, found.residual) > 0
    assert -1 <= found.cosine <= 1


def test_the_table_is_the_published_one_and_more() -> None:
    assert len(published_names()) == 11
    published, rehearsed = known_gap("openclip:timm/ViT-B-16-SigLIP"), known_gap("rehearsal:siglip-b16")
    assert published is not None
    assert published == rehearsed
    assert (published.matched, published.all) == (84.78, 92.93)
    assert known_gap("openclip:nobody/nothing") is None


def test_a_text_has_one_vector_and_an_image_too(towers: Rehearsal) -> None:
    texts = ["an owl.", "a photo of a cat."]
    vectors = towers.encode_texts(texts, progress=False)
    assert np.array_equal(vectors[1], towers.encode_texts(["a dog", texts[1]], progress=False)[1])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    pixels = [towers.preprocess(Image.new("RGB", (40, 30), colour)) for colour in ("red", "blue")]
    pictures = towers.encode_images(pixels)
    assert np.allclose(pictures[1], towers.encode_images(pixels[::-1])[0], atol=1e-5)
    assert not np.allclose(pictures[0, -100:], pictures[1, -100:], atol=1e-3)  # the residual is the image's own
    check_golden(towers)


def test_it_is_named_for_what_it_is(towers: Rehearsal, inner: TwoTowers) -> None:
    own = towers.identity
    assert own.spec == "rehearsal:siglip-b16"
    assert own.preprocessing.startswith("a rehearsal, no CLIP")
    assert own.dim == 768
    assert own.digest != inner.identity.digest
    assert rehearsed(inner, gap_statistics()["dfn5b-h14"]).identity.digest != own.digest
    assert towers.open_texts is None  # no gradient, and no copy of the tower, knows of the gap


def test_a_statistic_that_is_not_there_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="siglip-so400m"):
        EmbedderConfig(spec="rehearsal:clip")
    with pytest.raises(NounflowError, match="rehearsal:siglip-b16"):
        from nounflow.commands.check import embedder_config

        embedder_config("rehearsal:siglip-b-16")


def test_its_scores_are_marked_in_tables_and_in_the_report(towers: Rehearsal) -> None:
    row = ScoreRow(run="a", image_set="photos", annotator="wordnet", n=1, embedder=towers.identity.spec)
    assert row.label == "a (rehearsal, no CLIP)"
    assert row.model_copy(update={"embedder": "bundled:minilm-conse"}).label == "a"
    run = SimpleNamespace(manifest=SimpleNamespace(embedder=towers.identity))
    (warning,) = rehearsals(cast(ScoringMaterial, SimpleNamespace(runs={"a": run})))
    assert "no CLIP (rehearsal:siglip-b16)" in warning
    assert rehearsals(cast(ScoringMaterial, SimpleNamespace(runs={}))) == []
