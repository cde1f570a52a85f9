"""`nounflow predictions export` and `import`: predictions in the published layout."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from nounflow.commands.options import not_over


def add(commands: Any) -> None:
    """Add `predictions` to the parsers of `nounflow`."""
    group = commands.add_parser(
        "predictions",
        help="predictions in the published layout, out and in",
        description="Predictions in the published layout (NOVIC, version 1), for programs that read and write that.",
    ).add_subparsers(required=True, metavar="COMMAND")
    out = group.add_parser("export", help="a run's predictions with the published fields alone")
    out.add_argument("predictions", type=Path, help="such as results/predictions/small/photos.json")
    out.add_argument("--out", type=Path, required=True, help="file to write")
    out.set_defaults(call=_export)
    into = group.add_parser("import", help="predictions that were made elsewhere, as those of a run")
    into.add_argument("predictions", type=Path, help="a file in the published layout")
    into.add_argument("--run", required=True, type=_name, help="name that the run is given")
    into.add_argument("--image-set", required=True, type=_name, help="image set that its images are of")
    into.add_argument("--out", type=Path, help="file to write (default: results/predictions/RUN/IMAGE_SET.json)")
    into.set_defaults(call=_import)


def _name(text: str) -> str:
    """An argparse type for names, which become folders."""
    if not re.fullmatch("[A-Za-z0-9_]+", text):
        raise argparse.ArgumentTypeError(f"{text!r}: letters, digits and _ make a name")
    return text


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.files import write_json
    from nounflow.schemas.predictions import read_predictions
    from nounflow.schemas.published_predictions import published

    found = read_predictions(arguments.predictions)
    not_over(arguments.out, arguments.predictions)
    write_json(arguments.out, published(found))
    print(f"{len(found.samples):,} images written to {arguments.out}")


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.published_predictions import from_published

    found = from_published(arguments.predictions, arguments.run, arguments.image_set)
    out = arguments.out or Path("results/predictions") / arguments.run / f"{arguments.image_set}.json"
    write_document(out, found)
    print(f"{len(found.samples):,} images written to {out}")
