r"""Compare open-set scores: known against unknown images, and a run's right answers against its wrong ones.

In:  banks of nouns, image embeddings of the sets that the tests name, label files, WordNet; of the runs: manifests,
     predictions and the judgements of them
Out: results/open_set.tsv (a row for each test, run, score and kind of unknown image) and open_set.json, what stands
     behind it

    python workflow_scripts/score_open_set.py --settings '{"tests": {"photos": {"known": "photos"}}}' \
        --banks results/open_set/bundled/bank.json --images results/image_embeddings/bundled/photos.json \
        --labels '{"photos": "resources/image_sets/photos.tsv"}' \
        --wordnet-manifest results/inputs/wordnet/manifest.json --models results/models/small/manifest.json \
        --predictions results/predictions/small/photos.json --annotations results/annotations/photos/wordnet.json \
        --out results/open_set.tsv --details results/open_set.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import run_stage
from nounflow.config.open_set import OpenSetConfig

if TYPE_CHECKING:
    import numpy as np

    from nounflow.open_set.trial import Answered


def main(
    settings: Annotated[OpenSetConfig, "`open_set`, as JSON"],
    banks: Annotated[list[Path], "banks of the embedders"],
    images: Annotated[list[Path], "image embeddings"],
    labels: Annotated[dict[str, str | None], '{"photos": PATH or null}'],
    wordnet_manifest: Annotated[Path, "results/inputs/wordnet/manifest.json"],
    out: Annotated[Path, "results/open_set.tsv"],
    details: Annotated[Path, "results/open_set.json"],
    nouns: Annotated[Sequence[Path], "lexicons of the runs"] = (),
    models: Annotated[Sequence[Path], "manifests of runs judged without a list"] = (),
    predictions: Annotated[Sequence[Path], "their predictions"] = (),
    annotations: Annotated[Sequence[Path], "judgements of these"] = (),
    no: Annotated[Sequence[Path], "no-embeddings of a bank's nouns"] = (),
) -> None:
    """Read, compare, write, print."""
    from nounflow.commands.options import noun_list
    from nounflow.embedders.bundled import class_names
    from nounflow.errors import NounflowError
    from nounflow.inputs import input_folder
    from nounflow.open_set.bank import read_bank, unit
    from nounflow.open_set.comparison import compare, print_table, write_results
    from nounflow.open_set.no_store import read_no_model
    from nounflow.open_set.trial import Material
    from nounflow.schemas.labels import read_labels
    from nounflow.schemas.tables import read_lexicon
    from nounflow.senses import WordSenses
    from nounflow.store.shards import read_shard
    from nounflow.wordnet import WordNet

    if not settings.tests:
        raise NounflowError(
            "There is nothing to compare open-set scores on",
            where="open_set.tests",
            fix="give an image set `labels`, or name a test: docs/open_set.md",
        )
    held = {}
    for path in images:
        shard, rows = read_shard(path)
        held[shard.source, shard.embedder.digest] = shard.files, unit(rows[:])
    read = [read_bank(path) for path in banks]
    material = Material(
        settings=settings,
        banks=read,
        images=held,
        labels={name: read_labels(Path(path)) for name, path in labels.items() if path},
        classes={name: noun_list(Path(test.classes)) for name, test in (settings.tests or {}).items() if test.classes},
        senses=WordSenses(WordNet.load(input_folder(wordnet_manifest)), [read_lexicon(path) for path in nouns]),
        pictured=class_names(),
        no=[read_no_model(path) for path in no],
        answered=answered(
            models, predictions, annotations, {bank.manifest.embedder.digest: bank.patterns for bank in read}
        ),
    )
    results = compare(material)
    write_results(out, details, results)
    print_table(results)


def answered(
    models: Sequence[Path], predictions: Sequence[Path], annotations: Sequence[Path], patterns: dict[str, np.ndarray]
) -> list[Answered]:
    """What the runs said of images and patterns, and what it earns."""
    from nounflow.open_set.trial import Answered
    from nounflow.predictors.loading import load_predictor
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.predictions import read_predictions
    from nounflow.scoring.answers import UNJUDGED, Judgements, judge, judgements, only_decoding
    from nounflow.scoring.values import first_correct, prediction_values

    judged: dict[str, Judgements] = {}
    for path in annotations:
        document = read_document(Annotations, path, "annotations file")
        judged.setdefault(document.image_set, judgements(document))  # the first judge counts
    loaded = {}
    for path in models:
        predictor = load_predictor(path, "cpu")
        loaded[predictor.manifest.run] = predictor
    found = []
    for path in predictions:
        said = read_predictions(path)
        if said.run not in loaded or said.image_set not in judged:
            continue
        predictor, decoding = loaded[said.run], only_decoding(said)
        digest = predictor.manifest.embedder.digest
        of_patterns = (
            predictor.answer(patterns[digest], max(map(len, decoding.pred), default=1)) if digest in patterns else None
        )
        verdicts = judge(said, judged[said.image_set])
        place = {file: i for i, file in enumerate(verdicts.images)}
        rows = [place[file] for file in said.samples]
        found.append(
            Answered(
                run=said.run,
                image_set=said.image_set,
                embedder=digest,
                lexicon=predictor.manifest.nouns,
                files=said.samples,
                nouns=decoding.pred,
                probability=[row[0] if row else 0.0 for row in decoding.probability],
                right=first_correct(verdicts)[rows],
                wrong=(~first_correct(verdicts) & (verdicts.codes[:, 0] != UNJUDGED))[rows],
                points=prediction_values(verdicts).worst[rows],
                pattern_nouns=[] if of_patterns is None else of_patterns.texts,
                pattern_probability=[] if of_patterns is None else of_patterns.probabilities[:, 0].tolist(),
            )
        )
    return found


if __name__ == "__main__":
    run_stage(main, __doc__)
