r"""Put the classifications of all runs and sets into one table, published values beside them.

In:  results/classification/{run}/{check_set}.json
Out: results/classification.tsv

    python workflow_scripts/classification.py --found results/classification/*/pets.json \
        --out results/classification.tsv
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage


def main(
    out: Annotated[Path, "results/classification.tsv"],
    found: Annotated[Sequence[Path], "classifications"] = (),
) -> None:
    """Read, sort, write, print."""
    from nounflow.classification.table import HEADINGS, cells, rows, write_table
    from nounflow.errors import NounflowError
    from nounflow.schemas.classification import Classification
    from nounflow.schemas.documents import read_document

    if not found:
        raise NounflowError(
            "No labelled set is there to classify", fix="name one under `check_sets`; docs/classification.md shows how"
        )
    table = rows(read_document(Classification, path, "classification file") for path in found)
    write_table(out, table)
    print("\t".join(("set", "", *HEADINGS)))
    for row in table:
        print("\t".join((row.check_set, row.origin, *cells(row))))


if __name__ == "__main__":
    run_stage(main, __doc__)
