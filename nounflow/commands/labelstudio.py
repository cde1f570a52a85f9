"""The command `nounflow labelstudio`. Light to import: what is heavy comes when it is called."""

import argparse
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nounflow.commandline import at_least_one
from nounflow.commands.decisions import log_of, people_of, report
from nounflow.commands.options import add_image_set, config_of, path_or_name
from nounflow.errors import NounflowError


def add(commands: Any) -> None:
    """Add `labelstudio` to the parsers of `nounflow`."""
    command = commands.add_parser("labelstudio", help="judge in Label Studio: tasks out, judgements in")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write tasks.json and labelling.xml for a project of Label Studio")
    words, shown = "runs, files or folders", "RUN_OR_PREDICTIONS"
    export.add_argument("predictions", nargs="+", type=path_or_name, metavar=shown, help=words)
    export.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where both are written")
    export.add_argument("--top-k", type=at_least_one, default=2, help="nouns of a run asked about (default 2)")
    export.add_argument("--judged", action="store_true", help="with what the decision log holds, as annotations")
    words = "annotations that are shown beforehand, as predictions: results/annotations/SET/NAME.json"
    export.add_argument("--annotations", action="append", type=Path, default=[], metavar="JSON", help=words)
    words = "address of the image folder (default: /data/local-files/?d=NAME/ with the folder's own name)"
    export.add_argument("--url", metavar="PREFIX", help=words)
    export.set_defaults(call=_export)
    bring = actions.add_parser("import", help="add the judgements of a JSON export to the decision log")
    bring.add_argument("file", type=Path, help="JSON export of a project")
    bring.add_argument("--annotator", default="", help="who judged (default: as the file says)")
    words = "what a user (number or e-mail address) is called in the log"
    bring.add_argument("--name", action="append", default=[], metavar="USER=NAME", help=words)
    bring.set_defaults(call=_import)
    for action in (export, bring):
        action.add_argument("--log", type=Path, help="decision log (default: the config's)")
        add_image_set(action)


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.label_studio import labelling_config, tasks_of
    from nounflow.annotation.log import read_records
    from nounflow.annotation.work import find_said, image_place, people_settings, prepare
    from nounflow.files import write_json, write_text
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.predictions import read_predictions

    config = config_of(arguments)
    settings = people_settings(config, arguments.log)
    predictions = find_said(arguments.predictions, arguments.image_set, lambda path: (read_predictions(path),))
    work = prepare(predictions, arguments.images or image_place(config, predictions[0].image_set), arguments.top_k)
    judged = CurrentDecisions(read_records(Path(settings.log)) if arguments.judged else ())
    before = [read_document(Annotations, path, "annotations") for path in arguments.annotations]
    url = arguments.url
    prefix = f"/data/local-files/?d={quote(work.digests.folder.resolve().name)}/" if url is None else url
    tasks = tasks_of(work.tasks, lambda file: prefix + quote(file), settings.scheme, judged, before)
    write_json(arguments.out / "tasks.json", tasks)
    write_text(arguments.out / "labelling.xml", labelling_config(settings.scheme))
    said, shown = (sum(len(task[what]) for task in tasks) for what in ("annotations", "predictions"))
    print(f"{len(tasks):,} tasks with {said:,} annotations and {shown:,} predictions in {arguments.out}")


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.annotation.label_studio import read_export
    from nounflow.annotation.log import DecisionLog
    from nounflow.counts import Counts

    names = dict(name.partition("=")[::2] for name in arguments.name)
    if "" in (*names, *names.values()):
        raise NounflowError("A --name does not say who is who", fix="pass --name USER=NAME")
    counts = Counts("decisions")
    records = read_export(arguments.file, people_of(arguments).scheme, arguments.annotator, names, counts)
    counts.print()
    with DecisionLog.open(log_of(arguments)) as log:
        report(arguments.file, log.add(records).result())
