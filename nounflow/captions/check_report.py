"""What the checks found in a table of captions: a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from nounflow.captions.checks import Checked
from nounflow.captions.distinct import DistinctNgrams
from nounflow.captions.spool import Spool
from nounflow.counts import Counts

_SAMPLES, _REFUSED_SAMPLES, _NOUNS = 20, 5, 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LLMUsage(_Part):
    """What a source has cost, as far as its captioner recorded it."""

    calls: int = Field(0, ge=0)
    input_tokens: int = Field(0, ge=0)
    output_tokens: int = Field(0, ge=0)
    cost_usd: float | None = Field(None, ge=0)  # None: the model's price is not known


class NounYield(_Part):
    """How many captions the nouns keep."""

    asked: int  # nouns with a caption before the checks
    without: int  # of those, nouns that keep none
    fewest: int
    mean: float
    poorest: dict[str, int]  # nouns that keep the smallest share -> captions kept


class CaptionReport(_Part):
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
        """Args:
        source: name of the captions.
        totals: fault -> captions with it; None: those kept. Known beforehand, so that samples spread evenly.
        nouns: the lexicon.
        spool: for n-grams.
        """
        self._source, self._totals = source, totals
        self._names: list[str] = nouns["noun"].to_list()
        self._ngrams = DistinctNgrams(spool)
        self._samples = {
            fault: _Spread(n, _SAMPLES if fault is None else _REFUSED_SAMPLES) for fault, n in totals.items()
        }
        self._asked, self._kept, self._secondary = Counter[int](), Counter[int](), Counter[int]()
        self._words = self._related = self._with_further = 0

    def add(self, table: pl.DataFrame, checked: Sequence[Checked]) -> None:
        """Count a table of schema `CAPTIONS` with one result for each row."""
        for text, targets, result in zip(table["text"].to_list(), table["targets"].to_list(), checked, strict=True):
            self._asked.update(targets)
            self._samples[result.fault].see(text)
            if result.fault is None:
                self._kept.update(targets)
                self._ngrams.add(text)
                self._words += len(text.split())
            self._secondary.update(result.others)
            self._with_further += bool(result.others)
            self._related += result.related

    def report(self, usage: LLMUsage | None = None) -> CaptionReport:
        """The report of all that was added."""
        kept, n = self._totals[None], self._totals.total()
        refused = {fault: count for fault, count in self._totals.items() if fault is not None and count}
        by_count = sorted(refused, key=lambda reason: (-refused[reason], reason))
        further = sorted(
            ((self._names[noun], n) for noun, n in self._secondary.items()), key=lambda item: (-item[1], item)
        )
        known_cost = usage is not None and usage.cost_usd is not None and kept > 0
        return CaptionReport(
            source=self._source,
            captions=n,
            kept=kept,
            share_kept=kept / n if n else 0.0,
            refused={reason: refused[reason] for reason in by_count},
            nouns=self._noun_yield(),
            distinct=self._ngrams.shares(),
            words=self._words / max(kept, 1),
            with_secondary_nouns=self._with_further,
            secondary_nouns=dict(further[:_NOUNS]),
            related=self._related,
            usage=usage,
            usd_per_1000_kept=1000 * usage.cost_usd / kept if known_cost else None,  # type: ignore[union-attr, operator]
            samples=tuple(self._samples[None].texts) if kept else (),
            refused_samples={reason: tuple(self._samples[reason].texts) for reason in by_count},
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


class _Spread:
    """Up to `n` of so many texts, evenly from first to last."""

    def __init__(self, total: int, n: int) -> None:
        self._wanted = {i * total // n for i in range(n)} if total > n else range(total)
        self._seen = 0
        self.texts: list[str] = []

    def see(self, text: str) -> None:
        if self._seen in self._wanted:
            self.texts.append(text)
        self._seen += 1


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
