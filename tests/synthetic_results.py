"""Small made-up results, as files or documents, for the tests of scores and report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import polars as pl

from nounflow.schemas.annotations import Annotations, ImageAnnotations
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import DecodingPredictions, Predictions
from nounflow.schemas.tables import lexicon_digest
from nounflow.text import canon

NOUNS = ("dog", "cat", "sheep", "mouse", "teapot", "x-ray", "apple", "goose")


def nouns_table(nouns: Sequence[str] = NOUNS, plurals: Mapping[str, str] | None = None) -> pl.DataFrame:
    plurals = plurals or {}
    return pl.DataFrame(
        {
            "id": range(len(nouns)),
            "key": nouns,
            "noun": nouns,
            "canon": [canon(noun) for noun in nouns],
            "kind": ["animal" if noun in ("dog", "cat", "sheep", "mouse", "goose") else "artifact" for noun in nouns],
            "synsets": [[f"n{i:08d}"] for i in range(len(nouns))],
            "sense_keys": [[f"{noun}%1:05:00::"] for noun in nouns],
            "gloss": [f"what a {noun} is" for noun in nouns],
            "hypernyms": [["entity"] for _ in nouns],
            "hypernym_synsets": [["n00001740"] for _ in nouns],
            "singulars": [[noun] for noun in nouns],
            "singular_shares": [[0.7] for _ in nouns],
            "plurals": [[plurals.get(noun, f"{noun}s")] for noun in nouns],
            "plural_shares": [[0.3] for _ in nouns],
            "frequency": [1e-4 / (i + 1) for i in range(len(nouns))],
            "weight": [float(len(nouns) - i) for i in range(len(nouns))],
        }
    )


def embedder(digest: str = "e1") -> EmbedderIdentity:
    return EmbedderIdentity(
        spec="bundled:minilm-conse",
        dim=384,
        digest=digest,
        weights="w",
        tokenizer="t",
        preprocessing="none",
        precision="fp32",
    )


def manifest(run: str, predictor: str = "decoder", **changes: object) -> PredictorManifest:
    values = {
        "run": run,
        "predictor": predictor,
        "embedder": embedder(),
        "lexicon": lexicon_digest(NOUNS),
        "lexicon_path": "../../nouns/tiny.parquet",
        "nouns": NOUNS,
        "settings": {"lexicon": "tiny", "embedder": "bundled", "mixture": "m", "seed": 1},
        "weights_sha256": "0",
        "parameters": 1234,
        "samples": 5000,
    }
    return PredictorManifest.model_validate(values | changes)


def predictions(
    run: str,
    answers: Mapping[str, Sequence[str]],
    predictor: str = "decoder",
    image_set: str = "photos",
    unreadable: Mapping[str, str] | None = None,
) -> Predictions:
    ranks = [[0.5**rank for rank in range(1, len(nouns) + 1)] for nouns in answers.values()]
    decoding = DecodingPredictions(
        gen_cfg={},
        valid_guide=(),
        valid_vocab=(),
        valid=(),
        invalid=(),
        pred=tuple(tuple(nouns) for nouns in answers.values()),
        score=tuple(tuple(math.log(p) for p in row) for row in ranks),
        probability=tuple(tuple(row) for row in ranks),
        result=tuple(tuple(1 for _ in row) for row in ranks),
    )
    return Predictions(
        model=run,
        model_path=f"results/models/{run}",
        model_dir=run,
        model_name="weights.safetensors",
        model_cfg={},
        infer_cfg={},
        guide_targets=tuple(sorted(NOUNS)),
        vocab_targets=tuple(sorted(NOUNS)),
        samples=tuple(answers),
        predictions={"beam_k5": decoding},
        unreadable=dict(unreadable or {}),
        milliseconds=12.5,
        run=run,
        predictor=predictor,
        image_set=image_set,
    )


def annotations_of(
    images: Mapping[str, Mapping[str, Sequence[str]]], image_set: str = "photos", annotator: str = "wordnet"
) -> Annotations:
    return Annotations(
        annotator=annotator,
        rule="1",
        image_set=image_set,
        images={image: ImageAnnotations.model_validate(lists) for image, lists in images.items()},
    )
