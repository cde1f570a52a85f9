r"""Score tags of images and names of boxes by what annotators said of them.

In:  results/tags.json, results/regions.json (either, or both), results/annotations/{tags-SET, regions-TEST}/*.json
Out: results/named.tsv, a row for each set, run and annotator

    python workflow_scripts/score_named.py --named results/regions.json \
        --annotations results/annotations/regions-scenes/people.json --out results/named.tsv
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage


def main(
    named: Annotated[list[Path], "results/tags.json, results/regions.json"],
    out: Annotated[Path, "results/named.tsv"],
    annotations: Annotated[Sequence[Path], "what annotators said of them"] = (),
    seed: Annotated[int, "seed of the bootstrap draws"] = 1,
) -> None:
    """Read, score, write, print."""
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.named import NamedSet, read_said
    from nounflow.scoring.named import NamedRow, named_row
    from nounflow.spreadsheets import write_sheet

    judged = [read_document(Annotations, path, "annotations") for path in annotations]
    sets = [one for path in named for one in read_said(path) if isinstance(one, NamedSet)]
    rows = [named_row(one, by, seed) for one in sets for by in judged if by.image_set == one.image_set]
    write_sheet(out, NamedRow._fields, rows, digits=".4g")
    for row in rows:
        right = "nothing judged" if row.precision is None else (
            f"{row.precision:.1%} right ({row.precision_low:.1%} … {row.precision_high:.1%})"
        )  # fmt: skip
        print(f"{row.image_set} {row.run} by {row.annotator}: {right}, {row.coverage:.1%} of {row.nouns:,} judged")


if __name__ == "__main__":
    run_stage(main, __doc__)
