r"""Classify the images of a labelled set with a run that answers from the nouns of its classes only.

In:  a run's manifest, its lexicon, a check set's list, the embeddings of its images
Out: results/classification/{run}/{check_set}.json and its counts

    python workflow_scripts/classify.py --predictor results/models/small/manifest.json \
        --nouns results/nouns/small.parquet --check-set results/check_sets/pets.json \
        --images results/image_embeddings/bundled/pets.json \
        --out results/classification/small/pets.json --counts results/classification/small/pets.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Threads, run_stage
from nounflow.config.generation import GenerationConfig

USUAL = GenerationConfig()


def main(
    predictor: Annotated[Path, "manifest of any run"],
    nouns: Annotated[Path, "its lexicon"],
    check_set: Annotated[Path, "images and classes"],
    images: Annotated[Path, "manifest of the set's image embeddings"],
    out: Annotated[Path, "what became of the images"],
    counts: Counts,
    generation: Annotated[GenerationConfig, "how a decoder is read, as JSON"] = USUAL,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Map the classes, answer, count; see the module docstring."""
    import numpy as np

    from nounflow.classification.class_nouns import class_nouns
    from nounflow.classification.measuring import RANKS, classification
    from nounflow.counts import Counts
    from nounflow.errors import NounflowError
    from nounflow.predictors.loading import load_predictor
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import read_document, write_document
    from nounflow.schemas.embedder_checks import CheckSet
    from nounflow.schemas.tables import read_lexicon
    from nounflow.store.shards import check_identity, read_shard

    listed = read_document(CheckSet, check_set, "list of a check set")
    found = class_nouns(listed.classes, read_lexicon(nouns))
    if not found.guide:
        raise NounflowError(
            f"The lexicon has a noun for none of the {len(listed.classes):,} classes of '{listed.name}'",
            where=nouns,
            fix="name the classes with nouns under `check_sets.classes`, or take a run with a larger lexicon",
        )
    model = load_predictor(predictor, prepare_process(device, threads), generation)
    shard, vectors = read_shard(images)
    check_identity(shard.embedder, model.manifest.embedder, images, predictor)
    guided, left_out = model.guided_by(found.guide)
    answers = guided.answer(np.asarray(vectors, dtype=np.float32), min(RANKS, len(found.guide) - len(left_out)))
    texts = {file: [text for text in row if text] for file, row in zip(shard.files, answers.texts, strict=True)}
    document = classification(model.manifest, nouns.stem, listed, found, texts)
    write_document(out, document)
    record = Counts("classification")
    flow = record.flow(f"{document.run}: classes of {listed.name}", document.classes, "classes")
    flow.drop(len(document.unmapped), "no noun of the lexicon: listed in the JSON, their images count as wrong")
    flow.out(document.classes - len(document.unmapped), f"classes with {document.candidates:,} nouns")
    flow = record.flow(f"{document.run}: images of {listed.name}", document.n, "images")
    flow.drop(document.unreadable, "could not be read: counted as wrong")
    flow.out(document.n - document.unreadable, "images answered")
    record.write(counts)
    if names := list(document.unmapped.values()):
        print(f"{len(names):,} classes without a noun of the lexicon: {', '.join(names[:20])}")
    print(f"{document.run} on {listed.name}: top-1 {document.top1.value:.1%}, top-5 {document.top5.value:.1%}")


if __name__ == "__main__":
    run_stage(main, __doc__)
