"""Nouns as keywords in an XMP file beside a photograph, where photo managers look. The photograph is never touched."""

import shutil
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
    with atomic_file(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        else:
            exiv2.ImageFactory.create(exiv2.ImageType.xmp, str(temporary)).writeMetadata()
        try:
            image = exiv2.ImageFactory.open(str(temporary))
            image.readMetadata()
        except exiv2.Exiv2Error as error:
            raise NounflowError(
                f"The file beside a photograph is no XMP ({error})", where=path, fix="move it away, or mend it"
            ) from None
        data = image.xmpData()
        given = data[_KEYWORDS].getValue() if _KEYWORDS in data else None
        kept = [given.toString(i) for i in range(given.count())] if given is not None else []
        words = list(dict.fromkeys([*kept, *nouns]))
        data[_KEYWORDS] = exiv2.XmpArrayValue(words, exiv2.TypeId.xmpBag)
        image.writeMetadata()
    return path
