"""What `nounflow cache` finds on disk of shards, training sets, models and checkpoints: all, checked byte by byte."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.files import read_json
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import ShardManifest, TrainingSetManifest
from nounflow.schemas.tables import INDEX
from nounflow.store.checkpoint_files import DOCUMENT, verify_checkpoint
from nounflow.store.matrix import merged_shard
from nounflow.store.shards import (
    array_folder,
    find_manifests,
    read_manifest,
    verify_shard,
)
from nounflow.store.training_set import read_checked_manifest


@dataclass(frozen=True)
class Verified:
    """One checked shard, training set, model or checkpoint."""

    path: Path
    bytes: int
    problem: NounflowError | None


def verify(paths: Sequence[Path], threads: int) -> list[Verified]:
    """Check every byte of shards, training sets, models and checkpoints: files, or all that lie below folders.

    A training set's shards are checked with it, so that one which is lost is missed.
    """
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(_verified, list(_to_verify(paths))))


def find_shards(paths: Sequence[Path]) -> list[Path]:
    """Manifests of all shards: files, or below folders, ordered by source and row.

    Raises:
        NounflowError: there is none, or a manifest is damaged.
    """
    everything = [manifest for path in paths for manifest in _manifests(path)]
    found = [manifest for manifest in everything if _OTHERS.keys().isdisjoint(_keys_of(manifest) or ())]
    if not found:
        raise NounflowError("There are no shards", where=", ".join(map(str, paths)), fix="check the path")
    places = {path: (str(path.parent), read_manifest(path).start, str(path)) for path in found}
    return sorted(places, key=places.__getitem__)


def shard_bytes(path: Path, manifest: ShardManifest) -> int:
    """Bytes on disk of a shard, all its files counted."""
    return path.stat().st_size + sum(part.bytes for part in manifest.parts.values())


def _to_verify(paths: Sequence[Path]) -> Iterator[Path]:
    """Manifests to check, each once: what is named, what lies below folders, what belongs to their training sets."""
    seen: set[Path] = set()
    for path in paths:
        for manifest in _manifests(path) + _lost_manifests(path):
            for one in (manifest, *_shards_of(manifest)):
                if one.resolve() not in seen:
                    seen.add(one.resolve())
                    yield one


def _verified(path: Path) -> Verified:
    try:
        keys = _keys_of(path) or set()
        for key, verified in _OTHERS.items():
            if key in keys:
                return Verified(path, verified(path), None)
        if array_folder(path).is_dir() and not path.exists():
            raise DamagedFileError(
                "A shard has no manifest: its job was cut off, or the manifest was lost",
                where=array_folder(path),
                fix="run the same command again: only this shard is made anew",
            )
        return Verified(path, shard_bytes(path, verify_shard(path)), None)
    except NounflowError as error:
        return Verified(path, 0, error)
    except OSError as error:  # one file that cannot be read must not hide the others
        return Verified(path, 0, DamagedFileError(f"A file cannot be read ({error})", where=path))


def _verify_training_set(path: Path) -> int:
    """Check a training set's own files, and that its shards are those merged; returns the bytes of the index."""
    manifest = read_checked_manifest(path)
    for reference in manifest.shards:
        merged_shard(path.parent / reference.path, reference)
    return (path.parent / INDEX).stat().st_size


def _verify_model(path: Path) -> int:
    """Check a model's manifest and its weights; returns their bytes."""
    from nounflow.store.weights import read_predictor_manifest, weights_file  # they load torch

    return path.stat().st_size + weights_file(path, read_predictor_manifest(path)).stat().st_size


_OTHERS = {  # a key that no other document has -> what checks it; all else is a shard
    "index_sha256": _verify_training_set,
    "weights_sha256": _verify_model,
    "seal": verify_checkpoint,
}


def _shards_of(path: Path) -> list[Path]:
    """Shards of a training set; none for other files, and for a damaged one, which is found when it is checked."""
    if "index_sha256" not in (_keys_of(path) or ()):
        return []
    try:
        manifest = read_document(TrainingSetManifest, path, "training set manifest")
    except NounflowError:
        return []
    return [Path(os.path.normpath(path.parent / shard.path)) for shard in manifest.shards]


def _lost_manifests(path: Path) -> list[Path]:
    """Where arrays below a folder have no manifest beside them."""
    lost = []
    for place, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        arrays = [name for name in folders if name.endswith(".zarr")]
        folders[:] = [name for name in folders if name not in arrays]
        lost += [Path(place, name).with_suffix(".json") for name in arrays if f"{name[:-5]}.json" not in files]
    return lost


def _manifests(path: Path) -> list[Path]:
    """The manifest at a path, or all below a folder: whatever lies beside arrays, is damaged, or reads like one."""
    if path.is_dir():
        return [file for file in find_manifests(path) if array_folder(file).is_dir() or _looks_like_manifest(file)]
    return [path.with_suffix(".json") if path.suffix == ".zarr" else path]


def _looks_like_manifest(path: Path) -> bool:
    keys = _keys_of(path)
    return keys is None or {"parts", "embedder"} <= keys or not keys.isdisjoint(_OTHERS) or path.name == DOCUMENT


def _keys_of(path: Path) -> set[str] | None:
    """The keys of a JSON object, none of other JSON; None where the file is damaged or missing."""
    try:
        document = read_json(path, "manifest")
    except NounflowError:
        return None
    return set(document) if isinstance(document, dict) else set()
