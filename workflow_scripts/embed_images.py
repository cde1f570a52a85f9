"""Embed the images of an image set.

All images below the folder are taken, or, with --only-labelled, the files that the label file lists. Files that
cannot be read are kept in the manifest with the reason.

    python workflow_scripts/embed_images.py --image-set mine --folder ~/Pictures \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/image_embeddings/bundled/mine.json \\
        --counts results/image_embeddings/bundled/mine.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Folder, ImageSet, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig


def main(
    image_set: ImageSet,
    folder: Folder,
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the embeddings' manifest"],
    counts: Counts,
    labels: Annotated[Path | None, "label file of the set"] = None,
    only_labelled: Annotated[bool, "take only the files that the label file lists"] = False,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Embed images; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.embedders.image_files import embed_image_files
    from nounflow.embedders.load import load_embedder
    from nounflow.image_names import same_name
    from nounflow.images import list_images
    from nounflow.inputs import images_folder
    from nounflow.process import prepare_process
    from nounflow.schemas.labels import read_labels
    from nounflow.store.shard_writing import write_image_shard

    folder = images_folder(folder)
    found = list_images(folder)
    record = Counts("predictions")
    flow = record.flow(f"{image_set}: images", len(found), "files")
    files = found
    if labels is not None and only_labelled:
        there = {same_name(file): file for file in found}
        files = [there.get(file, file) for file in read_labels(labels)]
        flow.drop(len(set(found) - set(files)), "not listed in the label file")
        flow.add(len(set(files) - set(found)), "listed in the label file, but missing from the folder")
    embedder = embedder.of_images()
    model = load_embedder(embedder, prepare_process(device, threads))
    embedded = embed_image_files(model, folder, files, embedder.image_batch, threads, fixed_shape=True)
    for reason in embedded.unreadable.values():
        flow.drop(1, f"unreadable ({reason}); counted as wrong in the scores")
    flow.out(len(embedded.files), "embeddings")
    write_image_shard(
        out,
        embedded.vectors,
        embedder=model.identity,
        image_set=image_set,
        folder=folder,
        files=embedded.files,
        unreadable=embedded.unreadable,
        milliseconds=embedded.milliseconds,
    )
    record.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
