"""Lead images of Wikipedia pages about nouns, each with its author, licence and revision.

For each noun the first page of the wiki's own search that only tells no meanings apart; of that page the lead image, if
its licence is free. What became of each noun is one row of an append-only journal, written when the file is in place,
so a killed collection goes on where it was.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Container, Iterable
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from nounflow.atomic import atomic_file
from nounflow.counts import Counts
from nounflow.errors import NounflowError
from nounflow.images import ImageError, open_image
from nounflow.inputs.mediawiki import MediaWiki
from nounflow.inputs.transfer import TransferError
from nounflow.journal import Additions, Journal
from nounflow.progress import Progress
from nounflow.schemas.documents import StoredDocument
from nounflow.spreadsheets import write_sheet

JOURNAL, TABLE, FOLDER = "collected.sqlite", "images.tsv", "images"
_WIDTH = 960  # pixels; Wikimedia makes images of some widths only
_LEAST_PIXELS = 20_000
_ENDINGS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp"}
_DRAWN = ("image/svg+xml", "application/pdf", "image/vnd.djvu")  # what is sent of these is no photograph


class Collection(Journal):
    """What became of all nouns that were looked up."""

    name, worth = "collection", "what has been looked up"
    formats = (Additions({"nouns": "seq INTEGER PRIMARY KEY, noun TEXT NOT NULL UNIQUE, row TEXT NOT NULL"}),)


class Collected(StoredDocument):
    """What became of a noun: a lead image (a row of `images.tsv`), or why there is none."""

    noun: str
    left_out: str = ""  # reason; then all else is empty
    file: str = ""  # below the folder of images
    sha256: str = ""
    title: str = ""  # of the page
    page: str = ""  # its address
    page_id: int = 0
    revision: int = 0  # of the page, when it was asked
    image: str = ""  # title of the image's own page
    image_page: str = ""  # address
    image_url: str = ""  # what was fetched
    image_time: str = ""  # of the image's version
    image_sha1: str = ""  # of the original, as the wiki says
    author: str = ""
    credit: str = ""
    licence: str = ""
    licence_url: str = ""


class _LeftOutError(Exception):
    """Why a noun gives no image."""


def collect(nouns: Iterable[str], out: Path, wiki: MediaWiki, wanted: int) -> Counts:
    """Look nouns up, in this order, until `wanted` images are there or all nouns were looked up; then write the table.

    Raises:
        NounflowError: the wiki is busy or gone, or the folder is being written by another process.
    """
    with Collection.open(out / JOURNAL) as journal:
        known = _rows(journal)
        names, taken = {row.noun for row in known}, {row.page_id for row in known if not row.left_out}
        with Progress("lead images", wanted, "images", done=min(len(taken), wanted)) as progress:
            for noun in nouns:
                if len(taken) >= wanted:
                    break
                if noun in names:
                    continue
                try:
                    row = look_up(wiki, noun, taken, out / FOLDER)
                    taken.add(row.page_id)
                    progress.advance(1)
                except _LeftOutError as reason:
                    row = Collected(noun=noun, left_out=str(reason))
                names.add(noun)
                journal.submit(partial(_insert, row)).result()
        return _write(out, _rows(journal))


def look_up(wiki: MediaWiki, noun: str, taken: Container[int], folder: Path) -> Collected:
    """Find a noun's page and fetch its lead image into `folder`; pages that are `taken` give none."""
    page = _page(wiki, noun)
    if page["pageid"] in taken:
        raise _LeftOutError("its page has an image already")
    if not page.get("pageimage"):
        raise _LeftOutError("its page has no lead image with a free licence")
    title = f"File:{page['pageimage']}"
    info = _image(wiki, title)
    meta = {name: plain(part.get("value")) for name, part in info["extmetadata"].items()}
    address = info.get("thumburl") or info["url"]
    try:
        content = wiki.file(address)
        open_image(content)
    except TransferError:
        raise
    except (ImageError, NounflowError) as error:
        raise _LeftOutError(f"its lead image cannot be had: {str(error)[:100]}") from error
    file = f"{page['pageid']}.{_ENDINGS.get(info.get('thumbmime') or info['mime'], 'jpg')}"
    with atomic_file(folder / file) as temporary:
        temporary.write_bytes(content)
    return Collected(
        noun=noun,
        file=file,
        sha256=hashlib.sha256(content).hexdigest(),
        title=page["title"],
        page=page.get("canonicalurl", ""),
        page_id=page["pageid"],
        revision=page.get("lastrevid", 0),
        image=title,
        image_page=info.get("descriptionurl", ""),
        image_url=address,
        image_time=info.get("timestamp", ""),
        image_sha1=info.get("sha1", ""),
        author=meta.get("Artist", ""),
        credit=meta.get("Credit", ""),
        licence=meta["LicenseShortName"],
        licence_url=meta.get("LicenseUrl", ""),
    )


class _Words(HTMLParser):
    """Keeps the text and drops the tags."""

    text = ""

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(html: object) -> str:
    """The words of a piece of HTML, on one line."""
    parser = _Words()
    parser.feed(str(html or ""))
    parser.close()
    return " ".join(parser.text.split())


def _page(wiki: MediaWiki, noun: str) -> dict[str, Any]:
    """The best page that is about one thing."""
    said = wiki.query(
        generator="search", gsrsearch=noun, gsrlimit=5, gsrnamespace=0, prop="info|pageprops|pageimages",
        inprop="url", ppprop="disambiguation", piprop="name", pilicense="free", pilimit=5,
    )  # fmt: skip
    for page in sorted(said.get("pages") or [], key=lambda page: page["index"]):
        if "disambiguation" not in page.get("pageprops", {}):
            return dict(page)
    raise _LeftOutError("no page was found")


def _image(wiki: MediaWiki, title: str) -> dict[str, Any]:
    """What the wiki says of an image that may be taken."""
    said = wiki.query(
        titles=title, prop="imageinfo", iiprop="url|size|mime|sha1|timestamp|extmetadata", iiurlwidth=_WIDTH,
        iiextmetadatafilter="Artist|Credit|LicenseShortName|LicenseUrl",
    )  # fmt: skip
    for info in (said.get("pages") or [{}])[0].get("imageinfo") or []:
        if info.get("mime") in _DRAWN or not str(info.get("mime")).startswith("image/"):
            raise _LeftOutError(f"its lead image is no photograph ({info.get('mime')})")
        if info.get("width", 0) * info.get("height", 0) < _LEAST_PIXELS:
            raise _LeftOutError("its lead image is too small")
        if not plain((info.get("extmetadata") or {}).get("LicenseShortName", {}).get("value")):
            raise _LeftOutError("its lead image states no licence")
        return dict(info)
    raise _LeftOutError("its lead image is unknown to the wiki")


def _insert(row: Collected, connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO nouns (noun, row) VALUES (?, ?)", (row.noun, row.model_dump_json()))


def _rows(journal: Journal) -> list[Collected]:
    return [Collected.model_validate_json(row) for (row,) in journal.rows("SELECT row FROM nouns ORDER BY seq")]


def _write(out: Path, rows: list[Collected]) -> Counts:
    """Write the table of images; returns what became of the nouns."""
    images = [row.model_dump(exclude={"left_out"}) for row in rows if not row.left_out]
    write_sheet(out / TABLE, list(images[0]) if images else (), (row.values() for row in images), exact=True)
    counts = Counts("collection")
    flow = counts.flow("nouns", len(rows), "nouns looked up")
    for reason, n in Counter(row.left_out for row in rows if row.left_out).most_common():
        flow.drop(n, reason)
    flow.out(len(images), "lead images")
    return counts
