"""A model of random weights for an embedder, as `save` leaves one: no meaning, real architecture."""

from __future__ import annotations

from pathlib import Path

import torch

from nounflow.config.decoder import DecoderConfig
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.head import HeadConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.load import load_embedder
from nounflow.predictors.head import NounHead
from nounflow.schemas.tables import lexicon_digest
from nounflow.store.weights import write_predictor

NOUNS = ("cat", "dog", "polar bear", "fire truck", "ice cream", "red squirrel", "teapot", "castle", "bicycle", "owl")


def random_model(
    folder: Path,
    kind: str = "decoder",
    nouns: tuple[str, ...] = NOUNS,
    spec: str = "bundled:minilm-conse",
    layers: int = 2,
) -> Path:
    """Write a decoder or a head to `folder`; returns that."""
    torch.manual_seed(0)
    embedder = load_embedder(EmbedderConfig(spec=spec), "cpu", images=False)
    dim, tokens = embedder.dim, {}
    config, head = DecoderConfig(width=64, heads=4, layers=layers), HeadConfig()
    if kind == "decoder":
        vocabulary = TargetVocabulary.build(nouns, embedder.target_tokens(nouns))
        tokens = vocabulary.as_dict()
        model: torch.nn.Module = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, config)
    else:
        model = NounHead(dim, len(nouns), head)
    settings = {"decoder": config.model_dump(mode="json"), "head": head.model_dump(mode="json")}
    folder.mkdir(parents=True, exist_ok=True)
    write_predictor(
        folder / "manifest.json", dict(model.state_dict()), run=folder.name, predictor=kind,
        embedder=embedder.identity, lexicon=lexicon_digest(nouns), lexicon_path="none", nouns=nouns,
        settings=settings, tokens=tokens, samples=0,
    )  # fmt: skip
    return folder


if __name__ == "__main__":
    import sys

    random_model(Path(sys.argv[1]), (sys.argv[2:] or ["decoder"])[0])
