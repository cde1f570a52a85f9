"""What nounflow can fetch, by name. A new source is a file in `nounflow/inputs/` and a line here."""

from nounflow.registry import Registry

# name -> function `(out, cache) -> InputManifest`; one that fetches from an address takes another one as `url`
IMAGE_SOURCES: Registry[str] = {
    "tuxpaint": "nounflow.inputs.photos:fetch_tuxpaint",
    "novic_world": "nounflow.inputs.novic:fetch_world",
    "novic_wiki": "nounflow.inputs.novic:fetch_wiki",
    "novic_val3k": "nounflow.inputs.novic:fetch_val3k",
}
INPUTS: Registry[str] = {"wordnet": "nounflow.inputs.wordnet:fetch_wordnet", **IMAGE_SOURCES}
