"""The command `nounflow decisions`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commands.options import add_image_set, config_of, image_place_of, project_config
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError
from nounflow.extras import need

if TYPE_CHECKING:
    from nounflow.config.annotators import PeopleAnnotatorConfig


def add(commands: Any) -> None:
    """Add `decisions` to the parsers of `nounflow`."""
    decisions = commands.add_parser("decisions", help="show, merge, import and export decision logs")
    actions = decisions.add_subparsers(required=True, metavar="ACTION")
    shown = actions.add_parser("show", help="who judged how much, agreement, contradictions")
    shown.set_defaults(call=_show)
    add_json(shown)
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
    for action in (shown, merge, bring, export):
        action.add_argument("--log", type=Path, help="decision log (default: the config's)")
        add_image_set(action)


def _show(arguments: argparse.Namespace) -> None:
    need("krippendorff", "sklearn")
    from nounflow.annotation.agreement import agreement, shared_judgements
    from nounflow.annotation.consensus import contradicted
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.log import read_records

    settings = people_of(arguments)
    path = Path(settings.log)
    records = read_records(path)
    current = CurrentDecisions(records, settings.scheme)
    print(f"{path}: {len(records):,} records on {sum(1 for _ in current.pairs()):,} image-noun pairs")
    people = [
        {"annotator": name}
        | {
            what: sum(name in current.judgements(pair, review) for pair in current.pairs())
            for what, review in (("pairs", False), ("reviewed", True))
        }
        for name in current.annotators()
    ]
    show("annotators", people, lambda: _say_people(people))
    shared = shared_judgements(current)
    found = agreement(list(shared.values()))
    print(f"judged by two or more: {found.pairs:,}; Krippendorff's alpha {_figure(found.alpha)}, ", end="")
    print(f"on correct, close, incorrect {_figure(found.alpha_coarse)}")
    show("agreement", found.twos, lambda: _say_agreement(found.twos))
    differing = list(contradicted(current, settings))
    print(
        f"contradictions: {len(differing):,}, settled by {', '.join(settings.policy) or 'nothing, so they stay open'}"
    )
    rows = [
        {
            **{"image": image, "file": judgements[0].file, "noun": noun, "verdict": verdict.category},
            **{"settled_by": verdict.settled_by, "judgements": {d.annotator: d.category for d in judgements}},
        }
        for (image, noun), judgements, verdict in differing
    ]
    show("contradictions", rows, lambda: _say_contradictions(differing))


def _say_people(people: Sequence[dict[str, Any]]) -> None:
    for one in people:
        reviewed = f", {one['reviewed']:,} reviewed" if one["reviewed"] else ""
        print(f"  {one['annotator']}: {one['pairs']:,} pairs judged{reviewed}")


def _say_agreement(twos: Sequence[Any]) -> None:
    for two in twos:
        kappas = f"Cohen's kappa {_figure(two.kappa)} ({_figure(two.kappa_coarse)})"
        print(f"  {two.first}, {two.second}: {two.pairs:,} pairs, {two.share:.1%} the same, {kappas}")


def _say_contradictions(differing: Sequence[Any]) -> None:
    from nounflow.annotation.scheme import answer_of

    for (image, noun), judgements, verdict in differing:
        words = ", ".join(f"{d.annotator}: {answer_of(d).replace('_', ' ')}" for d in judgements)
        stands = f"{verdict.category.replace('_', ' ')} ({verdict.settled_by})" if verdict.category else "open"
        print(f"  {noun!a} of {judgements[0].file!a} ({image[:12]}): {words} -> {stands}")


def _merge(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.log import DecisionLog, read_records

    given = [(path, read_records(path)) for path in arguments.others]
    with DecisionLog.open(log_of(arguments)) as log:
        for path, records in given:
            report(path, log.add(records).result())


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.exchange import DecisionOrigin, read_judgements, records_of
    from nounflow.annotation.log import DecisionLog
    from nounflow.annotation.pictures import digest_images
    from nounflow.counts import Counts
    from nounflow.schemas.decisions import time_text

    counts = Counts("decisions")
    imported = read_judgements(arguments.file, counts)
    annotator = arguments.annotator or imported.annotator
    image_set = arguments.image_set or imported.image_set
    if not annotator:
        raise NounflowError("The file does not say who judged", where=arguments.file, fix="pass --annotator NAME")
    digests = digest_images(image_place_of(arguments, image_set), {one.file for one in imported.judged}, tell=False)
    written = time_text(arguments.file.stat().st_mtime_ns // 1000)
    origin = DecisionOrigin(annotator, imported.tool or "imported five lists", image_set or "", written)
    records = records_of(imported.judged, digests.images, origin, counts)
    counts.print()
    if imported.judged and not records:
        raise NounflowError(
            "None of the judged pictures is in the image folder", where=digests.folder, fix="check --images"
        )
    with DecisionLog.open(log_of(arguments)) as log:
        report(arguments.file, log.add(records).result())


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.consensus import five_lists
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.exchange import write_five_lists
    from nounflow.annotation.log import TEXT_SUFFIX, read_records, write_records
    from nounflow.annotation.pictures import digest_images

    records = read_records(log_of(arguments))
    if arguments.out.suffix == TEXT_SUFFIX:
        write_records(arguments.out, records)
        print(f"{len(records):,} records written")
        return
    if arguments.out.suffix != ".json":
        raise NounflowError("Unknown kind of file", where=arguments.out, fix="end the name in .jsonl or .json")
    settings = people_of(arguments)
    digests = digest_images(image_place_of(arguments, arguments.image_set), tell=False)
    if arguments.annotator:
        settings = settings.model_copy(update={"members": (arguments.annotator,)})
    lists, differing, counts = five_lists(CurrentDecisions(records, settings.scheme), digests.images, settings)
    write_five_lists(arguments.out, lists)
    counts.print()
    for row in differing:
        print(f"differ on {row.noun!a} of {row.image!a}: {row.annotator}: {row.category} -> {row.verdict or 'open'}")


def people_of(arguments: argparse.Namespace) -> PeopleAnnotatorConfig:
    """The settings of the people whose log is meant; a log that is named can be looked at outside of a project."""
    from nounflow.annotation.work import people_settings
    from nounflow.config.annotators import PeopleAnnotatorConfig

    if arguments.log and not arguments.configfile and not project_config(Path()):
        return PeopleAnnotatorConfig(kind="people", log=str(arguments.log))
    return people_settings(config_of(arguments), arguments.log)


def log_of(arguments: argparse.Namespace) -> Path:
    """The decision log that is meant."""
    return arguments.log or Path(people_of(arguments).log)


def report(path: Path, receipts: list[Any]) -> None:
    """Say what became of added records; NounflowError if one was refused."""
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
