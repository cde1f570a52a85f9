"""All inputs by name."""

from __future__ import annotations

from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.inputs.download import URLS, fetch_zipped_images
from nounflow.inputs.photos import fetch_tuxpaint
from nounflow.inputs.wordnet import fetch_wordnet
from nounflow.schemas.documents import InputManifest

_FETCHERS = {"wordnet": fetch_wordnet, "tuxpaint": fetch_tuxpaint}
NAMES = (*_FETCHERS, *URLS)


def fetch(name: str, out: Path, cache: Path, url: str | None = None) -> InputManifest:
    """Find or fetch an input into `out`, manifest last. `cache` may be shared by several fetches at once."""
    if name in URLS:
        return fetch_zipped_images(name, out, cache, url)
    if url is not None:
        raise NounflowError(f"--url is for {', '.join(URLS)}; {name} comes from a package", fix="leave --url out")
    if name not in _FETCHERS:
        raise NounflowError(f"There is no input '{name}'", fix=f"take one of {', '.join(NAMES)}")
    return _FETCHERS[name](out, cache)
