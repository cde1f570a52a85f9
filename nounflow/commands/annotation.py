"""The commands `nounflow annotate` and `nounflow decisions`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commandline import at_least_one
from nounflow.errors import NounflowError

if TYPE_CHECKING:
    from nounflow.config.annotators import PeopleAnnotatorConfig
    from nounflow.config.experiment import Config

PORT = 8765
CONFIG = Path("config/config.yaml")


def add(commands: Any) -> None:
    """Add both commands to the `nounflow` parser's sub-parsers."""
    annotate = commands.add_parser("annotate", help="judge predicted nouns in the browser")
    annotate.add_argument("predictions", nargs="+", metavar="RUN_OR_PREDICTIONS", help="runs, files or folders")
    annotate.add_argument("--annotator", default="", help="your name; the page asks for it otherwise")
    annotate.add_argument("--missing", action="store_true", help="ask only for what nobody judged yet: no second pass")
    annotate.add_argument("--top-k", type=at_least_one, default=2, help="nouns of a run asked about (default 2)")
    annotate.add_argument("--log", type=Path, help="decision log (default: the config's)")
    annotate.add_argument("--wordnet", type=Path, default=Path("results/inputs/wordnet/manifest.json"), help="manifest")
    annotate.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    annotate.add_argument("--port", type=int, default=PORT, help=f"port to listen at (default {PORT})")
    annotate.add_argument("--no-browser", action="store_true", help="only print the address")
    annotate.set_defaults(call=_annotate)
    _add_place(annotate)

    decisions = commands.add_parser("decisions", help="show, merge, import and export decision logs")
    actions = decisions.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser("show", help="who judged how much, agreement, contradictions")
    show.set_defaults(call=_show)
    merge = actions.add_parser("merge", help="add the records of other logs")
    merge.add_argument("others", nargs="+", type=Path, metavar="OTHER", help="logs, .jsonl or SQLite")
    merge.set_defaults(call=_merge)
    bring = actions.add_parser("import", help="add judgements from five-list JSON, votes or our annotations")
    bring.add_argument("file", type=Path, help="JSON")
    bring.add_argument("--annotator", default="", help="who judged (default: as the file says)")
    bring.set_defaults(call=_import)
    export = actions.add_parser("export", help="write .jsonl (all records) or .json (five lists an image)")
    export.add_argument("out", type=Path, help="ending in .jsonl or .json")
    export.add_argument("--annotator", default="", help="only this annotator's judgements (.json)")
    export.set_defaults(call=_export)
    for action in (show, merge, bring, export):
        action.add_argument("--log", type=Path, help="decision log (default: the config's)")
        _add_place(action)


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image-set", help="name under `image_sets`")
    parser.add_argument("--images", type=Path, help="image folder or manifest (default: the config's)")
    parser.add_argument("--configfile", nargs="*", type=Path, default=[], help="files laid over config/config.yaml")


def _annotate(arguments: argparse.Namespace) -> None:
    _need("fastapi", "uvicorn", "krippendorff", "sklearn")
    from nounflow.annotation.log import DecisionLog
    from nounflow.web import start
    from nounflow.web.task_queue import TaskQueue

    config = _config(arguments)
    predictions = start.find_predictions(arguments.predictions, arguments.image_set)
    place = arguments.images or start.image_place(config, predictions[0].image_set)
    settings = start.people_settings(config, arguments.log)
    dictionary = start.load_dictionary(arguments.wordnet)
    work = start.prepare(predictions, place, arguments.top_k)
    with DecisionLog.open(Path(settings.log)) as log:
        second_pass = 0.0 if arguments.missing else settings.second_pass
        queue = TaskQueue(work.tasks, log.records(), second_pass=second_pass)
        print(f"image set {work.image_set}: {len(work.tasks):,} pictures; decision log {settings.log}")
        print("\n".join(start.coverage_lines(work, queue)), flush=True)
        address = (arguments.host, arguments.port)
        name, browser = arguments.annotator, not arguments.no_browser
        start.serve(work, queue, log, dictionary, address=address, annotator=name, browser=browser)
        print("\n".join(start.coverage_lines(work, queue)), flush=True)


def _show(arguments: argparse.Namespace) -> None:
    _need("krippendorff", "sklearn")
    from nounflow.annotation.agreement import agreement, shared_judgements
    from nounflow.annotation.consensus import Policy, contradicted
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.log import read_records

    settings = _people(arguments)
    path = Path(settings.log)
    records = read_records(path)
    current = CurrentDecisions(records)
    print(f"{path}: {len(records):,} records on {sum(1 for _ in current.pairs()):,} image-noun pairs")
    for name in current.annotators():
        judged = sum(name in current.judgements(pair) for pair in current.pairs())
        print(f"  {name}: {judged:,} pairs judged")
    shared = shared_judgements(current)
    found = agreement(list(shared.values()))
    print(f"judged by two or more: {found.pairs:,}; Krippendorff's alpha {_figure(found.alpha)}, ", end="")
    print(f"on correct, close, incorrect {_figure(found.alpha_coarse)}")
    for two in found.twos:
        kappas = f"Cohen's kappa {_figure(two.kappa)} ({_figure(two.kappa_coarse)})"
        print(f"  {two.first}, {two.second}: {two.pairs:,} pairs, {two.share:.1%} the same, {kappas}")
    policy = Policy(settings.policy, settings.seniority)
    differing = list(contradicted(current, policy, settings.members))
    print(f"contradictions: {len(differing):,}, settled by {', '.join(policy.rules) or 'nothing, so they stay open'}")
    for (image, noun), judgements, verdict in differing:
        words = ", ".join(f"{d.annotator}: {d.category.replace('_', ' ')}" for d in judgements)
        stands = f"{verdict.category.replace('_', ' ')} ({verdict.settled_by})" if verdict.category else "open"
        print(f"  {noun!a} of {judgements[0].file!a} ({image[:12]}): {words} -> {stands}")


def _merge(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.log import DecisionLog, read_records

    given = [(path, read_records(path)) for path in arguments.others]
    with DecisionLog.open(_log(arguments)) as log:
        for path, records in given:
            _report(path, log.add(records).result())


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.exchange import DecisionOrigin, read_judgements, records_of
    from nounflow.annotation.log import DecisionLog
    from nounflow.annotation.pictures import digest_images, folder_and_digests
    from nounflow.counts import Counts
    from nounflow.schemas.decisions import time_text

    counts = Counts("decisions")
    imported = read_judgements(arguments.file, counts)
    annotator = arguments.annotator or imported.annotator
    image_set = arguments.image_set or imported.image_set
    if not annotator:
        raise NounflowError("The file does not say who judged", where=arguments.file, fix="pass --annotator NAME")
    folder, known = folder_and_digests(_place(arguments, image_set))
    digests = digest_images(folder, {one.file for one in imported.judged}, known)
    written = time_text(arguments.file.stat().st_mtime_ns // 1000)
    origin = DecisionOrigin(annotator, imported.tool or "imported five lists", image_set or "", written)
    records = records_of(imported.judged, digests.images, origin, counts)
    counts.print()
    with DecisionLog.open(_log(arguments)) as log:
        _report(arguments.file, log.add(records).result())


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.consensus import Policy, five_lists
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.exchange import write_five_lists
    from nounflow.annotation.log import TEXT_SUFFIX, read_records, write_records
    from nounflow.annotation.pictures import digest_images, folder_and_digests
    from nounflow.images import list_images
    from nounflow.web.start import people_settings

    records = read_records(_log(arguments))
    if arguments.out.suffix == TEXT_SUFFIX:
        write_records(arguments.out, records)
        print(f"{len(records):,} records written")
        return
    if arguments.out.suffix != ".json":
        raise NounflowError("Unknown kind of file", where=arguments.out, fix="end the name in .jsonl or .json")
    settings = people_settings(_config(arguments), arguments.log)
    folder, known = folder_and_digests(_place(arguments, arguments.image_set))
    digests = digest_images(folder, list_images(folder), known)
    who = (arguments.annotator,) if arguments.annotator else settings.members
    policy = Policy(settings.policy, settings.seniority)
    lists, differing, counts = five_lists(CurrentDecisions(records), digests.images, policy, who)
    write_five_lists(arguments.out, lists)
    counts.print()
    for row in differing:
        print(f"differ on {row.noun!a} of {row.image!a}: {row.annotator}: {row.category} -> {row.verdict or 'open'}")


def _need(*modules: str) -> None:
    if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise NounflowError(f"This command needs {', '.join(missing)}", fix="pip install 'nounflow[web]'")


def _config(arguments: argparse.Namespace) -> Config:
    from nounflow.config.experiment import read_config

    return read_config([CONFIG, *arguments.configfile])


def _people(arguments: argparse.Namespace) -> PeopleAnnotatorConfig:
    """The settings of the people whose log is meant; a log that is named can be looked at outside of a project."""
    from nounflow.config.annotators import PeopleAnnotatorConfig
    from nounflow.web.start import people_settings

    if arguments.log and not arguments.configfile and not CONFIG.exists():
        return PeopleAnnotatorConfig(kind="people", log=str(arguments.log))
    return people_settings(_config(arguments), arguments.log)


def _log(arguments: argparse.Namespace) -> Path:
    return arguments.log or Path(_people(arguments).log)


def _place(arguments: argparse.Namespace, image_set: str | None) -> Path:
    from nounflow.web.start import image_place

    if arguments.images:
        return Path(arguments.images)
    if not image_set:
        raise NounflowError("Which pictures are these?", fix="pass --image-set NAME or --images FOLDER")
    return image_place(_config(arguments), image_set)


def _report(path: Path, receipts: list[Any]) -> None:
    refused = [receipt for receipt in receipts if receipt.refused]
    new = sum(receipt.new for receipt in receipts)
    print(f"{path}: {len(receipts):,} records, {new:,} of them new, {len(refused):,} refused", flush=True)
    if refused:
        raise NounflowError(
            f"Record {refused[0].id}: {refused[0].refused}; the others were added",
            where=path,
            fix="one of the two logs was edited by hand: restore it from a copy",
        )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
