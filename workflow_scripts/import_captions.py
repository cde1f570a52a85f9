"""Import captions from the published JSON layout into the table that every caption source has.

In:  a lexicon (nouns stage) and a JSON list of nouns with `singular_captions` and `plural_captions`.
Out: a table of distinct captions with their targets and sampling weights; the counts, also of nouns that are not in
     the lexicon; if asked for, those nouns, one a line.

    python workflow_scripts/import_captions.py --nouns results/nouns/small.parquet --published captions_dataset.json \
        --out results/captions/small/published.parquet
"""

from pathlib import Path

from nounflow.commandline import run_stage, stage_parser


def main(nouns: Path, published: Path, out: Path, unmatched: Path | None = None, counts: Path | None = None) -> None:
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
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--published", type=Path, required=True, help="published captions, JSON")
    parser.add_argument("--unmatched", type=Path, help="write the nouns that are not in the lexicon here")
    parser.add_argument("--out", type=Path, required=True, help="captions, parquet")
    parser.add_argument("--counts", type=Path, help="counts, JSON (default: the output's name + .counts.json)")
    run_stage(main, parser.parse_args())
