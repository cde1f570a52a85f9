"""Measure how far images lie from their nearest training texts; no label is read.

In:  a training set, embeddings of an image set
Out: results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json, counts

    python workflow_scripts/measure_gap.py --training-set results/training_sets/bundled/small/m3_captions/manifest.json \\
        --images results/image_embeddings/bundled/photos.json --image-set photos --out gap.json --counts gap.counts.json
"""  # noqa: E501

from pathlib import Path

from nounflow.commandline import at_least_one, run_stage, stage_parser


def main(training_set: Path, images: Path, image_set: str, threads: int, out: Path, counts: Path) -> None:
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
    parser = stage_parser(__doc__)
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--images", type=Path, required=True, help="manifest of image embeddings")
    parser.add_argument("--image-set", required=True, help="name of the image set")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the gap's document")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
