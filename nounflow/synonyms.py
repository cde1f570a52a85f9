"""Nouns of a lexicon that mean the same."""

from __future__ import annotations

from collections import defaultdict

import polars as pl


def synonym_groups(nouns: pl.DataFrame) -> list[list[int]]:
    """Ids, ascending, of the nouns of each first meaning that two or more nouns of a table of schema `NOUNS` share.

    One synset is one gloss under the same parents; a sense key would not do, as it names a word as well.
    """
    meanings: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for noun, gloss, hypernyms in nouns.select("id", "gloss", "hypernyms").iter_rows():
        if gloss:
            meanings[(gloss, *hypernyms)].append(noun)
    return [sorted(members) for members in meanings.values() if len(members) > 1]
