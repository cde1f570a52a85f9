"""CIFAR's binary version, written out as PNG files. The Python version is pickled, and no pickle is opened here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nounflow.atomic import atomic_folder
from nounflow.errors import DamagedFileError, NounflowError

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE


@dataclass(frozen=True)
class Cifar:
    """How one of the two sets lies on disk."""

    binary: str  # folder of the binary version, as its archive unpacks
    test: str  # file of test images: for each, its label bytes and then 3,072 bytes of red, green and blue rows
    names: str
    label_bytes: int  # the last one counts: CIFAR-100 has the coarse class first
    classes: int
    pickled: tuple[str, ...]  # what tells the Python version


SETS = {
    "cifar10": Cifar(
        binary="cifar-10-batches-bin",
        test="test_batch.bin",
        names="batches.meta.txt",
        label_bytes=1,
        classes=10,
        pickled=("cifar-10-batches-py", "test_batch"),
    ),
    "cifar100": Cifar(
        binary="cifar-100-binary",
        test="test.bin",
        names="fine_label_names.txt",
        label_bytes=2,
        classes=100,
        pickled=("cifar-100-python", "meta"),
    ),
}


def binary_folder(kind: str, folder: Path) -> Path | None:
    """Where the binary version lies in or below `folder`; None if it does not."""
    for candidate in (folder, folder / SETS[kind].binary):
        if (candidate / SETS[kind].test).is_file():
            return candidate
    return None


def refuse_pickles(kind: str, folder: Path) -> None:
    """Say what to fetch instead where `folder` holds the Python version."""
    if any((folder / name).exists() for name in SETS[kind].pickled):
        raise NounflowError(
            "This is CIFAR's Python version, whose files are pickles; a pickle can run any code, so none is opened",
            where=folder,
            fix=f"unpack the binary version ({SETS[kind].binary}), or have a folder of image files for each class",
        )


def unpack_test_images(kind: str, source: Path, out: Path) -> tuple[dict[str, str], list[str]]:
    """Write the test images of a binary version below `out`, a folder a class.

    Returns:
        image file -> class, and all classes.

    Raises:
        NounflowError: a file is missing; DamagedFileError: its size or a label cannot be.
    """
    layout = SETS[kind]
    names = _class_names(source / layout.names, layout.classes)
    path = source / layout.test
    payload = np.fromfile(path, dtype=np.uint8)
    row = layout.label_bytes + _PIXELS
    if len(payload) == 0 or len(payload) % row:
        raise DamagedFileError(
            f"The file has {len(payload):,} bytes, which are no whole number of images of {row:,} bytes",
            where=path,
            fix="unpack the archive again",
        )
    rows = payload.reshape(-1, row)
    labels = rows[:, layout.label_bytes - 1]
    if labels.max() >= layout.classes:
        raise DamagedFileError(f"The file holds a class {labels.max()} of {layout.classes}", where=path)
    pixels = rows[:, layout.label_bytes :].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)  # [n, 32, 32, rgb]
    files = {f"{names[label]}/{i:05d}.png": names[label] for i, label in enumerate(labels.tolist())}
    with atomic_folder(out) as folder:
        for name in names:
            (folder / name).mkdir()
        for file, image in zip(files, pixels, strict=True):
            Image.fromarray(np.ascontiguousarray(image)).save(folder / file, compress_level=1)
    return files, names


def _class_names(path: Path, classes: int) -> list[str]:
    try:
        names = [line.strip() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"The file of class names cannot be read ({error})", where=path, fix="unpack the whole archive again"
        ) from None
    if len(set(names)) != classes or any("/" in name or name.startswith(".") for name in names):
        raise DamagedFileError(f"The file should name {classes} classes, one a line", where=path)
    return names
