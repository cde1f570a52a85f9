"""A check as a page of Markdown."""

from collections.abc import Iterable

from nounflow.schemas.embedder_checks import EmbedderCheck, Share

_CLASSES = 20  # the hardest ones; all are in the JSON


def check_page(check: EmbedderCheck) -> str:
    """What was measured, what was expected, the hardest classes and the most frequent confusions."""
    classes = len(check.per_class)
    lines = [
        f"# {check.embedder.spec} on {check.check_set}",
        "",
        f"Zero-shot classification of {check.n:,} images into {classes:,} classes, {check.prompts_per_class} prompts a "
        f"class ({check.prompts}), {check.embedder.precision}. 95 % Wilson intervals. "
        + (f"{check.unreadable:,} images could not be read and count as wrong." if check.unreadable else ""),
        "",
        *_table(
            ("", "accuracy", "interval", "by chance"),
            [
                (f"top-{k}", _percent(found.value), _interval(found), _percent(min(1.0, k / classes)))
                for k, found in ((1, check.top1), (5, check.top5))
            ],
        ),
        "",
        _expected(check),
        "",
        f"## {'Hardest classes' if classes > _CLASSES else 'Classes'}",
        "",
        *_table(
            ("class", "key", "right", "of", "top-1", "interval"),
            [
                (
                    found.name,
                    found.key,
                    found.top1.correct,
                    found.top1.n,
                    _percent(found.top1.value),
                    _interval(found.top1),
                )
                for found in sorted(check.per_class, key=lambda found: found.top1.value)[:_CLASSES]
            ],
        ),
        "",
        "## Most frequent confusions",
        "",
        *_table(
            ("class", "taken for", "images", "of its class"),
            [(found.gold, found.predicted, found.n, _percent(found.share)) for found in check.confusions],
        ),
    ]
    return "\n".join(lines) + "\n"


def verdict_line(check: EmbedderCheck) -> str:
    """The check in one line."""
    return (
        f"{check.embedder.spec} on {check.check_set}: top-1 {_percent(check.top1.value)} "
        f"({_interval(check.top1)}), top-5 {_percent(check.top5.value)}. {_expected(check)}"
    )


def _expected(check: EmbedderCheck) -> str:
    found = check.expectation
    if found is None:
        return f"No expected value: {check.no_expectation}."
    line = (
        f"Expected top-1: {_percent(found.top1)} ({found.source}). Difference {100 * found.difference:+.2f} points, "
        f"tolerance ±{100 * found.tolerance:.2f} for {check.n:,} images: **{found.verdict}**."
    )
    return f"{line} Note: {found.note}." if found.note else line


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    body = [f"| {' | '.join(str(cell).replace('|', '/') for cell in row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body] if body else ["None."]


def _percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def _interval(found: Share) -> str:
    return f"{100 * found.low:.1f} to {100 * found.high:.1f} %"
