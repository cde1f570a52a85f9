"""A lexicon as one HTML page: search, counts by class, the curve of weights, what each filter removed.

Inputs: as of `build_nouns.py`; the lexicon is built again in memory, since its file does not hold what was removed.
Output: the page.

    python workflow_scripts/lexicon_page.py --wordnet results/inputs/wordnet/manifest.json \
        --rules resources/nouns/rules.yaml --inflection resources/nouns/inflection.yaml \
        --supplement resources/nouns/modern.tsv --lexicon small --settings '{}' --out results/nouns/small.html
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
    out: Annotated[Path, "page (HTML)"],
    **sources: Any,
) -> None:
    """Build the lexicon, write its page."""
    from nounflow.files import write_text
    from nounflow.nouns.page import lexicon_page

    dropped: dict[str, str] = {}
    table, counts = build(Sources(**sources), lexicon, settings, dropped)
    write_text(out, lexicon_page(lexicon, table, counts.as_dict(), dropped))


if __name__ == "__main__":
    run_stage(main, __doc__, Sources)
