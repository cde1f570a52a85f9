"""The tables beside the rule file: weights and decisions of visualness, what has pictures, names of image classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError
from nounflow.nouns.visualness import Decision
from nounflow.text import canon


def read_evidence(folder: Path) -> dict[str, Any]:
    """Fields of `Rules` from the tables in a folder; a table that is not there gives none.

    Raises:
        NounflowError: with file and line, if a line is malformed or says a second time what another says.
    """
    decisions = {
        key: Decision(photographed == "yes", reason) for key, photographed, reason in _rows(folder / "decisions.tsv", 3)
    }
    weights = folder / "visualness.tsv"
    senses: dict[str, str] = {}
    names = []
    for _, name, key in _rows(folder / "class_lists.tsv", 3, unique=False):
        names.append(tuple(map(canon, name.split("/"))))
        senses |= {alternative: key for alternative in names[-1] if key and alternative not in senses}
    return {
        "terms": {term: _number(weights, weight) for term, weight in _rows(weights, 2)},
        "decisions": decisions,
        "pictured": frozenset(key for (key,) in _rows(folder / "pictured.txt", 1)),
        "listed": tuple(names),
        "listed_senses": senses,
        "british": dict(_rows(folder / "spelling.tsv", 2)),
    }


def _rows(path: Path, columns: int, unique: bool = True) -> Iterator[list[str]]:
    """Rows of a table with `columns` columns, without comments and, where it has more than one, its heading."""
    if not path.is_file():
        return
    seen: set[str] = set()
    heading = columns > 1
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if heading:
            heading = False
            continue
        row = line.split("\t")
        if len(row) != columns or not all(map(str.isprintable, row)) or not row[0]:
            raise NounflowError(
                f"A line of {path.name} has {len(row)} fields where {columns} are due: {line[:60]!r}",
                where=f"{path}:{number}",
                fix="mend it; fields are parted by tabs",
            )
        if unique and row[0] in seen:
            raise NounflowError(
                f"{path.name} has a second line for {row[0]}", where=f"{path}:{number}", fix="keep one of them"
            )
        seen.add(row[0])
        yield row


def _number(path: Path, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise NounflowError(f"A weight is not a number: {text[:40]!r}", where=path, fix="mend it") from None
