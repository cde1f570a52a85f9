"""Measure the modality gap of an embedder on a labelled image set, as numbers and as a picture.

In:  results/image_embeddings/{embedder}/{image_set}.json, the set's label file, captions where it has some
Out: results/modality_gap/{embedder}/{image_set}.json and .svg, counts

    python workflow_scripts/modality_gap.py --image-set photos --labels resources/image_sets/photos.tsv \\
        --images results/image_embeddings/bundled/photos.json --embedder '{"spec": "bundled:minilm-conse"}' \\
        --out results/modality_gap/bundled/photos.json --picture results/modality_gap/bundled/photos.svg \\
        --counts results/modality_gap/bundled/photos.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, ImageSet, Threads, run_stage
from nounflow.config.check_set import Prompts
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.noise import NoiseConfig


def main(
    image_set: ImageSet,
    images: Annotated[Path, "manifest of its embeddings"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the gap as JSON"],
    picture: Annotated[Path, "the gap as a picture, .svg or .png"],
    counts: Counts,
    labels: Annotated[Path | None, "its label file"] = None,
    captions_in: Annotated[Path | None, "folder of images and captions, or manifest of a fetched set"] = None,
    noise: Annotated[NoiseConfig | None, "training noise to compare with, as JSON"] = None,
    prompts: Annotated[Prompts, "prompts around nouns, as JSON"] = "imagenet80",
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Measure the gap; see the module docstring."""
    import numpy as np

    from nounflow.counts import Counts
    from nounflow.embedder_checks.gap import modality_gap
    from nounflow.embedder_checks.gap_picture import draw_gap, headline, shift_sentence
    from nounflow.embedder_checks.labels import captions_beside
    from nounflow.embedders.load import load_embedder
    from nounflow.errors import NounflowError
    from nounflow.inputs import images_folder
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.labels import read_labels
    from nounflow.store.shards import check_identity, read_shard

    if labels is None:
        raise NounflowError(
            f"The image set {image_set} has no labels, so no image has a text of its own",
            where=f"image_sets.{image_set}",
            fix="give it a label file under `labels`, with columns file and gold",
        )
    gold = read_labels(labels)
    manifest, vectors = read_shard(images)
    record = Counts("embedder_checks")
    rows = [row for row, file in enumerate(manifest.files) if file in gold]
    files = [manifest.files[row] for row in rows]
    flow = record.flow(f"{image_set}: image embeddings", len(manifest.files), "images")
    flow.drop(len(manifest.files) - len(rows), "not in the label file")
    flow.out(len(rows), "images with a gold noun")
    if not rows:
        raise NounflowError("No embedded image is in the label file", where=labels, fix="check its column `file`")
    captions: dict[int, str] = {}
    if captions_in is not None:
        found = captions_beside(images_folder(captions_in), files)
        captions = {i: found[file] for i, file in enumerate(files) if file in found}
        flow = record.flow(f"{image_set}: images with a gold noun", len(rows), "images")
        flow.drop(len(rows) - len(captions), "no text file beside the image, or an empty first line")
        flow.out(len(captions), "images with a caption")

    model = load_embedder(embedder, prepare_process(device, threads), images=False)
    check_identity(manifest.embedder, model.identity, images, "the embedder of the config")
    nouns = [gold[file].gold for file in files]
    gap = modality_gap(model, image_set, np.asarray(vectors)[rows], nouns, captions, prompts, noise)
    draw_gap(picture, gap)
    write_document(out, gap)
    record.write(counts)
    print(headline(gap), shift_sentence("noun", gap.nouns), sep="\n", flush=True)


if __name__ == "__main__":
    run_stage(main, __doc__)
