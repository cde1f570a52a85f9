"""Boxes drawn into pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

COLOURS = ("#2b5f93", "#b4602a", "#3f7d4e", "#7d4fa8", "#a8386b", "#8a6d00")


@dataclass(frozen=True)
class Label:
    """A box with what stands at it."""

    box: tuple[float, ...]  # x0, y0, x1, y1 in pixels
    text: str
    colour: str = ""  # none: each text has its own, in the order of their first boxes


def draw_boxes(image: Image.Image, labels: Sequence[Label], most_side: int | None = None) -> Image.Image:
    """A copy of an image with labelled boxes, scaled down to `most_side` pixels; the first label is drawn last."""
    drawn = image.convert("RGB")
    scale = min(1.0, (most_side or max(image.size)) / max(image.size))
    if scale < 1:
        drawn = drawn.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    pen = ImageDraw.Draw(drawn)
    line = max(2, round(max(drawn.size) / 250))
    font = ImageFont.load_default(max(11, round(max(drawn.size) / 38)))
    texts = list(dict.fromkeys(label.text.rstrip(" 0123456789.%") for label in labels))
    for label in reversed(labels):
        own = COLOURS[texts.index(label.text.rstrip(" 0123456789.%")) % len(COLOURS)]
        colour = label.colour or own
        left, top, right, bottom = (value * scale for value in label.box)
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=line)
        if label.text:
            _, _, width, height = pen.textbbox((0, 0), label.text, font=font)
            x, y = min(max(0, left), max(0, drawn.width - width - 6)), max(0, top - height - 5)
            pen.rectangle((x, y, x + width + 6, y + height + 5), fill=colour)
            pen.text((x + 3, y + 1), label.text, fill="white", font=font)
    return drawn
