"""Image files to embeddings: decoding in threads beside encoding, every unreadable file kept with its reason."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from nounflow.ahead import map_ahead
from nounflow.device import by_device
from nounflow.embedders.protocol import Embedder
from nounflow.escaping import escaped
from nounflow.images import ImageError, open_image
from nounflow.progress import Progress

# Images of a batch. On a CPU, kernels of convolutions follow the size of the batch and the threads, of which each
# batch has one; more images than these leave its caches.
_SHAPE = (4, 64)

T = TypeVar("T")


@dataclass(frozen=True)
class EmbeddedImages:
    """Embeddings of the files that could be read, and why the others could not."""

    files: list[str]
    vectors: np.ndarray  # float32 [len(files), dim]
    unreadable: dict[str, str]
    milliseconds: float  # per file: decoding and encoding, wall clock


def embed_image_files(
    embedder: Embedder,
    folder: Path,
    files: Sequence[str],
    batch: int,
    threads: int,
    *,
    fixed_shape: bool = False,
    quiet: bool = False,
) -> EmbeddedImages:
    """Embed `files` below `folder`, in their order.

    Args:
        batch: files that are decoded and held at a time; of one shape, at least as many as are computed at once.
        fixed_shape: compute in batches of one shape, so that a vector does not depend on its neighbours, on `batch` or
            on threads.
        quiet: say nothing; else progress, and each unreadable file by name.
    """
    readable: list[str] = []
    parts: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    start = time.monotonic()

    def opened(name: str) -> Image.Image:
        image = open_image(folder / name)
        if (note := image.info.get("note")) and not quiet:
            print(f"read all the same: {escaped(name)}: {note}", flush=True)
        return image

    with Progress("images", len(files), "images", quiet=quiet) as progress:
        for names, reasons, vectors in embed_batches(embedder, files, opened, batch, threads, fixed_shape=fixed_shape):
            for name, reason in zip(names, reasons, strict=True):
                if reason is None:
                    readable.append(name)
                    continue
                unreadable[name] = reason
                if not quiet:
                    print(f"unreadable: {escaped(name)}: {reason}", flush=True)
            parts.append(vectors)
            progress.advance(len(names))
    vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.identity.dim), dtype=np.float32)
    milliseconds = 1000 * (time.monotonic() - start) / max(1, len(files))
    return EmbeddedImages(readable, vectors, unreadable, milliseconds)


def embed_batches(
    embedder: Embedder,
    sources: Iterable[T],
    opened: Callable[[T], Image.Image],
    batch: int,
    threads: int,
    *,
    fixed_shape: bool = False,
) -> Iterator[tuple[list[T], list[str | None], np.ndarray]]:
    """Embed any number of images in their order; two batches are held, one that decodes while the other is encoded.

    Args:
        opened: one image of `sources`, upright RGB, or ImageError; called in `threads` threads.
        batch, fixed_shape: as of `embed_image_files`.

    Yields:
        some sources; why each of them could not be read, None where it could; unit vectors float32 [readable, dim].
    """
    if fixed_shape:
        size = images_at_once(embedder)
        batch = -(-batch // size) * size

    def prepared(source: T) -> tuple[T, np.ndarray | str]:
        """Full-size images live only here, one in each thread: a batch of large photographs would fill the memory."""
        try:
            return source, embedder.preprocess(opened(source))
        except ImageError as problem:
            return source, str(problem)

    with ThreadPoolExecutor(threads) as pool:
        decoded = map_ahead(pool, prepared, sources, batch)
        while found := list(islice(decoded, batch)):
            images = [image for _source, image in found if not isinstance(image, str)]
            vectors = np.zeros((0, embedder.identity.dim), dtype=np.float32)
            if images:
                vectors = in_one_shape(embedder, images) if fixed_shape else embedder.encode_images(images)
            reasons = [image if isinstance(image, str) else None for _source, image in found]
            yield [source for source, _image in found], reasons, vectors


def images_at_once(embedder: Embedder) -> int:
    """Images that keep all threads busy."""
    import torch

    return by_device(embedder.device, _SHAPE[0] * torch.get_num_threads(), _SHAPE[1])


def in_one_shape(
    embedder: Embedder, images: Sequence[np.ndarray], encode: Callable[[Sequence[np.ndarray]], np.ndarray] | None = None
) -> np.ndarray:
    """What `encode` makes of some images, float32 [n, ...], in batches of one shape; the last is filled up.

    Args:
        encode: a method of the embedder; without it, unit vectors [n, dim].
    """
    from nounflow.embedders.side_by_side import side_by_side

    size, compute = by_device(embedder.device, *_SHAPE), encode or embedder.encode_images

    def encoded(part: Sequence[np.ndarray]) -> np.ndarray:
        filled = [*part, *[part[-1]] * (size - len(part))]
        return compute(filled)[: len(part)]

    batches = [images[first : first + size] for first in range(0, len(images), size)]
    computed = side_by_side(encoded, batches) if embedder.device == "cpu" else map(encoded, batches)
    return np.concatenate(list(computed))
