"""`nounflow captions`: what they will cost, whether they are good, and how sources compare."""

import argparse
import sys
from pathlib import Path
from typing import Any

from nounflow.commands.options import add_configfile, config_of, not_over, project_config
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError


def add(commands: Any) -> None:
    """Add `captions` to the parsers of `nounflow`."""
    captions = commands.add_parser("captions", help="check captions, compare sources, say what they will cost")
    with_captions = captions.add_subparsers(required=True, metavar="COMMAND")
    estimate = with_captions.add_parser("estimate", help="calls, tokens and USD before a language model is asked")
    estimate.add_argument("--lexicon", default="small", help="name under `lexicons`; it must be built")
    add_configfile(estimate)
    estimate.set_defaults(call=_estimate)
    check = with_captions.add_parser("check", help="are they good captions of their nouns? Exit status 1: too few are")
    check.add_argument("file", type=Path, metavar="FILE", help="captions, parquet")
    check.add_argument("--nouns", type=Path, required=True, help="lexicon that they were written for, parquet")
    check.add_argument("--min-yield", type=float, help="least share to be kept (default: captions.checks.min_yield)")
    check.add_argument("--out", type=Path, help="also write the report: .json, and .md to read")
    check.add_argument("--kept", type=Path, help="also write the kept captions (parquet), secondary nouns as targets")
    add_configfile(check)
    check.set_defaults(call=_check)
    compare = with_captions.add_parser("compare", help="reports of checks side by side")
    compare.add_argument("reports", nargs="+", type=Path, metavar="REPORT", help="SOURCE.check.json")
    compare.add_argument("--out", type=Path, help="also write the page: .md")
    compare.set_defaults(call=_compare)
    add_json(estimate, check, compare)


def _estimate(arguments: argparse.Namespace) -> None:
    from nounflow.captions.llm import first_requests, noun_tasks
    from nounflow.commands.estimates import estimate_beside, print_budget, print_calls
    from nounflow.schemas.tables import read_lexicon

    settings = config_of(arguments).captions.llm
    if settings.server is None:
        raise NounflowError(
            "No language model is named", where="captions.llm.server", fix="docs/captions.md shows what to write"
        )
    tasks = noun_tasks(read_lexicon(Path(f"results/nouns/{arguments.lexicon}.parquet")), settings)
    guess = 20.0 * settings.captions_per_request  # a caption has some 20 tokens
    found = estimate_beside(Path(settings.ledger), first_requests(tasks, settings), settings.server, guess)
    print(f"{len(tasks):,} nouns, {sum(task.quota for task in tasks):,} captions wanted, by {settings.server.model}")
    show("estimate", [found], lambda: print_calls(found))
    print(f"{found.prompt_tokens:,} prompt and {found.output_tokens:,} output tokens, if every caption is kept")
    print(f"about {found.expected_usd:.2f} USD, {found.worst_usd:.2f} USD at the very most for one sending each")
    print_budget(found, settings.server)


def _check(arguments: argparse.Namespace) -> None:
    from nounflow.captions.check_page import as_markdown
    from nounflow.captions.checking import check_file, refuse_below
    from nounflow.config.captions import ChecksConfig
    from nounflow.config.experiment import read_config
    from nounflow.files import write_text
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import read_lexicon

    not_over(arguments.kept or Path(), arguments.file, arguments.nouns)
    files = [*project_config(Path()), *arguments.configfile]
    settings = read_config(files).captions.checks if files else ChecksConfig()
    lexicon = read_lexicon(arguments.nouns)
    folder = arguments.out.parent if arguments.out else Path.cwd()
    report = check_file(arguments.file, lexicon, settings, folder, arguments.kept)
    page = as_markdown(report)
    show("captions", [report], lambda: _show(page))
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
    show("captions", reports, lambda: _show(page))
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
