"""Image files to embeddings: decoding in threads beside encoding, every unreadable file kept with its reason."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nounflow.device import by_device
from nounflow.embedders.protocol import Embedder
from nounflow.escaping import escaped
from nounflow.images import ImageError, open_image
from nounflow.progress import Progress

# Images computed at once. On a CPU, kernels of convolutions follow the size of the batch and, below 16, the threads.
_SHAPE = (16, 64)


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
            on threads. It takes a few images as long as a whole batch.
        quiet: say nothing; else progress, and each unreadable file by name.
    """
    readable: list[str] = []
    parts: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    start = time.monotonic()
    if fixed_shape:
        size = by_device(embedder.device, *_SHAPE)
        batch = -(-batch // size) * size
    batches = [files[i : i + batch] for i in range(0, len(files), batch)]
    with ThreadPoolExecutor(threads) as pool, Progress("images", len(files), "images", quiet=quiet) as progress:

        def prepare(names: Sequence[str]) -> list[Future[np.ndarray | str]]:
            return [pool.submit(_preprocessed_or_reason, embedder, folder, name, quiet) for name in names]

        waiting = prepare(batches[0]) if batches else []
        for number, names in enumerate(batches):
            prepared = [future.result() for future in waiting]
            if number + 1 < len(batches):  # the next batch decodes while this one is encoded
                waiting = prepare(batches[number + 1])
            images = [image for image in prepared if not isinstance(image, str)]
            for name, image in zip(names, prepared, strict=True):
                if isinstance(image, str):
                    unreadable[name] = image
                    if not quiet:
                        print(f"unreadable: {escaped(name)}: {image}", flush=True)
                else:
                    readable.append(name)
            if images:
                parts.append(_in_one_shape(embedder, images) if fixed_shape else embedder.encode_images(images))
            progress.advance(len(names))
    vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.identity.dim), dtype=np.float32)
    milliseconds = 1000 * (time.monotonic() - start) / max(1, len(files))
    return EmbeddedImages(readable, vectors, unreadable, milliseconds)


def _in_one_shape(embedder: Embedder, images: Sequence[np.ndarray]) -> np.ndarray:
    """Unit vectors of some images, float32 [n, dim], computed so many at a time; the last batch is filled up."""
    size = by_device(embedder.device, *_SHAPE)
    parts = []
    for first in range(0, len(images), size):
        part = list(images[first : first + size])
        filled = part + [part[-1]] * (size - len(part))
        parts.append(embedder.encode_images(filled)[: len(part)])
    return np.concatenate(parts)


def _preprocessed_or_reason(embedder: Embedder, folder: Path, name: str, quiet: bool) -> np.ndarray | str:
    """Full-size images live only here, one in each thread: a batch of large photographs would fill the memory."""
    try:
        image = open_image(folder / name)
        if (note := image.info.get("note")) and not quiet:
            print(f"read all the same: {escaped(name)}: {note}", flush=True)
        return embedder.preprocess(image)
    except ImageError as problem:
        return str(problem)
