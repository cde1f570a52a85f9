"""Unit vectors as they are stored: float16, or int8 with a float32 scale for each row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nounflow.errors import NounflowError

StoredType = Literal["float16", "int8"]
_NORM_TOLERANCE = 1e-2  # a bf16 tower's last rounding is 4e-3 at most
_LARGEST = 127


@dataclass(frozen=True)
class StoredRows:
    """Rows as they lie on disk; indexing gives them back as float16."""

    values: np.ndarray  # float16 or int8 [rows, dim]
    scales: np.ndarray | None = None  # float32 [rows], int8 only

    @classmethod
    def empty(cls, rows: int, dim: int, dtype: str) -> "StoredRows":
        """Rows to be filled by `put`."""
        return cls(np.empty((rows, dim), dtype=dtype), np.empty(rows, dtype=np.float32) if dtype == "int8" else None)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, dim)."""
        return self.values.shape[0], self.values.shape[1]

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int | slice | np.ndarray) -> np.ndarray:
        """Rows as they are computed with, float16 [n, dim]; of a single number [dim]."""
        if self.scales is None:
            return np.asarray(self.values[index])
        scales = np.asarray(self.scales[index])
        found: np.ndarray = (self.values[index].astype(np.float32) * scales[..., None]).astype(np.float16)
        return found

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or np.float16, copy=False)

    def take(self, index: slice | np.ndarray) -> "StoredRows":
        """Some rows [n], still as stored."""
        return StoredRows(self.values[index], None if self.scales is None else self.scales[index])

    def put(self, index: slice | np.ndarray, rows: "StoredRows") -> None:
        """Replace some rows [n] by as many stored rows of the same type."""
        self.values[index] = rows.values
        if self.scales is not None:
            assert rows.scales is not None
            self.scales[index] = rows.scales


def encode(vectors: np.ndarray, dtype: StoredType, where: object, names: Sequence[str] = ()) -> StoredRows:
    """Unit vectors [rows, dim] as they will be stored.

    Args:
        where: what is to be written, for the message.
        names: the rows' texts, for the message.

    Raises:
        NounflowError: a row holds NaN or infinity, or is not of unit length.
    """
    norms = np.linalg.norm(vectors.astype(np.float32, copy=False), axis=1) if len(vectors) else np.zeros(0)
    bad = np.flatnonzero(~(np.abs(norms - 1) <= _NORM_TOLERANCE))  # NaN compares false
    if len(bad):
        first = int(bad[0])
        what = f"row {first}" + (f" ({names[first]!r})" if len(names) else "")
        raise NounflowError(
            f"{len(bad):,} of {len(vectors):,} vectors are no unit vectors; the first: {what}, norm {norms[first]:g}",
            where=where,
            fix="nothing was written; try `precision: fp32` for this embedder, and check its weights",
        )
    if dtype == "float16":
        return StoredRows(np.ascontiguousarray(vectors, dtype="<f2"))
    scales = (np.abs(vectors).max(axis=1, initial=0) / _LARGEST).astype("<f4")
    return StoredRows(np.rint(vectors / scales[:, None]).astype(np.int8), scales)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of unit length; a row of zeros stays."""
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-12), dtype=np.float32)
