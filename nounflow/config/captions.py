"""How nouns become texts."""

from typing import Annotated

from pydantic import Field, model_validator

from nounflow.config.base import OPERATIONAL, HomePath, Settings
from nounflow.config.llm import LLMConfig


class SourceConfig(Settings):
    """One multiset: what shapes its texts."""

    texts_per_noun: int = Field(ge=1, description="texts for each noun of the lexicon")
    co_occurring: float = Field(0.0, ge=0, le=1, description="share of texts whose nouns go together")


class MultisetConfig(Settings):
    """M1, M2, ... Mm: templates filled with one, two, ... m nouns."""

    texts_per_noun: tuple[int, ...] = Field(
        (14, 4, 3), min_length=1, max_length=4, description="texts of M1, M2, ... for each noun of the lexicon"
    )
    co_occurring: float = Field(
        0.0, ge=0, le=1, description="share of M2, M3, ... whose nouns stand together in a WordNet gloss"
    )
    shards: Annotated[tuple[int, ...], OPERATIONAL] = Field((1, 1, 1), description="embedding jobs for M1, M2, ...")

    def of(self, source: str) -> SourceConfig:
        """What shapes "m1", "m2", ...: the figures of the others do not."""
        m = int(source[1:])
        return SourceConfig(texts_per_noun=self.texts_per_noun[m - 1], co_occurring=self.co_occurring if m > 1 else 0.0)

    @model_validator(mode="after")
    def _parallel(self) -> "MultisetConfig":
        if len(self.shards) != len(self.texts_per_noun):
            raise ValueError("`shards` and `texts_per_noun` need one entry each for M1, M2, ...")
        if min(*self.shards, *self.texts_per_noun, 1) < 1:
            raise ValueError("`shards` and `texts_per_noun` must be 1 or more")
        return self


class OfflineConfig(Settings):
    """Scene-like captions written from WordNet glosses and word lists, with no language model."""

    captions_per_noun: int = Field(8, ge=1, description="mean number of captions a noun gets, 4 or more each")
    shards: Annotated[int, OPERATIONAL] = Field(1, ge=1, description="embedding jobs")


class ChecksConfig(Settings):
    """What a caption must be like to be kept."""

    min_words: int = Field(4, ge=1, description="fewest words of a caption")
    max_words: int = Field(30, ge=1, description="most words of a caption")
    max_characters: int = Field(250, ge=1, description="most characters of a caption")
    min_latin_share: float = Field(
        0.9, ge=0, le=1, description="least share of Latin letters among those outside its nouns"
    )
    near_duplicate: float = Field(
        0.7, gt=0, le=1, description="from this Jaccard similarity of words and word pairs on, two captions are one"
    )
    secondary_share: float = Field(
        0.2, ge=0, lt=1, description="weight that other nouns of a caption get together, out of 1"
    )
    min_yield: float = Field(0.8, ge=0, le=1, description="share of captions to be kept, below which the check fails")

    @model_validator(mode="after")
    def _ordered(self) -> "ChecksConfig":
        if self.min_words > self.max_words:
            raise ValueError("`min_words` must not be above `max_words`")
        return self


class LLMCaptionsConfig(Settings):
    """Captions that a language model writes. Nothing is sent unless a mixture gives `llm` a weight."""

    server: LLMConfig | None = Field(None, description="the model and its server; see `server` below")
    captions_per_noun: float = Field(
        8.0, gt=0, description="mean number of captions a noun gets; more for weightier ones"
    )
    captions_per_request: int = Field(8, ge=2, le=100, description="captions that one request asks for")
    attempts_per_noun: int = Field(6, ge=1, description="most requests about one noun")
    ledger: Annotated[HomePath, OPERATIONAL] = Field(
        "ledgers/captions.sqlite", description="file of all requests and answers; keep it, a rerun replays it"
    )
    shards: Annotated[int, OPERATIONAL] = Field(1, ge=1, description="embedding jobs")


class CaptionsConfig(Settings):
    """All caption sources; a mixture chooses among them."""

    singular_templates: HomePath = Field("resources/templates/singular.tsv", description="file of singular templates")
    plural_templates: HomePath = Field("resources/templates/plural.tsv", description="file of plural templates")
    multiset: MultisetConfig = MultisetConfig()
    offline: OfflineConfig = OfflineConfig()
    offline_words: HomePath = Field("resources/captions", description="folder of the offline captioner's word lists")
    llm: LLMCaptionsConfig = LLMCaptionsConfig()
    checks: ChecksConfig = ChecksConfig()
    seed: int = Field(1, ge=0, description="seed of template and noun draws")

    def shards(self, source: str) -> int:
        """Number of embedding shards of a source ("m1", "m2", ..., "offline", "llm")."""
        if source.startswith("m") and source[1:].isdecimal():
            return self.multiset.shards[int(source[1:]) - 1]
        return self.llm.shards if source == "llm" else self.offline.shards

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of all sources that can be written with this config."""
        return (*(f"m{m + 1}" for m in range(len(self.multiset.texts_per_noun))), "offline", "llm")
