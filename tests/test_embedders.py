"""Embedders: the lean tower against the original, batches that do not matter, open_clip with a small real model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.bundled import class_names, conse
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.errors import NounflowError

TEXTS = [
    "a photo of a cat.",
    "A child looks at a hermit crab, a small crab that lives in the cast-off shells of other animals, on a beach.",
    "owl",
    "a drawing of a fire truck, an apple and an x-ray.",
    "",
    "ünïcode — and 日本語",
]


@pytest.fixture(scope="module")
def bundled() -> Embedder:
    config = EmbedderConfig(spec="bundled:minilm-conse", precision="fp32")
    return load_embedder(config, device="cpu")


def noise_image(size: tuple[int, int], seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (*size[::-1], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


# --- bundled ---


def test_the_lean_text_tower_equals_transformers(bundled: Embedder) -> None:
    from transformers import AutoModel, AutoTokenizer

    from nounflow.embedders.minilm_tokenizer import model_folder

    tokenizer = AutoTokenizer.from_pretrained(model_folder())
    model = AutoModel.from_pretrained(model_folder()).eval()
    found = bundled.encode_texts(TEXTS, progress=False)
    for text, vector in zip(TEXTS, found, strict=True):
        tokens = tokenizer([text], return_tensors="pt")
        with torch.inference_mode():
            hidden = model(**tokens).last_hidden_state[0]
        expected = torch.nn.functional.normalize(hidden.mean(0), dim=-1).numpy()
        assert np.abs(vector - expected).max() < 1e-5, text


def test_a_vector_does_not_depend_on_its_neighbours_or_their_order(bundled: Embedder) -> None:
    many = TEXTS + [f"a photo of thing number {i} in a row of things." for i in range(300)]
    together = bundled.encode_texts(many, progress=False)
    turned = bundled.encode_texts(many[::-1], progress=False)[::-1]
    assert np.array_equal(together, turned)
    for row in (0, 1, 100):
        alone = bundled.encode_texts([many[row]], progress=False)[0]
        assert np.array_equal(alone, together[row])


def test_vectors_are_unit_rows(bundled: Embedder) -> None:
    vectors = bundled.encode_texts(TEXTS, progress=False)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    images = bundled.encode_images([bundled.preprocess(noise_image(size)) for size in ((40, 90), (300, 10))])
    assert images.shape == (2, bundled.dim)
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)


def test_bf16_stays_close_to_fp32(bundled: Embedder) -> None:
    fast = load_embedder(EmbedderConfig(spec="bundled:minilm-conse", precision="bf16"), "cpu", images=False)
    cosines = (fast.encode_texts(TEXTS, progress=False) * bundled.encode_texts(TEXTS, progress=False)).sum(1)
    assert cosines.min() > 0.998
    assert fast.identity.digest != bundled.identity.digest


def test_conse_is_the_weighted_mean_of_the_ten_likeliest_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.softmax(4 * torch.randn(3, 50, generator=generator), dim=-1)
    classes = torch.nn.functional.normalize(torch.randn(50, 8, generator=generator), dim=-1)
    found = conse(probabilities, classes)
    for row in range(3):
        best = sorted(range(50), key=lambda c: -probabilities[row, c])[:10]
        mean = torch.stack([probabilities[row, c] * classes[c] for c in best]).sum(0)
        assert torch.allclose(found[row], mean, atol=1e-6)


def test_the_class_names_are_those_of_open_clip() -> None:
    from open_clip import IMAGENET_CLASSNAMES

    assert class_names() == list(IMAGENET_CLASSNAMES)
    assert len(class_names()) == 1000


def test_the_image_tower_gives_the_probabilities_of_the_published_model(bundled: Embedder) -> None:
    from efficientnet_lite_pytorch import EfficientNet

    from nounflow.embedders.bundled import _image_weights, load_image_tower

    published = EfficientNet.from_name("efficientnet-lite2")
    published.load_state_dict(torch.load(_image_weights(), weights_only=True))
    batch = torch.rand(2, 3, 260, 260, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected = published.eval()(batch).softmax(-1)
        found = load_image_tower("cpu")(batch).softmax(-1)
    assert torch.allclose(found, expected, atol=1e-5)


def test_an_image_is_embedded_alike_alone_and_in_a_batch(bundled: Embedder) -> None:
    images = [bundled.preprocess(noise_image((60, 40), seed)) for seed in range(3)]
    together = bundled.encode_images(images)
    for image, vector in zip(images, together, strict=True):
        assert np.allclose(bundled.encode_images([image])[0], vector, atol=1e-4)


def test_the_targets_are_spelled_without_special_tokens(bundled: Embedder) -> None:
    words = load_target_tokenizer(EmbedderConfig(spec="bundled:minilm-conse"))
    for noun in ("cat", "x-ray", "praying mantis"):
        (ids,) = words.target_tokens([noun])
        assert words.target_decode(ids).replace(" - ", "-") == noun
    assert words.target_digest == bundled.target_digest


# --- image files ---


def test_unreadable_files_keep_their_reason_and_the_others_their_place(bundled: Embedder, tmp_path: Path) -> None:
    noise_image((30, 30), 1).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"")
    (tmp_path / "c.jpg").write_text("no image")
    noise_image((30, 30), 2).save(tmp_path / "d.png")
    found = embed_image_files(bundled, tmp_path, ["a.png", "b.png", "c.jpg", "d.png", "gone.png"], batch=2, threads=2)
    assert found.files == ["a.png", "d.png"]
    assert found.vectors.shape == (2, bundled.dim)
    assert set(found.unreadable) == {"b.png", "c.jpg", "gone.png"}
    assert found.unreadable["b.png"] == "the file is empty"


# --- open_clip ---

MODEL_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with a small open_clip model of random weights, as a hub would serve it."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    model = open_clip.CLIP(**MODEL_CONFIG)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": MODEL_CONFIG, "preprocess_cfg": preprocess}))
    return folder, model.eval()


def test_a_local_open_clip_model_gives_its_own_vectors(local_model: tuple[Path, Any]) -> None:
    import open_clip

    folder, model = local_model
    embedder = load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{folder}", precision="fp32"), "cpu")
    assert embedder.dim == 16
    texts = ["a cat", "a very long text " * 10, "dogs"]
    with torch.inference_mode():
        expected = model.encode_text(open_clip.tokenize(texts), normalize=True).numpy()
    assert np.allclose(embedder.encode_texts(texts, progress=False), expected, atol=1e-5)
    image = noise_image((50, 40))
    vector = embedder.encode_images([embedder.preprocess(image)])
    assert vector.shape == (1, 16)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_plain_folder_path_means_the_same_model(local_model: tuple[Path, Any]) -> None:
    folder, _model = local_model
    first, second = (
        load_embedder(EmbedderConfig(spec=spec, precision="fp32"), "cpu")
        for spec in (f"openclip:local-dir:{folder}", f"openclip:{folder}")
    )
    assert first.identity.weights == second.identity.weights
    assert first.target_tokens(["a cat"]) == second.target_tokens(["a cat"])


def test_a_folder_without_weights_is_refused_and_not_filled_at_random(
    local_model: tuple[Path, Any], tmp_path: Path
) -> None:
    (tmp_path / "open_clip_config.json").write_text((local_model[0] / "open_clip_config.json").read_text())
    with pytest.raises(NounflowError, match="weights"):
        load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{tmp_path}", precision="fp32"), "cpu")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[Path]]:
            return (Path.touch, (tmp_path / "sprung",))

    (tmp_path / "model.pt").write_bytes(pickle.dumps({"state_dict": Trap()}))
    with pytest.raises(NounflowError, match="cannot be loaded"):
        load_embedder(EmbedderConfig(spec=f"openclip:ViT-S-32-alt@{tmp_path}/model.pt", precision="fp32"), "cpu")
    assert not (tmp_path / "sprung").exists()


def test_open_clip_targets_decode_to_the_noun(local_model: tuple[Path, Any]) -> None:
    words = load_target_tokenizer(EmbedderConfig(spec=f"openclip:local-dir:{local_model[0]}"))
    (ids,) = words.target_tokens(["fire truck"])
    assert words.target_decode(ids) == "fire truck"


def test_other_weights_change_the_identity(local_model: tuple[Path, Any], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder, _model = local_model
    state = load_file(folder / "open_clip_model.safetensors")
    state["text_projection"][0, 0] += 1e-3
    save_file(state, tmp_path / "open_clip_model.safetensors")
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    first, second = (
        load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{path}", precision="fp32"), "cpu").identity
        for path in (folder, tmp_path)
    )
    assert first.digest != second.digest


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("openclip:ViT-B-33", ["knows no model 'ViT-B-33'", "ViT-B-32"]),
        ("openclip:ViT-B-32", ["several weights", "laion2b_s34b_b79k"]),
        ("openclip:ViT-B-32/nonsense", ["no weights 'nonsense'", "laion2b_s34b_b79k"]),
        ("openclip:ViT-B-32@/no/such/file.pt", ["no such checkpoint", "/no/such/file.pt"]),
        ("openclip:local-dir:/no/such/folder", ["no such folder", "local-dir"]),
    ],
)
def test_a_wrong_spec_says_what_would_be_right(spec: str, parts: list[str]) -> None:
    with pytest.raises(NounflowError) as caught:
        load_embedder(EmbedderConfig(spec=spec, precision="fp32"), "cpu")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_a_model_that_is_not_here_says_how_to_fetch_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NounflowError) as caught:
        load_embedder(EmbedderConfig(spec="openclip:nobody/no-such-model", precision="fp32"), "cpu")
    assert "hf download" in str(caught.value)
