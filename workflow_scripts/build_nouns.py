"""Build a lexicon: WordNet's object nouns with their forms, senses and weights.

Inputs: WordNet (the manifest of the fetched one, or a folder with `data.noun`, `index.noun` and, if present,
`noun.exc`, `cntlist.rev` or `index.sense`), the rule file, the lists of inflection, the supplement, the manifests of
further sources of nouns, the lexicon's settings. Word frequencies come with the packages wordsegment and wordfreq;
word pieces (`max_pieces`) are counted with the bundled text tower's tokenizer unless `--tokenizer` gives another.
Outputs: the lexicon (parquet, schema LEXICON) and what was kept and dropped (JSON).

    python workflow_scripts/build_nouns.py --wordnet results/inputs/wordnet/manifest.json \
        --rules resources/nouns/rules.yaml --inflection resources/nouns/inflection.yaml \
        --supplement resources/nouns/modern.tsv \
        --lexicon small --settings '{}' \
        --out results/nouns/small.parquet --counts results/nouns/small.counts.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from nounflow.commandline import run_stage
from nounflow.config.lexicon import LexiconConfig
from nounflow.nouns.building import Sources, build


def main(
    lexicon: Annotated[str, "name of the lexicon"],
    settings: Annotated[LexiconConfig, "its settings (JSON)"],
    out: Annotated[Path, "lexicon (parquet)"],
    counts: Annotated[Path, "counts (JSON)"],
    **sources: Any,
) -> None:
    """Build the lexicon, write it and its counts."""
    from nounflow.schemas.tables import LEXICON, write_table

    print(f"lexicon {lexicon}: {settings.model_dump_json()}", flush=True)
    table, tally = build(Sources(**sources), lexicon, settings)
    write_table(out, table, LEXICON)
    tally.write(counts)


if __name__ == "__main__":
    run_stage(main, __doc__, Sources)
