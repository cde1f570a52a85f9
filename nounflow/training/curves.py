"""The figures of a training run, and where they go: a parquet file always, trackers where they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from nounflow.schemas.tables import METRICS, write_table
from nounflow.training.tracking import Tracker, check_trackers, open_trackers


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
        return pl.DataFrame(self.rows, schema=METRICS.names, orient="row")

    @property
    def samples(self) -> int:
        """Samples seen in all: whole batches, so a few more than were asked for."""
        return self.rows[-1][0]

    def of_kept(self) -> dict[str, float]:
        """Held-out figures of the kept weights; those of nouns and templates begin with the split's name."""
        found = {}
        for samples, split, metric, value in self.rows:
            if split != "train" and (self.kept is None or samples == self.kept):
                found[metric if split == "heldout" else f"{split}_{metric}"] = value
        return found


class Reporter:
    """Takes the curves whenever they have grown, and passes on what is new."""

    def __init__(self, run: str, folder: Path, settings: Mapping[str, Any], trackers: Sequence[str]) -> None:
        """
        Raises:
            NounflowError: a tracker's package is not installed.
        """
        check_trackers(trackers)
        self._run, self._folder, self._settings, self._names = run, Path(folder), settings, trackers
        self._trackers: list[Tracker] | None = None

    def __call__(self, curves: Curves) -> None:
        """Write the curves, and track the figures of the latest number of samples."""
        write_table(self._folder / "metrics.parquet", curves.table(), METRICS)
        samples = curves.samples
        if self._trackers is None:  # only now is known where the run began
            fresh = curves.rows[0][0] == samples
            self._trackers = open_trackers(self._names, self._folder, self._run, self._settings, samples, fresh)
        figures = {f"{split}/{name}": value for at, split, name, value in curves.rows if at == samples}
        for tracker in self._trackers:
            tracker.log(samples, figures)

    def close(self) -> None:
        """The run ended well."""
        for tracker in self._trackers or ():
            tracker.close()
