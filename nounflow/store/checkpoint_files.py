"""A training's checkpoint on the disk: a sealed JSON document that names files of tensors by their digests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nounflow.errors import DamagedFileError, MismatchError
from nounflow.files import check_sha256, read_json, sha256_json, write_json

DOCUMENT = "checkpoint.json"
_FORMAT = 2


def write_sealed(path: Path, document: Mapping[str, Any]) -> None:
    """Write the document, its format and the digest over both."""
    whole = {"format": _FORMAT, **document}
    write_json(path, whole | {"seal": sha256_json(whole)})


def read_sealed(path: Path, fix: str) -> dict[str, Any]:
    """The document, checked against its seal; the tensors are not looked at.

    Raises:
        MismatchError: another version of nounflow wrote it.
        DamagedFileError: it was changed.
    """
    document = read_json(path, "checkpoint")
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise MismatchError("The checkpoint is of another version of nounflow", where=path, fix=fix)
    if document.pop("seal", "") != sha256_json(document):
        raise DamagedFileError("The checkpoint is not the one that was written", where=path, fix=fix)
    return document


def checked_tensors(folder: Path, reference: Mapping[str, Any], fix: str) -> Path:
    """The file of tensors that a document refers to, every byte checked.

    Raises:
        DamagedFileError: it is missing, or another one than was written.
    """
    path: Path = folder / reference["file"]
    check_sha256(path, reference["sha256"], "A checkpoint's tensors are missing or not those that were written", fix)
    return path


def verify_checkpoint(path: Path) -> int:
    """Check a checkpoint's document and every byte of its tensors; returns the bytes of all.

    Raises:
        MismatchError, DamagedFileError: as above.
    """
    fix = f"delete {path.parent}: that training begins anew"
    document = read_sealed(path, fix)
    files = [checked_tensors(path.parent, part, fix) for part in (document["tensors"], document["best"]) if part]
    return sum(file.stat().st_size for file in (path, *files))
