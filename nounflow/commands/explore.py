"""The command `nounflow explore`. Light to import: what is heavy comes when it is called."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commands.options import add_address, add_image_set, image_place_of, path_or_name
from nounflow.errors import NounflowError
from nounflow.extras import need

if TYPE_CHECKING:
    import numpy as np

    from nounflow.schemas.predictions import Predictions

PORT = 8768
_RESULTS = Path("results")


def add(commands: Any) -> None:
    """Add `explore` to the parsers of `nounflow`."""
    explore = commands.add_parser("explore", help="look at what runs said, in a browser")
    explore.add_argument(
        "runs", nargs="+", type=path_or_name, metavar="RUN", help="names of runs, or their predictions files"
    )
    add_image_set(explore)
    explore.add_argument("--annotator", help="whose judgements (default: the first by name)")
    add_address(explore, PORT)
    explore.add_argument("--no-browser", action="store_true", help="do not open the page")
    explore.set_defaults(call=_explore)


def _explore(arguments: argparse.Namespace) -> None:
    need("fastapi", "uvicorn")
    from nounflow.annotation.work import find_said
    from nounflow.inputs import images_folder
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.labels import read_labels
    from nounflow.schemas.predictions import read_predictions
    from nounflow.scoring.answers import judgements
    from nounflow.web.exploring.answers import answer_table
    from nounflow.web.exploring.app import exploring_app
    from nounflow.web.start import serve_app

    documents = find_said(arguments.runs, arguments.image_set, lambda path: (read_predictions(path),))
    image_set = documents[0].image_set
    place = image_place_of(arguments, image_set)
    folder = images_folder(place)
    if not folder.is_dir():
        raise NounflowError("The image folder does not exist", where=folder, fix="pass --images with its folder")
    if twice := [run for run, n in Counter(one.run for one in documents).items() if n > 1]:
        raise NounflowError(f"Two files are both of {twice[0]} and {image_set}", fix="pass one of them")
    known = sorted((_RESULTS / "annotations" / image_set).glob("*.json"))
    judges = [path for path in known if ".counts" not in path.name]
    if arguments.annotator:
        judges = [_RESULTS / "annotations" / image_set / f"{arguments.annotator}.json"]
    judged = read_document(Annotations, judges[0], "annotations file") if judges else None
    labels = _labels(arguments, image_set)
    table = answer_table(
        documents, judgements(judged) if judged else {}, read_labels(labels) if labels else {}, _kinds(documents)
    )
    if table.is_empty():
        raise NounflowError("These runs have named no image", where=folder, fix="look into their `unreadable`")
    app = exploring_app(table, folder, image_set, judged.annotator if judged else "", _places(documents, table))
    runs = ", ".join(one.run for one in documents)
    print(f"image set {image_set}: {table['image'].n_unique():,} images, {runs}", flush=True)
    serve_app(app, host=arguments.host, port=arguments.port, browser=not arguments.no_browser)


def _labels(arguments: argparse.Namespace, image_set: str) -> Path | None:
    """The set's label file, where there is a config that names one."""
    from nounflow.commands.options import config_of, project_config

    part = config_of(arguments).image_sets.get(image_set) if project_config(Path()) else None
    return Path(part.labels) if part and part.labels else None


def _kinds(documents: tuple[Predictions, ...]) -> dict[str, str]:
    """Kind of each noun, of the lexicons that stand here."""
    from nounflow.schemas.tables import read_lexicon

    kinds: dict[str, str] = {}
    for path in sorted((_RESULTS / "nouns").glob("*.parquet")):
        for noun, kind in read_lexicon(path).select("noun", "kind").iter_rows():
            kinds.setdefault(noun.lower(), kind)
    return kinds


def _places(documents: tuple[Predictions, ...], table: Any) -> np.ndarray | None:
    """Where the map has each image, by the embeddings of the first run that has some here."""
    import numpy as np

    from nounflow.store.shards import read_shard
    from nounflow.web.exploring.answers import plane

    files = dict(table.select("file", "image").unique().iter_rows())
    for path in sorted((_RESULTS / "image_embeddings").glob(f"*/{documents[0].image_set}.json")):
        shard, vectors = read_shard(path)
        if shard.embedder.spec == documents[0].infer_cfg.get("embedder"):
            places = np.full((len(files), 2), np.nan, dtype=np.float32)
            found = plane(np.asarray(vectors))
            for file, point in zip(shard.files, found, strict=True):
                if file in files:
                    places[files[file]] = point
            return places
    return None
