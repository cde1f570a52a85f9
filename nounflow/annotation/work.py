"""What is judged: predictions on one image set, its pictures, and the tasks made of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from nounflow.annotation.consensus import contradicted
from nounflow.annotation.current_decisions import CurrentDecisions
from nounflow.annotation.pictures import Digests, digest_images
from nounflow.annotation.plan import Ask, Task, places, plan_tasks
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.config.experiment import Config
from nounflow.config.judged_sets import judged_sets
from nounflow.errors import NounflowError
from nounflow.schemas.decisions import Decision, Mark, asked_at
from nounflow.schemas.named import Said
from nounflow.schemas.predictions import Predictions

RESULTS = Path("results")
Document = TypeVar("Document", Predictions, Said)


@dataclass(frozen=True)
class Work:
    """What is judged: predictions on one image set, its pictures, and the tasks made of them."""

    image_set: str
    predictions: tuple[Said, ...]
    digests: Digests
    tasks: tuple[Task, ...]


def find_said(
    named: Sequence[str | Path], image_set: str | None, read: Callable[[Path], tuple[Document, ...]]
) -> tuple[Document, ...]:
    """What `read` finds in files, by run name, file or folder; all on one image set.

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
    documents = [document for path in paths for document in read(path)]
    sets = sorted({document.image_set for document in documents})
    wanted = image_set or (sets[0] if len(sets) == 1 else None)
    if wanted is None or wanted not in sets:
        what = f"There are no predictions on image set '{wanted}'" if wanted else "The predictions are on several sets"
        raise NounflowError(what, fix=f"pass --image-set with one of: {', '.join(sets) or 'none found'}")
    return tuple(document for document in documents if document.image_set == wanted)


def image_place(config: Config, image_set: str) -> Path:
    """Where the pictures of a set lie: a folder, or the manifest of a fetched source."""
    part = judged_sets(config).get(image_set)
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


def prepare(predictions: tuple[Said, ...], place: Path, top_k: int) -> Work:
    """Find the pictures and plan what is asked."""
    digests = digest_images(place, {file for document in predictions for file in document.samples})
    tasks = plan_tasks(predictions, top_k, digests.images)
    return Work(predictions[0].image_set, predictions, digests, tuple(tasks))


def contradictions(work: Work, records: Iterable[Decision | Mark], settings: PeopleAnnotatorConfig) -> tuple[Task, ...]:
    """The nouns on which annotators contradict each other, by picture; how many lie elsewhere is said."""
    files: dict[str, list[str]] = {}
    asked = places(work.predictions, work.digests.images)
    for name, place in sorted(asked.items()):
        files.setdefault(place, []).append(name.partition("#")[0] if "box" in asked_at(place) else name)
    asks: dict[str, list[Ask]] = {}
    pairs = [pair for pair, _, _ in contradicted(CurrentDecisions(records, settings.scheme), settings)]
    for image, noun in pairs:
        asks.setdefault(image, []).append(Ask(noun, 0.0, True))
    if elsewhere := sum(image not in files for image, _ in pairs):
        print(f"left out: {elsewhere:,} contradictions on pictures that are not among these", flush=True)
    return tuple(Task(image, tuple(found), tuple(asks[image])) for image, found in files.items() if image in asks)
