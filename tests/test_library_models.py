"""Models of other libraries: their images, where their files come from, and what tells them apart."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tower_material import KINDS, TEXTS, load, spec_of

from nounflow.errors import NounflowError


@pytest.mark.parametrize("kind", ["transformers CLIP", "transformers SigLIP", "transformers SigLIP 2"])
def test_images_get_the_librarys_own_vectors(kind: str, folders: Callable[[str], Path]) -> None:
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel

    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 60, 3), dtype=np.uint8)
    images = [Image.fromarray(pixels[0]), Image.fromarray(pixels[1]).resize((90, 31))]
    model = load(spec_of(kind, folders))
    found = model.encode_images([model.preprocess(image) for image in images])
    own = AutoModel.from_pretrained(folders(kind)).eval()
    processor = AutoImageProcessor.from_pretrained(folders(kind), backend="pil")
    for image, vector in zip(images, found, strict=True):
        with torch.inference_mode():
            features = own.get_image_features(**processor(images=image, return_tensors="pt")).pooler_output
        assert np.abs(vector - torch.nn.functional.normalize(features[0], dim=-1).numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", ["CLIP", "Hugging Face text tower"])
def test_images_get_open_clips_own_vectors(kind: str, folders: Callable[[str], Path]) -> None:
    """Also that loading without drawing random numbers first leaves nothing out."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from nounflow.embedders.openclip_names import text_model_beside

    folder = f"local-dir:{folders(kind)}"
    own = open_clip.create_model(folder, **text_model_beside(folder)).eval()
    transform = image_transform_v2(PreprocessCfg(**own.visual.preprocess_cfg), is_train=False)
    model = load(spec_of(kind, folders))
    with torch.inference_mode():
        expected = own.encode_image(transform(_red())[None], normalize=True)[0].numpy()
    assert np.abs(model.encode_images([model.preprocess(_red())])[0] - expected).max() < 1e-5


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "Hugging Face text tower", "transformers CLIP"])
def test_a_local_folder_needs_no_network(
    kind: str, folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(kind, folders)

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("a local model asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = load(spec)
    assert model.encode_texts(["owl"], progress=False).shape == (1, model.dim)
    assert model.preprocess(_red()).dtype == np.float32


def _red() -> Image.Image:
    from PIL import Image

    return Image.new("RGB", (40, 30), (200, 0, 0))


@pytest.mark.parametrize("library", ["openclip", "transformers"])
def test_a_model_that_is_not_here_names_the_command_that_fetches_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NounflowError) as caught:
        load(f"{library}:nobody/no-such-model")
    assert "hf download nobody/no-such-model --local-dir FOLDER" in str(caught.value)


def test_a_model_of_another_kind_is_refused_with_the_kinds_there_are(folders: Callable[[str], Path]) -> None:
    with pytest.raises(NounflowError) as caught:
        load(f"transformers:{folders('Hugging Face text tower')}")
    assert "'bert'" in str(caught.value)
    assert "siglip" in str(caught.value)


def test_a_folder_that_is_not_there_is_no_hub_id() -> None:
    for library in ("openclip", "transformers"):
        with pytest.raises(NounflowError, match="no such folder"):
            load(f"{library}:./no/such")


@pytest.mark.skipif(importlib.util.find_spec("sentencepiece") is not None, reason="sentencepiece is here")
def test_without_sentencepiece_siglips_tokenizer_json_is_read_or_the_package_is_named(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(folders("transformers SigLIP"), tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": "SiglipTokenizer"}))
    own = load(spec_of("transformers SigLIP", folders)).encode_texts(TEXTS, progress=False)
    assert np.array_equal(load(f"transformers:{folder}").encode_texts(TEXTS, progress=False), own)
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(b"")
    with pytest.raises(NounflowError, match="SentencePiece"):
        load(f"transformers:{folder}")


def test_pickled_weights_of_transformers_are_refused(folders: Callable[[str], Path], tmp_path: Path) -> None:
    folder = shutil.copytree(folders("transformers CLIP"), tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NounflowError, match="cannot be loaded"):
        load(f"transformers:{folder}")


def test_a_model_that_lacks_weights_or_words_is_refused_and_not_filled_at_random(
    folders: Callable[[str], Path], tmp_path: Path
) -> None:
    """The library itself goes on: with a tower of random numbers, with a vocabulary of two tokens."""
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders("transformers CLIP"), tmp_path / "model")
    weights = folder / "model.safetensors"
    texts_alone = {name: part for name, part in load_file(weights).items() if not name.startswith("vision_model")}
    save_file(texts_alone, weights, metadata={"format": "pt"})
    with pytest.raises(NounflowError, match="lack 39 tensors"):
        load(f"transformers:{folder}")
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(NounflowError, match="knows no words"):
        load(f"transformers:{folder}")


# --- identity ---


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "transformers CLIP"])
def test_a_moved_folder_is_the_same_embedder(kind: str, folders: Callable[[str], Path], tmp_path: Path) -> None:
    here = load(spec_of(kind, folders)).identity
    moved = load(f"{KINDS[kind][0]}:{shutil.copytree(folders(kind), tmp_path / 'moved')}").identity
    assert moved.digest == here.digest
    assert moved.spec != here.spec
    assert "0x" not in here.preprocessing  # no address of this process
    assert here.versions["torch"]
    assert load(spec_of(kind, folders), "bf16").identity.digest != here.digest
