"""`nounflow name`: name the images of a folder."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.atomic import atomic_file
from nounflow.commandline import at_least_one
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.spreadsheets import write_sheet

if TYPE_CHECKING:
    from nounflow.classifier import Naming

_TABLES: dict[str, Callable[[Any, Path], object]] = {  # suffix -> how a polars table is written
    ".tsv": lambda table, path: write_sheet(path, table.columns, table.iter_rows()),
    ".csv": lambda table, path: write_sheet(path, table.columns, table.iter_rows()),
    ".json": lambda table, path: _atomically(table.write_json, path),
    ".parquet": lambda table, path: _atomically(table.write_parquet, path),
}


def add(commands: Any) -> None:
    """Add `name` to the parsers of `nounflow`."""
    name = commands.add_parser("name", help="name the images of a folder, or some image files")
    name.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders and image files")
    name.add_argument("--run", type=Path, default=Path("results/models/small"), help="folder of a trained run")
    name.add_argument("--top", type=at_least_one, help="nouns an image gets (default 3)")
    name.add_argument("--out", type=Path, help="also write a table: .tsv, .csv, .json or .parquet")
    name.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    name.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    name.set_defaults(call=_name)
    add_json(name)


def _name(arguments: argparse.Namespace) -> None:
    from nounflow.images import list_images

    files: list[str] = []
    for path in arguments.paths:
        if path.is_dir():
            files += [str(path / name) for name in list_images(path, any_name=True)]
        elif path.is_file():
            files.append(str(path))
        else:
            raise NounflowError("There is no such file or folder", where=path, fix="check the path")

    if arguments.out and arguments.out.suffix not in _TABLES:
        raise NounflowError("Unknown kind of table", where=arguments.out, fix=f"end the name in {', '.join(_TABLES)}")

    from nounflow.classifier import NounClassifier
    from nounflow.process import prepare_process

    device = prepare_process(arguments.device, arguments.threads)
    classifier = NounClassifier.load(arguments.run, device, arguments.threads)
    named = classifier.name(files, top_k=arguments.top)
    rows = [asdict(naming) | {"file": escaped(naming.file)} for naming in named]
    show("images", rows, lambda: _say(named))
    if arguments.out:
        _write_table(arguments.out, named)
    failed = sum(bool(naming.problem) for naming in named)
    print(f"{len(named) - failed} images named, {failed} unreadable", file=sys.stderr)
    if failed == len(named):
        raise NounflowError("No image could be read", fix="the lines above say why")


def _say(named: list[Naming]) -> None:
    for naming in named:
        answers = ", ".join(
            f"{noun} {probability:.0%}" for noun, probability in zip(naming.nouns, naming.probabilities, strict=True)
        )
        print(f"{escaped(naming.file)}\t{answers or 'unreadable: ' + naming.problem}")


def _write_table(path: Path, named: list[Any]) -> None:
    import polars as pl

    table = pl.DataFrame(
        [
            {
                "file": escaped(naming.file),
                "rank": rank,
                "noun": noun,
                "probability": probability,
                "problem": naming.problem,
            }
            for naming in named
            for rank, (noun, probability) in enumerate(
                zip(naming.nouns or ("",), naming.probabilities or (0.0,), strict=True), 1
            )
        ]
    )
    _TABLES[path.suffix](table, path)


def _atomically(write: Callable[[Path], object], path: Path) -> None:
    with atomic_file(path) as temporary:
        write(temporary)
