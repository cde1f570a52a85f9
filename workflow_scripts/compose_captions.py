"""Compose one multiset: prompt templates filled with one (m1), two (m2), three (m3) ... nouns.

In:  a lexicon (nouns stage) and two files of prompt templates.
Out: a table of distinct texts with their targets, target weights and sampling weights; and the counts.

    python workflow_scripts/compose_captions.py --nouns results/nouns/small.parquet \
        --singular-templates resources/templates/singular.tsv --plural-templates resources/templates/plural.tsv \
        --source m2 --settings '{"texts_per_noun": 6}' --seed 1 --out results/captions/small/m2.parquet
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import run_stage
from nounflow.config.captions import SourceConfig


def main(
    nouns: Annotated[Path, "lexicon, parquet"],
    singular_templates: Annotated[Path, "TSV: id, weight, template, core"],
    plural_templates: Annotated[Path, "TSV: id, weight, template, core"],
    source: Annotated[str, "m1, m2, ...: how many nouns a text names"],
    settings: Annotated[SourceConfig, "its figures, JSON"],
    seed: Annotated[int, "seed of template and noun draws"],
    out: Annotated[Path, "captions, parquet"],
    counts: Annotated[Path | None, "counts, JSON (default: the output's name + .counts.json)"] = None,
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
    run_stage(main, __doc__)
