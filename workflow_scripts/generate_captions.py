"""Write captions of each noun with a captioner.

The captioner `offline` needs no network and is no language model: it makes scene-like sentences
from WordNet glosses, patterns and word lists.

In:  a lexicon (nouns stage) and the captioner's resources.
Out: a table of distinct captions with their targets and sampling weights; and the counts.

    python workflow_scripts/generate_captions.py --nouns results/nouns/small.parquet --captioner offline \
        --settings '{"captions_per_noun": 8}' --seed 1 --out results/captions/small/offline.parquet
"""

from pathlib import Path
from typing import Annotated

from nounflow.captions.offline import draft_captions
from nounflow.commandline import run_stage
from nounflow.config.captions import OfflineConfig

# By name: functions of a lexicon, a folder of word lists, settings and a seed.
CAPTIONERS = {"offline": draft_captions}
WORDS = Path(__file__).resolve().parent.parent / "resources" / "captions"


def main(
    nouns: Annotated[Path, "lexicon, parquet"],
    captioner: Annotated[str, "who writes", {"choices": sorted(CAPTIONERS)}],
    settings: Annotated[OfflineConfig, "captions.offline, JSON"],
    seed: Annotated[int, "seed of pattern and word draws"],
    out: Annotated[Path, "captions, parquet"],
    words: Annotated[Path, "folder of groups.tsv, patterns.tsv and words.tsv"] = WORDS,
    counts: Annotated[Path | None, "counts, JSON (default: the output's name + .counts.json)"] = None,
) -> None:
    """Write the captions of a lexicon."""
    from nounflow.captions.writing import write_draft
    from nounflow.schemas.tables import read_lexicon

    draft = CAPTIONERS[captioner](read_lexicon(nouns), words, settings, seed)
    write_draft(out, draft).write(counts or Path(f"{out}.counts.json"))


if __name__ == "__main__":
    run_stage(main, __doc__)
