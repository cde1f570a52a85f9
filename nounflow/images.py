"""Opening any image file that people have: upright, RGB, or a plain reason why not."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, UnidentifiedImageError

from nounflow.errors import NounflowError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".heic", ".heif", ".avif")
# Pictures that cannot be read. They are listed all the same, so that each is reported by name and not passed over.
UNREAD = (".jxl", ".jp2", ".svg", ".psd", ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf")
MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs: 0.5 GB as RGB


_TURNS = {  # EXIF orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

pillow_heif.register_heif_opener()  # what iPhones write


class ImageError(Exception):
    """Why one image could not be used; reported by name, never fatal for the others."""


def list_images(folder: Path) -> list[str]:
    """Image files below `folder`, as sorted relative POSIX paths; hidden files and folders are passed over."""
    folder = Path(folder)
    if not folder.is_dir():
        raise NounflowError("The image folder does not exist", where=folder, fix="check the path under `image_sets`")
    suffixes = {*EXTENSIONS, *UNREAD}
    found = [
        path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file()
    ]
    names = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
    if not names:
        raise NounflowError(
            "The folder holds no images",
            where=folder,
            fix=f"put files ending in {', '.join(EXTENSIONS)} there, or name another folder",
        )
    return names


def open_image(source: Path | bytes) -> Image.Image:
    """The image in a file, or in a file's bytes, as upright RGB on white, first frame if it is animated.

    Raises ImageError with the reason if the file is missing, empty, broken, cut off or too large.
    """
    try:
        if (len(source) if isinstance(source, bytes) else Path(source).stat().st_size) == 0:
            raise ImageError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bomb warnings: our own limit decides; EXIF warnings: harmless
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too large: {width} x {height} pixels, at most {MAX_PIXELS:,} in all")
                image.seek(0)
                image.load()
                return to_rgb(upright(image))
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("the file does not exist") from None
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ImageError("not an image, or of a format that is not read (convert it to JPEG)") from None
    except MemoryError:
        raise ImageError("not enough memory to decode it") from None
    except Exception as error:  # a damaged file can make a decoder raise anything
        raise ImageError(f"broken: {error}") from error


def upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF says; as it is stored where the EXIF data are damaged.

    `PIL.ImageOps.exif_transpose` also writes the data back, and fails on photographs of which only those are damaged.
    """
    try:
        turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return image
    return image if turn is None else image.transpose(turn)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any Pillow mode as RGB: 16-bit and float greys scaled, alpha and transparent palettes laid on white."""
    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F"):
        grey = np.asarray(image, dtype=np.float64)
        top = 65535.0 if image.mode.startswith("I") and grey.max(initial=0.0) > 255 else 255.0
        if image.mode == "F" and grey.max(initial=0.0) <= 1.0:
            top = 1.0
        return Image.fromarray(np.clip(grey * (255.0 / top), 0, 255).astype(np.uint8), "L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        upper = image.convert("RGBA")
        white = Image.new("RGBA", upper.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, upper).convert("RGB")
    return image.convert("RGB")
