"""Reading what was predicted and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import Document, read_document
from nounflow.schemas.labels import Labels, read_labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions, read_predictions
from nounflow.schemas.tables import lexicon_digest, read_lexicon
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.evaluation import ScoredRun
from nounflow.text import canon


@dataclass(frozen=True)
class ScoringMaterial:
    """All that was predicted and judged, checked to belong together."""

    runs: dict[str, ScoredRun]
    predictions: tuple[Predictions, ...]  # sorted by run, image set
    annotations: tuple[Annotations, ...]  # sorted by image set, annotator
    labels: dict[str, dict[str, Labels]]  # image set -> image -> labels; none where a set has no labels
    tables: dict[str, pl.DataFrame]  # lexicon name -> LEXICON


def load_material(
    predictions: Sequence[Path],
    annotations: Sequence[Path],
    models: Sequence[Path],
    nouns: Sequence[Path],
    labels: Mapping[str, str | None],
) -> ScoringMaterial:
    """Read and join the files.

    Args:
        models: manifests of the runs that predicted.
        nouns: lexicons that the runs were made with.
        labels: image set -> its label file, or None.

    Raises:
        NounflowError: a file is missing or damaged, or two of them do not belong together.
    """
    read = [(path.stem, read_lexicon(path)) for path in nouns]
    lexicons = [(name, lexicon_digest(table["noun"].to_list()), lexicon_entries(table)) for name, table in read]
    runs = {}
    for path in models:
        manifest = read_document(PredictorManifest, path, "manifest of a run")
        runs[manifest.run] = _scored_run(manifest, path, lexicons)
    predicted: dict[tuple[str, str], Predictions] = {}
    for path in predictions:
        document = read_predictions(path)
        _check(document, path, runs, labels)
        _put(predicted, (document.run, document.image_set), document, path)
    judged: dict[tuple[str, str], Annotations] = {}
    for path in annotations:
        annotation = read_document(Annotations, path, "annotations file")
        _put(judged, (annotation.image_set, annotation.annotator), annotation, path)
    return ScoringMaterial(
        runs=dict(sorted(runs.items())),
        predictions=tuple(document for _, document in sorted(predicted.items())),
        annotations=tuple(document for _, document in sorted(judged.items())),
        labels={name: read_labels(Path(path)) if path else {} for name, path in sorted(labels.items())},
        tables=dict(read),
    )


def lexicon_entries(table: pl.DataFrame) -> dict[str, tuple[str, float]]:
    """Kind and frequency of a noun by the normal spelling of each of its forms; the noun itself goes first."""
    entries: dict[str, tuple[str, float]] = {}
    for column in ("noun", "singulars", "plurals"):
        rows = table.select(column, "kind", "frequency")
        for form, kind, frequency in (rows if column == "noun" else rows.explode(column)).iter_rows():
            if form is not None:
                entries.setdefault(canon(form), (kind, frequency))
    return entries


def _put(documents: dict[tuple[str, str], Document], key: tuple[str, str], document: Document, path: Path) -> None:
    if key in documents:
        raise NounflowError(f"Two files are both of {key[0]} and {key[1]}", where=path, fix="pass one of them")
    documents[key] = document


def _scored_run(
    manifest: PredictorManifest, path: Path, lexicons: Sequence[tuple[str, str, dict[str, tuple[str, float]]]]
) -> ScoredRun:
    """A run with its lexicon: of `lexicons` (name, digest, entries), where two names may hold the same nouns."""
    known = {name: entries for name, digest, entries in lexicons if digest == manifest.lexicon}
    if not known:
        raise MismatchError(
            f"The run '{manifest.run}' was made with a lexicon that is none of those given",
            where=path,
            fix="pass its lexicon with --nouns; if the lexicon was built anew, run the models stage again",
        )
    stem = Path(manifest.lexicon_path).stem
    name = stem if stem in known else next(iter(known))
    return ScoredRun(manifest, name, known[name])


def _check(document: Predictions, path: Path, runs: Mapping[str, ScoredRun], labels: Mapping[str, str | None]) -> None:
    if document.run not in runs:
        raise MismatchError(
            f"There is no manifest of the run '{document.run}'", where=path, fix="pass it with --models"
        )
    if document.image_set not in labels:
        raise MismatchError(
            f"The image set '{document.image_set}' is not among those given",
            where=path,
            fix=f'name it in --labels: {{"{document.image_set}": null}} if it has no label file',
        )
    only_decoding(document)
