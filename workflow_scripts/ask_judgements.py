"""Let a language model that sees the pictures judge the predicted nouns; a rerun asks and pays only what is missing.

In:  predictions of all runs, the image set's folder; the judge's decision log and ledger, if there are any; the decision
     log of people, if there is one; the server's key from the environment
Out: results/annotations/{image_set}/{annotator}.json, and beside it {annotator}.votes.tsv (each judgement with its
     votes, probabilities and the description that it rests on) and {annotator}.counts.json

    python workflow_scripts/ask_judgements.py --annotator openai --image-set photos \
        --settings '{"kind": "openai", "server": {"base_url": "http://localhost:11434/v1", "model": "qwen2.5vl", "prices": {"qwen2.5vl": {"input": 0, "output": 0}}}}' \
        --images results/inputs/tuxpaint/manifest.json --predictions results/predictions/small/photos.json \
        --out results/annotations/photos/openai.json --votes results/annotations/photos/openai.votes.tsv \
        --counts results/annotations/photos/openai.counts.json
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import ImageSet, run_async, run_stage
from nounflow.config.annotators import OpenAIAnnotatorConfig, PeopleAnnotatorConfig

if TYPE_CHECKING:
    from nounflow.annotation.asking import Ballot
    from nounflow.annotation.calibration import Settling
    from nounflow.annotation.judgements import Row
    from nounflow.annotation.log import DecisionLog
    from nounflow.annotation.plan import Task

USUAL = PeopleAnnotatorConfig(kind="people")


def main(
    annotator: Annotated[str, "name under `annotators`"],
    image_set: ImageSet,
    settings: Annotated[OpenAIAnnotatorConfig, "settings, as JSON"],
    images: Annotated[Path, "image folder, or manifest of a fetched source"],
    predictions: Annotated[list[Path], "predictions of all runs"],
    out: Annotated[Path, "results/annotations/{image_set}/{annotator}.json"],
    votes: Annotated[Path, "where to write each judgement's votes, TSV"],
    counts: Annotated[Path, "where to record the counts"],
    people: Annotated[PeopleAnnotatorConfig, "settings of the people that it is compared with"] = USUAL,
) -> None:
    """Ask what is missing, settle, write."""
    from nounflow.annotation.judgements import annotate, known_judgements, settling_of
    from nounflow.annotation.log import DecisionLog, read_records
    from nounflow.annotation.pictures import digest_images
    from nounflow.annotation.plan import plan_tasks
    from nounflow.annotation.questions import RULE
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.named import read_said

    documents = [document for path in predictions for document in read_said(path, image_set)]
    digests = digest_images(images, {file for document in documents for file in document.samples})
    tasks = plan_tasks(documents, settings.top_k, digests.images)
    with DecisionLog.open(Path(settings.log)) as log:
        problems = _ask_missing(tasks, log, digests.folder, annotator, image_set, settings)
        known = known_judgements(log.records(), annotator, settings)
    said = read_records(Path(people.log)) if Path(people.log).exists() else []
    settling = settling_of(known, said, people, settings)
    lists, rows, record = annotate(tasks, known, settling, problems)
    _write_votes(votes, rows, settling)
    record.write(counts)
    rule = f"{RULE}, {settings.server.model}, {settling.words}"
    agreement = settling.agreement
    print(f"judged by {rule}" + (f"; kappa with people {agreement.kappa}" if agreement else ""), flush=True)
    write_document(
        out, Annotations(annotator=annotator, rule=rule, image_set=image_set, images=lists, agreement=agreement)
    )


def _ask_missing(
    tasks: list[Task],
    log: DecisionLog,
    folder: Path,
    annotator: str,
    image_set: str,
    settings: OpenAIAnnotatorConfig,
) -> dict[tuple[str, str], str]:
    """Add what is not judged yet to the log; returns why some pairs could not be judged."""
    from nounflow.annotation.asking import Ballot, voting_rule
    from nounflow.annotation.judgements import drafts_of, known_judgements, missing_groups, refuse_unreadable

    known = known_judgements(log.records(), annotator, settings)
    ballots = [Ballot(group) for group in missing_groups(tasks, known, settings)]
    spellings = {task.image: [a.noun for a in task.asks if (task.image, a.noun) not in known] for task in tasks}
    n = sum(len(ballot.group.nouns) for ballot in ballots)
    print(f"{n:,} nouns of {len({b.group.image for b in ballots}):,} pictures are still to be judged", flush=True)
    if not ballots:
        return {}
    try:
        run_async(_ask(ballots, folder, settings))
    finally:  # also of what was settled before a stop
        done = [ballot for ballot in ballots if not ballot.open(voting_rule(settings))]
        drafts = [
            draft for b in done for draft in drafts_of(b, spellings[b.group.image], annotator, image_set, settings)
        ]
        log.append(drafts).result()
    refuse_unreadable(ballots, known, settings)
    return {(b.group.image, noun): b.problem for b in ballots for noun in spellings[b.group.image] if b.problem}


async def _ask(ballots: list[Ballot], folder: Path, settings: OpenAIAnnotatorConfig) -> None:
    from nounflow.annotation.asking import judge
    from nounflow.annotation.questions import NounGroup, picture_url
    from nounflow.llm.client import open_client
    from nounflow.llm.ledger import Ledger
    from nounflow.progress import Progress

    def picture(group: NounGroup) -> str:
        return picture_url(folder, group, settings.max_side)

    with Ledger.open(Path(settings.ledger)) as ledger:
        async with open_client(settings.server, ledger) as client:
            with Progress("votes", len(ballots) * settings.min_votes, "requests") as progress:
                async for _ in judge(client, ballots, picture, ledger, settings):
                    progress.advance(1)
        totals = ledger.totals()
    print(f"the ledger has cost {totals.spent_usd:.4f} USD so far, {totals.sendings:,} requests", flush=True)


def _write_votes(path: Path, rows: list[Row], settling: Settling) -> None:
    import polars as pl

    from nounflow.schemas.annotations import CATEGORIES
    from nounflow.spreadsheets import write_sheet

    table = []
    for judged, votes in rows:
        shares = settling.calibration.probabilities(votes) if settling.calibration and votes else {}
        table.append(
            {
                **judged._asdict(),
                **{f"votes_{category}": votes.get(category, 0) for category in CATEGORIES},
                **{f"p_{category}": round(shares[category], 4) if shares else None for category in CATEGORIES},
            }
        )
    frame = pl.DataFrame(table, infer_schema_length=None)
    write_sheet(path, frame.columns, frame.iter_rows())


if __name__ == "__main__":
    run_stage(main, __doc__)
