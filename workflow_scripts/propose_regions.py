"""Propose boxes in the images of a set or a test, whatever is in them, and list what is to be embedded.

    python workflow_scripts/propose_regions.py --image-set mine --folder ~/Pictures \\
        --settings '{"source": "selective_search"}' --out results/regions/mine/proposals.parquet \\
        --crops results/regions/mine/crops.parquet --counts results/regions/mine/proposals.counts.json

A box is listed in the crops once as it is and once with half as much again around it.
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Folder, ImageSet, Threads, run_stage
from nounflow.config.regions import ProposalsConfig, RegionsTestConfig


def main(
    image_set: ImageSet,
    folder: Folder,
    settings: Annotated[ProposalsConfig, "settings, as JSON"],
    out: Annotated[Path, "the proposals"],
    crops: Annotated[Path, "the boxes to embed"],
    counts: Counts,
    boxes: Annotated[Path | None, "COCO JSON of a test: only its images are looked at"] = None,
    test_settings: Annotated[RegionsTestConfig | None, "settings of that test, JSON"] = None,
    seed: Annotated[int, "of draws of its images"] = 1,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Propose; see the module docstring."""
    import polars as pl

    from nounflow.counts import Counts
    from nounflow.errors import NounflowError
    from nounflow.escaping import escaped
    from nounflow.images import list_images
    from nounflow.inputs import images_folder
    from nounflow.process import prepare_process
    from nounflow.progress import Progress
    from nounflow.regions.coco import read_boxes
    from nounflow.regions.proposal_files import ProposalsOfFile
    from nounflow.regions.proposals import PROPOSALS, load_source, propose_files
    from nounflow.regions.proposals import crops as crops_of
    from nounflow.regions.splits import split
    from nounflow.schemas.tables import write_table

    folder = images_folder(folder)
    source = load_source(settings, prepare_process(device, threads))
    files = list_images(folder)
    sizes = dict[str, tuple[int, int]]()
    if boxes is not None and test_settings is not None:
        truth = read_boxes(boxes, files)
        parts = split(truth, test_settings, seed)
        sizes = {file: image[1:] for file, image in truth.images.items()}
        if isinstance(source, ProposalsOfFile):
            source.ids = {file: image[0] for file, image in truth.images.items()}
        wanted = {*parts.learnt_from, *parts.scored}
        if missing := sorted(wanted - set(files)):
            print(f"in {boxes}, but not in the folder: {len(missing)} images, such as {missing[0]}", flush=True)
        files = [file for file in files if file in wanted]
    tables: list[pl.DataFrame] = [pl.from_arrow(PROPOSALS.empty_table())]  # type: ignore[list-item]
    record = Counts("regions")
    flow, dropped, kept = record.flow(f"{image_set}: images", len(files), "files"), 0, 0
    with Progress("images", len(files), "images") as progress:
        for found in propose_files(source, folder, files, settings, threads):
            size = found.width, found.height
            if not found.problem and sizes.get(found.file, size) != size:
                raise NounflowError(
                    f"{found.file} has {size[0]} x {size[1]} pixels; by the COCO file it has "
                    f"{sizes[found.file][0]} x {sizes[found.file][1]}, and its boxes are meant for these",
                    where=boxes,
                    fix="name the images in which the boxes were drawn; of photographs that are turned by their EXIF "
                    "data, boxes are those of the upright picture",
                )
            if found.problem:
                print(f"unreadable: {escaped(found.file)}: {found.problem}", flush=True)
                flow.drop(1, f"unreadable ({found.problem})")
            elif not len(found.boxes):
                print(f"no proposal: {escaped(found.file)}", flush=True)
                flow.drop(1, "no proposal: nothing will be detected there")
            else:
                tables.append(found.table().select(PROPOSALS.names).cast(tables[0].schema))
            dropped, kept = dropped + found.dropped, kept + len(found.boxes)
            progress.advance(1)
    flow.out(len(tables) - 1, "images with proposals")
    if len(tables) == 1:
        raise NounflowError(
            f"Not one box is proposed in {len(files):,} images",
            where=settings.file or folder,
            fix="check regions.proposals: a file of boxes names images as seen from their folder",
        )
    table = pl.concat(tables)
    embedded = crops_of(table, settings.embedded)
    flow = record.flow(f"{image_set}: boxes", kept + dropped, "boxes, suppressed ones not counted")
    flow.drop(dropped, "degenerate: too narrow, or not finite")
    flow.out(kept, "proposals")
    flow = record.flow(f"{image_set}: crops", kept, "proposals")
    flow.drop(kept - len(embedded) // 2, f"after the first {settings.embedded} of an image: not embedded")
    flow.add(len(embedded) // 2, "the same with their surroundings")
    flow.out(len(embedded), "crops")
    write_table(crops, embedded, PROPOSALS)
    write_table(out, table, PROPOSALS)
    record.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
