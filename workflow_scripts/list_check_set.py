"""List the images of a check set and their classes; write CIFAR's binary version out as images.

In:  the folder of the set, in one of the layouts of docs/embedder_checks.md
Out: results/check_sets/{check_set}.json (images and classes) and .tsv (the same as a label file), counts

    python workflow_scripts/list_check_set.py --check-set mine --settings '{"kind": "folder", "folder": "animals"}' \\
        --out results/check_sets/mine.json --labels results/check_sets/mine.tsv \\
        --counts results/check_sets/mine.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, run_stage
from nounflow.config.check_set import CheckSetConfig


def main(
    check_set: Annotated[str, "name of the check set"],
    settings: Annotated[CheckSetConfig, "its config, as JSON"],
    out: Annotated[Path, "images and classes"],
    labels: Annotated[Path, "the same as a label file"],
    counts: Counts,
) -> None:
    """List a check set; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.embedder_checks.labels import write_labels
    from nounflow.embedder_checks.layouts import images_folder, list_check_set
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.embedder_checks import CheckSet

    unpacked = out.with_suffix("")
    listing = list_check_set(settings, unpacked)
    record = Counts("embedder_checks")
    flow = record.flow(f"{check_set}: images", listing.found, "files")
    for reason, n in listing.dropped.items():
        flow.drop(n, reason)
    for reason, n in listing.added.items():
        flow.add(n, reason)
    flow.out(len(listing.files), f"images of {len(listing.names):,} classes")
    write_labels(labels, {image: listing.names[key] for image, key in listing.files.items()})
    write_document(
        out,
        CheckSet(
            name=check_set,
            kind=settings.kind,
            folder=str(images_folder(settings, unpacked)),
            classes=listing.names,
            files=listing.files,
        ),
    )
    record.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__)
