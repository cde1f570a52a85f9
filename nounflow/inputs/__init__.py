"""What is fetched from outside, and where it lies. Stages only need `input_folder`; fetching has modules of its own."""

from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.schemas.documents import read_document
from nounflow.schemas.inputs import InputManifest


def input_folder(manifest_path: Path) -> Path:
    """The folder that a fetched input's `manifest.json` points at; NounflowError if it is gone."""
    manifest = read_document(InputManifest, manifest_path, "manifest of a fetched input")
    folder = manifest_path.parent / manifest.folder  # an absolute folder stays itself
    if not folder.is_dir():
        raise NounflowError(
            f"The files of the input '{manifest.name}' are gone",
            where=folder,
            fix=f"delete {manifest_path} and run the same command again: they are fetched anew",
        )
    return folder


def images_folder(place: Path) -> Path:
    """A folder of images: given itself, or by the manifest of a fetched set."""
    return input_folder(place) if place.suffix == ".json" and not place.is_dir() else place
