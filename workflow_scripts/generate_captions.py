"""Write captions of each noun with a captioner.

The captioner `offline` needs no network and is no language model: it makes scene-like sentences
from WordNet glosses, patterns and word lists.

In:  a lexicon (nouns stage) and the captioner's resources.
Out: a table of distinct captions with their targets and sampling weights; and the counts.

    python workflow_scripts/generate_captions.py --nouns results/nouns/small.parquet --captioner offline \
        --settings '{"captions_per_noun": 8}' --seed 1 --out results/captions/small/offline.parquet
"""

from pathlib import Path

from nounflow.captions.offline import draft_captions
from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.captions import OfflineConfig

# By name: functions of a lexicon, a folder of word lists, settings and a seed.
CAPTIONERS = {"offline": draft_captions}
WORDS = Path(__file__).resolve().parent.parent / "resources" / "captions"


def main(
    nouns: Path,
    captioner: str,
    words: Path,
    settings: OfflineConfig,
    seed: int,
    out: Path,
    counts: Path | None = None,
) -> None:
    """Write the captions of a lexicon."""
    from nounflow.captions.writing import write_draft
    from nounflow.schemas.tables import read_lexicon

    draft = CAPTIONERS[captioner](read_lexicon(nouns), words, settings, seed)
    write_draft(out, draft).write(counts or Path(f"{out}.counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--captioner", choices=sorted(CAPTIONERS), required=True, help="who writes")
    parser.add_argument("--words", type=Path, default=WORDS, help="folder of groups.tsv, patterns.tsv and words.tsv")
    parser.add_argument("--settings", type=json_settings(OfflineConfig), required=True, help="captions.offline, JSON")
    parser.add_argument("--seed", type=int, required=True, help="seed of pattern and word draws")
    parser.add_argument("--out", type=Path, required=True, help="captions, parquet")
    parser.add_argument("--counts", type=Path, help="counts, JSON (default: the output's name + .counts.json)")
    run_stage(main, parser.parse_args())
