"""Reading what was predicted and judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import Document, read_document
from nounflow.schemas.labels import read_labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions, read_predictions
from nounflow.schemas.tables import lexicon_digest, read_lexicon
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.evaluation import ImageSet, ScoredLexicon, ScoredRun
from nounflow.text import canon


@dataclass(frozen=True)
class ScoringMaterial:
    """All that was predicted and judged, checked to belong together."""

    runs: dict[str, ScoredRun]
    predictions: tuple[Predictions, ...]  # sorted by run, image set
    annotations: tuple[Annotations, ...]  # sorted by image set, annotator
    image_sets: dict[str, ImageSet]
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
    lexicons, tables = read_lexicons(nouns)
    runs = {}
    for path in models:
        manifest = read_document(PredictorManifest, path, "manifest of a run")
        runs[manifest.run] = ScoredRun(manifest, _lexicon_of(manifest, path, lexicons))
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
        image_sets={
            name: ImageSet(name, read_labels(Path(path)) if path else {}) for name, path in sorted(labels.items())
        },
        tables=tables,
    )


def read_lexicons(paths: Sequence[Path]) -> tuple[dict[str, list[ScoredLexicon]], dict[str, pl.DataFrame]]:
    """Lexicons by digest (two names may hold the same nouns), and their tables by name."""
    lexicons: dict[str, list[ScoredLexicon]] = {}
    tables: dict[str, pl.DataFrame] = {}
    for path in paths:
        table = read_lexicon(path)
        digest = lexicon_digest(table["noun"].to_list())
        lexicons.setdefault(digest, []).append(ScoredLexicon(path.stem, digest, lexicon_entries(table)))
        tables[path.stem] = table
    return lexicons, tables


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


def _lexicon_of(
    manifest: PredictorManifest, path: Path, lexicons: Mapping[str, Sequence[ScoredLexicon]]
) -> ScoredLexicon:
    known = lexicons.get(manifest.lexicon, ())
    if not known:
        raise MismatchError(
            f"The run '{manifest.run}' was made with a lexicon that is none of those given",
            where=path,
            fix="pass its lexicon with --nouns; if the lexicon was built anew, run the models stage again",
        )
    stem = Path(manifest.lexicon_path).stem
    return next((lexicon for lexicon in known if lexicon.name == stem), known[0])


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
