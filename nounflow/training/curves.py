"""The figures of a training run."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass
class Curves:
    """Metrics by samples seen, as in the METRICS schema."""

    rows: list[tuple[int, str, str, float]] = field(default_factory=list)
    kept: int | None = None  # samples after which the kept weights were taken; None: the last ones

    def add(self, samples: int, split: str, **values: float) -> None:
        """Record figures after `samples` training samples."""
        self.rows += [(samples, split, metric, value) for metric, value in values.items()]

    def table(self) -> pl.DataFrame:
        """As a METRICS table."""
        return pl.DataFrame(self.rows, schema=["samples", "split", "metric", "value"], orient="row")

    @property
    def samples(self) -> int:
        """Samples seen in all: whole batches, so a few more than were asked for."""
        return self.rows[-1][0]

    def last(self, split: str) -> dict[str, float]:
        """The latest value of each metric of a split."""
        return {metric: value for _samples, where, metric, value in self.rows if where == split}

    def of_kept(self) -> dict[str, float]:
        """Held-out figures of the kept weights; those of nouns and templates begin with the split's name."""
        found = {}
        for samples, split, metric, value in self.rows:
            if split != "train" and (self.kept is None or samples == self.kept):
                found[metric if split == "heldout" else f"{split}_{metric}"] = value
        return found
