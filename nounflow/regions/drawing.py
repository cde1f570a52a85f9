"""Boxes drawn into pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

_Plate = tuple[float, float, float, float]  # x0, y0, x1, y1
COLOURS = ("#2b5f93", "#b4602a", "#3f7d4e", "#7d4fa8", "#a8386b", "#8a6d00")


@dataclass(frozen=True)
class Label:
    """A box with what stands at it."""

    box: tuple[float, ...]  # x0, y0, x1, y1 in pixels
    text: str
    colour: str = ""  # none: each text has its own, in the order of their first boxes


def draw_boxes(image: Image.Image, labels: Sequence[Label], most_side: int | None = None) -> Image.Image:
    """A copy of an image with labelled boxes, scaled down to `most_side` pixels; the first box is drawn last."""
    drawn = image.convert("RGB")
    scale = min(1.0, (most_side or max(image.size)) / max(image.size))
    if scale < 1:
        drawn = drawn.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    pen = ImageDraw.Draw(drawn)
    line = max(2, round(max(drawn.size) / 250))
    font = ImageFont.load_default(max(12, round(max(drawn.size) / 30)))
    texts = list(dict.fromkeys(map(_noun, labels)))
    colours = [label.colour or COLOURS[texts.index(_noun(label)) % len(COLOURS)] for label in labels]
    boxes = [tuple(value * scale for value in label.box) for label in labels]
    for (left, top, right, bottom), colour in reversed(list(zip(boxes, colours, strict=True))):
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=colour, width=line)
    plates: list[_Plate] = []  # behind texts: none covers another
    for label, (left, top, _, bottom), colour in zip(labels, boxes, colours, strict=True):
        if not label.text:
            continue
        _, _, width, height = pen.textbbox((0, 0), label.text, font=font)
        width, height = round(width) + 6, round(height) + 5
        x, most = min(max(0, left), max(0, drawn.width - width)), max(0, drawn.height - height)
        y = _free(x, min(max(0, top - height), most), width, height, plates, min(bottom, most))
        plates.append((x, y, x + width, y + height))
        pen.rectangle(plates[-1], fill=colour)
        pen.text((x + 3, y + 1), label.text, fill="white", font=font)
    return drawn


def _noun(label: Label) -> str:
    return label.text.rstrip(" 0123456789.%")


def _free(x: float, y: float, width: float, height: float, plates: Sequence[_Plate], lowest: float) -> float:
    """The first height from `y` on down, no lower than `lowest`, where nothing is covered; `y` where there is none."""
    at = y
    while hit := [p for p in plates if p[0] < x + width and x < p[2] and p[1] < at + height and at < p[3]]:
        at = max(plate[3] for plate in hit)
    return at if at <= lowest else y
