"""What nounflow can fetch, by name. A new source is a file in `nounflow/inputs/` and a line here."""

from nounflow.registry import Registry

# name -> function `(out, cache) -> InputManifest`; one that fetches from an address takes another one as `url`
IMAGE_SOURCES: Registry[str] = {
    "tuxpaint": "nounflow.inputs.photos:fetch_tuxpaint",
    "novic_world": "nounflow.inputs.download:fetch_world",
    "novic_wiki": "nounflow.inputs.download:fetch_wiki",
    "novic_val3k": "nounflow.inputs.download:fetch_val3k",
}
NOUN_SOURCES: Registry[str] = {
    "english_wordnet": "nounflow.inputs.download:fetch_english_wordnet",
    "emoji": "nounflow.inputs.emoji:fetch_emoji",
    "cldr": "nounflow.inputs.emoji:fetch_cldr",
}
INPUTS: Registry[str] = {"wordnet": "nounflow.inputs.wordnet:fetch_wordnet", **NOUN_SOURCES, **IMAGE_SOURCES}
# name -> function `(folder) -> Iterator[FoundNoun]`: the nouns in what was fetched
NOUN_READERS: Registry[str] = {
    "english_wordnet": "nounflow.nouns.english_wordnet:read_english_wordnet",
    "emoji": "nounflow.nouns.emoji_names:read_emoji",
    "cldr": "nounflow.nouns.emoji_names:read_cldr",
}
