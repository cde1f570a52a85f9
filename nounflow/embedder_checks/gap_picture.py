"""The modality gap as one picture: a row of angles for each kind of pair."""

from pathlib import Path
from typing import Any

import numpy as np

from nounflow.atomic import atomic_file
from nounflow.schemas.embedder_checks import AngleStatistics, ModalityGap, TextGap

_OWN, _ANY, _SAME, _NOISE = "#0b6e99", "#8fa3ad", "#c77d2b", "#7b5ea7"
_BIN = 4  # written bins of half a degree drawn as one
_ROW = 0.72  # inches
_READING = "Blue: the gap. The further left of grey it lies, the better texts tell images apart."
_SPEC = 45  # characters that a line has room for


def rows_of(gap: ModalityGap) -> list[tuple[str, AngleStatistics, str]]:
    """Label, angles and colour of each row, from top to bottom."""
    rows = _text_rows(gap.nouns, "noun")
    if gap.captions is not None:
        rows += _text_rows(gap.captions, "caption")
    rows += [("two images", gap.image_image, _SAME)]
    if gap.noise is not None:
        rows += [(f"a noun and itself with training\nnoise ({gap.noise_scheme})", gap.noise, _NOISE)]
    return [(label, angles, colour) for label, angles, colour in rows if angles is not None]


def headline(gap: ModalityGap) -> str:
    """What the picture shows, in a sentence."""
    nouns = gap.nouns
    return (
        f"{gap.image_set}: an image lies {nouns.matched.median:.0f}° from its own noun, "
        f"{nouns.all_pairs.median:.0f}° from any"
    )


def shift_sentence(kind: str, gap: TextGap) -> str:
    """What the mean shift does for one kind of text."""
    return (
        f"Mean shift from {kind}s to images: {gap.mean_shift_norm:.3f} long, {100 * gap.explained:.0f} % of the "
        f"squared distance of matched pairs; it takes their median from {gap.matched.median:.1f}° to "
        f"{gap.matched_after_shift.median:.1f}°."
    )


def draw_gap(path: Path, gap: ModalityGap) -> None:
    """Write the picture as SVG or PNG, by the path's ending; the same measurement gives the same bytes."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    rows = rows_of(gap)
    spec = gap.embedder.spec if len(gap.embedder.spec) <= _SPEC else f"...{gap.embedder.spec[-_SPEC:]}"
    notes = [f"Embedder {spec}, {gap.images:,} images. {_READING}", shift_sentence("noun", gap.nouns)]
    if gap.captions is not None:
        notes.append(shift_sentence("caption", gap.captions))
    with mpl.rc_context({"svg.hashsalt": "nounflow", "svg.fonttype": "path", "font.size": 10}):
        height = 1.3 + 0.17 * len(notes) + _ROW * len(rows)  # inches
        figure, axis = plt.subplots(figsize=(9.5, height))
        figure.subplots_adjust(left=0.27, right=0.97, bottom=0.6 / height, top=(0.62 + _ROW * len(rows)) / height)
        for row, (label, angles, colour) in enumerate(rows):
            _draw_row(axis, len(rows) - 1 - row, label, angles, colour)
        low = min(angles.low for _, angles, _ in rows) - 10
        high = max(angles.high for _, angles, _ in rows) + 10
        axis.set(xlim=(max(0.0, low), min(180.0, high)), ylim=(-0.1, len(rows)), yticks=[])
        axis.set_xlabel("angle between two embeddings; the tick marks the median")
        axis.xaxis.set_major_formatter("{x:g}°")
        axis.grid(axis="x", color="#e3e7ea", linewidth=0.8)
        axis.set_axisbelow(True)
        axis.spines[["left", "right", "top"]].set_visible(False)
        figure.text(0.02, 1 - 0.2 / height, headline(gap), va="top", fontsize=12, fontweight="bold")
        figure.text(0.02, 1 - 0.48 / height, "\n".join(notes), va="top", fontsize=9, color="#46545c", linespacing=1.35)
        with atomic_file(path) as temporary:
            metadata = {"Date": None} if path.suffix == ".svg" else None
            figure.savefig(temporary, format=path.suffix[1:], facecolor="white", metadata=metadata, dpi=110)
        plt.close(figure)


def _text_rows(gap: TextGap, kind: str) -> list[tuple[str, AngleStatistics | None, str]]:
    return [
        (f"image and its own {kind}", gap.matched, _OWN),
        (f"image and any {kind}", gap.all_pairs, _ANY),
        (f"two {kind}s", gap.text_text, _SAME),
    ]


def _draw_row(axis: Any, base: int, label: str, angles: AngleStatistics, colour: str) -> None:
    """One filled histogram above `base`, scaled to its own highest bin, with its median."""
    counts = np.asarray(angles.histogram).reshape(-1, _BIN).sum(1)
    edges = np.linspace(0, 180, len(counts) + 1)
    height = 0.68 * counts / counts.max()
    axis.stairs(base + height, edges, baseline=base, fill=True, color=colour, alpha=0.75, linewidth=0)
    axis.axhline(base, color="#b9c3c9", linewidth=0.8, zorder=0)
    axis.plot([angles.median] * 2, [base, base + 0.74], color="#1d262b", linewidth=1.6)
    axis.text(angles.median, base + 0.76, f" {angles.median:.1f}°", ha="center", va="bottom", fontsize=9)
    places = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right"}
    axis.annotate(label, (0, base + 0.3), xytext=(-8, 0), va="bottom", **places)
    axis.annotate(
        f"{angles.pairs:,} pairs", (0, base + 0.06), xytext=(-8, 0), va="bottom", fontsize=8, color="#6b7980", **places
    )
