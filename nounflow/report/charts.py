"""Charts as inline SVG. Colours come from the page's style sheet, so that one drawing serves light and dark."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from nounflow.report.axes import Axis, number, percent, round_axis, tight_axis

_WIDTH, _HEIGHT = 420, 238
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 12, 48
_MOST_POINTS = 400  # of a curve; more cannot be told apart at this size


@dataclass(frozen=True)
class Series:
    """One line or distribution. `style` is the class that colours and dashes it: "s0" (a guide), "s1" ... "s6"."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    style: str
    sizes: tuple[float, ...] = ()  # radius of a point at each value, pixels; none: no points


def line_chart(series: Sequence[Series], x_label: str, share: bool, label: str) -> Markup:
    """Curves over a shared x axis, zero at the foot.

    Args:
        share: the values are fractions, written as percent.
        label: what a screen reader says.
    """
    series = [_thinned(one) for one in series]
    x = tight_axis([v for one in series for v in one.x], _LEFT, _WIDTH - _RIGHT)
    y = round_axis([0.0, *(v for one in series for v in one.y)], _HEIGHT - _BOTTOM, _TOP, 4)
    body = [_grid(x, y, x_label, percent if share else number)]
    for one in series:
        points = [(x(a), y(b)) for a, b in zip(one.x, one.y, strict=True)]
        body.append(f'<path class="curve {one.style}" d="{_path(points)}"/>')
        for (a, b), size in zip(points, one.sizes, strict=False):
            body.append(mark(one.style, a, b, size))
        if points and not one.sizes and one.style != "s0":
            body.append(mark(one.style, *points[-1], 4.0))
        if len(points) == 1:  # a path of one point draws nothing
            body.append(f'<circle class="point {one.style}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>')
    return _svg(body, label)


def grouped_dots(
    groups: Sequence[str], series: Sequence[tuple[str, Sequence[tuple[float, float, float] | None]]], label: str
) -> Markup:
    """For each group one dot and interval a series, fractions on an axis from 0 to 100 percent.

    Args:
        groups: names, from the top.
        series: style; value, low and high of each group, or None.
    """
    step, gap, foot = 13, 34, 26
    height = len(groups) * (len(series) * step + gap) + foot
    x = Axis(0.0, 1.0, 12, _WIDTH - _RIGHT, (0.0, 0.25, 0.5, 0.75, 1.0))
    body = []
    for tick in x.ticks:
        at = x(tick)
        body.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height - foot}"/>')
        body.append(f'<text class="tick" x="{at:.1f}" y="{height - 8}" text-anchor="middle">{100 * tick:g}</text>')
    for i, name in enumerate(groups):
        top = i * (len(series) * step + gap) + gap - 8
        body.append(f'<text class="tick" x="0" y="{top - 5:.1f}">{escape(name)}</text>')
        for j, (style, values) in enumerate(series):
            if (held := values[i]) is None:
                continue
            y, (value, low, high) = top + (j + 0.5) * step, held
            body.append(f'<line class="reach {style}" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}"/>')
            body.append(mark(style, x(value), y, 4.5))
    return _svg(body, label, height)


_SHAPES = {  # corners around a centre, of radius 1; other styles are circles
    "s2": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "s3": ((0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)),
    "s4": ((0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
    "s5": ((0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)),
    "s6": ((-1.2, -0.45), (1.2, -0.45), (1.2, 0.45), (-1.2, 0.45)),
}


def mark(style: str, x: float, y: float, radius: float) -> str:
    """A point in the colour and the shape of its style."""
    if style not in _SHAPES:
        return f'<circle class="spot {style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}"/>'
    corners = [(x + radius * a, y + radius * b) for a, b in _SHAPES[style]]
    return f'<path class="spot {style}" d="{_path(corners)}Z"/>'


def swatch(style: str) -> Markup:
    """What a legend shows of a style: its line and its point; a guide has no point."""
    point = "" if style == "s0" else mark(style, 15, 6, 4.5)
    line = f'<path class="curve {style}" d="M1 6L29 6"/>'
    return Markup(f'<svg class="swatch" viewBox="0 0 30 12" aria-hidden="true">{line}{point}</svg>')


def histogram_chart(
    edges: Sequence[float],
    series: Sequence[tuple[str, Sequence[int], str]],
    label: str,
    x_label: str = "angle in degrees",
) -> Markup:
    """Distributions as filled steps, each scaled to its own share of all counts.

    Args:
        edges: [bins + 1], in the unit of `x_label`.
        series: name, counts [bins], style.
    """
    shares = [(np.asarray(counts) / max(1, sum(counts)), style) for _, counts, style in series]
    used = np.flatnonzero(np.sum([share for share, _ in shares], axis=0))
    first, last = (int(used[0]), int(used[-1])) if len(used) else (0, len(edges) - 2)
    x = tight_axis([edges[first], edges[last + 1]], _LEFT, _WIDTH - _RIGHT)
    y = round_axis([0.0, *(float(share.max(initial=0.0)) for share, _ in shares)], _HEIGHT - _BOTTOM, _TOP, 4)
    body = [_grid(x, y, x_label, percent)]
    for share, style in shares:
        points = [(x(edges[first]), y(0.0))]
        for i in range(first, last + 1):
            points += [(x(edges[i]), y(float(share[i]))), (x(edges[i + 1]), y(float(share[i])))]
        points.append((x(edges[last + 1]), y(0.0)))
        body.append(
            f'<path class="area {style}" d="{_path(points)}Z"/><path class="curve {style}" d="{_path(points)}"/>'
        )
    return _svg(body, label)


def histogram_median(edges: Sequence[float], counts: Sequence[int]) -> float | None:
    """Median of binned values, by straight lines within bins; None without counts."""
    total = sum(counts)
    if not total:
        return None
    cumulative = np.concatenate([[0.0], np.cumsum(counts)])
    return float(np.interp(total / 2, cumulative, np.asarray(edges)))


def _grid(x: Axis, y: Axis, x_label: str, written: Callable[[float], str]) -> str:
    parts = []
    for tick in y.ticks:
        parts.append(f'<line class="grid" x1="{x.start}" x2="{x.end}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(
            f'<text class="tick" x="{x.start - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{written(tick)}</text>'
        )
    for tick in x.ticks:
        anchor = "end" if x(tick) > x.end - 12 else "middle"
        parts.append(
            f'<text class="tick" x="{x(tick):.1f}" y="{y.start + 16}" text-anchor="{anchor}">{number(tick)}</text>'
        )
    middle = (x.start + x.end) / 2
    parts.append(f'<text class="tick" x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{escape(x_label)}</text>')
    return "".join(parts)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points)


def _thinned(series: Series) -> Series:
    kept = [i for i, value in enumerate(series.y) if math.isfinite(value)]
    if len(kept) > _MOST_POINTS:
        kept = [kept[i] for i in np.linspace(0, len(kept) - 1, _MOST_POINTS).round().astype(int)]
    x, y = tuple(series.x[i] for i in kept), tuple(series.y[i] for i in kept)
    return Series(series.name, x, y, series.style, tuple(series.sizes[i] for i in kept) if series.sizes else ())


def _svg(body: Sequence[str], label: str, height: int = _HEIGHT) -> Markup:
    return Markup(
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(body)}</svg>"
    )
