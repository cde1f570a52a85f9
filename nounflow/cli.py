"""The `nounflow` command: name images, print scores, judge predictions, write the config's schema."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one, reported_errors
from nounflow.errors import NounflowError
from nounflow.web.command import add_commands

_TABLES: dict[str, Callable[[Any, Path], object]] = {  # suffix -> how a polars table is written
    ".tsv": lambda table, path: table.write_csv(path, separator="\t"),
    ".csv": lambda table, path: table.write_csv(path),
    ".json": lambda table, path: table.write_json(path),
    ".parquet": lambda table, path: table.write_parquet(path),
}


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `nounflow` command."""
    parser = argparse.ArgumentParser(prog="nounflow", description="Name what is in photographs.")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    name = commands.add_parser("name", help="name the images of a folder, or some image files")
    name.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="folders and image files")
    name.add_argument("--run", type=Path, default=Path("results/decoders/small"), help="folder of a trained run")
    name.add_argument("--top", type=at_least_one, default=3, help="nouns an image gets (default 3)")
    name.add_argument("--out", type=Path, help="also write a table: .tsv, .csv, .json or .parquet")
    name.add_argument("--device", default="auto", help="auto, cpu or cuda")
    name.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    name.set_defaults(call=_name)

    scores = commands.add_parser("scores", help="print a score table")
    scores.add_argument("table", nargs="?", type=Path, default=Path("results/scores.tsv"), help="scores.tsv")
    scores.set_defaults(call=_scores)

    captions = commands.add_parser("captions", help="what captions by a language model will cost")
    estimates = captions.add_subparsers(required=True, metavar="estimate")
    estimate = estimates.add_parser("estimate", help="calls, tokens and USD before anything is sent")
    estimate.add_argument("--lexicon", default="small", help="name under `lexicons`; it must be built")
    estimate.add_argument("--configfile", nargs="*", type=Path, default=[], help="files laid over config/config.yaml")
    estimate.set_defaults(call=_estimate)

    schema = commands.add_parser("schema", help="print the JSON schema of config/config.yaml")
    schema.add_argument("--markdown", action="store_true", help="as the key tables of config/README.md instead")
    schema.set_defaults(call=_schema)

    add_commands(commands)
    parsed = parser.parse_args(arguments)
    with reported_errors(parsed.debug):
        parsed.call(parsed)


def _name(arguments: argparse.Namespace) -> None:
    from nounflow.images import list_images

    files: list[str] = []
    for path in arguments.paths:
        if path.is_dir():
            files += [str(path / name) for name in list_images(path)]
        elif path.is_file():
            files.append(str(path))
        else:
            raise NounflowError("There is no such file or folder", where=path, fix="check the path")

    if arguments.out and arguments.out.suffix not in _TABLES:
        raise NounflowError("Unknown kind of table", where=arguments.out, fix=f"end the name in {', '.join(_TABLES)}")

    from nounflow.classifier import NounClassifier
    from nounflow.config.decoder import GenerationConfig

    usual = GenerationConfig()
    generation = usual.model_copy(update={"beam_width": max(usual.beam_width, arguments.top)})
    classifier = NounClassifier.load(arguments.run, arguments.device, arguments.threads, generation)
    named = classifier.name(files, top_k=arguments.top)
    for naming in named:
        answers = ", ".join(
            f"{noun} {probability:.0%}" for noun, probability in zip(naming.nouns, naming.probabilities, strict=True)
        )
        print(f"{naming.file}\t{answers or 'unreadable: ' + naming.problem}")
    if arguments.out:
        _write_table(arguments.out, named)
    failed = sum(bool(naming.problem) for naming in named)
    print(f"{len(named) - failed} images named, {failed} unreadable", file=sys.stderr)


def _write_table(path: Path, named: list) -> None:
    import polars as pl

    from nounflow.files import atomic_file

    table = pl.DataFrame(
        [
            {"file": naming.file, "rank": rank, "noun": noun, "probability": probability, "problem": naming.problem}
            for naming in named
            for rank, (noun, probability) in enumerate(
                zip(naming.nouns or ("",), naming.probabilities or (0.0,), strict=True), 1
            )
        ]
    )
    with atomic_file(path) as temporary:
        _TABLES[path.suffix](table, temporary)


def _scores(arguments: argparse.Namespace) -> None:
    from rich.console import Console

    from nounflow.scoring.table import comparison, read_scores, terminal_table

    rows = read_scores(arguments.table)
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(terminal_table(rows))
    for sentence in filter(None, map(comparison, rows)):
        console.print(sentence, markup=False, highlight=False)


def _estimate(arguments: argparse.Namespace) -> None:
    from nounflow.captions.llm import first_requests, noun_tasks
    from nounflow.config.experiment import read_config
    from nounflow.llm.estimate import estimate
    from nounflow.llm.ledger import Ledger
    from nounflow.schemas.tables import NOUNS, read_table

    settings = read_config([Path("config/config.yaml"), *arguments.configfile]).captions.llm
    if settings.server is None:
        raise NounflowError(
            "No language model is named", where="captions.llm.server", fix="docs/captions.md shows what to write"
        )
    tasks = noun_tasks(read_table(Path(f"results/nouns/{arguments.lexicon}.parquet"), NOUNS, "lexicon"), settings)
    path = Path(settings.ledger)
    with Ledger.read(path) if path.is_file() else contextlib.nullcontext() as ledger:
        # a caption has some 20 tokens
        guess = 20.0 * settings.captions_per_request
        found = estimate(first_requests(tasks, settings), settings.server, ledger, output_tokens_guess=guess)
    print(f"{len(tasks):,} nouns, {sum(task.quota for task in tasks):,} captions wanted, by {settings.server.model}")
    print(f"{found.requests:,} requests, {found.known:,} of them answered by the ledger; {found.calls:,} calls to make")
    print(f"{found.prompt_tokens:,} prompt and {found.output_tokens:,} output tokens, if every caption is kept")
    print(f"about {found.expected_usd:.2f} USD, {found.worst_usd:.2f} USD at the very most for one sending each")
    print(f"budget {settings.server.budget_usd:.2f} USD, of which {found.spent_usd:.2f} USD are spent")


def _schema(arguments: argparse.Namespace) -> None:
    from nounflow.config.experiment import json_schema
    from nounflow.config.reference import key_tables

    print(key_tables() if arguments.markdown else json_schema(), end="")
