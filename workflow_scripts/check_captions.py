"""Check a table of captions: is each a good caption of its nouns, and which other nouns does it name?

The exit status is 1 if a smaller share than --min-yield is kept; the report is written all the same.

In:  a lexicon (nouns stage) and a table of captions of any source.
Out: a report (JSON, and Markdown to read); the counts; if asked for, the kept captions with secondary nouns as targets.

    python workflow_scripts/check_captions.py --nouns results/nouns/small.parquet \
        --captions results/captions/small/offline.parquet --out results/captions/small/offline.check.json
"""

from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.captions import ChecksConfig


def main(
    nouns: Path,
    captions: Path,
    settings: ChecksConfig,
    out: Path,
    min_yield: float | None = None,
    usage: Path | None = None,
    kept: Path | None = None,
    counts: Path | None = None,
) -> None:
    """Check one table and write its report."""
    from nounflow.captions.check_page import as_markdown
    from nounflow.captions.check_report import LLMUsage, count_checks
    from nounflow.captions.checking import check_file, refuse_below
    from nounflow.files import write_text
    from nounflow.schemas.documents import read_document, write_document
    from nounflow.schemas.tables import read_lexicon

    used = read_document(LLMUsage, usage, "record of usage") if usage else None
    report = check_file(captions, read_lexicon(nouns), settings, out.parent, kept, used)
    page = out.with_suffix(".md")
    write_text(page, as_markdown(report))
    write_document(out, report)
    count_checks(report).write(counts or Path(f"{out}.counts.json"))
    refuse_below(settings.min_yield if min_yield is None else min_yield, report, captions, f"read {page}")


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--captions", type=Path, required=True, help="captions, parquet")
    parser.add_argument("--settings", type=json_settings(ChecksConfig), default=ChecksConfig(), help="captions.checks")
    parser.add_argument("--min-yield", type=float, help="least share to be kept (default: that of the settings)")
    parser.add_argument("--usage", type=Path, help="JSON: calls, input_tokens, output_tokens, cost_usd")
    parser.add_argument("--kept", type=Path, help="write the kept captions here, parquet")
    parser.add_argument("--out", type=Path, required=True, help="report, JSON; the page to read has its name with .md")
    parser.add_argument("--counts", type=Path, help="counts, JSON (default: the output's name + .counts.json)")
    run_stage(main, parser.parse_args())
