"""Measure how far images lie from their nearest training texts; no label is read.

In:  a training set, embeddings of an image set
Out: results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json, counts

    python workflow_scripts/measure_gap.py --training-set results/training_sets/bundled/small/m3_captions/manifest.json \\
        --images results/image_embeddings/bundled/photos.json --image-set photos --out gap.json --counts gap.counts.json
"""  # noqa: E501

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, ImageSet, Threads, run_stage


def main(
    training_set: Annotated[Path, "the training set's manifest"],
    images: Annotated[Path, "manifest of image embeddings"],
    image_set: ImageSet,
    out: Annotated[Path, "the gap's document"],
    counts: Counts,
    threads: Threads = 2,
) -> None:
    """Measure; see the module docstring."""
    import numpy as np

    from nounflow.counts import Counts
    from nounflow.errors import NounflowError
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.store.shards import check_identity, read_shard
    from nounflow.store.training_set import open_training_set
    from nounflow.training.gap import measure_gap

    prepare_process("cpu", threads)
    texts = open_training_set(training_set)
    shard, vectors = read_shard(images)
    check_identity(shard.embedder, texts.manifest.embedder, images, training_set)
    if len(vectors) < 2:
        raise NounflowError(
            "A gap wants two images at least", where=images, fix="name a larger image set in `noise.images`"
        )
    gap = measure_gap(texts, np.asarray(vectors), image_set, shard.embedder, texts.manifest.index_sha256)
    write_document(out, gap)
    record = Counts("training_sets")
    flow = record.flow(f"{image_set}: images whose nearest text is looked for", len(vectors), "images")
    flow.drop(len(vectors) - gap.images, "more than 10,000: the rest is not drawn")
    flow.out(gap.images, "images")
    record.write(counts)
    print(
        f"{gap.images:,} images lie {gap.angle_mean:.1f} +- {gap.angle_std:.1f} degrees from the nearest of "
        f"{gap.texts:,} texts; mean shift {gap.shift_norm:.3f}, the rest {gap.residual_norm:.3f} long",
        flush=True,
    )


if __name__ == "__main__":
    run_stage(main, __doc__)
