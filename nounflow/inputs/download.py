"""What is published as one file on the web: image sets as a zip file, the Open English WordNet as XML (WN-LMF, or the
same compressed with gzip).

The three image sets are those of the NOVIC paper, as the README of the repository pallgeuer/novic links them.
"""

import time
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from nounflow.errors import NounflowError
from nounflow.images import list_images
from nounflow.inputs.archives import unpack_zip
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.inputs.transfer import TransferError, opened, retried, work_folder
from nounflow.progress import Progress
from nounflow.schemas.inputs import InputManifest

MAX_BYTES = 8_000_000_000  # of the zip file, and of what it unpacks to
MAX_XML_BYTES = 500_000_000
ENGLISH_WORDNET = "https://en-word.net/static/english-wordnet-2024.xml.gz"
_BLOCK = 1 << 20
_FOLDER = "https://www2.informatik.uni-hamburg.de/wtm/corpora/ovic_datasets"
_STATED = "CC BY-NC-SA 4.0 as its publisher states (the statement's link leads to CC BY-SA 4.0)"
_OTHERWISE = "check the network, or give another address with --url (file:///PATH takes a zip file that you have)"


def fetch_zipped_images(name: str, licence: str, out: Path, cache: Path, url: str) -> InputManifest:
    """Download an image set from an address (http, https or file) and unpack it."""

    def fill(folder: Path) -> InputOrigin:
        with work_folder(cache, name) as work:
            path = work / "images.zip"
            version = retried(lambda: download(url, path))
            count = unpack_zip(path, folder, MAX_BYTES)
        print(f"unpacked {count} files, {len(list_images(folder))} of them images", flush=True)
        return InputOrigin(name, url, version, licence)

    return put_in_place(out, fill)


fetch_world = partial(fetch_zipped_images, "novic_world", _STATED, url=f"{_FOLDER}/world_dataset.zip")
fetch_wiki = partial(
    fetch_zipped_images,
    "novic_wiki",
    f"{_STATED}; of each Wikipedia image its own, which is not told",
    url=f"{_FOLDER}/wiki_dataset.zip",
)
fetch_val3k = partial(
    fetch_zipped_images,
    "novic_val3k",
    f"{_STATED}; the images are ImageNet's, for research that is not commercial",
    url=f"{_FOLDER}/val3k_dataset.zip",
)


def fetch_english_wordnet(out: Path, cache: Path, url: str = ENGLISH_WORDNET) -> InputManifest:
    """Fetch a release file from an address (http, https or file)."""
    name = Path(urlsplit(url).path).name or "english-wordnet.xml"

    def fill(folder: Path) -> InputOrigin:
        retried(lambda: download(url, folder / name, MAX_XML_BYTES))
        return InputOrigin("english_wordnet", url, name.split(".")[0], "CC BY 4.0, derived from the Princeton WordNet")

    return put_in_place(out, fill)


def download(url: str, path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Stream a URL into a file; returns the server's date of the file ("unknown" without one).

    Raises:
        TransferError: what may pass: no connection, a busy server, a transfer that is cut off.
        NounflowError: anything else.
    """
    start = time.monotonic()
    with opened(url, ("http", "https", "file"), fix=_OTHERWISE) as answer:
        announced = answer.headers.get("Content-Length") or ""
        total = int(announced) if announced.isdecimal() else None
        print(f"fetching {url}: {'unknown' if total is None else f'{total / 1e6:.1f}'} MB", flush=True)
        done = 0
        with open(path, "wb") as handle, Progress("fetching", round((total or 0) / 1e6), "MB") as progress:
            _refuse_beyond(max_bytes, total or 0)
            while block := answer.read(_BLOCK):
                before, done = done, done + len(block)
                _refuse_beyond(max_bytes, done)
                handle.write(block)
                progress.advance(done // 1_000_000 - before // 1_000_000)
        if total is not None and done != total:
            raise TransferError(
                f"The transfer ended after {done:,} of {total:,} bytes", where=url, fix="run the same command again"
            )
        print(f"fetched {done / 1e6:.1f} MB in {time.monotonic() - start:.1f} s", flush=True)
        return answer.headers.get("Last-Modified") or "unknown"


def _refuse_beyond(limit: int, size: int) -> None:
    if size > limit:
        raise NounflowError(
            f"The file is larger than the {limit / 1e6:,.0f} MB allowed ({size / 1e6:,.0f} MB so far)",
            fix="fetch and unpack it by hand, and point `folder:` under `image_sets` at the result",
        )
