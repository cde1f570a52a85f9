"""Names of emoji: Unicode's own, and the annotations of the CLDR, both from npm packages."""

from pathlib import Path

from nounflow.inputs import npm
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.schemas.inputs import InputManifest

NAMES = "data-by-emoji.json"
ENGLISH = ("en", "en-001", "en-AU", "en-CA", "en-GB", "en-IN")  # folders of the CLDR, the common one first


def _fetch(
    name: str, package: str, megabytes: float, below: str, files: tuple[str, ...], licence: str, out: Path, cache: Path
) -> InputManifest:
    def fill(folder: Path) -> InputOrigin:
        left_out = npm.fetch(package, megabytes, cache, below, files.__contains__, folder)
        return InputOrigin(name, f"npm package {package}", package.rpartition("@")[2], licence, left_out)

    return put_in_place(out, fill)


def fetch_emoji(out: Path, cache: Path) -> InputManifest:
    """The names of all emoji, with their groups, as Unicode's test file gives them."""
    return _fetch("emoji", "unicode-emoji-json@0.9.0", 0.1, "", (NAMES,), "MIT, of Unicode's data", out, cache)


def fetch_cldr(out: Path, cache: Path) -> InputManifest:
    """The names and keywords of signs and emoji in the kinds of English."""
    files = tuple(f"{locale}/annotations.json" for locale in ENGLISH)
    return _fetch("cldr", "cldr-annotations-full@48.2.0", 6.5, "annotations", files, "Unicode-3.0", out, cache)
