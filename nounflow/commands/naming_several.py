"""`nounflow name --several`: all nouns of an image, each with its box, from a list of labels or without one."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commands.options import box_text, finite, load_classifier, noun_list
from nounflow.commands.tables import show
from nounflow.errors import NounflowError
from nounflow.escaping import escaped

if TYPE_CHECKING:
    from nounflow.classifier import NounClassifier
    from nounflow.tags.naming import Tagging

_ALONE = (
    "watch", "resume", "write_xmp", "guide", "unknown", "min_confidence", "confidence", "merge_synonyms",
    "uncalibrated", "csv",
)  # fmt: skip
_CORNERS = ("x0", "y0", "x1", "y1")
_NUMBERS = dict.fromkeys(("score", *_CORNERS), float)
COLUMNS = {"file": str, "rank": int, "noun": str, "by": str, **_NUMBERS, "problem": str}


def add(name: argparse.ArgumentParser) -> None:
    """Add the options to `nounflow name`."""
    name.add_argument(
        "--several",
        action="store_true",
        help="several nouns of an image, each with score and box: x0,y0 x1,y1 in pixels (docs/tags.md)",
    )
    name.add_argument("--labels", type=Path, metavar="TXT", help="several nouns from this list: one noun a line")
    name.add_argument("--min-score", type=finite, metavar="S", help="with --several: leave out nouns that score less")


def name_several(arguments: argparse.Namespace, files: list[str]) -> list[Tagging]:
    """Name and say.

    Raises:
        NounflowError: options that do not go together, a list that cannot be used.
    """
    if others := [name for name in _ALONE if getattr(arguments, name, None)]:
        raise NounflowError(
            f"--several does not go with --{others[0].replace('_', '-')}",
            fix="leave one of them out; a list for several nouns is --labels TXT, a least score --min-score",
        )
    if arguments.labels and arguments.gate is not None:
        raise NounflowError("--labels does not go with --gate", fix="cut a list by --min-score; gate without a list")
    labels = noun_list(arguments.labels) if arguments.labels else None
    classifier = load_classifier(arguments, arguments.run, generation=arguments.decoding)
    if arguments.gate is not None:
        classifier = gated(classifier, arguments)
    found = []
    warnings.filterwarnings("ignore", "labels that mean the same")  # said below, in one line
    for tagging in classifier.tags(files, labels, most=arguments.top or 3, threshold=arguments.min_score):
        found.append(tagging)
        if not arguments.json:
            _say(tagging)
    show("nouns", table_rows(found), lambda: None)
    if found and found[0].alike:
        print(f"labels that mean the same: {', '.join(found[0].alike)}", file=sys.stderr)
    return found


def gated(classifier: NounClassifier, arguments: argparse.Namespace) -> NounClassifier:
    """The classifier with the gate that is meant."""
    gate = None if arguments.gate is True else arguments.gate  # without a path: that of the run
    return classifier.gated(gate, arguments.known, arguments.keep)


def table_rows(found: Iterable[Tagging]) -> list[dict[str, Any]]:
    """A row for each noun; an image without any has one, too."""
    return [row for tagging in found for row in _rows(tagging)]


def _say(tagging: Tagging) -> None:
    words = [
        f"{each.noun}{f' ({each.by})' if each.by else ''} {each.score:.2f} "
        f"({box_text(each.box) if each.box else 'whole'})"
        for each in tagging.nouns
    ]
    nothing = f"unreadable: {tagging.problem}" if tagging.problem else "not sure"
    print(f"{escaped(tagging.file)}\t{', '.join(words) or nothing}", flush=True)


def _rows(tagging: Tagging) -> list[dict[str, Any]]:
    nouns = [(each.noun, each.by, each.score, each.box) for each in tagging.nouns] or [("", "", 0.0, None)]
    return [
        {
            "file": escaped(tagging.file),
            "rank": rank,
            "noun": noun,
            "by": by,
            "score": score,
            **dict(zip(_CORNERS, box or (None,) * 4, strict=True)),
            "problem": tagging.problem,
        }
        for rank, (noun, by, score, box) in enumerate(nouns, 1)
    ]
