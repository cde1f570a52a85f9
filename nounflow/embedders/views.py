"""Views of images: tables of boxes, and a vector for each box. An image is decoded once for all its views."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from nounflow.ahead import map_ahead
from nounflow.embedders.image_files import EmbeddedImages, images_at_once, in_one_shape
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.images import ImageError, open_image
from nounflow.progress import Progress

VIEWS = ("whole", "tiles", "regions", "tokens")
_GRIDS = (2, 3)  # tiles: 2 x 2 and 3 x 3

Boxes = np.ndarray  # float32 [n, 5]: x0, y0, x1, y1 in pixels of the upright image, objectness


@dataclass(frozen=True)
class EmbeddedView(EmbeddedImages):
    """`files` are the images that could be read, each once; `vectors` has a row for each box."""

    boxes: np.ndarray  # float32 [rows, 6]: position in `files`, then as `Boxes`


@dataclass
class _Filling:
    """A view that is being embedded: crops wait until a batch of one shape is full."""

    boxes: list[Boxes] = field(default_factory=list)
    waiting: list[np.ndarray] = field(default_factory=list)
    vectors: list[np.ndarray] = field(default_factory=list)


def whole_box(width: int, height: int) -> Boxes:
    """The only box of the view `whole`, [1, 5]."""
    return np.array([[0, 0, width, height, 1]], dtype=np.float32)


def tile_boxes(width: int, height: int) -> Boxes:
    """The 13 boxes of the view `tiles`, 2 x 2 then 3 x 3 from the top left, [13, 5]; at least a pixel wide and high."""
    return np.array([box for parts in _GRIDS for box in _grid((0, 0, width, height), parts, parts)], dtype=np.float32)


def _grid(area: tuple[float, float, float, float], rows: int, columns: int) -> Iterator[tuple[float, ...]]:
    x0, y0, x1, y1 = area
    xs, ys = np.linspace(x0, x1, columns + 1).round(), np.linspace(y0, y1, rows + 1).round()
    for top, bottom in zip(np.minimum(ys[:-1], y1 - 1), ys[1:], strict=True):
        for left, right in zip(np.minimum(xs[:-1], x1 - 1), xs[1:], strict=True):
            yield left, top, max(right, left + 1), max(bottom, top + 1), 1.0


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """Boxes cut at the image's edges [n, 5]; those of which not half a pixel is left are dropped."""
    found = boxes.astype(np.float32, copy=True).reshape(-1, 5)
    found[:, [0, 2]] = found[:, [0, 2]].clip(0, width)
    found[:, [1, 3]] = found[:, [1, 3]].clip(0, height)
    kept: Boxes = found[(found[:, 2] - found[:, 0] >= 0.5) & (found[:, 3] - found[:, 1] >= 0.5)]
    return kept


def crop(image: Image.Image, box: np.ndarray) -> Image.Image:
    """The part of an image within a box, on whole pixels, never empty."""
    x0, y0 = (int(min(np.floor(at), size - 1)) for at, size in zip(box[:2], image.size, strict=True))
    x1, y1 = (int(np.ceil(at)) for at in box[2:4])
    return image.crop((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)))


def embed_views(
    embedder: Embedder,
    folder: Path,
    files: Sequence[str],
    views: Sequence[str],
    threads: int,
    *,
    proposals: Mapping[str, Boxes] | None = None,
    opened: Callable[[Path], Image.Image] = open_image,
    quiet: bool = False,
) -> dict[str, EmbeddedView]:
    """Embed several views of images, each image decoded once; view -> what was embedded, rows in the order of `files`.

    `whole` gives the vectors of `embed_image_files` with `fixed_shape`, bit for bit.

    Args:
        views: some of `VIEWS`.
        proposals: file -> boxes, for `regions`; cut at the image's edges. An image without any has no row.
        opened: an image as upright RGB, or ImageError; called once for each file.

    Raises:
        NounflowError: `tokens` of an embedder whose patch tokens are not in the space of its texts.
    """
    if "tokens" in views and embedder.patches is None:
        raise NounflowError(
            f"The embedder {embedder.identity.spec} has no patch tokens in the space of its texts",
            where="view tokens",
            fix="take `tiles`: an attention-pooled tower (SigLIP), or one that is joined to the texts by other means, "
            "has vectors for whole images only; open_clip's ViT with a class token has tokens",
        )
    size = images_at_once(embedder)
    filling = {view: _Filling() for view in views}
    readable: list[str] = []
    unreadable: dict[str, str] = {}
    start = time.monotonic()

    def prepared(name: str) -> dict[str, tuple[Boxes, list[np.ndarray]]] | str:
        try:
            image = opened(folder / name)
            found = {}
            for view in views:
                boxes = _boxes(view, image, embedder, (proposals or {}).get(name))
                crops = [image] if view in ("whole", "tokens") else [crop(image, box) for box in boxes]
                found[view] = boxes, [embedder.preprocess(part) for part in crops]
            return found
        except ImageError as problem:
            return str(problem)

    def encode(view: str, least: int) -> None:
        part = filling[view]
        while len(part.waiting) >= least and part.waiting:
            images, part.waiting = part.waiting[:size], part.waiting[size:]
            encode_all = embedder.encode_patches if view == "tokens" else embedder.encode_images
            part.vectors.append(in_one_shape(embedder, images, encode_all).reshape(-1, embedder.dim))

    with ThreadPoolExecutor(threads) as pool, Progress("images", len(files), "images", quiet=quiet) as progress:
        for name, found in zip(files, map_ahead(pool, prepared, files, threads), strict=True):
            if isinstance(found, str):
                unreadable[name] = found
                if not quiet:
                    print(f"unreadable: {escaped(name)}: {found}", flush=True)
            else:
                for view, (boxes, crops) in found.items():
                    image = np.full((len(boxes), 1), len(readable), dtype=np.float32)
                    filling[view].boxes.append(np.concatenate([image, boxes], axis=1))
                    filling[view].waiting.extend(crops)
                    encode(view, size)
                readable.append(name)
            progress.advance(1)
        for view in views:
            encode(view, 1)
    milliseconds = 1000 * (time.monotonic() - start) / max(1, len(files))
    return {
        view: EmbeddedView(
            files=readable,
            vectors=np.concatenate([np.zeros((0, embedder.dim), np.float32), *part.vectors]),
            unreadable=unreadable,
            milliseconds=milliseconds,
            boxes=np.concatenate([np.zeros((0, 6), np.float32), *part.boxes]),
        )
        for view, part in filling.items()
    }


def _boxes(view: str, image: Image.Image, embedder: Embedder, proposals: Boxes | None) -> Boxes:
    width, height = image.size
    if view == "whole":
        return whole_box(width, height)
    if view == "tiles":
        return tile_boxes(width, height)
    if view == "tokens":
        assert embedder.patches is not None
        area = embedder.patches.seen(width, height)
        return np.array(list(_grid(area, *embedder.patches.grid)), dtype=np.float32)
    return np.zeros((0, 5), np.float32) if proposals is None else clipped(proposals, width, height)
