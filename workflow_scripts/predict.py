"""Name the images of an image set with the predictor of a run.

    python workflow_scripts/predict.py --predictor results/models/small/manifest.json \\
        --images results/image_embeddings/bundled/photos.json --image-set photos \\
        --out results/predictions/small/photos.json --counts results/predictions/small/photos.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Count, Counts, Device, ImageSet, Threads, run_stage
from nounflow.config.generation import GenerationConfig

USUAL = GenerationConfig()


def main(
    predictor: Annotated[Path, "manifest of any run"],
    images: Annotated[Path, "manifest of image embeddings"],
    image_set: ImageSet,
    out: Annotated[Path, "the predictions file"],
    counts: Counts,
    generation: Annotated[GenerationConfig, "how a decoder is read, as JSON"] = USUAL,
    top_k: Annotated[Count, "nouns an image gets"] = 10,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Predict; see the module docstring."""
    import time

    import numpy as np

    from nounflow.counts import Counts
    from nounflow.files import write_text
    from nounflow.predictor_kinds import GENERATION, PREDICTORS
    from nounflow.predictors.document import predictions_document
    from nounflow.predictors.loading import load_predictor
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.store.shards import check_identity, read_shard

    device = prepare_process(device, threads)
    model = load_predictor(predictor, device, generation)
    if PREDICTORS[model.manifest.predictor].writes_tokens:
        write_document(predictor.parent / GENERATION, generation)
    shard, vectors = read_shard(images)
    check_identity(shard.embedder, model.manifest.embedder, images, predictor)
    start = time.monotonic()
    answers = model.answer(np.asarray(vectors, dtype=np.float32), min(top_k, model.width))
    milliseconds = 1000 * (time.monotonic() - start) / max(1, len(vectors))
    document = predictions_document(
        manifest=model.manifest,
        manifest_path=predictor,
        answers=answers,
        images=shard,
        milliseconds=milliseconds + (shard.milliseconds or 0.0),
        image_set=image_set,
        generation=generation,
    )
    write_text(out, document.model_dump_json() + "\n")
    record = Counts("predictions")
    flow = record.flow(f"{model.manifest.run} on {image_set}", len(shard.files) + len(shard.unreadable), "images")
    flow.drop(len(shard.unreadable), "unreadable, named in the predictions file")
    flow.out(len(document.samples), "images named")
    record.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
