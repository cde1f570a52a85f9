"""Models that lie in a folder or a file of one's own: other weights in the same place are other vectors."""

from pathlib import Path

from nounflow.config.base import at_home
from nounflow.config.embedder import EmbedderConfig
from nounflow.files import sha256_json


def own_files_digest(embedder: EmbedderConfig) -> str:
    """Digest of names, sizes and times of the files behind a spec; empty for a model of a hub or of a package."""
    if embedder.family.models:
        return ""
    place = Path(at_home(embedder.model.partition("@")[2] or embedder.model.removeprefix("local-dir:")))
    found = [path for pattern in ("*", "*/*") for path in place.glob(pattern)] if place.is_dir() else [place]
    files = [path for path in found if path.is_file() and not path.name.startswith(".")]
    stats = [(path.relative_to(place).as_posix(), path.stat()) for path in sorted(files)]
    return sha256_json([[name, at.st_size, at.st_mtime_ns] for name, at in stats])[:16] if stats else ""
