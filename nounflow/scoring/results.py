"""`scores.json`: everything that scoring found. `scores.tsv` holds its rows; the report and the commands read both."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from nounflow.scoring.calibration import Bin, RiskCoverage
from nounflow.scoring.intervals import DRAWS
from nounflow.scoring.rows import ScoreRow
from nounflow.scoring.values import TopK
from nounflow.scoring.variants import Part


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)  # another version may have found more


class Details(_Model):
    """What a row of the table sums up."""

    run: str
    image_set: str
    annotator: str
    top_k: tuple[TopK, ...] = ()
    parts_by: str = ""  # label: images are grouped by their label; noun: by the run's first noun
    kinds: tuple[Part, ...] = ()
    bands: tuple[Part, ...] = ()  # by how often the noun stands in a million words
    noun_counts: tuple[int, ...] = ()  # images for each different first noun, most frequent first
    judged: int = 0  # first nouns that are judged: what the calibration is of
    calibration: tuple[Bin, ...] = ()
    risk_coverage: RiskCoverage | None = None


class Comparison(_Model):
    """Every run against every run on one image set under one annotator: [run][run], row minus column."""

    image_set: str
    annotator: str
    runs: tuple[str, ...]
    difference: tuple[tuple[float, ...], ...]  # of prediction scores
    low: tuple[tuple[float, ...], ...]  # 95 % paired bootstrap over images
    high: tuple[tuple[float, ...], ...]
    p: tuple[tuple[float, ...], ...]  # two-sided
    p_holm: tuple[tuple[float, ...], ...]  # corrected for the number of pairs of this matrix


class Provenance(_Model):
    """What it takes to make the rows again."""

    nounflow: str
    commit: str | None = None  # of the code; None: not under git
    changed: bool = False  # the code differed from that commit
    config: dict[str, Any] | None = None  # as the workflow had it; None: scored by hand


class Scores(_Model):
    """The whole of `scores.json`."""

    version: int = 1
    seed: int
    draws: int = DRAWS
    provenance: Provenance | None = None
    rows: tuple[ScoreRow, ...]
    details: tuple[Details, ...]  # parallel to rows
    comparisons: tuple[Comparison, ...]
