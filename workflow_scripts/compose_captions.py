"""Compose one multiset: prompt templates filled with one (m1), two (m2), three (m3) ... nouns.

In:  a lexicon (nouns stage) and two files of prompt templates.
Out: a table of distinct texts with their targets, target weights and sampling weights; and the counts.

    python workflow_scripts/compose_captions.py --nouns results/nouns/small.parquet \
        --singular-templates resources/templates/singular.tsv --plural-templates resources/templates/plural.tsv \
        --source m2 --settings '{"texts_per_noun": 6}' --seed 1 --out results/captions/small/m2.parquet
"""

from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.captions import SourceConfig


def main(
    nouns: Path,
    singular_templates: Path,
    plural_templates: Path,
    source: str,
    settings: SourceConfig,
    seed: int,
    out: Path,
    counts: Path | None = None,
) -> None:
    """Write the multiset `source` of a lexicon."""
    from nounflow.captions.multisets import compose
    from nounflow.captions.templates import Templates
    from nounflow.captions.writing import write_draft
    from nounflow.schemas.tables import read_lexicon

    templates = Templates.read(singular_templates, plural_templates)
    draft = compose(read_lexicon(nouns), templates, source, settings, seed)
    write_draft(out, draft).write(counts or Path(f"{out}.counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--singular-templates", type=Path, required=True, help="TSV: id, weight, template, core")
    parser.add_argument("--plural-templates", type=Path, required=True, help="TSV: id, weight, template, core")
    parser.add_argument("--source", required=True, help="m1, m2, ...: how many nouns a text names")
    parser.add_argument("--settings", type=json_settings(SourceConfig), required=True, help="its figures, JSON")
    parser.add_argument("--seed", type=int, required=True, help="seed of template and noun draws")
    parser.add_argument("--out", type=Path, required=True, help="captions, parquet")
    parser.add_argument("--counts", type=Path, help="counts, JSON (default: the output's name + .counts.json)")
    run_stage(main, parser.parse_args())
