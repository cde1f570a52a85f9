"""A trained model as a folder of ONNX graphs, held against PyTorch before it is kept."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import torch.nn.functional as F

from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.config.head import HeadConfig
from nounflow.config.retrieval import RetrievalConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.load import load_embedder
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import MismatchError, NounflowError
from nounflow.extras import need
from nounflow.files import sha256_file
from nounflow.model_folders import MANIFEST, copy_model, new_folder
from nounflow.onnx.graphs import Graph, cannot, decoder_graph, head_graph, tower_graph, write_graph
from nounflow.onnx.opening import DECODER, EXPORTED, HEAD, TOWER, OnnxTower, is_exported, open_exported
from nounflow.onnx.predictors import OnnxHead
from nounflow.onnx.preparing import check_preparation, noise_images, preparation
from nounflow.predictor_kinds import GENERATION, WEIGHTS, check_searched
from nounflow.predictors.head import NounHead
from nounflow.predictors.loading import load_predictor
from nounflow.predictors.protocol import Predictor
from nounflow.schemas.documents import write_document
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.onnx import ImagePreparation, OnnxManifest
from nounflow.store.weights import IMAGE_SHIFT, MEMORY, read_predictor

_PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript")
_TEXTS = 256
_LEAST_COSINE, _LEAST_SAME = 0.9999, 0.99  # of fp32 with PyTorch


class Exported(NamedTuple):
    """What an export gave, beside PyTorch."""

    megabytes: dict[str, float]  # of each graph
    cosine: float  # the least, of images of noise
    same: float  # share of texts that get the same noun first


def export_model(
    manifest_path: Path, folder: Path, int8: bool = False, generation: GenerationConfig | None = None
) -> Exported:
    """Write a model and its image tower to a folder, whole or not at all.

    Args:
        int8: weights of matrix products are int8.
        generation: how a decoder is read; None: as in the run's config.

    Raises:
        NounflowError: the extra `onnx` is missing, `folder` holds something, the model or its image tower is of a kind
            that is not exported, or what was written answers otherwise than PyTorch does.
    """
    need("onnx", "onnxruntime", "onnxscript")
    if is_exported(manifest_path):
        raise NounflowError("This model is exported already", where=manifest_path.parent, fix="name the run itself")
    name, graph = predictor_graph(manifest_path)
    with new_folder(folder) as temporary:
        manifest = copy_model(manifest_path, temporary)
        if generation:
            check_searched(manifest.predictor, manifest_path)
        embedder, how = _embedder(manifest.embedder, manifest_path)
        (temporary / WEIGHTS).unlink()
        if generation:
            write_document(temporary / GENERATION, generation)
        write_graph(temporary / name, graph, int8)
        write_graph(temporary / TOWER, tower_graph(embedder, how), int8)
        graphs = sorted(temporary.glob("*.onnx*"))
        exported = OnnxManifest(
            images=how,
            int8=int8,
            files={path.name: sha256_file(path) for path in (*graphs, temporary / MANIFEST)},
            versions={package: metadata.version(package) for package in _PACKAGES},
        )
        write_document(temporary / EXPORTED, exported)
        predictor, tower = open_exported(temporary / MANIFEST, 1, None)
        cosine = _least_cosine(embedder, tower)
        same = _same_first(load_predictor(manifest_path, "cpu", generation), predictor, embedder)
        if not int8 and (cosine < _LEAST_COSINE or same < _LEAST_SAME):
            raise NounflowError(
                f"The exported model answers otherwise than PyTorch, so it was not kept (least cosine of images "
                f"{cosine:.5f}, first noun of texts the same for {same:.1%})",
                where=manifest.embedder.spec,
                fix="use the run itself, or another version of torch, onnxscript or onnxruntime",
            )
        return Exported({path.name: path.stat().st_size / 1e6 for path in graphs}, cosine, same)


def _embedder(identity: EmbedderIdentity, manifest_path: Path) -> tuple[TwoTowers, ImagePreparation]:
    """The run's embedder, in fp32, and how it prepares images.

    The bundled image tower is in fp32 in any case; of the run's precision are the class names within it.
    """
    how = preparation(identity)
    precision = identity.precision if identity.spec.startswith("bundled:") else "fp32"
    embedder = load_embedder(EmbedderConfig.model_validate({"spec": identity.spec, "precision": precision}), "cpu")
    assert isinstance(embedder, TwoTowers)
    if (embedder.identity.weights, embedder.identity.preprocessing) != (identity.weights, identity.preprocessing):
        raise MismatchError(
            "The embedder installed here is not the one that the model was made with",
            where=f"{identity.spec} against {manifest_path}",
            fix="install the versions that the model's manifest names",
        )
    check_preparation(embedder, how)
    return embedder, how


def predictor_graph(manifest_path: Path) -> tuple[str, Graph]:
    """File name and graph of a predictor.

    Raises:
        NounflowError: it is of a kind that is not exported.
    """
    manifest, tensors = read_predictor(manifest_path)
    dim, nouns, settings = manifest.embedder.dim, len(manifest.nouns), manifest.settings
    if {IMAGE_SHIFT, MEMORY} & set(tensors) or manifest.predictor not in ("decoder", "head", "retrieval"):
        raise NounflowError(
            "Only a decoder, a head or retrieval is exported, none that is fused or moves images",
            where=manifest_path,
            fix="export a part of the fused run, or a run without `noise.shift` and `memory`",
        )
    if manifest.predictor == "decoder":
        vocabulary = TargetVocabulary.from_dict(manifest.nouns, manifest.tokens)
        config = DecoderConfig.model_validate(settings["decoder"])
        decoder = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, config, nouns)
        decoder.load_state_dict(tensors)
        return DECODER, decoder_graph(decoder)
    if manifest.predictor == "head":
        head = NounHead(dim, nouns, HeadConfig.model_validate(settings["head"]))
        head.load_state_dict(tensors)
        return HEAD, head_graph(head.eval(), dim)
    temperature = RetrievalConfig.model_validate(settings["retrieval"]).temperature
    assert isinstance(temperature, float)
    matrix = tensors["nouns"].T / temperature  # [dim, nouns]
    return HEAD, head_graph(lambda embeddings: F.normalize(embeddings, dim=-1) @ matrix, dim)


def _least_cosine(embedder: TwoTowers, tower: OnnxTower) -> float:
    """Of images by both ways, in a batch of another size than the graph was made with."""
    theirs = embedder.encode_images([embedder.preprocess(image) for image in noise_images()])
    try:
        ours = tower.encode_images([tower.preprocess(image) for image in noise_images()])
    except Exception as error:  # onnxruntime has a class for each kind
        raise cannot(embedder.identity.spec, error) from error
    return float((ours * theirs).sum(1).min())


def _same_first(theirs: Predictor, ours: OnnxHead, embedder: TwoTowers) -> float:
    """Share of texts, which stand for images, to which both ways give the same noun first."""
    nouns = theirs.manifest.nouns[:: max(1, len(theirs.manifest.nouns) // _TEXTS)]
    vectors = embedder.encode_texts([f"a photo of a {noun}" for noun in nouns], progress=False)
    return float((theirs.answer(vectors, 1).nouns == ours.answer(vectors, 1).nouns).mean())
