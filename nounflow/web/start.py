"""`nounflow annotate`: from a run's name to a page in the browser."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nounflow.annotation.log import DecisionLog
from nounflow.annotation.pictures import Digests, digest_images, folder_and_digests
from nounflow.annotation.plan import Task, first_nouns, plan_tasks
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.config.experiment import Config
from nounflow.errors import NounflowError
from nounflow.inputs import input_folder
from nounflow.schemas.documents import Predictions, read_document
from nounflow.web.task_queue import TaskQueue

if TYPE_CHECKING:
    from nounflow.annotation.cards import Dictionary

RESULTS = Path("results")


@dataclass(frozen=True)
class Work:
    """What is judged: predictions on one image set, its pictures, and the tasks made of them."""

    image_set: str
    predictions: tuple[Predictions, ...]
    folder: Path
    digests: Digests
    tasks: tuple[Task, ...]


def find_predictions(named: Sequence[str], image_set: str | None) -> tuple[Predictions, ...]:
    """Read predictions by run name, file or folder; all on one image set.

    Raises:
        NounflowError: something is missing, or more than one image set is left.
    """
    paths: dict[Path, None] = {}
    for name in named:
        place = Path(name) if Path(name).exists() else RESULTS / "predictions" / name
        if place.is_file():
            paths[place] = None
        elif place.is_dir():
            found = sorted(path for path in place.rglob("*.json") if not path.name.endswith(".counts.json"))
            paths.update(dict.fromkeys(found))
        else:
            known = sorted(path.name for path in (RESULTS / "predictions").glob("*") if path.is_dir())
            raise NounflowError(
                f"There is no run, file or folder '{name}'",
                where=RESULTS / "predictions",
                fix=f"runs that have predictions: {', '.join(known) or 'none yet, run the workflow first'}",
            )
    documents = [read_document(Predictions, path, "predictions") for path in paths]
    sets = sorted({document.image_set for document in documents})
    wanted = image_set or (sets[0] if len(sets) == 1 else None)
    if wanted is None or wanted not in sets:
        what = f"There are no predictions on image set '{wanted}'" if wanted else "The predictions are on several sets"
        raise NounflowError(what, fix=f"pass --image-set with one of: {', '.join(sets) or 'none found'}")
    return tuple(document for document in documents if document.image_set == wanted)


def image_place(config: Config, image_set: str) -> Path:
    """Where the pictures of a set lie: a folder, or the manifest of a fetched source."""
    part = config.image_sets.get(image_set)
    if part is None:
        raise NounflowError(
            f"The config has no image set '{image_set}'",
            where="config/config.yaml and any --configfile",
            fix="pass the --configfile that declares it, or --images with its folder",
        )
    return Path(part.folder) if part.folder else RESULTS / "inputs" / str(part.source) / "manifest.json"


def people_settings(config: Config, log: Path | None) -> PeopleAnnotatorConfig:
    """The settings of the annotator whose log is meant; the defaults where the config names no people.

    Raises:
        NounflowError: the config names several, and `log` none of them.
    """
    people = [part for part in config.annotators.values() if part.kind == "people"]
    if log is not None:
        chosen = next((part for part in people if Path(part.log) == log), None)
        settings = chosen or PeopleAnnotatorConfig(kind="people", log=str(log))
    elif len({part.log for part in people}) > 1:
        raise NounflowError(
            "The config names several annotators of kind people",
            where="annotators",
            fix=f"pass --log with one of: {', '.join(part.log for part in people)}",
        )
    else:
        settings = people[0] if people else PeopleAnnotatorConfig(kind="people")
    return settings


def prepare(predictions: tuple[Predictions, ...], place: Path, top_k: int) -> Work:
    """Find the pictures and plan what is asked."""
    folder, known = folder_and_digests(place)
    files = {file for document in predictions for file in document.samples}
    digests = digest_images(folder, files, known)
    for file, problem in digests.problems.items():
        print(f"left out: {file!a}: {problem}", flush=True)
    tasks = plan_tasks(predictions, top_k, digests.images)
    return Work(predictions[0].image_set, predictions, folder, digests, tuple(tasks))


def load_dictionary(manifest: Path) -> Dictionary:
    """WordNet from the workflow's input.

    Raises:
        NounflowError: it was not fetched yet.
    """
    from nounflow.annotation.cards import Dictionary
    from nounflow.wordnet import WordNet

    if not manifest.is_file():
        raise NounflowError(
            "There is no WordNet to show meanings from",
            where=manifest,
            fix="run `snakemake --cores 1 results/inputs/wordnet/manifest.json`, or pass --wordnet",
        )
    return Dictionary(WordNet.load(input_folder(manifest)))


def coverage_lines(work: Work, queue: TaskQueue) -> list[str]:
    """How much is judged: of all that is asked, and of each run's first nouns, which its score is made from."""
    pairs = {(task.image, ask.noun) for task in work.tasks for ask in task.asks}
    rows = [
        ("asked", pairs),
        *((document.run, first_nouns(document, work.digests.images)) for document in work.predictions),
    ]
    lines = []
    for number, (name, wanted) in enumerate(rows):
        judged = queue.coverage(wanted)
        what = "pairs judged" if number == 0 else f"first nouns of {name} judged"
        lines.append(f"{judged:,} of {len(wanted):,} {what} ({judged / max(1, len(wanted)):.1%})")
    return lines


def serve(
    work: Work,
    queue: TaskQueue,
    log: DecisionLog,
    dictionary: Dictionary,
    *,
    address: tuple[str, int],
    annotator: str = "",
    browser: bool = True,
) -> None:
    """Run the server until it is interrupted."""
    import uvicorn

    from nounflow.web.app import annotation_app
    from nounflow.web.photographs import Photographs
    from nounflow.web.security import Guard

    host, port = address
    with listening_socket(host, port) as listening:
        port = listening.getsockname()[1]
        token = secrets.token_urlsafe(24)
        files: Mapping[str, str] = {task.image: task.files[0] for task in work.tasks}
        app = annotation_app(queue, log, Photographs(work.folder, files), dictionary, work.image_set)
        url = page_address(host, port, token, annotator)
        print(f"open  {url}\nstop  Ctrl+C; every decision is on the disk already", flush=True)
        if host not in ("127.0.0.1", "localhost", "::1"):
            print("      the port is open to your network: whoever has this address can judge", flush=True)
        if browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        guard = Guard(app, token=token, host=host, port=port)
        settings = uvicorn.Config(
            guard, log_level="warning", access_log=False, server_header=False, ws="none", timeout_graceful_shutdown=3
        )
        with contextlib.suppress(KeyboardInterrupt):  # how a user ends it
            uvicorn.Server(settings).run(sockets=[listening])


def page_address(host: str, port: int, token: str, annotator: str) -> str:
    """The address that lets its reader in."""
    from urllib.parse import urlencode

    query = urlencode({"token": token} | ({"annotator": annotator} if annotator else {}))
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/?{query}"


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at the address.

    Raises:
        NounflowError: another program has the port. Not the next free one: what waits in the browser belongs to an
            address, port included.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, so that asyncio sends short answers at once; else the client's delayed acknowledgement costs 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen()  # from now on a browser waits for the server instead of being refused
    except (OSError, OverflowError) as error:
        listening.close()
        raise NounflowError(
            f"The port {port} of {host} cannot be used ({getattr(error, 'strerror', None) or error})",
            fix="end the program that has it (another `nounflow annotate`?), or pass another one with --port",
        ) from None
    return listening
