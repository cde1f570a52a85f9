"""The command `nounflow annotate`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import HOME, add_address, add_image_set, config_of, path_or_name
from nounflow.extras import need

if TYPE_CHECKING:
    from nounflow.config.experiment import Config
    from nounflow.wordnet import WordNet

PORT = 8765


def add(commands: Any) -> None:
    """Add `annotate` to the parsers of `nounflow`."""
    annotate = commands.add_parser("annotate", help="judge predicted nouns in the browser")
    annotate.add_argument(
        "predictions",
        nargs="+",
        type=path_or_name,
        metavar="RUN_OR_FILE",
        help="runs, files or folders of predictions; results/tags.json, results/regions.json",
    )
    annotate.add_argument("--annotator", default="", help="your name; the page asks for it otherwise")
    annotate.add_argument("--missing", action="store_true", help="ask only for what nobody judged yet: no second pass")
    annotate.add_argument("--review", action="store_true", help="settle what annotators contradict each other on")
    annotate.add_argument("--top-k", type=at_least_one, default=2, help="nouns of a run asked about (default 2)")
    annotate.add_argument("--log", type=Path, help="decision log (default: the config's)")
    annotate.add_argument("--wordnet", type=Path, default=Path("results/inputs/wordnet/manifest.json"), help="manifest")
    add_address(annotate, PORT)
    annotate.add_argument(
        "--allow-host", action="append", default=[], help="a further name of this machine, as browsers write it"
    )
    annotate.add_argument("--no-browser", action="store_true", help="only print the address")
    annotate.set_defaults(call=_annotate)
    add_image_set(annotate)


def _annotate(arguments: argparse.Namespace) -> None:
    need("fastapi", "uvicorn", "krippendorff", "sklearn", "yaml")
    from nounflow.annotation.cards import load_dictionary
    from nounflow.annotation.log import DecisionLog
    from nounflow.annotation.work import contradictions, find_said, image_place, people_settings, prepare
    from nounflow.schemas.named import read_said
    from nounflow.web.app import annotation_app
    from nounflow.web.start import coverage_lines, serve_app
    from nounflow.web.task_queue import TaskQueue

    config = config_of(arguments)
    predictions = find_said(arguments.predictions, arguments.image_set, read_said)
    place = arguments.images or image_place(config, predictions[0].image_set)
    settings = people_settings(config, arguments.log)
    words = load_dictionary(arguments.wordnet, lambda wordnet: _with_further_nouns(wordnet, config))
    work = prepare(predictions, place, arguments.top_k)
    with DecisionLog.open(Path(settings.log)) as log:
        second_pass = 0.0 if arguments.missing or arguments.review else settings.second_pass
        records, review = log.records(), arguments.review
        tasks = contradictions(work, records, settings) if review else work.tasks
        queue = TaskQueue(tasks, records, second_pass=second_pass, review=review, people=settings)
        what = "boxes" if work.image_set.startswith("regions-") else "pictures"
        print(f"image set {work.image_set}: {len(tasks):,} {what}; decision log {settings.log}")
        if not tasks:
            return print("nothing is to be reviewed: annotators contradict each other nowhere on these pictures")
        print("\n".join(coverage_lines(work, queue)), flush=True)
        serve_app(
            annotation_app(queue, log, work.digests.folder, words, work.image_set),
            host=arguments.host,
            port=arguments.port,
            browser=not arguments.no_browser,
            annotator=arguments.annotator,
            allowed_hosts=arguments.allow_host,
            note="; every decision is on the disk already",
        )
        print("\n".join(coverage_lines(work, queue)), flush=True)


def _with_further_nouns(wordnet: WordNet, config: Config) -> WordNet:
    """WordNet with the nouns that it lacks: ours, and those of the sources that lexicons import, as far as fetched."""
    from nounflow.annotation.work import RESULTS
    from nounflow.nouns.imported import read_imports
    from nounflow.nouns.supplement import extended, read_supplement

    ours = read_supplement(HOME / "resources/nouns/modern.tsv", wordnet)
    names = dict.fromkeys(name for lexicon in config.lexicons.values() for name in lexicon.imports)
    manifests = (RESULTS / "inputs" / name / "manifest.json" for name in names)
    return extended(wordnet, ours + read_imports(filter(Path.is_file, manifests), wordnet, ours))[0]
