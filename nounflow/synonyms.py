"""Nouns of a lexicon that mean the same."""

from __future__ import annotations

import polars as pl


def synonym_groups(nouns: pl.DataFrame) -> list[list[int]]:
    """Ids, ascending, of the nouns of each first synset that two or more nouns of a table of schema `NOUNS` share."""
    first = nouns.select("id", synset=pl.col("synsets").list.first()).drop_nulls()
    groups = first.group_by("synset", maintain_order=True).agg(pl.col("id").sort()).filter(pl.col("id").list.len() > 1)
    return groups["id"].to_list()
