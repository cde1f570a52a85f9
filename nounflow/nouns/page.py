"""A lexicon as one HTML page that works without a network: search, counts by class, weights, what was removed."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

_EXAMPLES = 12  # nouns shown for each filter
_WIDE, _HIGH, _LEFT, _TOP = 750, 200, 40, 10  # of the curve, in units of its picture


def lexicon_page(name: str, table: pl.DataFrame, counts: Mapping[str, Any], dropped: Mapping[str, str]) -> str:
    """The page of a lexicon.

    Args:
        name: of the lexicon.
        table: of schema `LEXICON`.
        counts: what the build counted, as its counts file holds it.
        dropped: noun -> why a filter dropped it.
    """
    heaviest = table.sort("weight", "canon", descending=[True, False])
    rows = [
        [
            row["noun"], row["kind"], round(row["weight"], 1), row["gloss"],
            ", ".join([*row["singulars"], *row["plurals"]]), ", ".join(row["aliases"] or []),
        ]
        for row in heaviest.iter_rows(named=True)
    ]  # fmt: skip
    kinds = Counter(table["kind"]).most_common()
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        Path(__file__).with_name("lexicon_page.html.j2").read_text(encoding="utf-8")
    )
    return template.render(
        name=name,
        rows=rows,
        forms=sum(table[column].list.len().sum() for column in ("singulars", "plurals")),
        kinds=[(kind, n, n / kinds[0][1]) for kind, n in kinds],
        removed=_removed(dropped),
        senses=sorted(counts["flows"][0]["dropped"].items(), key=lambda pair: (-pair[1], pair[0])),
        data=Markup(json.dumps(rows, ensure_ascii=False).replace("<", "\\u003c")),
        **_curve(heaviest["weight"].to_list()),
    )


def _removed(dropped: Mapping[str, str]) -> list[tuple[str, int, list[str]]]:
    """(reason, nouns, some of them), the most first."""
    nouns: dict[str, list[str]] = defaultdict(list)
    for noun, reason in sorted(dropped.items()):
        nouns[reason].append(noun)
    spread = {reason: found[:: -(-len(found) // _EXAMPLES)] for reason, found in nouns.items()}
    return sorted(
        ((reason, len(nouns[reason]), some) for reason, some in spread.items()), key=lambda row: (-row[1], row)
    )


def _curve(weights: list[float]) -> dict[str, Any]:
    """Weight by the logarithm of the rank: the points of the line, its scales, and the same in words."""
    n, top = len(weights), math.ceil(max(weights))

    def x(rank: int) -> float:
        return round(_LEFT + _WIDE * (math.log(rank) / math.log(n) if n > 1 else 0.0), 1)

    def y(weight: float) -> float:
        return round(_TOP + _HIGH * (1 - weight / top), 1)

    ranks = sorted({min(n, round(1.05**power)) for power in range(math.ceil(math.log(n, 1.05)) + 1)} if n > 1 else {1})
    marks = [10**power for power in range(len(str(n)))]
    at = [rank for rank in (1, 100, 1_000, 5_000, 10_000) if rank < n] + [n]
    return {
        "curve": " ".join(f"{x(rank)},{y(weights[rank - 1])}" for rank in ranks),
        "levels": [(weight, y(weight)) for weight in range(0, top + 1, 2)],
        "ranks": [(mark, x(mark)) for mark in marks],
        "curve_text": ", ".join(f"rank {rank:,}: {weights[rank - 1]:.1f}" for rank in at),
    }
