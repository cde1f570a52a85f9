r"""Score tags of images and names of boxes by what annotators said of them.

In:  results/tags.json, results/regions.json (either, or both), results/annotations/{tags-SET, regions-TEST}/*.json
Out: results/named.tsv, a row for each set, run and annotator

    python workflow_scripts/score_named.py --named results/regions.json \
        --annotations results/annotations/regions-scenes/people.json --out results/named.tsv
"""

from pathlib import Path

from nounflow.commandline import run_stage, stage_parser


def main(named: list[Path], annotations: list[Path], seed: int, out: Path) -> None:
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
    parser = stage_parser(__doc__)
    parser.add_argument("--named", nargs="+", type=Path, required=True, help="results/tags.json, results/regions.json")
    parser.add_argument("--annotations", nargs="*", type=Path, default=[], help="what annotators said of them")
    parser.add_argument("--seed", type=int, default=1, help="seed of the bootstrap draws")
    parser.add_argument("--out", type=Path, required=True, help="results/named.tsv")
    run_stage(main, parser.parse_args())
