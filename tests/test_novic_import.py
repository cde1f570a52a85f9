"""Published checkpoints: an imported run names pictures like any other, with the embedder it was trained on."""

from __future__ import annotations

import dataclasses
import json
import runpy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nounflow import NounClassifier
from nounflow.cli import main
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.novic import PublishedDecoder, read_checkpoint
from nounflow.embedders.load import load_embedder
from nounflow.embedders.minilm_tokenizer import load_tokenizer as load_word_pieces
from nounflow.embedders.openclip_names import parse_name
from nounflow.errors import NounflowError
from nounflow.predictors.loading import load_predictor
from nounflow.predictors.novic import embedder_spec, import_decoder, target_vocabulary

FIXTURE = Path(__file__).parent / "fixtures/novic"
CHECKPOINT = FIXTURE / "checkpoint.train"


@pytest.fixture(scope="module")
def expected() -> np.lib.npyio.NpzFile:
    found: np.lib.npyio.NpzFile = np.load(FIXTURE / "expected.npz")
    return found


@pytest.fixture(scope="module")
def published() -> PublishedDecoder:
    return read_checkpoint(CHECKPOINT)


@pytest.fixture(scope="module")
def embedder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An open_clip model of random weights with OpenAI's tokenizer and 512 dimensions, as a hub would serve it."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("model")
    config = {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return folder


@pytest.fixture(scope="module")
def imported(embedder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture imported by the command, as a run's folder."""
    out = tmp_path_factory.mktemp("runs") / "imported"
    main(
        ["import-novic", str(CHECKPOINT), "--out", str(out), "--embedder", f"openclip:local-dir:{embedder_folder}",
         "--precision", "fp32", "--device", "cpu", "--threads", "1"]
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def test_the_imported_run_answers_as_the_checkpoint_s_decoder_does(
    imported: Path, published: PublishedDecoder, expected: np.lib.npyio.NpzFile
) -> None:
    predictor = load_predictor(imported / "manifest.json", "cpu", GenerationConfig(beam_width=5, guided="renorm"))
    answers = predictor.answer(expected["embeddings"], 5)
    assert np.abs(answers.scores - expected["beam_renorm_scores"]).max() < 1e-4
    found = [[text.replace(" ", "") for text in row] for row in answers.texts]
    assert found == [[text.replace(" ", "") for text in row] for row in expected["beam_renorm_text"].tolist()]
    manifest = predictor.manifest
    assert manifest.settings["imported"]["embedder"] == "openai:ViT-B/32"
    assert manifest.settings["imported"]["config"]["noise_scheme"] == "GaussElemUniformAngle"
    assert manifest.nouns == published.nouns


def test_an_unguided_answer_is_spelled_by_the_embedder_s_tokenizer(
    imported: Path, expected: np.lib.npyio.NpzFile
) -> None:
    predictor = load_predictor(imported / "manifest.json", "cpu", GenerationConfig(beam_width=5, guided="none"))
    texts = predictor.answer(expected["embeddings"], 5).texts
    for row, column in [(0, 0), (0, 1), (1, 1), (13, 2)]:
        original = expected["beam_unguided_text"][row, column]
        assert texts[row][column].replace(" ", "") == original.replace(" ", "")


def test_an_imported_run_names_pictures_by_every_ordinary_way(
    imported: Path, pictures: Path, embedder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = NounClassifier.load(imported, device="cpu", threads=1).name(["0.png", "1.png", "2.png"], pictures, top_k=3)
    assert all(set(naming.nouns) < set(json.loads((FIXTURE / "nouns.json").read_text())) for naming in named)
    main(["name", str(pictures), "--run", str(imported), "--device", "cpu", "--threads", "1"])
    lines = capsys.readouterr().out.splitlines()
    for naming in named:
        (line,) = (line for line in lines if line.startswith(str(pictures / naming.file)))
        assert f"\t{naming.nouns[0]} " in line

    scripts = Path(__file__).parent.parent / "workflow_scripts"
    common = {"image_set": "mine", "device": "cpu", "threads": 1, "counts": tmp_path / "counts.json"}
    runpy.run_path(str(scripts / "embed_images.py"))["main"](
        folder=pictures,
        labels=None,
        only_labelled=False,
        embedder=EmbedderConfig(spec=f"openclip:local-dir:{embedder_folder}", precision="fp32"),
        out=tmp_path / "images.json",
        **common,
    )
    runpy.run_path(str(scripts / "predict.py"))["main"](
        predictor=imported / "manifest.json",
        images=tmp_path / "images.json",
        generation=GenerationConfig(),
        top_k=10,
        out=tmp_path / "predictions.json",
        **common,
    )
    (decoding,) = json.loads((tmp_path / "predictions.json").read_text())["predictions"].values()
    assert [tuple(row[:3]) for row in decoding["pred"]] == [naming.nouns for naming in named]


def test_a_folder_that_holds_a_run_is_not_overwritten(
    imported: Path, embedder_folder: Path, published: PublishedDecoder
) -> None:
    embedder = load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{embedder_folder}", precision="fp32"), "cpu")
    before = (imported / "manifest.json").read_bytes()
    with pytest.raises(NounflowError, match="predictor already"):
        import_decoder(CHECKPOINT, published, embedder, imported)
    assert (imported / "manifest.json").read_bytes() == before


# --- the embedder ---


@pytest.mark.parametrize(
    "spec",
    ["openai:RN50", "openai:RN101", "openai:RN50x4", "openai:RN50x16", "openai:RN50x64", "openai:ViT-B/32",
     "openai:ViT-B/16", "openai:ViT-L/14", "openai:ViT-L/14@336px"],
)  # fmt: skip
def test_every_openai_model_is_known_to_open_clip(spec: str) -> None:
    assert parse_name(embedder_spec(spec).removeprefix("openclip:"))[1] == "openai"


def test_a_hub_model_keeps_its_name_and_another_library_s_is_refused() -> None:
    assert embedder_spec("openclip:timm/ViT-B-16-SigLIP") == "openclip:timm/ViT-B-16-SigLIP"
    with pytest.raises(NounflowError, match="transformers:openai/clip-vit-base-patch32"):
        embedder_spec("transformers:openai/clip-vit-base-patch32")


def test_another_tokenizer_is_refused_with_a_noun_that_shows_it(published: PublishedDecoder) -> None:
    with pytest.raises(NounflowError, match=r"tokenizer is not the one .* such as 'african love grass'"):
        target_vocabulary(published, load_word_pieces(""))


def test_an_embedder_of_another_dimension_is_refused(published: PublishedDecoder, tmp_path: Path) -> None:
    bundled = load_embedder(EmbedderConfig(spec="bundled:minilm-conse", precision="fp32"), "cpu", images=False)
    with pytest.raises(NounflowError, match=r"reads 512 dimensions.*makes 384"):
        import_decoder(CHECKPOINT, published, bundled, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("ids", "longest"), [([-1, 5, 6, 7, 8], 3), ([-1, 5, 6, 7], 4)])
def test_a_tokenizer_that_needs_less_than_the_decoder_was_trained_on_is_refused(
    published: PublishedDecoder, ids: list[int], longest: int
) -> None:
    class Frugal:
        target_digest = ""

        def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
            return [[5], [6, 7]]

        def target_decode(self, token_ids: Sequence[int]) -> str:
            raise AssertionError("nothing is decoded")

    other = dataclasses.replace(published, nouns=("ax", "bird house"), tokenizer_ids=np.array(ids), max_tokens=longest)
    with pytest.raises(NounflowError, match="tokenizer is not the one"):
        target_vocabulary(other, Frugal())
