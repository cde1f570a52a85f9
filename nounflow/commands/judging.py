"""`nounflow annotations`: what a language model's judgements will cost."""

import argparse
from pathlib import Path
from typing import Any

from nounflow.commands.options import add_image_set, config_of, path_or_name
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError

_TOKENS_PER_NOUN, _TOKENS_OF_DESCRIPTION = 20.0, 150.0  # of an answer, while none was measured


def add(commands: Any) -> None:
    """Add `annotations` to the parsers of `nounflow`."""
    annotations = commands.add_parser("annotations", help="say what a language model's judgements will cost")
    actions = annotations.add_subparsers(required=True, metavar="COMMAND")
    estimate = actions.add_parser("estimate", help="calls, tokens and USD before a language model is asked")
    words, shown = "(default: all runs)", "RUN_OR_PREDICTIONS"
    estimate.add_argument("predictions", nargs="*", type=path_or_name, metavar=shown, help=words)
    estimate.add_argument("--annotator", default="openai", help="name under `annotators` (default openai)")
    add_image_set(estimate)
    add_json(estimate)
    estimate.set_defaults(call=_estimate)


def _estimate(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.asking import first_requests
    from nounflow.annotation.judgements import known_judgements, missing_groups
    from nounflow.annotation.log import read_records
    from nounflow.annotation.questions import NounGroup, picture_url
    from nounflow.annotation.work import RESULTS, find_said, image_place, prepare
    from nounflow.commands.estimates import estimate_beside, print_budget, print_calls
    from nounflow.schemas.named import read_said

    config = config_of(arguments)
    settings = config.annotators.get(arguments.annotator)
    if settings is None or settings.kind != "openai":
        known = [name for name, part in config.annotators.items() if part.kind == "openai"]
        raise NounflowError(
            f"The config has no annotator '{arguments.annotator}' of kind openai",
            where="annotators",
            fix=f"pass --annotator with one of: {', '.join(known)}" if known else "docs/annotations.md shows how",
        )
    predictions = find_said(arguments.predictions or [str(RESULTS / "predictions")], arguments.image_set, read_said)
    place = arguments.images or image_place(config, predictions[0].image_set)
    work = prepare(predictions, place, settings.top_k)
    records = read_records(Path(settings.log)) if Path(settings.log).exists() else []
    judged = known_judgements(records, arguments.annotator, settings)
    groups = list(missing_groups(work.tasks, judged, settings))

    def picture(group: NounGroup) -> str:
        return picture_url(work.digests.folder, group, settings.max_side)

    nouns = sum(len(group.nouns) for group in groups)
    guess = _TOKENS_OF_DESCRIPTION + _TOKENS_PER_NOUN * nouns / max(len(groups), 1)
    requests = first_requests(groups, picture, settings)
    found = estimate_beside(Path(settings.ledger), requests, settings.server, guess)
    pairs = sum(len(task.asks) for task in work.tasks)
    print(f"{pairs:,} nouns on {len(work.tasks):,} pictures; {nouns:,} to be judged by {settings.server.model}")
    show("estimate", [found], lambda: print_calls(found))
    votes, more = settings.min_votes, settings.max_votes / settings.min_votes
    print(f"{found.prompt_tokens:,} prompt and {found.output_tokens:,} output tokens for {votes} votes each")
    print(f"about {found.expected_usd:.2f} USD, {found.expected_usd * more:.2f} USD if every noun needs its last vote,")
    print(f"{found.worst_usd * more:.2f} USD at the very most for one sending each")
    print_budget(found, settings.server)
