"""Pairs of image and caption in the forms that people have them: a folder, a table, WebDataset shards."""

from __future__ import annotations

import contextlib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from nounflow.errors import NounflowError
from nounflow.escaping import CONTROL, escaped, is_utf8, unguarded, unquoted
from nounflow.extras import need
from nounflow.files import text_encoding
from nounflow.image_folders import EXTENSIONS, list_images

_SHARDS = (".tar", ".tar.gz", ".tgz")
_HEADINGS = ("caption", "captions", "title", "text")


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
        source: a folder of images with .txt files of the same names, a folder of WebDataset shards (.tar, .tar.gz) or
            one of these, or a table: path (as seen from its folder), tab, caption.

    Raises:
        NounflowError: it is none of these.
    """
    if source.is_file():
        yield from (_of_shards([source], left_out) if _is_shard(source) else _of_table(source, left_out))
    elif not source.is_dir():
        raise NounflowError(
            "There are no pairs of image and caption", where=source, fix="check the path under `open_set.pairs`"
        )
    elif shards := sorted(filter(_is_shard, source.iterdir())):
        yield from _of_shards(shards, left_out)
        for path in sorted(source.iterdir()):
            if path.suffix.lower() in EXTENSIONS:
                left_out(path.name, "it lies beside shards, which are read in its place")
    else:
        for name in list_images(source):
            yield from _of_folder(source, name, left_out)


def _is_shard(path: Path) -> bool:
    return path.name.lower().endswith(_SHARDS)


def _of_folder(folder: Path, name: str, left_out: LeftOut) -> Iterator[Pair]:
    beside = [(folder / name).with_suffix(ending) for ending in (".txt", ".TXT", ".Txt")]
    text = next((path for path in beside if path.is_file()), None)
    try:
        yield from _pair(name, folder / name, text.read_bytes() if text else None, left_out)
    except OSError as error:
        left_out(name, f"its caption cannot be read ({error.strerror})")


def _of_table(source: Path, left_out: LeftOut) -> Iterator[Pair]:
    # names of files may be any bytes
    with open(source, encoding=text_encoding(source), errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            written, tab, text = line.rstrip("\n").partition("\t")
            name, caption = unquoted(written), unguarded(unquoted(text))
            if not line.strip() or (number == 1 and caption.strip().lower() in _HEADINGS):
                continue
            place = _file(source.parent, name)
            if not tab:
                left_out(f"line {number}", "it is not a path, a tab and a caption")
            elif place is None:
                left_out(name, "the image does not exist")
            elif not is_utf8(name):
                left_out(name, "its name is no UTF-8; rename it")
            else:
                yield from _pair(name, place, caption.encode(errors="surrogateescape"), left_out)


def _file(folder: Path, name: str) -> Path | None:
    """The file of a name, with its accents composed or taken apart; None where there is none."""
    for spelled in (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))):
        with contextlib.suppress(OSError):  # such as a name that is too long for any file
            if (folder / spelled).is_file():
                return folder / spelled
    return None


def _of_shards(shards: list[Path], left_out: LeftOut) -> Iterator[Pair]:
    need("webdataset")
    from webdataset.tariterators import group_by_keys, tar_file_expander

    for shard in shards:

        def broken(error: Exception, shard: Path = shard) -> bool:
            said = str(error.args[0] if error.args else error)
            twice = "duplicate file name" in said
            left_out(shard.name, "a file stands in it twice" if twice else f"the shard is broken from here on ({said})")
            return twice  # else on to the next shard

        try:
            # by ourselves: the library would run a file that is called "pipe:COMMAND"
            stream = open(shard, "rb")  # noqa: SIM115  (the error of opening is no error of reading)
        except OSError as error:
            left_out(shard.name, f"the shard cannot be read ({error.strerror})")
            continue
        with stream:
            files = tar_file_expander([{"url": str(shard), "stream": stream}], handler=broken)
            for sample in group_by_keys(files, handler=broken):
                name = f"{shard.name}/{sample['__key__']}"
                image = next((sample[suffix[1:]] for suffix in EXTENSIONS if suffix[1:] in sample), None)
                if image is None:
                    left_out(name, "it has no image")
                elif not is_utf8(name):
                    left_out(name, "its name is no UTF-8; rename it")
                else:
                    yield from _pair(name, image, sample.get("txt"), left_out)


def _pair(name: str, image: Path | bytes, text: bytes | None, left_out: LeftOut) -> Iterator[Pair]:
    try:
        caption = None if text is None else " ".join(CONTROL.sub(" ", text.decode("utf-8-sig")).split())
    except UnicodeDecodeError:
        left_out(name, "its caption is not UTF-8")
        return
    if caption:
        yield Pair(name, image, caption)
    else:
        left_out(name, "it has no caption" if caption is None else "its caption is empty")
