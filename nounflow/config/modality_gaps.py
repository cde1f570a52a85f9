"""Known angles between images and texts of embedders: published ones, and that of `bundled` (modality_gaps.tsv)."""

import csv
import functools
from importlib import resources
from typing import NamedTuple, get_type_hints

REHEARSAL = "rehearsal"  # the family of embedders with a gap made to measure


class GapStatistics(NamedTuple):
    """Angles in degrees, mean and standard deviation, with prompt-ensembled texts."""

    name: str
    spec: str
    dim: int
    matched: float  # an image and its own text
    matched_std: float
    all: float  # an image and any text
    all_std: float
    shift: float  # length of the mean image less the mean text
    source: str  # published or measured


@functools.cache
def gap_statistics() -> dict[str, GapStatistics]:
    """All rows by their names."""
    text = (resources.files("nounflow.config") / "modality_gaps.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader((line for line in text.splitlines() if not line.startswith("#")), delimiter="\t")
    kinds = get_type_hints(GapStatistics)
    return {row["name"]: GapStatistics(**{key: kinds[key](cell) for key, cell in row.items()}) for row in rows}


def published_names() -> tuple[str, ...]:
    """Of those that a hub serves, in the order of the table."""
    return tuple(name for name, row in gap_statistics().items() if row.source == "published")


def known_gap(spec: str) -> GapStatistics | None:
    """What is known of an embedder; of a rehearsal what it rehearses."""
    family, _, model = spec.partition(":")
    if family == REHEARSAL:
        return gap_statistics().get(model)
    return next((row for row in gap_statistics().values() if row.spec == spec), None)
