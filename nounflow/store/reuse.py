"""Texts that a whole shard holds already are copied, not embedded again.

A vector is taken over only where it has the very bytes that embedding anew would give: same embedder, same way of
storing, same batch shapes, same machine kind, torch and embedder code. So results do not depend on what stood
before. Shards may be written meanwhile: a shard counts when its manifest stands and the bytes read are those promised.
"""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.config.embedder import EmbedderFamily
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.fingerprint import PACKAGE, code_fingerprint
from nounflow.schemas.embeddings import EmbedderIdentity, ShardManifest
from nounflow.store.rows import StoredRows
from nounflow.store.shards import checked_rows, find_manifests, read_keys, read_manifest


@dataclass(frozen=True)
class VectorOrigin:
    """What decides about the bytes of a text's stored vector."""

    embedder: EmbedderIdentity
    dtype: str
    batch_tokens: int
    computed: dict[str, str]

    def made(self, manifest: ShardManifest) -> bool:
        """Whether a shard's vectors have the bytes that this origin gives."""
        return (manifest.embedder.digest, manifest.dtype, manifest.batch_tokens, manifest.computed) == (
            self.embedder.digest,
            self.dtype,
            self.batch_tokens,
            self.computed,
        )


def computation(family: EmbedderFamily, device: str) -> dict[str, str]:
    """What decides about the last bits of a text's vector, beside embedder and batch shapes.

    The number of threads does not (tests/test_reuse.py). Of the code, what the embedder's family is made of counts,
    and what rounds vectors to their stored type.
    """
    import torch

    if device == "cuda":
        machine = torch.cuda.get_device_name()
    elif device == "mps":
        machine = platform.platform(terse=True)
    else:
        machine = torch.backends.cpu.get_cpu_capability()
    return {
        "machine": f"{device}: {machine}",
        "torch": torch.__version__,
        "code": code_fingerprint(family.load, within=PACKAGE / "embedders"),
        "stored": code_fingerprint("nounflow.store.rows:encode", within=PACKAGE / "store"),
    }


def copy_known(keys: np.ndarray, origin: VectorOrigin, folders: Sequence[Path], out: StoredRows) -> np.ndarray:
    """Fill the rows of `out` whose texts stand in a whole shard of the same origin.

    Args:
        keys: of the texts, uint8 [rows, 16].
        folders: where shards are looked for, first come, first served.
        out: rows to fill, parallel to keys.

    Returns:
        Which rows were filled, bool [rows]. A shard that is damaged is named on stdout and not used.
    """
    found = np.zeros(len(keys), dtype=bool)
    lookup = _Lookup(keys)
    for path in (path for folder in folders for path in find_manifests(folder)):
        if found.all():
            break
        try:
            _copy_from(path, origin, lookup, found, out)
        except (DamagedFileError, OSError) as error:
            print(f"not used, its texts are embedded anew: {error}", flush=True)
        except NounflowError:
            continue  # another job is just replacing it
    return found


class _Lookup:
    """Places of keys among the wanted ones."""

    def __init__(self, keys: np.ndarray) -> None:
        halves = _halves(keys)
        self._order = np.argsort(halves[:, 0], kind="stable")
        self._first, self._second = halves[self._order, 0], halves[self._order, 1]

    def places(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of keys, uint8 [n, 16]: (rows that are wanted, the wanted rows that they match), both int64 [found]."""
        if not len(self._first) or not len(keys):
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        halves = _halves(keys)
        place = np.minimum(np.searchsorted(self._first, halves[:, 0]), len(self._first) - 1)
        rows = np.flatnonzero((self._first[place] == halves[:, 0]) & (self._second[place] == halves[:, 1]))
        return rows, self._order[place[rows]]


def _copy_from(path: Path, origin: VectorOrigin, lookup: _Lookup, found: np.ndarray, out: StoredRows) -> None:
    manifest = read_manifest(path)
    if not origin.made(manifest):
        return
    rows, wanted = lookup.places(read_keys(path, manifest))
    missing = ~found[wanted]
    rows, wanted = rows[missing], wanted[missing]
    if not len(rows):
        return
    for start, block in checked_rows(path, manifest):
        first, last = np.searchsorted(rows, [start, start + len(block)])
        out.put(wanted[first:last], block.take(rows[first:last] - start))
    found[wanted] = True  # only now are the bytes known to be whole


def _halves(keys: np.ndarray) -> np.ndarray:
    """Keys as two numbers each, uint64 [rows, 2]."""
    return np.ascontiguousarray(keys).view("<u8")
