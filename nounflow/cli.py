"""The `nounflow` command."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nounflow.cache_commands import add_cache_commands
from nounflow.commandline import at_least_one, reported_errors
from nounflow.commands import workflow
from nounflow.errors import NounflowError

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

    captions = commands.add_parser("captions", help="check captions, compare sources, say what they will cost")
    with_captions = captions.add_subparsers(required=True, metavar="COMMAND")
    estimate = with_captions.add_parser("estimate", help="calls, tokens and USD before a language model is asked")
    estimate.add_argument("--lexicon", default="small", help="name under `lexicons`; it must be built")
    estimate.add_argument("--configfile", nargs="*", type=Path, default=[], help="files laid over config/config.yaml")
    estimate.set_defaults(call=_estimate)
    check = with_captions.add_parser("check", help="are they good captions of their nouns? Exit status 1: too few are")
    check.add_argument("file", type=Path, metavar="FILE", help="captions, parquet")
    check.add_argument("--nouns", type=Path, required=True, help="lexicon that they were written for, parquet")
    check.add_argument("--min-yield", type=float, help="least share to be kept (default: captions.checks.min_yield)")
    check.add_argument("--out", type=Path, help="also write the report: .json, and .md to read")
    check.add_argument("--kept", type=Path, help="also write the kept captions, with further nouns as targets: parquet")
    check.add_argument("--configfile", nargs="*", type=Path, default=[], help="files laid over config/config.yaml")
    check.set_defaults(call=_check)
    compare = with_captions.add_parser("compare", help="reports of checks side by side")
    compare.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="SOURCE.check.json")
    compare.add_argument("--out", type=Path, help="also write the page: .md")
    compare.set_defaults(call=_compare)

    workflow.add(commands)
    _add_import_novic(commands)

    add_cache_commands(commands)

    schema = commands.add_parser("schema", help="print the JSON schema of config/config.yaml")
    schema.add_argument("--markdown", action="store_true", help="as the key tables of config/README.md instead")
    schema.set_defaults(call=_schema)

    parsed = parser.parse_args(arguments)
    with reported_errors(parsed.debug):
        parsed.call(parsed)


def _add_import_novic(commands: Any) -> None:
    novic = commands.add_parser("import-novic", help="make a published NOVIC checkpoint a run that names images")
    novic.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a .train or .model file")
    novic.add_argument("--out", type=Path, required=True, help="folder to write, for `nounflow name --run`")
    novic.add_argument(
        "--embedder", type=_embedder_spec, metavar="SPEC", help="by default the one that the checkpoint names"
    )
    novic.add_argument("--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the embedder")
    novic.add_argument("--ignore", action="append", default=[], metavar="NAME", help="pass over an unknown entry")
    novic.add_argument("--device", default="auto", help="auto, cpu or cuda")
    novic.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    novic.set_defaults(call=_import_novic)


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


def _embedder_spec(text: str) -> str:
    import pydantic

    from nounflow.config.embedder import EmbedderConfig

    try:
        return EmbedderConfig(spec=text).spec
    except pydantic.ValidationError as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error.errors()[0]['msg']}") from error


def _import_novic(arguments: argparse.Namespace) -> None:
    from nounflow.config.embedder import EmbedderConfig
    from nounflow.decoder.novic import read_checkpoint
    from nounflow.embedders import load_embedder
    from nounflow.predictors.novic import embedder_spec, import_decoder

    published = read_checkpoint(arguments.checkpoint, arguments.ignore)
    spec = arguments.embedder or embedder_spec(published.embedder)
    config = EmbedderConfig(spec=spec, precision=arguments.precision)
    embedder = load_embedder(config, arguments.device, arguments.threads)
    imported = import_decoder(arguments.checkpoint, published, embedder, arguments.out)
    manifest = imported.manifest
    print(f"{manifest.parameters:,} parameters, {len(manifest.nouns):,} nouns, embedder {manifest.embedder.spec}")
    if published.not_read:
        print(f"of training only, not read: {', '.join(published.not_read)}")
    if imported.repeated:
        print(f"{len(imported.repeated):,} nouns left out, spelled like another: {', '.join(imported.repeated)}")
    print(f"nounflow name --run {arguments.out} PATH")


def _check(arguments: argparse.Namespace) -> None:
    from nounflow.captions.check_page import as_markdown
    from nounflow.captions.checking import check_file, refuse_below
    from nounflow.config.captions import ChecksConfig
    from nounflow.config.experiment import read_config
    from nounflow.files import write_text
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import NOUNS, read_table

    usual = Path("config/config.yaml")
    files = [*([usual] if usual.is_file() else []), *arguments.configfile]
    settings = read_config(files).captions.checks if files else ChecksConfig()
    lexicon = read_table(arguments.nouns, NOUNS, "lexicon")
    folder = arguments.out.parent if arguments.out else Path.cwd()
    report = check_file(arguments.file, lexicon, settings, folder, arguments.kept)
    page = as_markdown(report)
    _show(page)
    if arguments.out:
        write_document(arguments.out.with_suffix(".json"), report)
        write_text(arguments.out.with_suffix(".md"), page)
    least = settings.min_yield if arguments.min_yield is None else arguments.min_yield
    refuse_below(least, report, arguments.file, "read the report above")


def _compare(arguments: argparse.Namespace) -> None:
    from nounflow.captions.check_page import comparison
    from nounflow.captions.check_report import CaptionReport
    from nounflow.files import write_text
    from nounflow.schemas.documents import read_document

    reports = [read_document(CaptionReport, path, "report of checked captions") for path in arguments.reports]
    sources = [report.source for report in reports]
    alike = len(set(sources)) < len(sources)
    page = comparison(reports, [str(path) for path in arguments.reports] if alike else sources)
    _show(page)
    if arguments.out:
        write_text(arguments.out, page)


def _show(page: str) -> None:
    """Print Markdown, set as a page where a person looks on."""
    if not sys.stdout.isatty():
        print(page, end="")
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page))


def _schema(arguments: argparse.Namespace) -> None:
    from nounflow.config.experiment import json_schema
    from nounflow.config.reference import key_tables

    print(key_tables() if arguments.markdown else json_schema(), end="")
