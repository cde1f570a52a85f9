"""How much of a lexicon's glosses its captions repeat, and a random draw of captions to be read by eye.

A run is four or more words of the noun's gloss in a row. What a script cannot count (faults of grammar or sense,
definitions) is for the reader of the draw.

    python benchmarks/caption_reading.py --nouns results/nouns/small.parquet \
        --captions results/captions/small/offline.parquet --draw 200 --seed 17
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import polars as pl

from nounflow.schemas.tables import CAPTIONS, read_lexicon, read_table

RUN = 4  # words
_WORD = re.compile(r"[a-z0-9'-]+")


def has_run(text: str, gloss: str) -> bool:
    """Whether a text repeats `RUN` words of a gloss in a row."""
    said, written = (_WORD.findall(words.lower()) for words in (text, gloss))
    runs = {tuple(written[i : i + RUN]) for i in range(len(written) - RUN + 1)}
    return any(tuple(said[i : i + RUN]) in runs for i in range(len(said) - RUN + 1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon (parquet)")
    parser.add_argument("--captions", type=Path, required=True, help="captions (parquet)")
    parser.add_argument("--draw", type=int, default=200, help="captions to print")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    glosses = read_lexicon(options.nouns)["gloss"].to_list()
    table = read_table(options.captions, CAPTIONS, "caption table").select("text", "targets")
    runs = [has_run(text, glosses[targets[0]]) for text, targets in table.iter_rows()]
    print(f"{len(runs):,} captions, {sum(runs) / len(runs):.3f} with a run of {RUN} words of the gloss")
    drawn = table.with_columns(run=pl.Series(runs)).sample(min(options.draw, len(runs)), seed=options.seed)
    for number, (text, _, run) in enumerate(drawn.iter_rows(), 1):
        print(f"{number:4} {'*' if run else ' '} {text}")
