"""Reports of checked captions to read, one or several side by side, as Markdown."""

from collections.abc import Sequence
from itertools import zip_longest

from nounflow.captions.check_report import CaptionReport

_SIDE_BY_SIDE = 10  # samples


def as_markdown(report: CaptionReport) -> str:
    """The report to read."""
    lines = [f"# Checked captions: {report.source}", ""]
    lines += [f"{report.kept:,} of {report.captions:,} captions kept: {report.share_kept:.1%}.", ""]
    lines += _table(["", report.source], _overview([report]), right=True)
    lines += ["", "## Refused", ""]
    rows = [[reason, f"{n:,}", f"{n / report.captions:.2%}"] for reason, n in report.refused.items()]
    rows.append(["all reasons", f"{report.captions - report.kept:,}", f"{1 - report.share_kept:.2%}"])
    lines += _table(["because", "captions", "share"], rows, right=True)
    nouns = report.nouns
    lines += ["", "## Nouns", ""]
    lines.append(
        f"{nouns.asked:,} nouns have captions; {nouns.without:,} keep none. A noun keeps {nouns.mean:.1f} on average, "
        f"{nouns.fewest} at least."
    )
    if nouns.poorest:
        poorest = ", ".join(f"{noun} ({n})" for noun, n in nouns.poorest.items())
        lines += ["", f"They keep the smallest share: {poorest}."]
    lines += ["", "## Secondary nouns", ""]
    lines.append(
        f"{report.with_secondary_nouns:,} kept captions name a noun beyond their own; {report.related:,} mentions are "
        "of parents or synonyms of their own noun and do not count."
    )
    if report.secondary_nouns:
        common = ", ".join(f"{noun} ({n:,})" for noun, n in report.secondary_nouns.items())
        lines += ["", f"The commonest: {common}."]
    lines += ["", "## Cost", "", _cost(report)]
    lines += ["", "## Samples", "", *(f"- {_one_line(text)}" for text in report.samples)]
    for reason, texts in report.refused_samples.items():
        lines += ["", f"### Refused: {reason}", "", *(f"- {_one_line(text)}" for text in texts)]
    return "\n".join(lines) + "\n"


def comparison(reports: Sequence[CaptionReport], names: Sequence[str]) -> str:
    """Several reports side by side; `names`: what each is called."""
    shares = {
        reason: [report.refused.get(reason, 0) / max(report.captions, 1) for report in reports]
        for reason in dict.fromkeys(reason for report in reports for reason in report.refused)
    }
    by_share = sorted(shares, key=lambda reason: -sum(shares[reason]))
    refused = [[reason, *(f"{share:.2%}" for share in shares[reason])] for reason in by_share]
    samples = zip_longest(*(report.samples[:: -(-len(report.samples) // _SIDE_BY_SIDE) or 1] for report in reports))
    lines = ["# Captions side by side", "", *_table(["", *names], _overview(reports), right=True)]
    lines += ["", "## Refused", ""]
    lines += _table(["because", *names], refused, right=True) if refused else ["Nothing."]
    lines += ["", "## Samples", "", *_table(names, [[text or "" for text in row] for row in samples])]
    return "\n".join(lines) + "\n"


def _overview(reports: Sequence[CaptionReport]) -> list[list[str]]:
    columns = [
        {
            "captions": f"{report.captions:,}",
            "kept": f"{report.kept:,}",
            "share kept": f"{report.share_kept:.1%}",
            "nouns with a caption": f"{report.nouns.asked:,}",
            "nouns that keep none": f"{report.nouns.without:,}",
            "kept a noun, mean": f"{report.nouns.mean:.1f}",
            **{f"distinct-{n}": f"{value:.4f}" for n, value in report.distinct.items()},
            "words a caption": f"{report.words:.1f}",
            "kept with secondary nouns": f"{report.with_secondary_nouns:,}",
            "calls": "-" if report.usage is None else f"{report.usage.calls:,}",
            "USD per 1,000 kept": "-" if report.usd_per_1000_kept is None else f"{report.usd_per_1000_kept:.4f}",
        }
        for report in reports
    ]
    return [[label, *(column.get(label, "-") for column in columns)] for label in columns[0]]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: bool = False) -> list[str]:
    """A Markdown table; `right`: all columns but the first stand to the right."""
    rule = ["---", *("---:" if right else "---" for _ in heads[1:])]
    cells = [[_one_line(cell).replace("|", "\\|") for cell in row] for row in (heads, *rows)]
    return [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]


def _cost(report: CaptionReport) -> str:
    if report.usage is None:
        return "No usage of a language model was given."
    usage = report.usage
    used = f"{usage.calls:,} calls, {usage.input_tokens:,} tokens in, {usage.output_tokens:,} tokens out"
    if usage.cost_usd is None:
        return f"{used}; the price is not known."
    each = "none kept" if report.usd_per_1000_kept is None else f"{report.usd_per_1000_kept:.4f} USD per 1,000 kept"
    return f"{used}, {usage.cost_usd:.4f} USD: {each}."


def _one_line(text: str) -> str:
    return " ".join(text.split())
