"""How every command shows its tables: drawn for people, or with --json as one JSON object on stdout."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

_gathered: dict[str, Any] | None = None  # with --json: table -> its rows


def add_json(*parsers: argparse.ArgumentParser) -> None:
    """Add `--json` to commands that show tables."""
    for parser in parsers:
        parser.add_argument("--json", action="store_true", help="the tables as JSON; all else goes to stderr")


def show(
    name: str,
    rows: Iterable[Any],
    draw: Callable[[], object] | None = None,
    digits: Mapping[str, int] | None = None,
) -> None:
    """Show a table. Cells are the values themselves, None where one is not known.

    Args:
        name: its key in the JSON object.
        rows: mappings, dataclasses, named tuples or models.
        draw: prints it for people; by default in columns, numbers to the right.
        digits: decimals of a column's numbers (default 1).
    """
    if _gathered is not None:
        _gathered[name] = [{key: _plain(cell) for key, cell in _row(row).items()} for row in rows]
    elif draw is not None:
        draw()
    else:
        _draw(list(map(_row, rows)), digits or {})


@contextlib.contextmanager
def as_json(wanted: bool) -> Iterator[None]:
    """With --json: what is printed meanwhile goes to stderr, and at the end, good or bad, the tables to stdout."""
    global _gathered
    if not wanted:
        yield
        return
    _gathered = {}
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        tables, _gathered = _gathered, None
        if tables:
            print(json.dumps(tables, indent=2, ensure_ascii=False, default=str))


def _row(row: Any) -> dict[str, Any]:
    if is_dataclass(row) and not isinstance(row, type):
        return asdict(row)
    return dict(row._asdict() if hasattr(row, "_asdict") else row.model_dump() if hasattr(row, "model_dump") else row)


def _draw(rows: list[Mapping[str, Any]], digits: Mapping[str, int]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in rows[0] if rows else ():
        numbers = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(name.replace("_", " "), justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value, digits.get(name, 1)) for name, value in row.items()))
    console = Console(highlight=False, markup=False)
    Console(highlight=False, markup=False, width=max(console.width, 110)).print(table)


def _cell(value: Any, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _plain(value: Any) -> Any:
    """For JSON, which knows neither NaN nor infinity; these and an empty text say that nothing is known."""
    if value == "":
        return None
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [part if part == "" else _plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
