"""Views and labels of a set, read and checked against each other."""

from pathlib import Path

import numpy as np

from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError
from nounflow.inputs import input_folder
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import ShardManifest
from nounflow.schemas.inputs import InputManifest
from nounflow.schemas.tag_labels import TagLabels, read_tag_labels
from nounflow.store.shards import check_identity, read_boxes, read_shard
from nounflow.tags.evaluation import Images


def read_images(
    whole: Path, local: Path, truth: Path, seen: Path | None, embedder: Embedder, templates: tuple[str, ...]
) -> tuple[Images, np.ndarray]:
    """A set's vectors and truth, of the images that have both; and the boxes of the local units [files, units, 4].

    Args:
        whole, local: manifests of two views, made by one job.
        truth: a label file, or the manifest of `scenes`, which bring their own.

    Raises:
        MismatchError: the views are of two embedders, or of other images.
        NounflowError: the label file cannot be used.
    """
    (one, vectors), (other, units) = read_shard(whole), read_shard(local)
    for part, path in ((one, whole), (other, local)):
        check_identity(part.embedder, embedder.identity, path, "the embedder")
    if one.texts != other.texts:
        raise MismatchError("Two views are of other images", where=f"{whole} against {local}", fix="embed them anew")
    labels = _truth(truth, one, seen)
    boxes = read_boxes(local, other)
    if len(one.files) and len(boxes) % len(one.files):
        raise MismatchError(
            "The images of a local view have unequal numbers of boxes", where=local, fix="take tiles or tokens"
        )
    place = {file: i for i, file in enumerate(one.files)}
    rows = np.array([place[file] for file in labels.files])
    count = len(boxes) // max(1, len(one.files))
    locals_ = np.asarray(units, dtype=np.float32).reshape(len(one.files), count, -1)[rows]
    images = Images(
        labels,
        np.asarray(vectors, dtype=np.float32)[rows],
        locals_,
        class_embeddings(embedder, labels.labels, templates, progress=False),
    )
    return images, boxes[:, 1:5].reshape(len(one.files), count, 4)[rows]


def _truth(path: Path, shard: ShardManifest, seen: Path | None) -> TagLabels:
    if path.name != "manifest.json":
        return read_tag_labels(path, shard.files, seen)
    read_document(InputManifest, path, "manifest of a fetched input")
    folder = input_folder(path)
    return read_tag_labels(folder / "labels.tsv", shard.files, seen or folder / "seen.txt")
