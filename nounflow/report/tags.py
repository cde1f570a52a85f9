"""Several nouns for an image as tables: one for each set and protocol."""

from typing import Any

from nounflow.schemas.tags import TagRow, TagScores

_COLUMNS = {
    "map": "mAP",
    "f1_3": "F1@3",
    "f1_cut": "F1, threshold",
    "map_minus": "mAP, difference",
    "f1_3_minus": "F1@3, difference",
}


def groups(scores: TagScores) -> list[dict[str, Any]]:
    """What the template shows."""
    found: dict[tuple[str, str], list[TagRow]] = {}
    for row in scores.rows:
        found.setdefault((row.set, row.protocol), []).append(row)
    return [
        {
            "title": f"{name}, {protocol}",
            "caption": f"{rows[0].images:,} images, {rows[0].labels:,} labels, of which training may see "
            f"{scores.seen.get(name, 0):,} in all; {rows[0].embedder}; local views: {rows[0].local}",
            "columns": list(_COLUMNS.values()),
            "rows": [
                {"method": row.method, "needs": row.needs, "cells": [_cell(row, figure) for figure in _COLUMNS]}
                for row in rows
            ],
        }
        for (name, protocol), rows in found.items()
    ]


def _cell(row: TagRow, figure: str) -> tuple[str, str]:
    """A figure and its interval, as text."""
    if figure not in row.figures:
        return "\N{EN DASH}", ""
    sign = "+" if figure.endswith("_minus") else ""
    low, high = row.figures.get(f"{figure}_low"), row.figures.get(f"{figure}_high")
    return f"{row.figures[figure]:{sign}.1f}", "" if low is None else f"[{low:{sign}.1f}, {high:{sign}.1f}]"
