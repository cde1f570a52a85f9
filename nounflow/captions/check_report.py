"""What the checks found in a table of captions: a document."""

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from nounflow.captions.checks import Checked
from nounflow.captions.distinct import DistinctNgrams
from nounflow.captions.spool import Spool
from nounflow.counts import Counts
from nounflow.schemas.documents import StoredDocument

_SAMPLES, _REFUSED_SAMPLES, _NOUNS = 20, 5, 20


class LLMUsage(StoredDocument):
    """What a source has cost, as far as its captioner recorded it."""

    calls: int = Field(0, ge=0)
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cost_usd: float | None = Field(None, ge=0)  # None: the model's price is not known


class NounYield(StoredDocument):
    """How many captions the nouns keep."""

    asked: int  # nouns with a caption before the checks
    without: int  # of those, nouns that keep none
    fewest: int
    mean: float
    poorest: dict[str, int]  # nouns that keep the smallest share -> captions kept


class CaptionReport(StoredDocument):
    """results/captions/{lexicon}/{source}.check.json."""

    source: str
    captions: int
    kept: int
    share_kept: float
    refused: dict[str, int]  # reason -> captions; together with `kept` they are `captions`
    nouns: NounYield
    distinct: dict[str, float]  # n -> different n-grams of words / all n-grams, over the kept captions
    words: float  # mean length of the kept captions
    with_secondary_nouns: int  # kept captions that name nouns beyond their targets
    secondary_nouns: dict[str, int]  # the commonest of them -> captions
    related: int  # mentions of parents and synonyms of a target, which do not count as secondary nouns
    usage: LLMUsage | None  # None: not known
    usd_per_1000_kept: float | None
    samples: tuple[str, ...]
    refused_samples: dict[str, tuple[str, ...]]  # reason -> captions


class ReportTally:
    """Makes a report of captions that are given in their order, none of which it keeps but the samples."""

    def __init__(self, source: str, totals: Counter[str | None], nouns: pl.DataFrame, spool: Spool) -> None:
        """`totals`: fault (None: kept) -> captions, known beforehand, so that samples spread evenly."""
        self._source, self._totals = source, totals
        self._names: list[str] = nouns["noun"].to_list()
        self._ngrams = DistinctNgrams(spool)
        self._samples: dict[str | None, list[str]] = {fault: [] for fault in totals}
        self._seen = Counter[str | None]()
        self._asked, self._kept, self._secondary = Counter[int](), Counter[int](), Counter[int]()
        self._words = self._related = self._with_secondary = 0

    def add(self, table: pl.DataFrame, checked: Sequence[Checked]) -> None:
        """Count a table of schema `CAPTIONS` with one result for each row."""
        for text, targets, result in zip(table["text"].to_list(), table["targets"].to_list(), checked, strict=True):
            self._asked.update(targets)
            self._sample(result.fault, text)
            if result.fault is None:
                self._kept.update(targets)
                self._ngrams.add(text)
                self._words += len(text.split())
            self._secondary.update(result.others)
            self._with_secondary += bool(result.others)
            self._related += result.related

    def _sample(self, fault: str | None, text: str) -> None:
        """Keep a text if it is one of those that spread evenly from the first to the last with this fault."""
        place, total = self._seen[fault], self._totals[fault]
        n = min(_SAMPLES if fault is None else _REFUSED_SAMPLES, total)
        if place == len(self._samples[fault]) * total // max(n, 1) and len(self._samples[fault]) < n:
            self._samples[fault].append(text)
        self._seen[fault] += 1

    def report(self, usage: LLMUsage | None = None) -> CaptionReport:
        """The report of all that was added."""
        kept, n = self._totals[None], self._totals.total()
        refused = _by_count({fault: count for fault, count in self._totals.items() if fault is not None and count})
        secondary = _by_count({self._names[noun]: count for noun, count in self._secondary.items()})
        cost = usage.cost_usd if usage is not None and kept else None
        return CaptionReport(
            source=self._source,
            captions=n,
            kept=kept,
            share_kept=kept / n if n else 0.0,
            refused=refused,
            nouns=self._noun_yield(),
            distinct=self._ngrams.shares(),
            words=self._words / max(kept, 1),
            with_secondary_nouns=self._with_secondary,
            secondary_nouns=dict(list(secondary.items())[:_NOUNS]),
            related=self._related,
            usage=usage,
            usd_per_1000_kept=None if cost is None else 1000 * cost / kept,
            samples=tuple(self._samples.get(None, ())),
            refused_samples={reason: tuple(self._samples[reason]) for reason in refused},
        )

    def _noun_yield(self) -> NounYield:
        asked, kept, names = self._asked, self._kept, self._names
        poorest = sorted((i for i in asked if kept[i] < asked[i]), key=lambda i: (kept[i] / asked[i], names[i]))
        return NounYield(
            asked=len(asked),
            without=sum(kept[noun] == 0 for noun in asked),
            fewest=min((kept[noun] for noun in asked), default=0),
            mean=kept.total() / max(len(asked), 1),
            poorest={names[noun]: kept[noun] for noun in poorest[:_NOUNS]},
        )


def _by_count(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def count_checks(report: CaptionReport) -> Counts:
    """The report's tally as the counts of a stage."""
    counts = Counts("caption checks")
    flow = counts.flow(f"{report.source} captions", report.captions, "captions")
    for reason, n in report.refused.items():
        flow.drop(n, reason)
    flow.out(report.kept, "captions kept")
    flow = counts.flow("nouns", report.nouns.asked, "nouns with a caption")
    flow.drop(report.nouns.without, "none of its captions is kept")
    flow.out(report.nouns.asked - report.nouns.without, "nouns with a kept caption")
    return counts
