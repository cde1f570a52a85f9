"""Draw two pictures, open the annotation page on them, and take the screenshots of docs/annotations.md.

python tests/annotation_screenshots.py --wordnet results/inputs/wordnet --out docs/images
"""

from __future__ import annotations

import argparse
import io
import math
import tempfile
from pathlib import Path
from typing import Literal

import chromium
from annotation_site import Site, decision
from PIL import Image, ImageDraw, ImageFilter

SCALE = 3  # drawn larger, then shrunk: smooth edges
ANSWERS = {
    "still life.png": (["teapot", "pear", "kettle", "lamp"], ["jug", "teapot", "apple", "table"]),
    "harbour.png": (["sailboat", "sea", "lighthouse"], ["boat", "lighthouse", "island"]),
    "night.png": (["moon", "lantern"], ["moon", "sun"]),
}


class Canvas:
    """A picture in units of its own, with soft light laid over shapes."""

    def __init__(self, width: int, height: int, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> None:
        self.image = Image.new("RGB", (width * SCALE, height * SCALE))
        pen = ImageDraw.Draw(self.image)
        for y in range(height * SCALE):
            t = y / (height * SCALE)
            colour = tuple(round(a + (b - a) * t) for a, b in zip(top, bottom, strict=True))
            pen.line((0, y, width * SCALE, y), fill=colour)

    def shape(self, colour: tuple[int, int, int], *parts: tuple[str, tuple[float, ...]], light: float = 0.0) -> None:
        """Ellipses and polygons as one body; `light` shades it from the upper left to the lower right."""
        mask = Image.new("L", self.image.size, 0)
        pen = ImageDraw.Draw(mask)
        for kind, where in parts:
            scaled = [value * SCALE for value in where]
            if kind == "line":
                pen.line(scaled[:-1], fill=255, width=round(scaled[-1]), joint="curve")
            else:
                (pen.ellipse if kind == "ellipse" else pen.polygon)(scaled, fill=255)
        body = Image.new("RGB", self.image.size, colour)
        if light and (box := mask.getbbox()):
            glow = Image.new("L", self.image.size, 0)
            left, top, right, bottom = box
            w, h = right - left, bottom - top
            ImageDraw.Draw(glow).ellipse((left - 0.1 * w, top - 0.15 * h, left + 0.62 * w, top + 0.6 * h), fill=255)
            glow = glow.filter(ImageFilter.GaussianBlur(0.16 * max(w, h)))
            bright = Image.new("RGB", self.image.size, tuple(min(255, round(c + 255 * light)) for c in colour))
            dark = Image.new("RGB", self.image.size, tuple(round(c * (1 - 0.75 * light)) for c in colour))
            body = Image.composite(bright, dark, glow)
        self.image.paste(body, mask=mask)

    def shadow(self, x0: float, y0: float, x1: float, y1: float, strength: int = 90) -> None:
        """A soft dark ellipse."""
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).ellipse([value * SCALE for value in (x0, y0, x1, y1)], fill=strength)
        mask = mask.filter(ImageFilter.GaussianBlur(9 * SCALE))
        self.image.paste(Image.new("RGB", self.image.size, (30, 20, 25)), mask=mask)

    def save(self, path: Path) -> None:
        """Shrink and write."""
        size = (self.image.width // SCALE, self.image.height // SCALE)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image.resize(size, Image.Resampling.LANCZOS).save(path)


def still_life(path: Path) -> None:
    """A teapot, two pears and a cup on a table."""
    picture = Canvas(960, 720, (196, 204, 196), (222, 214, 196))
    picture.shape((134, 92, 66), ("polygon", (0, 470, 960, 440, 960, 720, 0, 720)), light=0.12)
    picture.shape((118, 79, 57), ("polygon", (0, 690, 960, 655, 960, 720, 0, 720)))
    picture.shadow(200, 560, 690, 640)
    blue = (52, 96, 124)
    spout = ("polygon", (560, 470, 610, 430, 640, 345, 676, 318, 690, 332, 668, 372, 642, 478, 570, 545))
    handle = [(290 + 92 * math.cos(a), 440 + 96 * math.sin(a)) for a in (math.pi * (0.5 + i / 24) for i in range(25))]
    handle.append((350, 345))
    picture.shape(blue, ("line", (*(value for point in handle for value in point), 26)), light=0.18)
    picture.shape(blue, spout, light=0.18)
    picture.shape(
        blue, ("ellipse", (235, 320, 600, 600)), ("polygon", (330, 585, 505, 585, 525, 606, 310, 606)), light=0.26
    )
    picture.shape((40, 78, 102), ("ellipse", (318, 305, 520, 350)))
    picture.shape(blue, ("ellipse", (322, 285, 516, 340)), light=0.22)
    picture.shape((196, 158, 84), ("ellipse", (398, 252, 442, 294)), light=0.3)
    for x, y, colour in ((690, 520, (178, 168, 62)), (778, 548, (196, 138, 54))):
        picture.shadow(x - 50, y + 60, x + 95, y + 105)
        picture.shape(
            colour,
            ("ellipse", (x - 45, y - 30, x + 65, y + 90)),
            ("ellipse", (x - 22, y - 100, x + 42, y + 30)),
            light=0.24,
        )
        picture.shape((88, 62, 40), ("line", (x + 10, y - 98, x + 22, y - 130, 6)))
    picture.shadow(60, 610, 245, 655, 80)
    picture.shape((236, 232, 222), ("ellipse", (70, 600, 240, 645)), light=0.1)
    picture.shape(
        (240, 236, 228),
        ("polygon", (100, 520, 210, 520, 190, 622, 122, 622)),
        ("ellipse", (122, 608, 190, 634)),
        light=0.14,
    )
    picture.shape((206, 200, 188), ("ellipse", (100, 508, 210, 534)))
    picture.shape((112, 62, 34), ("ellipse", (108, 512, 202, 531)))
    picture.save(path)


def harbour(path: Path) -> None:
    """A sailing boat before a lighthouse."""
    picture = Canvas(960, 640, (150, 190, 214), (244, 220, 190))
    picture.shape((54, 104, 128), ("polygon", (0, 390, 960, 390, 960, 640, 0, 640)), light=0.16)
    picture.shape((92, 104, 84), ("polygon", (620, 392, 700, 350, 800, 338, 900, 356, 960, 392)), light=0.1)
    picture.shape((238, 232, 224), ("polygon", (770, 340, 782, 190, 818, 190, 830, 340)), light=0.12)
    picture.shape((186, 66, 56), ("polygon", (775, 285, 779, 240, 821, 240, 825, 285)), light=0.12)
    picture.shape((64, 60, 60), ("polygon", (778, 190, 800, 158, 822, 190)))
    picture.shape((246, 240, 228), ("polygon", (330, 140, 330, 450, 160, 450)), light=0.1)
    picture.shape((232, 196, 150), ("polygon", (344, 180, 344, 450, 480, 450)), light=0.1)
    picture.shape((120, 68, 48), ("polygon", (150, 462, 500, 462, 460, 520, 195, 520)), light=0.16)
    picture.shape((70, 46, 38), ("line", (337, 120, 337, 470, 7)))
    picture.save(path)


def night(path: Path) -> None:
    """The moon over hills."""
    picture = Canvas(960, 640, (22, 28, 58), (66, 74, 112))
    picture.shape((238, 230, 204), ("ellipse", (560, 90, 720, 250)), light=0.1)
    picture.shape((30, 40, 52), ("ellipse", (-200, 420, 560, 1000)), ("ellipse", (300, 470, 1200, 1100)))
    picture.save(path)


def take(site: Site, out: Path) -> None:
    """Open the page in both colours and on a phone, and write the pictures."""
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    picture = site.image("still life.png")
    with site.start("--top-k", "4") as server, sync_playwright() as playwright:
        for noun, category, who, note in (
            ("teapot", "correct_primary", "ann", ""),
            ("jug", "close_primary", "ann", "it has a spout"),
            ("teapot", "correct_primary", "bob", ""),
            ("jug", "incorrect", "bob", ""),
        ):
            server.send(decision(picture, noun, category, who, evidence=note))
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        shots: tuple[tuple[str, int, int, Literal["light", "dark"]], ...] = (
            ("annotate", 1280, 800, "light"),
            ("annotate_dark", 1280, 800, "dark"),
            ("annotate_phone", 390, 844, "light"),
        )
        for name, width, height, colours in shots:
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
            page = context.new_page()
            page.goto(f"{server.url}&annotator=ann#{picture}")
            page.locator("#noun", has_text="pear").wait_for()
            page.locator("#picture").evaluate("picture => picture.decode()")
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.save(out / f"{name}.png", optimize=True)
            context.close()
        browser.close()


def take_named(site: Site, out: Path) -> None:
    """Several nouns of a picture, and a box of it, beside each other."""
    from playwright.sync_api import sync_playwright

    boxes = {
        "teapot": (225, 240, 700, 615),
        "pear": (730, 435, 850, 645),
        "cup": (65, 500, 245, 650),
        "apple": (0, 0, 9, 9),
    }
    shots = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        for file, named, keys in (("tags", boxes, "123"), ("regions", {"pear": boxes["pear"]}, "")):
            site.name("still life.png", "small", *named.items())
            with site.start(of=[f"results/{file}.json"]) as server:
                page = browser.new_page(viewport={"width": 960, "height": 680})
                page.goto(f"{server.url}&annotator=ann")
                page.locator("#noun:not(:empty)").wait_for()
                page.locator("#picture").evaluate("picture => picture.decode()")
                for key in keys:
                    page.keyboard.press(key)
                page.locator("#unsent[data-state=saved]").wait_for()
                shots.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
                page.close()
        browser.close()
    both = Image.new("RGB", (2 * 960 + 16, 680), "white")
    both.paste(shots[0], (0, 0))
    both.paste(shots[1], (960 + 16, 0))
    both.quantize(128).save(out / "annotate_named.png", optimize=True)


def main() -> None:
    """Draw and take."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder of a fetched WordNet")
    parser.add_argument("--out", type=Path, required=True, help="where the screenshots go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, paint in zip(ANSWERS, (still_life, harbour, night), strict=True):
            paint(folder / "images" / file)
        site = Site(folder, arguments.wordnet.resolve(), ANSWERS)
        take(site, arguments.out)
        take_named(site, arguments.out)


if __name__ == "__main__":
    main()
