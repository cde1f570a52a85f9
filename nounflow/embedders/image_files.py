"""Image files to embeddings: decoding in threads beside encoding, every unreadable file kept with its reason."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nounflow.embedders.protocol import Embedder
from nounflow.images import ImageError, open_image
from nounflow.progress import Progress


@dataclass(frozen=True)
class EmbeddedImages:
    """Embeddings of the files that could be read, and why the others could not."""

    files: list[str]
    vectors: np.ndarray  # float32 [len(files), dim]
    unreadable: dict[str, str]
    milliseconds: float  # per file: decoding and encoding, wall clock


def embed_image_files(
    embedder: Embedder, folder: Path, files: Sequence[str], batch: int, threads: int
) -> EmbeddedImages:
    """Embed `files` below `folder`, in their order."""
    readable: list[str] = []
    parts: list[np.ndarray] = []
    unreadable: dict[str, str] = {}
    start = time.monotonic()
    batches = [files[i : i + batch] for i in range(0, len(files), batch)]
    with ThreadPoolExecutor(threads) as pool, Progress("images", len(files), "images") as progress:
        waiting = [pool.submit(_open_or_reason, folder / file) for file in batches[0]] if batches else []
        for number, names in enumerate(batches):
            opened = [future.result() for future in waiting]
            if number + 1 < len(batches):  # the next batch decodes while this one is encoded
                waiting = [pool.submit(_open_or_reason, folder / file) for file in batches[number + 1]]
            images = [image for image in opened if isinstance(image, Image.Image)]
            for name, image in zip(names, opened, strict=True):
                if isinstance(image, str):
                    unreadable[name] = image
                    print(f"unreadable: {name}: {image}", flush=True)
                else:
                    readable.append(name)
            if images:
                parts.append(embedder.encode_images(images))
            progress.advance(len(names))
    vectors = np.concatenate(parts) if parts else np.zeros((0, embedder.identity.dim), dtype=np.float32)
    milliseconds = 1000 * (time.monotonic() - start) / max(1, len(files))
    return EmbeddedImages(readable, vectors, unreadable, milliseconds)


def _open_or_reason(path: Path) -> Image.Image | str:
    try:
        return open_image(path)
    except ImageError as problem:
        return str(problem)
