"""Check a table of captions: is each a good caption of its nouns, and which other nouns does it name?

The exit status is 1 if a smaller share than --min-yield is kept; the report is written all the same.

In:  a lexicon (nouns stage) and a table of captions of any source.
Out: a report (JSON, and Markdown to read); the counts; if asked for, the kept captions with secondary nouns as targets.

    python workflow_scripts/check_captions.py --nouns results/nouns/small.parquet \
        --captions results/captions/small/offline.parquet --out results/captions/small/offline.check.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage
from nounflow.config.captions import ChecksConfig

USUAL = ChecksConfig()


def main(
    nouns: Annotated[Path, "lexicon, parquet"],
    captions: Annotated[Path, "captions, parquet"],
    out: Annotated[Path, "report, JSON; the page to read has its name with .md"],
    settings: Annotated[ChecksConfig, "captions.checks"] = USUAL,
    min_yield: Annotated[float | None, "least share to be kept (default: that of the settings)"] = None,
    usage: Annotated[Path | None, "JSON: calls, input_tokens, output_tokens, cost_usd"] = None,
    kept: Annotated[Path | None, "write the kept captions here, parquet"] = None,
    counts: Annotated[Path | None, "counts, JSON (default: the output's name + .counts.json)"] = None,
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
    run_stage(main, __doc__)
