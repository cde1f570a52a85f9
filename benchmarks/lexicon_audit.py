"""What a lexicon holds and lacks: counts, precision and recall by labelled senses, coverage of image sets' classes.

    python benchmarks/lexicon_audit.py --wordnet results/inputs/wordnet/files --labels labelled.tsv --missing \
        --things things.tsv --lexicon small=results/nouns/small.parquet --lexicon full=results/nouns/full.parquet

`labels`: a table with the columns draw, lemma, synset ("02084071n", of WordNet 3.0), lexname and label (a: can be the
main thing in a photograph, b: cannot, c: doubtful). The draw "B" is of all senses; others are of members of a lexicon
and do not count for recall. `things`: a column of everyday things. Intervals are Wilson's, 95 %; precision counts c as
wrong.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from nounflow.nouns.frequencies import load_frequencies
from nounflow.schemas.tables import read_lexicon
from nounflow.senses import LexiconForms, WordSenses
from nounflow.text import canon
from nounflow.wordnet import WordNet

_EASY = ("noun.animal", "noun.plant", "noun.food", "noun.artifact")
_LISTS = Path(__file__).resolve().parents[1] / "resources/nouns/class_lists.tsv"


def wilson(hits: float, total: float) -> str:
    """A share with its interval."""
    if not total:
        return "none"
    share, z = hits / total, 1.96
    middle, width = share + z * z / 2 / total, z * math.sqrt(share * (1 - share) / total + z * z / 4 / total**2)
    low, high = ((middle + sign * width) / (1 + z * z / total) for sign in (-1, 1))
    return f"{share:.2f} [{low:.2f}-{high:.2f}] of {total:.0f}"


def rows(path: Path) -> list[dict[str, str]]:
    """A table with tabs, without its comments."""
    lines = (line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def labelled(table: pl.DataFrame, labels: list[dict[str, str]], words: WordSenses) -> Iterator[tuple[str, str]]:
    """Precision and recall by labelled senses."""
    within = {(name, synset) for name, senses in table.select("canon", "synsets").iter_rows() for synset in senses}
    synsets = {synset for _, synset in within}
    of = [(row, f"n{row['synset'][:8]}") for row in labels]
    found = [row["label"] for row, synset in of if synset in synsets]
    yield "precision by sense", wilson(found.count("a"), len(found))
    good = [(row, synset) for row, synset in of if row["label"] == "a" and row["draw"] == "B"]
    hits = [synset in synsets for _, synset in good]
    frequencies = load_frequencies(words.wordnet.index.__contains__)
    use = []
    for row, synset in good:
        masses = {sense.synset.id: sense.mass for sense in words.by_mass(row["lemma"])}
        use.append(frequencies(row["lemma"]) * masses.get(synset, 0.0) / (sum(masses.values()) or 1.0))
    yield "recall by sense", wilson(sum(hits), len(hits))
    yield "recall by sense frequency", f"{sum(u for u, h in zip(use, hits, strict=True) if h) / sum(use):.2f}"
    hard = [hit for (row, _), hit in zip(good, hits, strict=True) if row["lexname"] not in _EASY]
    yield "recall outside animal, plant, food, artifact", wilson(sum(hard), len(hard))
    yield "missed", ", ".join(row["lemma"] for (row, _), hit in zip(good, hits, strict=True) if not hit)
    yield "wrongly in", ", ".join(row["lemma"] for row, synset in of if row["label"] != "a" and synset in synsets)


def covered(table: pl.DataFrame, names: Iterable[dict[str, str]], wordnet: WordNet) -> tuple[list[str], list[str]]:
    """(names found, names missed): by synset where the list gives one, else by any of their spellings."""
    forms = LexiconForms(table)
    senses = {synset for ids in table["synsets"] for synset in ids}
    found, missed = [], []
    for row in names:
        key = row.get("sense_key")
        hit = wordnet.sense_ids.get(key) in senses if key else any(forms.uses(name) for name in row["name"].split("/"))
        (found if hit else missed).append(row["name"])
    return found, missed


def reasons(name: str, everything: set[str], words: WordSenses) -> str:
    """Why a name is missing."""
    if canon(name) in everything:
        return "dropped by a filter"
    return "no photographable sense" if words.senses(name) else "not in WordNet"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lexicon", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--things", type=Path)
    parser.add_argument("--lists", type=Path, default=_LISTS)
    parser.add_argument("--missing", action="store_true", help="also list what is missing")
    given = parser.parse_args()
    wordnet = WordNet.load(given.wordnet)
    words = WordSenses(wordnet)
    tables = {name: read_lexicon(Path(path)) for name, path in (pair.split("=", 1) for pair in given.lexicon)}
    everything = {name for table in tables.values() for name in table["canon"]}
    for name, table in tables.items():
        forms = sum(table[column].list.len().sum() for column in ("singulars", "plurals"))
        print(f"\n## {name}\n\n| measure | value |\n|---|---|\n| nouns, forms | {len(table):,}, {forms:,} |")
        for measure, value in labelled(table, rows(given.labels), words) if given.labels else ():
            print(f"| {measure} | {value} |")
        lists: dict[str, list[dict[str, str]]] = {}
        for row in rows(given.lists):
            lists.setdefault(row["list"], []).append(row)
        if given.things:
            lists["things"] = [{"name": row["thing"]} for row in rows(given.things)]
        for title, names in lists.items():
            found, missed = covered(table, names, wordnet)
            print(f"| {title} | {len(found):,} of {len(names):,} |")
            if given.missing:
                print(f"| missing of {title} | {'; '.join(f'{n} ({reasons(n, everything, words)})' for n in missed)} |")


if __name__ == "__main__":
    main()
