"""Small lexicons, captions and shards that several test files write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from nounflow.files import sha256_text
from nounflow.schemas.embeddings import EmbedderIdentity, ShardManifest
from nounflow.schemas.tables import CAPTIONS, LEXICON, lexicon_digest, read_table, write_table
from nounflow.store.shard_writing import write_shard
from nounflow.store.shards import array_folder, sealed
from nounflow.store.texts import text_keys

DIM = 8
NAMES = ["cat", "dog", "owl"]


def identity(**changes: int | str) -> EmbedderIdentity:
    fields: dict[str, Any] = {
        "spec": "bundled:test", "dim": DIM, "digest": "d0", "weights": "w", "tokenizer": "t",
        "preprocessing": "none", "precision": "fp32",
    }  # fmt: skip
    return EmbedderIdentity(**{**fields, **changes})


def vectors_file(manifest_path: Path) -> Path:
    """The file that holds a shard's vectors."""
    return array_folder(manifest_path) / "vectors/c/0/0"


def unit_rows(n: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    unit: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def write(
    path: Path,
    texts: list[str],
    *,
    vectors: np.ndarray | None = None,
    start: int = 0,
    source: str = "m1",
    **changes: Any,
) -> ShardManifest:
    fields: dict[str, Any] = {
        "embedder": identity(), "lexicon": lexicon_digest(NAMES), "source": source, "start": start,
        "texts": sha256_text(*texts), "batch_tokens": 64, "keys": text_keys(texts),
    }  # fmt: skip
    return write_shard(path, unit_rows(len(texts)) if vectors is None else vectors, **{**fields, **changes})


def write_nouns(path: Path, names: list[str] = NAMES) -> None:
    n = len(names)
    columns = {
        "id": range(n), "key": names, "noun": names, "canon": names, "kind": ["animal"] * n, "synsets": [[]] * n,
        "sense_keys": [[]] * n, "gloss": [""] * n, "hypernyms": [[]] * n, "hypernym_synsets": [[]] * n,
        "singulars": [[name] for name in names],
        "singular_shares": [[1.0]] * n, "plurals": [[]] * n, "plural_shares": [[]] * n, "frequency": [0.0] * n,
        "weight": [1.0] * n, "countability": ["count"] * n, "group": names, "aliases": [[]] * n,
        "visualness": [1.0] * n,
    }  # fmt: skip
    write_table(path, pl.DataFrame(columns, strict=False), LEXICON)


def make_material(folder: Path) -> dict[str, Any]:
    """A lexicon, two sources of captions, three shards: what `merge` takes."""
    write_nouns(folder / "nouns.parquet")
    captions = {}
    for source, n in (("m1", 10), ("m2", 6)):
        path = folder / "captions" / f"{source}.parquet"
        table = pl.DataFrame(
            {
                "text": [f"{source} text {i}" for i in range(n)],
                "targets": [[i % 3] if source == "m1" else [i % 3, (i + 1) % 3] for i in range(n)],
                "target_weights": [[1.0] if source == "m1" else [0.5, 0.5]] * n,
                "weight": [float(i + 1) for i in range(n)],
                "template": ["t"] * n,
            }
        )
        write_table(path, table, CAPTIONS)
        captions[source] = path
    shards = {
        "m1": [folder / "shards/m1/0.json", folder / "shards/m1/1.json"],
        "m2": [folder / "shards/m2/0.json"],
    }
    texts = {source: read_table(path, CAPTIONS, "captions")["text"].to_list() for source, path in captions.items()}
    write(shards["m1"][0], texts["m1"][:5], vectors=unit_rows(5, 1))
    write(shards["m1"][1], texts["m1"][5:], vectors=unit_rows(5, 2), start=5)
    write(shards["m2"][0], texts["m2"], vectors=unit_rows(6, 3), source="m2")
    return {
        "folder": folder / "set",
        "nouns_path": folder / "nouns.parquet",
        "captions": captions,
        "shard_manifests": shards,
        "mixture": {"m1": 1.0, "m2": 3.0},
        "heldout_share": 0.25,
    }


def rewrite(path: Path, **changes: Any) -> None:
    """Change fields of a manifest that stays whole in itself."""
    manifest = ShardManifest.model_validate({**json.loads(path.read_text()), **changes})
    path.write_text(sealed(manifest).model_dump_json())
