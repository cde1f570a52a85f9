"""A training set: an index of samples over embedding shards, opened and checked.

Merging (`nounflow.store.merging`) copies no vectors. Mixing ratios, repetition and the held-out split are columns of
the index.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from nounflow.counts import Counts
from nounflow.errors import DamagedFileError
from nounflow.files import check_sha256
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import TrainingSetManifest
from nounflow.schemas.tables import INDEX, SAMPLES, read_columns
from nounflow.store.matrix import MappedMatrix, load_matrix
from nounflow.store.sampling import WeightedRows, training_batches
from nounflow.store.shards import sealed


@dataclass(frozen=True)
class TrainingSet:
    """An opened training set. Rows of `vectors` and of the index columns run parallel."""

    manifest: TrainingSetManifest
    vectors: np.ndarray | MappedMatrix  # fp16 [samples, dim], unit rows; index it with an array of rows
    targets: np.ndarray  # uint32, all target ids in a row
    target_weights: np.ndarray  # float32, parallel to targets
    offsets: np.ndarray  # int64 [samples + 1]: targets of sample i are targets[offsets[i]:offsets[i + 1]]
    weights: np.ndarray  # float32 [samples], sum to 1 over the training split, 0 where held out
    heldout: np.ndarray  # bool [samples]
    sources: np.ndarray  # uint16 [samples]: position in manifest.shards

    def draw(self, generator: np.random.Generator, n: int) -> np.ndarray:
        """Sample rows, int64 [n], drawn by weight with replacement from the training split."""
        return self._by_weight.at(generator.random(n))

    def batches(
        self, seed: int, batch_size: int, steps: range, device: str
    ) -> Iterator[tuple[np.ndarray, torch.Tensor]]:
        """The training samples of some steps: (rows [batch], their vectors on the device, float16 [batch, dim]).

        A step's samples depend on (seed, step) alone, wherever the vectors lie and whatever was drawn before.
        """
        return training_batches(self.draw, self.vectors, seed, batch_size, steps, device)

    def targets_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Targets of some rows: (ids in a row, int64; their weights; offsets [len(rows) + 1])."""
        lengths = self.offsets[rows + 1] - self.offsets[rows]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        index = np.arange(offsets[-1]) + np.repeat(self.offsets[rows] - offsets[:-1], lengths)
        return self.targets[index].astype(np.int64), self.target_weights[index], offsets

    def count_texts(self, run: str) -> Counts:
        """What a run that trains on this set takes in, and what it leaves for validation."""
        counts = Counts("models")
        flow = counts.flow(f"{run}: texts", len(self.heldout), "texts")
        flow.drop(int(self.heldout.sum()), "held out for validation")
        flow.out(int((~self.heldout).sum()), "texts to draw samples from")
        return counts

    @functools.cached_property
    def _by_weight(self) -> WeightedRows:
        return WeightedRows(self.weights)


def read_checked_manifest(manifest_path: Path) -> TrainingSetManifest:
    """Read a training set's manifest, and check its index against it.

    Raises:
        DamagedFileError: the index is not the one that was written.
    """
    manifest = read_document(TrainingSetManifest, manifest_path, "training set manifest")
    if manifest != sealed(manifest):
        raise DamagedFileError(
            "A training set's manifest is not the one that was written",
            where=manifest_path,
            fix=f"delete {manifest_path} and run again; the vectors stay",
        )
    check_sha256(
        manifest_path.parent / INDEX,
        manifest.index_sha256,
        "The index of a training set is not the one its manifest describes",
        f"delete {manifest_path} and run again; the vectors stay",
    )
    return manifest


def open_training_set(manifest_path: Path, memory: int | None = None) -> TrainingSet:
    """Open a training set; its index and every byte of its shards are checked.

    Args:
        memory: bytes that the vectors may take; None: a share of what is free now. More than that stays on disk,
            which changes the speed and nothing else.

    Raises:
        DamagedFileError: the index or a shard is not what the manifest promises.
        MismatchError: a shard was made anew since it was merged.
    """
    manifest = read_checked_manifest(manifest_path)
    columns = _read_index(manifest_path.parent / INDEX, manifest.samples)
    vectors = load_matrix(manifest_path.parent, manifest.shards, manifest.embedder.dim, memory)
    if isinstance(vectors, MappedMatrix):
        gigabytes = vectors.shape[0] * vectors.shape[1] * 2 / 1e9
        print(f"vectors: {gigabytes:.1f} GB do not fit into memory, read from the shards as they are drawn", flush=True)
    return TrainingSet(manifest=manifest, vectors=vectors, **columns)


def _read_index(path: Path, samples: int) -> dict[str, np.ndarray]:
    """The columns of the index as flat arrays, read batch by batch into their places."""
    nested = pq.read_metadata(path)
    column = SAMPLES.get_field_index("targets")
    targets = sum(nested.row_group(group).column(column).num_values for group in range(nested.num_row_groups))
    columns = {
        "targets": np.empty(targets, dtype=np.uint32),
        "target_weights": np.empty(targets, dtype=np.float32),
        "offsets": np.zeros(samples + 1, dtype=np.int64),
        "weights": np.empty(samples, dtype=np.float32),
        "heldout": np.empty(samples, dtype=bool),
        "sources": np.empty(samples, dtype=np.uint16),
    }
    row = 0
    for batch in read_columns(path, SAMPLES, "training set index", SAMPLES.names):
        rows = slice(row, row + len(batch))
        first = columns["offsets"][row]
        lengths = batch["targets"].value_lengths().to_numpy()
        columns["offsets"][row + 1 : row + 1 + len(batch)] = first + np.cumsum(lengths)
        flat = slice(int(first), int(first + lengths.sum()))
        columns["targets"][flat] = batch["targets"].flatten().to_numpy()
        columns["target_weights"][flat] = batch["target_weights"].flatten().to_numpy()
        columns["weights"][rows] = batch["weight"].to_numpy()
        columns["heldout"][rows] = batch["heldout"].to_numpy(zero_copy_only=False)
        columns["sources"][rows] = batch["shard"].to_numpy()
        row += len(batch)
    last = int(columns["offsets"][-1])
    return {**columns, "targets": columns["targets"][:last], "target_weights": columns["target_weights"][:last]}
