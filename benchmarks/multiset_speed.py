"""How many texts a second M1, M2 or M3 are made at on one core, over the row generator that the captions stage uses.

Times the generation of rows (targets, weights, template ids and texts in a table); nothing is written.

    python benchmarks/multiset_speed.py --nouns results/nouns/small.parquet
"""

import argparse
import os
import platform
import statistics
import time
from pathlib import Path

# polars takes as many threads as there are cores, unless told so before it is imported
os.environ["POLARS_MAX_THREADS"] = "1"

from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.multisets import Multiset, multiset_rows
from nounflow.captions.templates import Templates
from nounflow.schemas.tables import read_lexicon

_TEMPLATES = Path(__file__).resolve().parent.parent / "resources" / "templates"


def main() -> None:
    """Time the rows of one multiset, in ranges as shards take them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--m", type=int, default=3, help="nouns of a text")
    parser.add_argument("--rows", type=int, default=300_000, help="texts of one timing")
    parser.add_argument("--rounds", type=int, default=5, help="timings; the median is printed")
    arguments = parser.parse_args()

    lexicon = CaptionLexicon.of(read_lexicon(arguments.nouns))
    templates = Templates.read(_TEMPLATES / "singular.tsv", _TEMPLATES / "plural.tsv")
    texts_per_noun = -(-arguments.rows // len(lexicon))
    multiset = Multiset(lexicon, templates, arguments.m, texts_per_noun, seed=1)
    stop = min(arguments.rows, multiset.rows)
    rates = []
    for round_ in range(-1, arguments.rounds):  # the first warms up
        start, spent = time.perf_counter(), time.process_time()
        rows = len(multiset_rows(multiset, 0, stop))
        taken, spent = time.perf_counter() - start, time.process_time() - spent
        if round_ >= 0:
            rates.append((rows / taken, rows / spent))
    wall, cpu = (statistics.median(column) for column in zip(*rates, strict=True))
    print(
        f"{platform.machine()}, one core: M{arguments.m} of {len(lexicon):,} nouns, {stop:,} texts: "
        f"{wall:,.0f} texts/s by the clock, {cpu:,.0f} texts/s of processor time"
    )


if __name__ == "__main__":
    main()
