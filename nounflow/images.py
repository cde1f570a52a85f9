"""Opening any image file that people have: upright, RGB, or a plain reason why not."""

import io
import threading
import warnings
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, UnidentifiedImageError

from nounflow.image_folders import list_images as list_images
from nounflow.image_repair import repaired

MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs: 0.5 GB as RGB
_STRIP_PIXELS = 1 << 22  # converted at a time: what lies between a large image and its RGB stays small


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


class _Silence:
    """No warnings meanwhile. Several threads may be inside, of which the last puts the process's filters back:
    with a `warnings.catch_warnings` each they would be lost.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._kept = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._kept = warnings.catch_warnings()
                self._kept.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._kept.__exit__(None, None, None)


_silence = _Silence()


def open_image(source: Path | bytes) -> Image.Image:
    """The image in a file, or in a file's bytes, as upright RGB on white, first frame if it is animated.

    Of a file that lacks something that no pixel needs, `info["note"]` says what.

    Raises ImageError with the reason if the file is missing, empty, broken, cut off or too large.
    """
    try:
        if (len(source) if isinstance(source, bytes) else Path(source).stat().st_size) == 0:
            raise ImageError("the file is empty")
        with _silence:  # bomb warnings: our own limit decides; EXIF warnings: harmless
            try:
                with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
                    return _decoded(image)
            except (OSError, ValueError) as error:
                if isinstance(error, FileNotFoundError | PermissionError | UnidentifiedImageError):
                    raise
                content = source if isinstance(source, bytes) else Path(source).read_bytes()
                if (found := repaired(content, _decoded)) is None:
                    raise
                found[0].info["note"] = found[1]
                return found[0]
    except ImageError:
        raise
    except FileNotFoundError:
        raise ImageError("the file does not exist") from None
    except IsADirectoryError:
        raise ImageError("it is a folder") from None
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ImageError("not an image, or of a format that is not read (convert it to JPEG)") from None
    except MemoryError:
        raise ImageError("not enough memory to decode it") from None
    except Exception as error:  # a damaged file can make a decoder raise anything
        named = error.strerror if isinstance(error, OSError) else None  # without the file's name
        raise ImageError(f"broken: {named or error}") from error


def _decoded(image: Image.Image) -> Image.Image:
    if image.format in ("EPS", "WMF"):  # read by another program, or not everywhere
        raise ImageError(f"{image.format} is not read (convert it to JPEG)")
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width} x {height} pixels, at most {MAX_PIXELS:,} in all")
    image.seek(0)
    image.load()
    return to_rgb(upright(image))


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
    """Any Pillow mode as RGB: 16-bit and float greys scaled, alpha and transparent palettes laid on white.

    Strip by strip: beside the decoded image and its RGB nothing of their size is held.
    """
    rows = max(1, _STRIP_PIXELS // max(1, image.width))
    grey = image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
    scale = _grey_scale(image, rows) if grey else 0.0
    if not grey and image.mode not in ("RGBA", "LA", "PA", "La", "RGBa") and "transparency" not in image.info:
        return image.convert("RGB")
    whole = Image.new("RGB", image.size)
    for top in range(0, image.height, rows):
        strip = _strip(image, top, rows)
        if grey:
            values = np.clip(np.nan_to_num(np.asarray(strip, dtype=np.float64)) * scale, 0, 255).astype(np.uint8)
            strip = Image.fromarray(values, "L").convert("RGB")
        else:
            upper = strip.convert("RGBA")
            white = Image.new("RGBA", upper.size, (255, 255, 255, 255))
            strip = Image.alpha_composite(white, upper).convert("RGB")
        whole.paste(strip, (0, top))
    return whole


def _strip(image: Image.Image, top: int, rows: int) -> Image.Image:
    return image.crop((0, top, image.width, min(top + rows, image.height)))


def _grey_scale(image: Image.Image, rows: int) -> float:
    """What makes 0 .. 255 of an image's greys: floats up to 1, such as they are, 16-bit ones, or any larger ones."""
    strips = (np.asarray(_strip(image, top, rows)) for top in range(0, image.height, rows))
    most = max((float(strip.max(initial=0, where=np.isfinite(strip))) for strip in strips), default=0.0)
    if most <= 255:
        return 255.0 if image.mode == "F" and most <= 1.0 else 1.0
    return 255.0 / (most if image.mode == "F" else max(most, 65535.0))
