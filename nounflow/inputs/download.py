"""Image sets that are published as a zip file on the web."""

from __future__ import annotations

import http.client
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from nounflow.atomic import disk_errors
from nounflow.errors import NounflowError
from nounflow.images import list_images
from nounflow.inputs.archives import unpack_zip
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.inputs.transfer import TransferError, retried
from nounflow.progress import Progress
from nounflow.schemas.documents import InputManifest

# As the README of the repository pallgeuer/novic links them.
URLS = {
    "novic_world": "https://www2.informatik.uni-hamburg.de/wtm/corpora/ovic_datasets/world_dataset.zip",
    "novic_wiki": "https://www2.informatik.uni-hamburg.de/wtm/corpora/ovic_datasets/wiki_dataset.zip",
    "novic_val3k": "https://www2.informatik.uni-hamburg.de/wtm/corpora/ovic_datasets/val3k_dataset.zip",
}
_STATED = "CC BY-NC-SA 4.0 as its publisher states (the statement's link leads to CC BY-SA 4.0)"
LICENCES = {
    "novic_world": _STATED,
    "novic_wiki": f"{_STATED}; of each Wikipedia image its own, which is not told",
    "novic_val3k": f"{_STATED}; the images are ImageNet's, for research that is not commercial",
}
MAX_BYTES = 8_000_000_000  # of the zip file, and of what it unpacks to

_SECONDS = 60  # without a byte before a connection counts as dead
_BLOCK = 1 << 20


def fetch_zipped_images(name: str, out: Path, cache: Path, url: str | None = None) -> InputManifest:
    """Download an image set and unpack it; `url` replaces the published one (http, https or file)."""
    url = url or URLS.get(name)
    if url is None:
        raise NounflowError(f"No address is known for '{name}'", fix="give --url")
    return put_in_place(out, lambda folder: _fill(name, url, folder, Path(cache)))


def _fill(name: str, url: str, folder: Path, cache: Path) -> InputOrigin:
    with disk_errors(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{name}.", dir=cache) as work:
            path = Path(work) / "images.zip"
            version = retried(lambda: download(url, path))
            count = unpack_zip(path, folder, MAX_BYTES)
    images = len(list_images(folder))
    print(f"unpacked {count} files, {images} of them images", flush=True)
    return InputOrigin(name, url, version, LICENCES.get(name, _STATED))


def download(url: str, path: Path, max_bytes: int = MAX_BYTES) -> str:
    """Stream a URL into a file; returns the server's date of the file ("unknown" without one).

    Raises TransferError for what may pass (no connection, a busy server, a cut-off transfer), NounflowError otherwise.
    """
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise NounflowError("Not an address to fetch from", where=url, fix="use http://, https:// or file://")
    start = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            announced = answer.headers.get("Content-Length")
            total = int(announced) if announced and announced.isdigit() else None
            print(f"fetching {url}: {f'{total / 1e6:.1f}' if total is not None else 'unknown'} MB", flush=True)
            done = _copy(answer, path, total, min(total, max_bytes) if total is not None else max_bytes)
            version = answer.headers.get("Last-Modified") or "unknown"
    except urllib.error.HTTPError as error:
        kind = TransferError if error.code in (408, 425, 429) or error.code >= 500 else NounflowError
        raise kind(
            f"The server answered {error.code} {error.reason}",
            where=url,
            fix="give another address with --url (file:///PATH works for a zip file that you have)",
        ) from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or error
        raise TransferError(
            f"The file could not be fetched ({reason})",
            where=url,
            fix="check the network, or give another address with --url",
        ) from error
    if total is not None and done != total:
        raise TransferError(
            f"The transfer ended after {done:,} of {total:,} bytes", where=url, fix="run the same command again"
        )
    print(f"fetched {done / 1e6:.1f} MB in {time.monotonic() - start:.1f} s", flush=True)
    return version


def _copy(answer: http.client.HTTPResponse, path: Path, total: int | None, limit: int) -> int:
    """Bytes written; NounflowError past the limit."""
    if total is not None and total > limit:
        raise _too_large(total, limit)
    done = 0
    with open(path, "wb") as handle, Progress("fetching", round((total or 0) / 1e6), "MB") as progress:
        while block := answer.read(_BLOCK):
            before, done = done, done + len(block)
            if done > limit:
                raise _too_large(done, limit)
            handle.write(block)
            progress.advance(done // 1_000_000 - before // 1_000_000)
    return done


def _too_large(size: int, limit: int) -> NounflowError:
    return NounflowError(
        f"The file is larger than the {limit / 1e6:,.0f} MB allowed ({size / 1e6:,.0f} MB so far)",
        fix="fetch and unpack it by hand, and point `folder:` under `image_sets` at the result",
    )
