"""The Open English WordNet: a release file in the form WN-LMF (XML, or the same compressed with gzip)."""

from pathlib import Path
from urllib.parse import urlsplit

from nounflow.inputs.download import download
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.inputs.transfer import retried
from nounflow.schemas.inputs import InputManifest

RELEASE = "https://en-word.net/static/english-wordnet-2024.xml.gz"
MAX_BYTES = 500_000_000
LICENCE = "CC BY 4.0, derived from the Princeton WordNet"


def fetch_english_wordnet(out: Path, cache: Path, url: str = RELEASE) -> InputManifest:
    """Fetch a release file from an address (http, https or file)."""
    name = Path(urlsplit(url).path).name or "english-wordnet.xml"

    def fill(folder: Path) -> InputOrigin:
        retried(lambda: download(url, folder / name, MAX_BYTES))
        return InputOrigin("english_wordnet", url, name.split(".")[0], LICENCE)

    return put_in_place(out, fill)
