"""What is fetched from outside."""

from nounflow.schemas.documents import StoredDocument


class InputManifest(StoredDocument):
    """results/inputs/{name}/manifest.json: where a fetched input came from. Written last."""

    name: str
    source: str  # how it was found: an installed folder, a package
    version: str
    licence: str
    folder: str  # where its files lie: relative to the manifest, or an installed folder
    files: dict[str, str]  # relative path -> sha256
    left_out: int = 0  # files of the source that are of no use here
    megabytes: float
