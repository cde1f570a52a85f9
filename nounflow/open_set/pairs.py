"""Pairs of image and caption in the forms that people have them: a folder, a table, WebDataset shards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.extras import need
from nounflow.image_folders import EXTENSIONS, list_images


class Pair(NamedTuple):
    """An image, not yet decoded, and what is written about it."""

    name: str
    image: Path | bytes
    caption: str


class LeftOut(Counter[str]):
    """Reason -> how many things were left out for it; each is named as it comes."""

    def __call__(self, name: str, reason: str) -> None:
        """Leave one out."""
        print(f"left out: {escaped(name)}: {reason}", flush=True)
        self[reason] += 1


def read_pairs(source: Path, left_out: LeftOut) -> Iterator[Pair]:
    """Pairs in a fixed order, one at a time.

    Args:
        source: a folder of images with .txt files of the same names, a folder of WebDataset shards (.tar) or one of
            these, or a table: path (as seen from its folder), tab, caption.

    Raises:
        NounflowError: it is none of these.
    """
    if source.suffix == ".tar" and source.is_file():
        yield from _of_shards([source], left_out)
    elif source.is_file():
        yield from _of_table(source, left_out)
    elif not source.is_dir():
        raise NounflowError(
            "There are no pairs of image and caption", where=source, fix="check the path under `open_set.pairs`"
        )
    elif shards := sorted(source.glob("*.tar")):
        yield from _of_shards(shards, left_out)
    else:
        for name in list_images(source):
            text = (source / name).with_suffix(".txt")
            yield from _pair(name, source / name, text.read_bytes() if text.is_file() else None, left_out)


def _of_table(source: Path, left_out: LeftOut) -> Iterator[Pair]:
    with open(source, "rb") as lines:
        for number, line in enumerate(lines, 1):
            path, tab, caption = line.removeprefix(b"\xef\xbb\xbf").partition(b"\t")
            if number == 1 and path in (b"path", b"file", b"image"):  # a header
                continue
            name = path.decode(errors="backslashreplace")
            if not tab:
                left_out(f"line {number}", "it is not a path, a tab and a caption")
            elif not (source.parent / name).is_file():
                left_out(name, "the image does not exist")
            else:
                yield from _pair(name, source.parent / name, caption, left_out)


def _of_shards(shards: list[Path], left_out: LeftOut) -> Iterator[Pair]:
    need("webdataset")
    from webdataset import WebDataset

    for shard in shards:

        def broken(error: Exception, shard: Path = shard) -> bool:
            left_out(shard.name, f"the shard is broken from here on ({error.args[0] if error.args else error})")
            return False  # and on to the next shard

        for sample in WebDataset(str(shard), shardshuffle=False, handler=broken, empty_check=False):
            name = f"{shard.name}/{sample['__key__']}"
            image = next((sample[suffix[1:]] for suffix in EXTENSIONS if suffix[1:] in sample), None)
            if image is None:
                left_out(name, "it has no image")
            else:
                yield from _pair(name, image, sample.get("txt"), left_out)


def _pair(name: str, image: Path | bytes, text: bytes | None, left_out: LeftOut) -> Iterator[Pair]:
    try:
        caption = None if text is None else " ".join(text.decode("utf-8-sig").split())
    except UnicodeDecodeError:
        left_out(name, "its caption is not UTF-8")
        return
    if caption:
        yield Pair(name, image, caption)
    else:
        left_out(name, "it has no caption" if caption is None else "its caption is empty")
