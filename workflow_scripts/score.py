r"""Score what the runs predicted against what the annotators judged, with intervals.

In:  results/predictions/{run}/{image_set}.json, results/annotations/{image_set}/{annotator}.json,
     results/models/{run}/manifest.json, results/nouns/{lexicon}.parquet, label files of the image sets,
     results/inputs/wordnet/manifest.json (for overall, synonym and hierarchical scores), caption templates (a digest)
Out: results/scores.tsv (a row per run x image set x annotator), scores.json (what stands behind the rows) and its
     counts; the table on the terminal

    python workflow_scripts/score.py --predictions results/predictions/small/photos.json \
        --annotations results/annotations/photos/wordnet.json --models results/models/small/manifest.json \
        --nouns results/nouns/small.parquet --labels '{"photos": "resources/image_sets/photos.tsv"}' \
        --wordnet-manifest results/inputs/wordnet/manifest.json --out results/scores.tsv \
        --details results/scores.json --counts results/scores.counts.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import run_stage

if TYPE_CHECKING:
    import numpy as np

    from nounflow.counts import Counts
    from nounflow.scoring.hierarchy import Hierarchy
    from nounflow.scoring.load import ScoringMaterial
    from nounflow.scoring.rows import ScoreRow


def main(
    predictions: Annotated[list[Path], "predictions of all runs"],
    models: Annotated[list[Path], "manifests of the runs"],
    nouns: Annotated[list[Path], "lexicons of the runs"],
    labels: Annotated[dict[str, str | None], '{"photos": PATH or null}'],
    out: Annotated[Path, "results/scores.tsv"],
    details: Annotated[Path, "results/scores.json"],
    counts: Annotated[Path, "where to record the counts"],
    annotations: Annotated[Sequence[Path], "judgements of all annotators"] = (),
    wordnet_manifest: Annotated[Path | None, "results/inputs/wordnet/manifest.json"] = None,
    coarse_from: Annotated[int, "kinds in WordNet that make a noun coarse"] = 30,
    specificity: Annotated[Path | None, "flat JSON, noun -> factor, that overrules --coarse-from"] = None,
    templates: Annotated[Sequence[Path], "caption templates, for their digest"] = (),
    sentences: Annotated[bool, "sentence and concept similarity too"] = False,
    seed: Annotated[int, "seed of the bootstrap draws"] = 1,
) -> None:
    """Read, score, write, print."""
    from nounflow.schemas.documents import write_document
    from nounflow.scoring.load import load_material
    from nounflow.scoring.provenance import provenance, templates_digest
    from nounflow.scoring.rows import write_scores
    from nounflow.scoring.scores import score_all
    from nounflow.scoring.terminal import print_scores

    material = load_material(predictions, annotations, models, nouns, labels)
    scores = score_all(
        material,
        seed=seed,
        hierarchy=load_hierarchy(wordnet_manifest, material, coarse_from, specificity),
        templates=templates_digest(templates),
        encode=sentence_vectors if sentences else None,
    )
    rows = list(scores.rows)
    record = count(material, rows)
    write_document(details, scores.model_copy(update={"provenance": provenance(Path(__file__).parents[1])}))
    write_scores(out, rows)
    record.write(counts)
    print_scores(rows)


def sentence_vectors(texts: list[str]) -> np.ndarray:
    """Unit vectors of the bundled text tower, float32 [n, 384]."""
    from nounflow.config.embedder import EmbedderConfig
    from nounflow.embedders.load import load_embedder

    config = EmbedderConfig.model_validate({"spec": "bundled:minilm-conse"})
    return load_embedder(config, "cpu", images=False).encode_texts(texts, progress=False)


def load_hierarchy(
    wordnet_manifest: Path | None, material: ScoringMaterial, coarse_from: int, specificity: Path | None
) -> Hierarchy | None:
    """WordNet with the frequencies of the lexicons; None without WordNet."""
    from nounflow.inputs import input_folder
    from nounflow.scoring.hierarchy import Hierarchy, read_overrides
    from nounflow.wordnet import WordNet

    if wordnet_manifest is None:
        return None
    overrides = read_overrides(specificity) if specificity else {}
    wordnet = WordNet.load(input_folder(wordnet_manifest))
    return Hierarchy(wordnet, material.tables.values(), coarse_from, overrides)


def count(material: ScoringMaterial, rows: list[ScoreRow]) -> Counts:
    """What became of every annotations file, predictions file and image."""
    from nounflow.counts import Counts

    record = Counts("scores")
    predicted = {document.image_set for document in material.predictions}
    used = [document for document in material.annotations if document.image_set in predicted]
    flow = record.flow("annotations", len(material.annotations), "files")
    flow.drop(len(material.annotations) - len(used), "nothing was predicted on their image set")
    flow.out(len(used))
    flow = record.flow("predictions", len(material.predictions), "files")
    flow.add(len(rows) - len(material.predictions), "rows for further annotators of the same image set")
    flow.out(len(rows), "rows of scores")
    for row in rows:
        flow = record.flow(
            f"{row.run} on {row.image_set}, judged by {row.annotator or 'nobody'}: first nouns", row.n, "images"
        )
        answered = row.n - row.unreadable
        judged = round(row.coverage * answered)
        flow.drop(row.unreadable, "could not be read: counted as wrong")
        flow.drop(answered - judged, "first noun not judged: counted as wrong, and in the coverage column")
        flow.out(judged, "judged first nouns")
    return record


if __name__ == "__main__":
    run_stage(main, __doc__)
