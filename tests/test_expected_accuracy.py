"""Published accuracies: which is expected of an embedder, and the verdict beside it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from nounflow.embedder_checks.accuracy import share
from nounflow.embedder_checks.check import expected_of
from nounflow.embedder_checks.expected import CLASSES, Published, expectation, hub_spec, read_published
from nounflow.embedder_checks.page import check_page
from nounflow.errors import NounflowError
from nounflow.schemas.embedder_checks import EmbedderCheck
from nounflow.schemas.embeddings import EmbedderIdentity

IDENTITY = EmbedderIdentity(
    spec="x:y", dim=4, digest="0", weights="0", tokenizer="0", preprocessing="", precision="fp32"
)


@pytest.fixture(scope="module")
def published(repository: Path) -> dict[tuple[str, str], Published]:
    return read_published(repository / "resources/embedder_checks/expected.tsv")


def test_the_table_holds_the_known_values_of_the_usual_models(published: dict[tuple[str, str], Published]) -> None:
    assert published["openclip:timm/ViT-B-16-SigLIP", "cifar10"].top1 == pytest.approx(0.9233)
    assert published["openclip:apple/DFN5B-CLIP-ViT-H-14-378", "imagenet"].top1 == pytest.approx(0.8434)


def test_every_line_of_the_table_is_a_share_of_a_named_model_on_a_known_kind_of_set(
    published: dict[tuple[str, str], Published], repository: Path
) -> None:
    lines = (repository / "resources/embedder_checks/expected.tsv").read_text().splitlines()
    assert len(published) == len(lines) - 1
    for (spec, kind), value in published.items():
        assert re.match(r"^(openclip|transformers):[^/]+/[^/]+$", spec)
        assert kind in CLASSES
        assert 0.5 < value.top1 < 1


@pytest.mark.parametrize(
    ("spec", "hub"),
    [
        ("openclip:ViT-B-16-SigLIP/webli", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:ViT-B-32/laion2b_s34b_b79k", "openclip:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"),
        ("openclip:ViT-B-32/openai", "openclip:timm/vit_base_patch32_clip_224.openai"),
        ("openclip:timm/ViT-B-16-SigLIP", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:hf-hub:timm/ViT-B-16-SigLIP", "openclip:timm/ViT-B-16-SigLIP"),
        ("openclip:local-dir:/models/x", "openclip:local-dir:/models/x"),
        ("bundled:minilm-conse", "bundled:minilm-conse"),
    ],
)
def test_two_names_of_one_model_find_the_same_value(
    published: dict[tuple[str, str], Published], spec: str, hub: str
) -> None:
    assert hub_spec(spec) == hub
    assert ((hub, "imagenet") in published) == ("local" not in spec and "bundled" not in spec)


@pytest.mark.parametrize(
    ("correct", "n", "verdict"),
    [
        (7605, 10_000, "as expected"),
        (7530, 10_000, "as expected"),
        (7500, 10_000, "lower than expected"),
        (7700, 10_000, "higher than expected"),
        (750, 1000, "as expected"),
    ],
)
def test_the_verdict_follows_from_the_number_of_images(correct: int, n: int, verdict: str) -> None:
    found = expectation(share(correct, n), Published(0.7605, "imagenet80", "a paper"), "imagenet80")
    assert found.verdict == verdict
    assert found.tolerance == pytest.approx(1.96 * (0.7605 * 0.2395 / n) ** 0.5, rel=1e-3)
    assert found.difference == pytest.approx(correct / n - 0.7605)
    assert found.note == ""


def test_a_random_sample_of_a_model_that_is_right_is_hardly_ever_judged_wrong() -> None:
    rng = np.random.default_rng(0)
    verdicts = [
        expectation(share(int(correct), 500), Published(0.8, "", ""), "imagenet80").verdict
        for correct in rng.binomial(500, 0.8, size=2000)
    ]
    assert 0.93 < verdicts.count("as expected") / 2000 < 0.97


def check_with(kind: str, classes: int, spec: str = "x:y") -> EmbedderCheck:
    per_class = tuple({"key": str(i), "name": str(i), "top1": share(1, 2).model_dump()} for i in range(classes))
    return EmbedderCheck(
        embedder=IDENTITY.model_copy(update={"spec": spec}), check_set="s", kind=kind, n=2 * classes, unreadable=0,
        prompts="imagenet7", prompts_per_class=7, top1=share(classes, 2 * classes), top5=share(classes, 2 * classes),
        per_class=per_class, confusions=(), expectation=None, no_expectation="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "classes", "spec", "reason"),
    [
        ("folder", 3, "openclip:timm/ViT-B-16-SigLIP", "no accuracies on a set of kind folder"),
        ("imagenet", 12, "openclip:timm/ViT-B-16-SigLIP", "all 1,000 classes, and this set has 12"),
        ("cifar10", 10, "bundled:minilm-conse", "bundled:minilm-conse on cifar10"),
    ],
)
def test_a_check_without_a_published_value_says_why(
    published: dict[tuple[str, str], Published], kind: str, classes: int, spec: str, reason: str
) -> None:
    found = expected_of(check_with(kind, classes), published, spec, None)
    assert found.expectation is None
    assert reason in found.no_expectation
    assert f"No expected value: {found.no_expectation}." in check_page(found)


def test_other_prompts_than_the_published_ones_are_named_beside_the_difference(
    published: dict[tuple[str, str], Published],
) -> None:
    found = expected_of(check_with("cifar10", 10), published, "openclip:ViT-B-16-SigLIP/webli", None)
    assert found.expectation is not None
    assert found.expectation.verdict == "lower than expected"
    assert "cifar18" in found.expectation.note
    page = check_page(found)
    assert "92.33 %" in page
    assert "**lower than expected**" in page
    assert "-42.33 points" in page


def test_a_value_of_the_config_comes_before_the_table(published: dict[tuple[str, str], Published]) -> None:
    found = expected_of(check_with("folder", 3), published, "openclip:local-dir:/m", 50.0)
    assert found.expectation is not None
    assert found.expectation.verdict == "as expected"
    assert found.expectation.source == "the config"


@pytest.mark.parametrize(
    ("cells", "told"), [("x:y\tcifar10\tninety\t\tpaper", "no number"), ("x:y\tcifar10", "5 cells expected, 2 found")]
)
def test_an_accuracy_that_is_no_number_is_named_by_its_row(cells: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text(f"spec\tkind\ttop1\tprompts\tsource\n{cells}\n")
    with pytest.raises(NounflowError, match=told) as caught:
        read_published(tmp_path / "t.tsv")
    assert "row 2" in str(caught.value)
