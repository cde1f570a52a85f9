"""`nounflow name`: name the images of folders, files or a list."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.atomic import atomic_file
from nounflow.commandline import at_least_one
from nounflow.commands import naming_several
from nounflow.commands.naming_journal import NamingJournal
from nounflow.commands.options import (
    add_command,
    add_guide,
    add_machine,
    add_run,
    end_with_status,
    load_classifier,
    photo_files,
    share,
)
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.extras import need
from nounflow.spreadsheets import sheet_text, write_sheet

if TYPE_CHECKING:
    from nounflow.namings import Naming

# Options that shape an answer; a run that goes on must have the same.
_SHAPING = ("top", "unknown", "gate", "known", "keep", "decoding", "min_confidence", "merge_synonyms", "uncalibrated")
_TABLES: dict[str, Callable[[Any, Path], object]] = {  # suffix -> how a polars table is written
    ".tsv": lambda table, path: write_sheet(path, table.columns, table.iter_rows()),
    ".csv": lambda table, path: write_sheet(path, table.columns, table.iter_rows()),
    ".json": lambda table, path: _atomically(table.write_json, path),
    ".parquet": lambda table, path: _atomically(table.write_parquet, path),
}
_KIND = 0.5  # that a hypernym needs to be named where a gate believes no noun
_LOOK_SECONDS = 1.0  # between two looks at a watched folder
_PART = 1000  # images whose rows become a table at a time
_EXAMPLES = """\
examples:
  nounflow name cat.jpg holiday/
  nounflow name holiday/ --out nouns.csv --resume     a table; goes on where it was stopped
  nounflow name cat.jpg --guide nouns.txt --top 5     from a list of one's own, one noun a line
  nounflow name cat.jpg --confidence 0.8              "dog" where the breed is not sure
  nounflow name inbox/ --classes cats.txt --unknown   from a list, or none of these (docs/open_set.md)
  find . -name '*.jpg' | nounflow name - --json       a list of files from another program
  nounflow name street.jpg --several                  all that is in it, each noun with its box
  nounflow name inbox/ --watch --write-xmp            keywords beside each photo that comes in

exit status: 0 all were named, 1 some could not be read, 2 none could.
"""


def add(commands: Any) -> None:
    """Add `name` to the parsers of `nounflow`."""
    name = add_command(
        commands,
        "name",
        help="name the images of a folder, or some image files",
        description="Name the images of folders, files, or a list of files.",
        examples=_EXAMPLES,
    )
    name.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="folders and image files; -: paths from stdin, one a line"
    )
    add_run(name)
    name.add_argument("--top", type=at_least_one, help="nouns an image gets (default 3)")
    add_guide(name, "--classes")
    name.add_argument("--unknown", action="store_true", help="with a list: say `none of these` where it holds nothing")
    name.add_argument(
        "--gate",
        type=Path,
        nargs="?",
        const=True,  # that of the run
        metavar="JSON",
        help="say `not sure` where an answer is not to be believed, by the run's gate.json or another",
    )
    name.add_argument(
        "--known", type=Path, metavar="FOLDER", help="fit the gate's threshold on these images of known things"
    )
    name.add_argument("--keep", type=share, metavar="P", help="share of known images that the gate accepts (0 to 1)")
    name.add_argument("--decoding", metavar="NAME", help="how a decoder is read, such as exact_k5 (default: its run's)")
    name.add_argument(
        "--min-confidence",
        type=share,
        default=0.0,
        metavar="P",
        help="leave out less probable nouns (0 to 1)",
    )
    name.add_argument(
        "--confidence",
        type=share,
        metavar="P",
        help="say the most specific name that is so probable: a noun, or what lies above it, such as `dog`",
    )
    name.add_argument("--merge-synonyms", action="store_true", help="synonyms are one answer")
    name.add_argument(
        "--uncalibrated", action="store_true", help="probabilities are the model's own, not those that were fitted"
    )
    name.add_argument("--csv", action="store_true", help="the table of --out on stdout, with commas")
    name.add_argument("--out", type=Path, help="also write a table: .tsv, .csv, .json or .parquet")
    name.add_argument("--resume", action="store_true", help="with --out: go on where an earlier run was stopped")
    name.add_argument("--watch", action="store_true", help="go on with what is put into the folders, until Ctrl+C")
    name.add_argument(
        "--write-xmp",
        action="store_true",
        help="add the nouns, or with --confidence the sure name, to the keywords of PHOTO.xmp",
    )
    add_machine(name)
    naming_several.add(name)
    name.set_defaults(call=_name)
    add_json(name)


def _name(arguments: argparse.Namespace) -> None:
    if arguments.out and arguments.out.suffix not in _TABLES:
        raise NounflowError("Unknown kind of table", where=arguments.out, fix=f"end the name in {', '.join(_TABLES)}")
    if arguments.watch and (arguments.json or arguments.csv or arguments.out):
        raise NounflowError("A watched folder has no end at which a table is written", fix="leave one of them out")
    if arguments.json and arguments.csv:
        raise NounflowError("--json and --csv cannot both be on stdout", fix="leave one of them out")
    if arguments.resume and not arguments.out:
        raise NounflowError("Nothing is kept to go on from", fix="pass --out TABLE as well")
    if arguments.unknown and not arguments.guide:
        raise NounflowError("None of which?", fix="pass --classes TXT as well, or --gate where there is no list")
    if arguments.watch and not any(path.is_dir() for path in arguments.paths):
        raise NounflowError("There is no folder to watch", fix="name the folder that photos come into")
    if (arguments.known or arguments.keep is not None) and arguments.gate is None and not arguments.unknown:
        raise NounflowError("--known and --keep are of a gate", fix="pass --gate as well")
    several = arguments.several or arguments.labels
    if arguments.min_score is not None and not several:
        raise NounflowError("--min-score is of several nouns", fix="pass --several as well, or --min-confidence P")
    if arguments.write_xmp:
        need("exiv2")
    files = photo_files(arguments.paths, arguments.here, may_be_none=arguments.watch)
    if several:
        found = naming_several.name_several(arguments, files)
        if arguments.out:
            import polars as pl

            rows = pl.DataFrame(naming_several.table_rows(found), naming_several.COLUMNS)
            _TABLES[arguments.out.suffix](rows, arguments.out)
        return end_with_status("images named", len(found), sum(bool(one.problem) for one in found))
    journal = NamingJournal(arguments.out, arguments.resume) if arguments.out else None
    # Of many images, the chains that are not shown at the end take too much room.
    slim = (lambda naming: naming) if arguments.json or arguments.confidence is not None else _without_chain
    named, unwritten = [slim(naming) for naming in journal.earlier()] if journal else [], 0
    classifier = load_classifier(
        arguments, arguments.run, generation=arguments.decoding, calibrated=not arguments.uncalibrated
    )
    if arguments.confidence is not None and not classifier.knows_hypernyms:
        print("no hypernyms lie beside this model: --confidence looks at its first noun alone", file=sys.stderr)
    if arguments.merge_synonyms:
        classifier = classifier.merged()
    if arguments.gate is not None or arguments.unknown:
        classifier = naming_several.gated(classifier, arguments)
    if journal:
        options = {key: getattr(arguments, key) for key in _SHAPING}
        nouns = classifier.nouns if arguments.guide else None
        journal.begin({"model": classifier.weights_sha256, "guide": nouns, **options})
    done = {naming.file for naming in named}
    with contextlib.suppress(*(KeyboardInterrupt,) * arguments.watch):
        looks = _looks([file for file in files if file not in done], arguments)
        answers = (classifier.classify(look, arguments.top, progress=bool(journal)) for look in looks if look)
        for naming in itertools.chain.from_iterable(answers):
            naming = _sure(naming, arguments.min_confidence)
            words = _keywords(naming, arguments.confidence)
            if arguments.write_xmp and words:
                from nounflow.sidecars import add_keywords

                try:
                    add_keywords(Path(naming.file), words)
                except NounflowError as error:  # of one photo; the others go on
                    unwritten += 1
                    print(f"no keywords beside {escaped(naming.file)}: {error.what}", file=sys.stderr)
            if journal:
                journal.add(naming)
            if not (arguments.json or arguments.csv):
                _say(naming, bool(arguments.guide), arguments.confidence)
            if not arguments.watch:
                named.append(slim(naming))
    if arguments.watch:
        return
    order = {file: i for i, file in enumerate(files)}
    named = sorted((naming for naming in named if naming.file in order), key=lambda naming: order[naming.file])
    show("images", (_json_row(naming, arguments.confidence) for naming in named), lambda: None)
    if arguments.csv:
        table = _table(named, arguments.confidence)
        print(sheet_text(table.columns, table.iter_rows(), ","), end="")
    if journal:
        _write_table(arguments.out, named, arguments.confidence)
        journal.finish()
    failed = sum(bool(naming.problem) for naming in named)
    end_with_status("images named", len(named), failed, unwritten)


def _looks(files: list[str], arguments: argparse.Namespace) -> Iterator[list[str]]:
    """Files, then, with --watch, those that have come into the folders at each look, once they grow no more."""
    yield files
    seen, sizes = set(files), dict[str, int]()
    folders = [path for path in arguments.paths if path.is_dir()]
    while arguments.watch:
        time.sleep(_LOOK_SECONDS)
        there = dict[str, int]()
        for file in photo_files(folders, may_be_none=True):
            with contextlib.suppress(OSError):  # gone again
                there[file] = Path(file).stat().st_size
        new = [file for file, size in there.items() if file not in seen and size and sizes.get(file) == size]
        seen, sizes = seen.union(new), there
        yield new


def _without_chain(naming: Naming) -> Naming:
    return replace(naming, chain=())


def _sure(naming: Naming, least: float) -> Naming:
    """An answer without the nouns that are less probable."""
    kept = [i for i, probability in enumerate(naming.probabilities) if probability >= least]
    return replace(
        naming,
        nouns=tuple(naming.nouns[i] for i in kept),
        probabilities=tuple(naming.probabilities[i] for i in kept),
        unknown=tuple(noun for noun in naming.unknown if noun in {naming.nouns[i] for i in kept}),
    )


def _say(naming: Naming, listed: bool, confidence: float | None) -> None:
    answers = ", ".join(
        f"{noun}{'?' if noun in naming.unknown else ''} {probability:.0%}"
        for noun, probability in zip(naming.nouns, naming.probabilities, strict=True)
    )
    sure = naming.sure(_KIND if confidence is None else confidence)
    if naming.verdict and not naming.verdict.accepted:
        kind = f", some kind of {sure[0]}" if sure and not listed else ""
        answers = f"{'none of these' if listed else 'not sure'}{kind} ({naming.verdict.reason})"
    elif confidence is not None and answers:
        answers = f"{f'{sure[0]} {sure[1]:.0%}' if sure else 'not sure'} ({answers})"
    reason = f"unreadable: {naming.problem}" if naming.problem else "not sure"
    print(f"{escaped(naming.file)}\t{answers or reason}", flush=True)


def _keywords(naming: Naming, confidence: float | None) -> tuple[str, ...]:
    """Its nouns, or the sure name where one is asked for; none that a gate refuses."""
    if naming.verdict is not None and not naming.verdict.accepted:
        return ()
    if confidence is None:
        return naming.nouns
    sure = naming.sure(confidence)
    return (sure[0],) if sure else ()


def _write_table(path: Path, named: list[Any], confidence: float | None) -> None:
    _TABLES[path.suffix](_table(named, confidence), path)


def _table(named: list[Any], confidence: float | None) -> Any:
    """A row for each noun, in polars."""
    import polars as pl

    parts = (  # rows of all images at once would take ten times the table's room
        pl.DataFrame(
            [
                {
                    "file": escaped(naming.file),
                    "rank": rank,
                    "noun": noun,
                    "probability": probability,
                    "problem": naming.problem,
                    **_sure_cells(naming, confidence),
                    **_verdict_cells(naming),
                }
                for naming in named[start : start + _PART]
                for rank, (noun, probability) in enumerate(
                    zip(naming.nouns or ("",), naming.probabilities or (0.0,), strict=True), 1
                )
            ],
            infer_schema_length=None,  # an unreadable image has no verdict, and may come first
        )
        for start in range(0, len(named), _PART)
    )
    return pl.concat(parts, how="diagonal_relaxed")


def _json_row(naming: Naming, confidence: float | None) -> dict[str, Any]:
    row = asdict(naming) | {"file": escaped(naming.file)} | _sure_cells(naming, confidence)
    return {name: value for name, value in row.items() if value or name not in ("verdict", "chain", "unknown")}


def _sure_cells(naming: Naming, confidence: float | None) -> dict[str, Any]:
    if confidence is None:
        return {}
    name, probability = naming.sure(confidence) or ("", 0.0)
    return {"sure": name, "sure_probability": probability}


def _verdict_cells(naming: Naming) -> dict[str, Any]:
    if naming.verdict is None:
        return {}
    return {
        "score": naming.verdict.score,
        "threshold": naming.verdict.threshold,
        "verdict": "accepted" if naming.verdict.accepted else "rejected",
        "reason": naming.verdict.reason,
    }


def _atomically(write: Callable[[Path], object], path: Path) -> None:
    with atomic_file(path) as temporary:
        write(temporary)
