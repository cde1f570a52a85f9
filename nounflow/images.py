"""Opening any image file that people have: upright, RGB, or a plain reason why not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from nounflow.errors import NounflowError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
MAX_PIXELS = 178_956_970  # Pillow's own limit against decompression bombs: 0.5 GB as RGB


class ImageError(Exception):
    """Why one image could not be used; reported by name, never fatal for the others."""


def list_images(folder: Path) -> list[str]:
    """Image files below `folder`, as sorted relative POSIX paths; hidden files and folders are passed over."""
    folder = Path(folder)
    if not folder.is_dir():
        raise NounflowError("The image folder does not exist", where=folder, fix="check the path under `image_sets`")
    found = [
        path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in EXTENSIONS and path.is_file()
    ]
    names = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
    if not names:
        raise NounflowError(
            "The folder holds no images",
            where=folder,
            fix=f"put files ending in {', '.join(EXTENSIONS)} there, or name another folder",
        )
    return names


def open_image(path: Path) -> Image.Image:
    """The image as upright RGB on white, first frame if it is animated.

    Raises ImageError with the reason if the file is missing, empty, broken, cut off or too large.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise ImageError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # bomb warnings: our own limit decides; EXIF warnings: harmless
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too large: {width} x {height} pixels, at most {MAX_PIXELS:,} in all")
                image.seek(0)
                image.load()
                return to_rgb(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ImageError("the file does not exist") from None
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS:,} pixels") from None
    except UnidentifiedImageError:
        raise ImageError("not an image, or a format that Pillow does not read") from None
    except MemoryError:
        raise ImageError("not enough memory to decode it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow's decoders raise on broken files
        raise ImageError(f"broken: {error}") from error


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
