"""A model as ONNX gives the answers that it gives in PyTorch, and onnxruntime is all that it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from random_model import random_model
from test_extras import BLOCKED
from tower_material import folders as folders
from tower_material import load, plain, spec_of

from nounflow import NounClassifier
from nounflow.cli import main
from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.onnx.export import export_model, predictor_graph
from nounflow.onnx.graphs import decoder_graph, write_graph
from nounflow.onnx.opening import session
from nounflow.onnx.predictors import OnnxHead
from nounflow.onnx.preparing import check_preparation, preparation
from nounflow.onnx.search import Cache, Trie, search
from nounflow.predictors.loading import load_predictor
from nounflow.schemas.documents import read_document, write_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.models import PredictorManifest
from nounflow.store.weights import MEMORY, read_predictor, write_predictor

# What naming by an exported model does without.
HEAVY = {"torch", "torchvision", "polars", "pyarrow", "scipy", "transformers", "open_clip", "safetensors", "tokenizers"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random decoder of a tiny CLIP, calibrated, what it became as ONNX, and photographs of noise."""
    folder = tmp_path_factory.mktemp("onnx")
    tower = plain()(folder / "clip")
    run = random_model(folder / "run", spec=f"openclip:{tower}", layers=1)
    weights = read_document(PredictorManifest, run / "manifest.json", "manifest").weights_sha256
    rest = {"candidates": 10, "images": 50, "labels": "x", "error_before": 0.5, "error_after": 0.1, "right": 0.5}
    write_document(run / "calibration.json", AnswerCalibration(weights_sha256=weights, weight=0.5, none=-5, **rest))
    main(["onnx", "export", str(run), "--out", str(folder / "exported")])
    drawn = np.random.default_rng(1)
    for i, (high, wide) in enumerate(((40, 61), (77, 33), (32, 32), (90, 91))):
        Image.fromarray(drawn.integers(0, 256, (high, wide, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return folder


def test_it_names_as_pytorch_does(place: Path) -> None:
    photos = sorted(place.glob("*.png"))
    theirs, ours = (NounClassifier.load(place / name) for name in ("run", "exported"))
    listed = ["dog", "Ice cream", "owl"]
    for wanted, found in ((theirs, ours), (theirs.guide(listed), ours.guide(listed))):
        for one, other in zip(wanted(photos, 5), found(photos, 5), strict=True):
            assert one.nouns == other.nouns
            np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=0.02)  # bf16 against fp32
    np.testing.assert_allclose(theirs.encode_images(photos), ours.encode_images(photos), atol=0.02)
    with pytest.warns(UserWarning, match="tuba"):
        assert ours.guide(["tuba", "cat"])(photos[0]).nouns == ("cat",)
    with pytest.raises(NounflowError, match="no text tower"):
        ours.encode_texts("a cat")


def test_onnxruntime_is_all_that_naming_needs(place: Path) -> None:
    code = BLOCKED.format(blocked=HEAVY) + "from nounflow.cli import main; main(sys.argv[1:])"
    words = ["name", "0.png", "--run", "exported", "--json", "--top", "2"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=place)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["images"]
    assert tuple(row["nouns"]) == NounClassifier.load(place / "run")(place / "0.png", 2).nouns


def test_a_saved_export_is_whole_and_none_is_exported_again(place: Path, tmp_path: Path) -> None:
    exported = NounClassifier.load(place / "exported")
    exported.save(tmp_path / "given")
    assert NounClassifier.load(tmp_path / "given")(place / "0.png") == exported(place / "0.png")
    with pytest.raises(NounflowError, match="exported already"):
        export_model(place / "exported/manifest.json", tmp_path / "again")
    (tmp_path / "file").write_text("")
    with pytest.raises(NounflowError, match="no folder"):
        exported.save(tmp_path / "file")


def test_a_damaged_export_and_what_needs_pytorch_are_refused(place: Path, tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="beam and greedy search"):
        NounClassifier.load(place / "exported", generation="exact_k5")
    with pytest.raises(NounflowError, match="computes on the processor"):
        NounClassifier.load(place / "exported", device="cuda")
    with pytest.raises(NounflowError, match="not empty"):
        export_model(place / "run/manifest.json", place / "exported")
    for path in (place / "exported").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "decoder.onnx").write_bytes((tmp_path / "decoder.onnx").read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match="not the one"):
        NounClassifier.load(tmp_path)


@pytest.mark.parametrize(("int8", "close"), [(False, 1e-4), (True, 0.3)])
def test_a_head_answers_as_pytorch_does(place: Path, tmp_path: Path, int8: bool, close: float) -> None:
    """int8 loses a little; the likeliest noun stays."""
    run = place / "head"
    if not run.exists():
        random_model(run, "head", tuple(f"noun {i}" for i in range(300)), f"openclip:{place / 'clip'}")
    manifest, _ = read_predictor(run / "manifest.json")
    name, graph = predictor_graph(run / "manifest.json")
    write_graph(tmp_path / name, graph, int8)
    vectors = np.random.default_rng(0).standard_normal((9, 16)).astype(np.float32)
    ours = OnnxHead(manifest, session(tmp_path / name, 1)).answer(vectors, 5)
    theirs = load_predictor(run / "manifest.json", "cpu").answer(vectors, 5)
    np.testing.assert_array_equal(ours.nouns[:, 0], theirs.nouns[:, 0])
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=close)
    assert all(len(set(row)) == 5 for row in ours.texts)
    with pytest.raises(NounflowError, match="Only a decoder"):
        export_model(run / "manifest.json", tmp_path / "out", int8, GenerationConfig())
    assert not (tmp_path / "out").exists()


def test_what_is_not_exported_is_refused_by_name(place: Path, tmp_path: Path) -> None:
    manifest, tensors = read_predictor(place / "run/manifest.json")
    derived = {"weights_sha256", "parameters", "versions"}
    fields = {name: getattr(manifest, name) for name in type(manifest).model_fields if name not in derived}
    write_predictor(tmp_path / "manifest.json", {**tensors, MEMORY: torch.zeros(2, 16)}, **fields)
    with pytest.raises(NounflowError, match="fused or moves images"):
        export_model(tmp_path / "manifest.json", tmp_path / "out")
    identity = manifest.embedder.model_copy(update={"spec": "rehearsal:mine"})
    with pytest.raises(NounflowError, match="prepares images") as refused:
        preparation(identity)
    assert refused.value.where == "rehearsal:mine"
    embedder = load(manifest.embedder.spec)
    how = preparation(embedder.identity)
    check_preparation(embedder, how)
    with pytest.raises(NounflowError, match="prepares images"):
        check_preparation(embedder, how.model_copy(update={"interpolation": "bilinear"}))


@pytest.mark.extra
@pytest.mark.parametrize("kind", ["SigLIP", "transformers CLIP", "transformers SigLIP"])
def test_towers_of_other_libraries(kind: str, folders: Callable[[str], Path], tmp_path: Path) -> None:
    export_model(
        random_model(tmp_path / "run", "head", spec=spec_of(kind, folders)) / "manifest.json", tmp_path / "out"
    )


@pytest.mark.extra
@pytest.mark.parametrize(
    ("kind", "why"), [("CoCa", "cannot be written as ONNX"), ("transformers SigLIP 2", "prepares images")]
)
def test_towers_that_are_refused(kind: str, why: str, folders: Callable[[str], Path], tmp_path: Path) -> None:
    run = random_model(tmp_path / "run", "head", spec=spec_of(kind, folders))
    with pytest.raises(NounflowError, match=why) as refused:
        export_model(run / "manifest.json", tmp_path / "out")
    assert spec_of(kind, folders) in str(refused.value.where)
    assert not (tmp_path / "out").exists()


@pytest.mark.extra
def test_the_bundled_tower(tmp_path: Path, repository: Path) -> None:
    run = random_model(tmp_path / "run")
    found = export_model(run / "manifest.json", tmp_path / "out")
    assert found.cosine > 0.9999
    photos = sorted((repository / "docs/photographs").glob("*.jpg"))
    theirs, ours = (NounClassifier.load(tmp_path / name) for name in ("run", "out"))
    assert [naming.nouns for naming in theirs(photos)] == [naming.nouns for naming in ours(photos)]


SETTINGS = [
    "beam_k10",
    "beam_k3_gr",
    "greedy",
    "greedy_gr",
    "beam_k5_t0.7",
    "beam_k5_t2_gr",
    "beam_k4_a1",
    "beam_k4_a-1",
]


@pytest.mark.parametrize("name", SETTINGS)
def test_the_search_without_pytorch_finds_the_same(name: str) -> None:
    torch.manual_seed(0)
    drawn = np.random.default_rng(0)
    spelled = {tuple(drawn.integers(10, 40, drawn.integers(1, 6)).tolist()) for _ in range(400)}
    vocabulary = TargetVocabulary.build([str(row) for row in spelled], list(spelled))
    model = ObjectDecoder(16, vocabulary.size, vocabulary.max_tokens, DecoderConfig(width=32, heads=2, init="open"))
    embeddings = torch.nn.functional.normalize(torch.randn(7, 16), dim=-1)
    config = GenerationConfig.from_name(name)
    wanted = generate(model, embeddings, TokenTrie.build(vocabulary), config)
    graph = decoder_graph(model).module.eval()

    @torch.no_grad()
    def step(tokens: np.ndarray, cache: Cache | None) -> tuple[np.ndarray, Cache]:
        past = [torch.from_numpy(part) for part in cache] if cache else [torch.zeros(7, 1, 2, 2, 0, 16)] * 2
        first, following, *longer = graph(embeddings, torch.from_numpy(tokens), *past)
        if cache is None:
            return first[:, None].numpy(), tuple(part.numpy() for part in past)
        return following.numpy(), tuple(part.numpy() for part in longer)

    rows = [row[:length].tolist() for row, length in zip(vocabulary.tokens, vocabulary.lengths, strict=True)]
    nouns, scores, totals = search(step, 7, Trie(rows), config, config.beam_width)
    np.testing.assert_array_equal(nouns, wanted.nouns)
    np.testing.assert_allclose(scores, wanted.scores, rtol=1e-4)
    np.testing.assert_allclose(totals, wanted.totals, rtol=1e-4)
