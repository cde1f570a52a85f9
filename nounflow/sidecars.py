"""Nouns as keywords in an XMP file beside a photograph, where photo managers look. The photograph is never touched."""

from collections.abc import Sequence
from pathlib import Path

from nounflow.atomic import atomic_file
from nounflow.errors import NounflowError

_KEYWORDS = "Xmp.dc.subject"


def add_keywords(photo: Path, nouns: Sequence[str]) -> Path:
    """Add nouns to the keywords of PHOTO.xmp, which is made where there is none; what else it holds stays.

    Raises:
        NounflowError: there is one that is no XMP.
    """
    import exiv2

    path = photo.with_name(photo.name + ".xmp")
    try:  # in memory: exiv2 opens no file whose name is no UTF-8
        if path.exists():
            image = exiv2.ImageFactory.open(path.read_bytes())
        else:
            image = exiv2.ImageFactory.create(exiv2.ImageType.xmp)
            image.writeMetadata()
        image.readMetadata()
    except exiv2.Exiv2Error as error:
        raise NounflowError(
            f"The file beside a photograph is no XMP ({error})", where=path, fix="move it away, or mend it"
        ) from None
    except OSError as error:
        raise NounflowError(
            f"The XMP file beside a photograph cannot be read ({error.strerror})",
            where=path,
            fix="check its permissions",
        ) from None
    data = image.xmpData()
    given = data[_KEYWORDS].getValue() if _KEYWORDS in data else None
    kept = [given.toString(i) for i in range(given.count())] if given is not None else []
    words = list(dict.fromkeys([*kept, *nouns]))
    data[_KEYWORDS] = exiv2.XmpArrayValue(words, exiv2.TypeId.xmpBag)
    image.writeMetadata()
    content = image.io()
    content.open()
    with atomic_file(path) as temporary:
        temporary.write_bytes(bytes(content.mmap()))
    return path
