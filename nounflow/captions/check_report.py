"""What the checks found in a table of captions: a document, and the same as a page to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from nounflow.captions.checks import Checked
from nounflow.counts import Counts

_SAMPLES, _REFUSED_SAMPLES, _NOUNS = 20, 5, 20


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Usage(_Part):
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
    with_further_nouns: int  # kept captions that name nouns beyond their targets
    further_nouns: dict[str, int]  # the commonest of them -> captions
    related: int  # mentions of parents and synonyms of a target, which do not count as further nouns
    usage: Usage | None  # None: not known
    usd_per_1000_kept: float | None
    samples: tuple[str, ...]
    refused_samples: dict[str, tuple[str, ...]]  # reason -> captions


def distinct_ngrams(texts: Iterable[str], sizes: Sequence[int] = (1, 2, 3)) -> dict[str, float]:
    """Different n-grams / all n-grams of words of some texts (distinct-n, Li et al., 2016); 0 for none."""
    seen: dict[int, set[tuple[str, ...]]] = {n: set() for n in sizes}
    total = dict.fromkeys(sizes, 0)
    for text in texts:
        words = [word.strip(".,;:!?\"'()") for word in text.lower().split()]
        for n in sizes:
            ngrams = list(zip(*(words[i:] for i in range(n)), strict=False))
            seen[n].update(ngrams)
            total[n] += len(ngrams)
    return {str(n): len(seen[n]) / total[n] if total[n] else 0.0 for n in sizes}


def make_report(
    source: str, table: pl.DataFrame, checked: Sequence[Checked], nouns: pl.DataFrame, usage: Usage | None = None
) -> CaptionReport:
    """The report of a table of schema `CAPTIONS` with one result for each row."""
    texts: list[str] = table["text"].to_list()
    kept = [text for text, result in zip(texts, checked, strict=True) if result.fault is None]
    refused: dict[str, list[str]] = {}
    for text, result in zip(texts, checked, strict=True):
        if result.fault is not None:
            refused.setdefault(result.fault, []).append(text)
    by_count = sorted(refused, key=lambda reason: (-len(refused[reason]), reason))
    names: list[str] = nouns["noun"].to_list()
    further = Counter(names[noun] for result in checked for noun in result.others)
    known_cost = usage is not None and usage.cost_usd is not None and bool(kept)
    return CaptionReport(
        source=source,
        captions=len(texts),
        kept=len(kept),
        share_kept=len(kept) / len(texts) if texts else 0.0,
        refused={reason: len(refused[reason]) for reason in by_count},
        nouns=_noun_yield(table, checked, names),
        distinct=distinct_ngrams(kept),
        words=sum(len(text.split()) for text in kept) / max(len(kept), 1),
        with_further_nouns=sum(bool(result.others) for result in checked),
        further_nouns=dict(sorted(further.items(), key=lambda item: (-item[1], item[0]))[:_NOUNS]),
        related=sum(result.related for result in checked),
        usage=usage,
        usd_per_1000_kept=1000 * usage.cost_usd / len(kept) if known_cost else None,  # type: ignore[union-attr, operator]
        samples=tuple(_spread(kept, _SAMPLES)),
        refused_samples={reason: tuple(_spread(refused[reason], _REFUSED_SAMPLES)) for reason in by_count},
    )


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


def as_markdown(report: CaptionReport) -> str:
    """The report to read."""
    lines = [f"# Checked captions: {report.source}", ""]
    lines += [f"{report.kept:,} of {report.captions:,} captions kept: {report.share_kept:.1%}.", ""]
    lines += ["| refused because | captions | share |", "|---|---:|---:|"]
    for reason, n in report.refused.items():
        lines.append(f"| {reason} | {n:,} | {n / report.captions:.2%} |")
    lines.append(f"| all reasons | {report.captions - report.kept:,} | {1 - report.share_kept:.2%} |")
    nouns = report.nouns
    lines += ["", "## Nouns", ""]
    lines.append(
        f"{nouns.asked:,} nouns have captions; {nouns.without:,} keep none. A noun keeps {nouns.mean:.1f} on average, "
        f"{nouns.fewest} at least."
    )
    if nouns.poorest:
        poorest = ", ".join(f"{noun} ({n})" for noun, n in nouns.poorest.items())
        lines += ["", f"They keep the smallest share: {poorest}."]
    distinct = ", ".join(f"distinct-{n} {value:.4f}" for n, value in report.distinct.items())
    lines += ["", "## Diversity", "", f"{distinct}; {report.words:.1f} words a caption."]
    lines += ["", "## Further nouns", ""]
    lines.append(
        f"{report.with_further_nouns:,} kept captions name a noun beyond their own; {report.related:,} mentions are of "
        "parents or synonyms of their own noun and do not count."
    )
    if report.further_nouns:
        common = ", ".join(f"{noun} ({n:,})" for noun, n in report.further_nouns.items())
        lines += ["", f"The commonest: {common}."]
    lines += ["", "## Cost", "", _cost(report)]
    lines += ["", "## Samples", "", *(f"- {text}" for text in report.samples)]
    for reason, texts in report.refused_samples.items():
        lines += ["", f"### Refused: {reason}", "", *(f"- {_one_line(text)}" for text in texts)]
    return "\n".join(lines) + "\n"


def _cost(report: CaptionReport) -> str:
    if report.usage is None:
        return "No usage of a language model was given."
    usage = report.usage
    used = f"{usage.calls:,} calls, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} tokens out"
    if usage.cost_usd is None:
        return f"{used}; the price is not known."
    each = "none kept" if report.usd_per_1000_kept is None else f"{report.usd_per_1000_kept:.4f} USD per 1,000 kept"
    return f"{used}, {usage.cost_usd:.4f} USD: {each}."


def _noun_yield(table: pl.DataFrame, checked: Sequence[Checked], names: Sequence[str]) -> NounYield:
    kept: Counter[int] = Counter()
    asked: Counter[int] = Counter()
    for targets, result in zip(table["targets"].to_list(), checked, strict=True):
        asked.update(targets)
        if result.fault is None:
            kept.update(targets)
    numbers = [kept[noun] for noun in asked]
    poorest = sorted((noun for noun in asked if kept[noun] < asked[noun]), key=lambda n: (kept[n] / asked[n], names[n]))
    return NounYield(
        asked=len(asked),
        without=sum(n == 0 for n in numbers),
        fewest=min(numbers, default=0),
        mean=sum(numbers) / max(len(numbers), 1),
        poorest={names[noun]: kept[noun] for noun in poorest[:_NOUNS]},
    )


def _spread(texts: Sequence[str], n: int) -> list[str]:
    """Up to `n` of the texts, evenly from first to last."""
    return [texts[i * len(texts) // n] for i in range(n)] if len(texts) > n else list(texts)


def _one_line(text: str) -> str:
    return " ".join(text.split())
