"""Where the curves go while a run trains: a parquet file always, trackers where they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nounflow.schemas.tables import METRICS, write_table
from nounflow.training.curves import Curves
from nounflow.training.tracking import Tracker, check_trackers, open_trackers


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
