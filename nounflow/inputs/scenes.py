"""Scenes: photographs with several things, composed from real cut-outs on real backgrounds, with exact boxes.

The cut-outs are the default photographs (Tux Paint's stamps, which have an alpha channel), the backgrounds parts of
photographs that scikit-learn and gradio ship. What is pasted where is drawn by seed: the composition is ours, and no
scene was ever in front of a camera.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nounflow.errors import NounflowError
from nounflow.schemas.boxes import CocoBox
from nounflow.streams import stream

SIZE = (480, 360)
SPLITS = ("train", "val", "test")
_MOST = 5  # cut-outs in a scene
_OVERLAP = 0.25  # largest share of a box that another one may cover
_TRIES = 40
_SINGLES = (0.4, 0.2, 0.4)  # where nouns with one cut-out go, a share for each split
_OPAQUE = 128


@dataclass(frozen=True)
class Background:
    """A part of a photograph that a package ships, and the things in it."""

    package: str
    file: str
    box: tuple[int, int, int, int]
    shows: tuple[str, ...]  # nouns that are neither present nor absent in a scene with this background


BACKGROUNDS = (
    Background(
        "sklearn",
        "datasets/images/china.jpg",
        (330, 60, 640, 292),
        ("lake", "tree", "sky", "boat", "leaf", "temple", "roof"),
    ),
    Background("sklearn", "datasets/images/china.jpg", (380, 0, 640, 150), ("sky", "tree", "lake")),
    Background("sklearn", "datasets/images/flower.jpg", (0, 0, 160, 120), ("leaf", "plant")),
    Background("sklearn", "datasets/images/flower.jpg", (450, 60, 640, 202), ("leaf", "plant")),
    Background("gradio", "media_assets/images/cheetah.jpg", (0, 0, 502, 110), ("grass", "grassland", "sand")),
    Background("gradio", "media_assets/images/cheetah.jpg", (0, 240, 502, 343), ("grass", "grassland", "sand")),
    Background("gradio", "media_assets/images/tower.jpg", (0, 0, 130, 97), ("sky",)),
)


@dataclass(frozen=True)
class CutOut:
    """A picture with an alpha channel, and what it shows."""

    file: str
    noun: str


@dataclass(frozen=True)
class Scene:
    """One composed picture."""

    file: str
    split: str
    image: Image.Image
    boxes: tuple[CocoBox, ...]
    background: Background
    cut_outs: tuple[CutOut, ...]


def split_cut_outs(cut_outs: Sequence[CutOut], seed: int) -> dict[str, list[CutOut]]:
    """Split -> its cut-outs. No cut-out stands in two splits; a noun with several stands in train and in test.

    Nouns with a cut-out in train are the seen ones, the others of test the unseen ones.
    """
    found: dict[str, list[CutOut]] = {split: [] for split in SPLITS}
    by_noun: dict[str, list[CutOut]] = {}
    for cut_out in sorted(cut_outs, key=lambda each: each.file):
        by_noun.setdefault(cut_out.noun, []).append(cut_out)
    for noun, own in sorted(by_noun.items()):
        draws = stream(seed, "scenes", "split", noun)
        if len(own) == 1:
            found[SPLITS[int(draws.choice(len(SPLITS), p=_SINGLES))]].append(own[0])
            continue
        for place, which in enumerate(draws.permutation(len(own))):
            found[("train", "test", "val")[place % 3]].append(own[which])
    return found


def background_images() -> list[Image.Image]:
    """The parts of `BACKGROUNDS`, RGB.

    Raises:
        NounflowError: a package that ships them is not installed, or does not have the photograph any more.
    """
    found = []
    for background in BACKGROUNDS:
        spec = importlib.util.find_spec(background.package)
        path = Path(spec.origin).parent / background.file if spec and spec.origin else None
        if path is None or not path.is_file():
            raise NounflowError(
                f"A photograph for the background of scenes is missing: {background.file} of {background.package}",
                where=path or "installed packages",
                fix="install what requirements.lock names (`make test` does), or take images of your own: `folder:`",
            )
        with Image.open(path) as image:
            found.append(image.convert("RGB").crop(background.box))
    return found


def compose(
    number: int, split: str, cut_outs: Sequence[CutOut], pictures: Mapping[str, Image.Image],
    backgrounds: Sequence[Image.Image], seed: int,
) -> Scene:  # fmt: skip
    """One scene: 1 to 5 cut-outs of a split at drawn sizes and places on a drawn part of a background.

    Args:
        pictures: file of a cut-out -> RGBA, cut at the edges of what is opaque.
        backgrounds: the images of `BACKGROUNDS`.
    """
    draws = stream(seed, "scenes", "scene", number)
    which = int(draws.integers(len(backgrounds)))
    canvas = _background(backgrounds[which], draws)
    wanted = int(draws.integers(1, _MOST + 1))
    file = f"{split}/{number:05}.jpg"
    boxes: list[tuple[int, int, int, int]] = []
    placed: list[CutOut] = []
    for chosen in draws.choice(len(cut_outs), size=min(wanted, len(cut_outs)), replace=False):
        picture = pictures[cut_outs[chosen].file]
        share = draws.uniform(0.3, 0.7) if wanted > 1 else draws.uniform(0.4, 0.9)  # of the scene's height
        scale = share * SIZE[1] / max(picture.size)
        width, height = (max(8, round(side * scale)) for side in picture.size)
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        if draws.random() < 0.5:
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        own = _opaque_box(small)
        for _ in range(_TRIES):
            x = int(draws.integers(0, SIZE[0] - small.width + 1))
            y = int(draws.integers(0, SIZE[1] - small.height + 1))
            box = (x + own[0], y + own[1], x + own[2], y + own[3])
            if all(_covered(box, other) <= _OVERLAP for other in boxes):
                canvas.paste(small, (x, y), small)
                boxes.append(box)
                placed.append(cut_outs[chosen])
                break
    named = [CocoBox(file=file, label=cut_out.noun, box=box) for cut_out, box in zip(placed, boxes, strict=True)]
    return Scene(file, split, canvas, tuple(named), BACKGROUNDS[which], tuple(placed))


def _background(image: Image.Image, draws: np.random.Generator) -> Image.Image:
    """A drawn part of a background, of the scene's shape, half of the time mirrored."""
    most = min(image.width / SIZE[0], image.height / SIZE[1])
    scale = most * draws.uniform(0.6, 1.0)
    width, height = SIZE[0] * scale, SIZE[1] * scale
    x, y = draws.uniform(0, image.width - width), draws.uniform(0, image.height - height)
    part = image.resize(SIZE, Image.Resampling.BICUBIC, box=(x, y, x + width, y + height))
    return part.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if draws.random() < 0.5 else part


def _covered(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Shared area as a share of the smaller box."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return max(width, 0) * max(height, 0) / min(areas)


def opaque_part(image: Image.Image) -> Image.Image:
    """An RGBA image cut at the edges of what is opaque."""
    return image.crop(_opaque_box(image))


def _opaque_box(image: Image.Image) -> tuple[int, int, int, int]:
    found = image.getchannel("A").point(lambda alpha: 255 * (alpha >= _OPAQUE)).getbbox()
    return found or (0, 0, *image.size)
