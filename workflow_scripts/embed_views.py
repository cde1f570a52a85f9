"""Embed several views of the images of a set, each image decoded once: a shard for each view.

    whole     one box an image
    tiles     2 x 2 and 3 x 3 boxes an image
    regions   the boxes of --proposals: parquet with file, x0, y0, x1, y1, objectness, in pixels of the upright image
    tokens    the patches of the image tower, where they lie in the space of its texts

    python workflow_scripts/embed_views.py --image-set scenes --folder results/inputs/scenes/manifest.json \\
        --views whole tiles --embedder '{"spec": "bundled:minilm-conse"}' \\
        --out results/image_embeddings/bundled/scenes

Leaves OUT/{view}.json with OUT/{view}.zarr. Files that cannot be read are kept in each manifest with the reason.
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Folder, ImageSet, Threads, at_least_one, run_stage
from nounflow.config.embedder import EmbedderConfig


def main(
    image_set: ImageSet,
    folder: Folder,
    views: Annotated[list[str], "see above", {"choices": ["whole", "tiles", "regions", "tokens"]}],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "folder of the views"],
    counts: Counts,
    proposals: Annotated[Path | None, "parquet with the boxes of the view regions"] = None,
    most: Annotated[int | None, "only so many images, the first by name", {"type": at_least_one}] = None,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Embed views; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.embedders.load import load_embedder
    from nounflow.embedders.views import embed_views
    from nounflow.errors import NounflowError
    from nounflow.images import list_images
    from nounflow.inputs import images_folder
    from nounflow.process import prepare_process
    from nounflow.schemas.boxes import read_proposals
    from nounflow.store.shard_writing import write_image_shard

    folder = images_folder(folder)
    if ("regions" in views) != (proposals is not None):
        raise NounflowError("The view regions and --proposals go together", fix="give both, or neither")
    files = list_images(folder)[:most]
    found = read_proposals(proposals, files) if proposals else None
    embedder = embedder.of_images()
    model = load_embedder(embedder, prepare_process(device, threads))
    record = Counts("views")
    embedded = embed_views(model, folder, files, views, threads, proposals=found)
    for view, part in embedded.items():
        flow = record.flow(f"{image_set}, {view}: images", len(files), "files")
        for reason in part.unreadable.values():
            flow.drop(1, f"unreadable ({reason})")
        flow.add(len(part.boxes) - len(part.files), "further boxes of an image, less images without")
        flow.out(len(part.boxes), "boxes")
        write_image_shard(
            out / f"{view}.json",
            part.vectors,
            boxes=None if view == "whole" else part.boxes,
            embedder=model.identity,
            image_set=image_set,
            folder=folder,
            files=part.files,
            unreadable=part.unreadable,
            milliseconds=part.milliseconds,
        )
    record.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
