"""The fast text path: every kind of tower gives its library's own vectors, whatever is embedded beside a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
import torch
from tower_material import FULL, KINDS, OURS, TEXTS, cuts_rows, load, own_vectors, spec_of

from nounflow.embedders.golden import GOLDEN_TEXTS, check_golden
from nounflow.embedders.openclip_tower import written_out
from nounflow.embedders.text_tower import TextTower
from nounflow.errors import MismatchError
from nounflow.tags.context import LearntContext


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_gives_its_librarys_own_vectors(kind: str, folders: Callable[[str], Path]) -> None:
    model = load(spec_of(kind, folders))
    found = model.encode_texts(TEXTS, progress=False)
    assert np.abs(found - own_vectors(kind, folders(kind), TEXTS)).max() < 1e-5
    assert (model.texts.name, cuts_rows(model.texts)) == KINDS[kind][2:]
    assert (model.open_texts is not None) == (KINDS[kind][2] == OURS)
    if model.open_texts is not None:
        context = LearntContext(model, ["a photo of a {}."])  # begins as these words, and gradients reach them
        vectors = context.of_labels(context.tokens(["owl", "cat"]))
        plain = model.encode_texts(["a photo of a owl.", "a photo of a cat."], progress=False)
        assert np.abs(vectors.detach().numpy() - plain).max() < 1e-5
        vectors[0, 0].backward()
        assert len(context.words[0]) > 0
        unseen = kind == "custom text, pooled at the first"  # a causal tower's first place sees nothing behind it
        assert all((word.abs().sum() > 0) != unseen for word in context.words[0].grad)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "Hugging Face text tower", "CoCa", "transformers CLIP"])
def test_a_vector_does_not_depend_on_its_neighbours(kind: str, precision: str, folders: Callable[[str], Path]) -> None:
    model = load(spec_of(kind, folders), precision)
    together = model.encode_texts(TEXTS, progress=False)
    assert np.array_equal(model.encode_texts(TEXTS[::-1], progress=False)[::-1], together)
    for row in (0, 2, 20, len(TEXTS) - 1):
        assert np.array_equal(model.encode_texts([TEXTS[row]], progress=False)[0], together[row])


def test_no_texts_have_no_vectors(folders: Callable[[str], Path]) -> None:
    assert load(spec_of("CLIP", folders)).encode_texts([], progress=False).shape == (0, 16)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_stays_within_a_cosine_of_0_9999(precision: str, tmp_path: Path) -> None:
    """At the size and with the initial weights of a real tower, of fewer layers."""
    import open_clip
    from safetensors.torch import save_file

    folder = tiny.open_clip_folder(tmp_path, {"width": 256, "heads": 4, "layers": 4})
    torch.manual_seed(0)
    fresh = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(fresh.state_dict(), folder / "model.safetensors")
    model = load(f"openclip:{folder}", precision)
    assert isinstance(model.texts.forward, TextTower)
    assert model.texts.forward.tokens.element_size() == 2  # the weights themselves, not a cast at each use
    check_golden(model)
    exact = load(f"openclip:{folder}").encode_texts(TEXTS, progress=False)
    assert (model.encode_texts(TEXTS, progress=False) * exact).sum(1).min() >= 0.9999


def test_a_compiled_tower_gives_the_same_vectors(folders: Callable[[str], Path]) -> None:
    texts = ["owl", "a photo of a cat", "a photo of a fire truck"]
    model = load(spec_of("CLIP", folders), compile=True)
    found = model.encode_texts(texts, progress=False)
    assert np.abs(found - own_vectors("CLIP", folders("CLIP"), texts)).max() < 1e-5


# --- safeguards ---


def test_a_tower_that_would_differ_is_not_used(
    folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(model: torch.nn.Module) -> TextTower:
        right = written_out(model)
        assert right is not None
        return replace(right, activation=torch.relu)

    monkeypatch.setattr("nounflow.embedders.openclip.written_out", wrong)
    model = load(spec_of("CLIP", folders))
    found = model.encode_texts(TEXTS, progress=False)
    assert "not used" in capsys.readouterr().out
    assert model.texts.name == FULL
    assert np.abs(found - own_vectors("CLIP", folders("CLIP"), TEXTS)).max() < 1e-5


def test_golden_texts_pass_for_whole_models(folders: Callable[[str], Path]) -> None:
    for kind in ("SigLIP", "transformers CLIP"):
        check_golden(load(spec_of(kind, folders)))
    for precision in ("fp32", "bf16"):
        check_golden(load("bundled:minilm-conse", precision))


def test_golden_texts_that_come_out_otherwise_are_refused_with_both_sides(folders: Callable[[str], Path]) -> None:
    model = load(spec_of("CLIP", folders))
    tower = model.texts.forward
    assert isinstance(tower, TextTower)
    model.texts.forward = replace(tower, positions=tower.positions.roll(1, 0))
    with pytest.raises(MismatchError) as caught:
        check_golden(model)
    assert all(part in str(caught.value) for part in ("'owl'", "found [", "expected [", "precision: fp32"))


def test_the_recorded_golden_vectors_are_those_of_transformers() -> None:
    from transformers import AutoModel, AutoTokenizer

    from nounflow.embedders.minilm_tokenizer import model_folder

    tokenizer, model = AutoTokenizer.from_pretrained(model_folder()), AutoModel.from_pretrained(model_folder()).eval()
    recorded = load("bundled:minilm-conse").golden_vectors()
    for text, vector in zip(GOLDEN_TEXTS, recorded, strict=True):
        with torch.inference_mode():
            hidden = model(**tokenizer([text], return_tensors="pt", truncation=True, max_length=256)).last_hidden_state
        expected = torch.nn.functional.normalize(hidden[0].mean(0), dim=-1).numpy()
        assert np.abs(vector - expected).max() < 1e-6
