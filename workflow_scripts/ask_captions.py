"""Write captions with a language model; every request and answer goes through the ledger, so a rerun pays nothing.

In:  a lexicon (nouns stage); the ledger, if there is one; the server's key from the environment.
Out: kept captions (schema CAPTIONS), a report of the checks (JSON, and Markdown to read), nouns short of their quota.

    python workflow_scripts/ask_captions.py --nouns results/nouns/small.parquet \\
        --settings '{"server": {"base_url": "http://localhost:11434/v1", "model": "llama3.2", "prices": {"llama3.2": {"input": 0, "output": 0}}}}' \\
        --ledger ledgers/captions.sqlite --out results/captions/small/llm.parquet
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import run_async, run_stage
from nounflow.config.captions import ChecksConfig, LLMCaptionsConfig

if TYPE_CHECKING:
    from nounflow.captions.answers import CaptionAnswers, NounTask
    from nounflow.captions.check_report import LLMUsage

USUAL = ChecksConfig()


def main(
    nouns: Annotated[Path, "lexicon, parquet"],
    settings: Annotated[LLMCaptionsConfig, "settings, as JSON"],
    out: Annotated[Path, "captions, parquet"],
    checks: Annotated[ChecksConfig, "captions.checks"] = USUAL,
    ledger: Annotated[Path | None, "SQLite file of all requests and answers (default: the settings')"] = None,
    counts: Annotated[Path | None, "counts, JSON (default: the output's name + .counts.json)"] = None,
) -> None:
    """Ask until every noun has its quota or its attempts are used up."""
    from nounflow.captions.answers import CaptionAnswers
    from nounflow.captions.check_page import as_markdown
    from nounflow.captions.check_report import ReportTally
    from nounflow.captions.checks import CaptionChecks
    from nounflow.captions.llm import noun_tasks
    from nounflow.captions.spool import Spool
    from nounflow.captions.writing import write_draft
    from nounflow.errors import NounflowError
    from nounflow.files import write_text
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import read_lexicon
    from nounflow.spreadsheets import write_sheet

    if settings.server is None:
        raise NounflowError(
            "No language model is named",
            where="captions.llm.server in the config",
            fix="write server: {base_url: ..., model: ..., budget_usd: ..., prices: {...}}; docs/captions.md shows how",
        )
    lexicon = read_lexicon(nouns)
    tasks = noun_tasks(lexicon, settings)
    with Spool(out.parent) as spool, Spool(out.parent) as ngrams:
        answers = CaptionAnswers(CaptionChecks(lexicon, checks), spool)
        used = run_async(_ask(tasks, answers, settings, ledger or Path(settings.ledger)))
        answers.refuse_too_little(tasks, settings.server.model)
        tally = ReportTally(out.stem, answers.totals, lexicon, ngrams)
        record = write_draft(out, answers.draft(tasks, tally, len(lexicon)))
        report = tally.report(used)
        short = answers.quarantine(tasks)
    write_text(out.with_suffix(".check.md"), as_markdown(report))
    write_document(out.with_suffix(".check.json"), report)
    write_sheet(out.with_suffix(".quarantine.tsv"), short.columns, short.iter_rows())
    record.write(counts or Path(f"{out}.counts.json"))


async def _ask(tasks: list[NounTask], answers: CaptionAnswers, settings: LLMCaptionsConfig, path: Path) -> LLMUsage:
    """Fill the tasks; returns what their answers cost, also those that the ledger had."""
    from nounflow.captions.check_report import LLMUsage
    from nounflow.captions.llm import write_captions
    from nounflow.llm.client import open_client
    from nounflow.llm.ledger import Ledger
    from nounflow.llm.prices import cost, price_of
    from nounflow.progress import Progress

    assert settings.server is not None
    calls = inputs = outputs = 0
    with Ledger.open(path) as ledger, Progress("captions", sum(task.quota for task in tasks), "captions") as progress:
        async with open_client(settings.server, ledger) as client:
            async for result, gained in write_captions(client, tasks, answers, ledger, settings):
                progress.advance(gained)
                if result.status != "failed":
                    calls += 1
                    inputs += result.usage.prompt_tokens or 0
                    outputs += result.usage.output_tokens or 0
        totals = ledger.totals()
    print(f"the ledger {path} has cost {totals.spent_usd:.4f} USD so far, {totals.sendings:,} requests", flush=True)
    usd = cost(price_of(settings.server), inputs, outputs)
    return LLMUsage(calls=calls, input_tokens=inputs, output_tokens=outputs, cost_usd=usd)


if __name__ == "__main__":
    run_stage(main, __doc__)
