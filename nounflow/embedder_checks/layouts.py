"""The usual layouts of labelled image sets on disk: which images there are, and what class each shows."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nounflow.config.check_set import CheckSetConfig
from nounflow.embedder_checks import cifar, imagenet
from nounflow.errors import NounflowError
from nounflow.images import list_images

_SPLITS = {
    "imagenette": "val",
    "imagewoof": "val",
    "imagenet": "val",
    "food101": "images",
    "cifar10": "test",
    "cifar100": "test",
}


@dataclass
class Listing:
    """Images of a set and their classes."""

    found: int  # images in the folder
    files: dict[str, str]  # image -> key of its class
    names: dict[str, str]  # key -> class name
    dropped: dict[str, int] = field(default_factory=dict)  # reason -> images
    added: dict[str, int] = field(default_factory=dict)


def images_folder(config: CheckSetConfig, unpacked: Path) -> Path:
    """Where a set's images lie: its usual sub-folder, the folder itself, or `unpacked` for CIFAR's binary version."""
    folder = Path(config.folder)
    if config.kind in cifar.SETS and cifar.binary_folder(config.kind, folder):
        return unpacked
    split = folder / _SPLITS.get(config.kind, ".")
    return split if split.is_dir() else folder


def list_check_set(config: CheckSetConfig, unpacked: Path) -> Listing:
    """The images to look at. CIFAR's binary version is written out to `unpacked` first.

    Raises:
        NounflowError: the folder is missing or is laid out otherwise, with what was looked for.
    """
    folder = Path(config.folder)
    if not folder.is_dir():
        raise NounflowError("The folder of a check set does not exist", where=folder, fix="check it under `check_sets`")
    if config.kind in cifar.SETS:
        listing = _cifar(config.kind, folder, unpacked, images_folder(config, unpacked))
    elif config.kind == "food101":
        listing = _food(folder)
    elif config.kind == "folder":
        listing = _class_folders(images_folder(config, unpacked))
    else:
        listing = _imagenet(config, images_folder(config, unpacked))
    if not listing.files:
        raise NounflowError("No image of a class was found", where=folder, fix="docs/embedder_checks.md shows layouts")
    return _renamed(listing, config.classes, folder)


def _class_folders(root: Path) -> Listing:
    """A folder a class; its name, with spaces for underscores, is the class name."""
    images = list_images(root)
    files = {image: image.split("/")[0] for image in images if "/" in image}
    keys = sorted(set(files.values()))
    listing = Listing(len(images), files, {key: " ".join(key.replace("_", " ").split()) for key in keys})
    listing.dropped["not in a folder of a class"] = len(images) - len(files)
    return listing


def _cifar(kind: str, folder: Path, unpacked: Path, images: Path) -> Listing:
    if source := cifar.binary_folder(kind, folder):
        files, names = cifar.unpack_test_images(kind, source, unpacked)
        return Listing(len(files), files, {name: name.replace("_", " ") for name in names})
    cifar.refuse_pickles(kind, folder)
    return _class_folders(images)


def _food(folder: Path) -> Listing:
    """images/CLASS/ID.jpg, of which meta/test.txt lists those to test on as CLASS/ID."""
    path = folder / "meta/test.txt"
    try:
        listed = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"Food-101's list of test images cannot be read ({error})",
            where=path,
            fix="`folder` is the one that holds images/ and meta/, as the archive unpacks",
        ) from None
    listing = _class_folders(folder / "images")
    files = {f"{name}.jpg": name.split("/")[0] for name in listed}
    present = set(listing.files) & set(files)
    listing.dropped["not in meta/test.txt"] = len(listing.files) - len(present)
    listing.added["in meta/test.txt, but missing: counted as wrong"] = len(files) - len(present)
    names = {key: key.replace("_", " ") for key in sorted(set(files.values()))}
    return Listing(listing.found, dict(sorted(files.items())), names, listing.dropped, listing.added)


def _imagenet(config: CheckSetConfig, root: Path) -> Listing:
    """A folder for each WordNet id, or one folder and a label file."""
    names = imagenet.class_names()
    if config.labels is not None:
        images = list_images(root)
        files = imagenet.read_flat_labels(Path(config.labels), images)
        return Listing(len(images), files, {key: names[key] for key in sorted(set(files.values()))})
    listing = _class_folders(root)
    if not listing.files and config.kind == "imagenet":
        raise NounflowError(
            "The images are not in a folder for each class",
            where=root,
            fix="name a label file under `labels`, or sort the images into folders named by WordNet id (n01440764)",
        )
    if strange := sorted(set(listing.names) - set(names)):
        raise NounflowError(
            f"The folder '{strange[0]}' is not named by a WordNet id of ImageNet-1K",
            where=root,
            fix="`folder` is the one whose val/ holds n01440764 and so on; for folders with class names: kind: folder",
        )
    listing.names = {key: names[key] for key in listing.names}
    return listing


def _renamed(listing: Listing, classes: Mapping[str, str], folder: Path) -> Listing:
    for key, name in classes.items():
        if key not in listing.names:
            close = difflib.get_close_matches(key, listing.names, n=3)
            raise NounflowError(
                f"`classes` names '{key}', and no class has that key",
                where=folder,
                fix=f"did you mean {', '.join(close)}?" if close else f"keys are such as {next(iter(listing.names))}",
            )
        listing.names[key] = name
    return listing
