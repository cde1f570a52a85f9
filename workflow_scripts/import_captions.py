"""Import captions from the published JSON layout into the table that every caption source has.

In:  a lexicon (nouns stage) and a JSON list of nouns with `singular_captions` and `plural_captions`.
Out: a table of distinct captions with their targets and sampling weights; the counts, also of nouns that are not in
     the lexicon; if asked for, those nouns, one a line.

    python workflow_scripts/import_captions.py --nouns results/nouns/small.parquet --published captions_dataset.json \
        --out results/captions/small/published.parquet
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage


def main(
    nouns: Annotated[Path, "lexicon, parquet"],
    published: Annotated[Path, "published captions, JSON"],
    out: Annotated[Path, "captions, parquet"],
    unmatched: Annotated[Path | None, "write the nouns that are not in the lexicon here"] = None,
    counts: Annotated[Path | None, "counts, JSON (default: the output's name + .counts.json)"] = None,
) -> None:
    """Import one file."""
    from nounflow.captions.published import import_captions, read_published
    from nounflow.captions.spool import Spool
    from nounflow.captions.writing import write_draft
    from nounflow.files import write_text
    from nounflow.schemas.tables import read_lexicon

    lexicon = read_lexicon(nouns)
    with Spool(out.parent) as spool:
        draft, left = import_captions(lexicon, read_published(published), spool)
        record = write_draft(out, draft)
    if unmatched:
        write_text(unmatched, "".join(f"{noun}\n" for noun in left))
    record.write(counts or Path(f"{out}.counts.json"))


if __name__ == "__main__":
    run_stage(main, __doc__)
