"""Which nouns are kept."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from nounflow.config.base import OneOf, Settings
from nounflow.config.inputs import NOUN_SOURCES

Kind = Literal[
    "animal", "plant", "food", "artifact", "body", "object", "person", "phenomenon", "possession", "substance",
    "group", "time", "shape", "location", "communication", "event", "act", "state", "attribute",
]  # fmt: skip

KINDS: tuple[Kind, ...] = get_args(Kind)


class LexiconConfig(Settings):
    """A lexicon: WordNet's object nouns, narrowed by rules. docs/nouns.md explains the rules, in their order."""

    kinds: tuple[Kind, ...] = Field(KINDS, min_length=1, description="WordNet noun classes to take from")
    min_visualness: float = Field(
        0.5, ge=0, le=1, description="drop senses less photographable than this, by the rule of docs/nouns.md (0: none)"
    )
    complete_kinds: tuple[Kind, ...] = Field(
        tuple(kind for kind in KINDS if kind not in ("animal", "plant", "food", "artifact")),
        description="classes in which every photographable sense keeps one noun, however rare: boarding card, cellist",
    )
    photographed: bool = Field(True, description="apply `leave_out` of the rule file: words that nobody would answer")
    listed: bool = Field(
        True, description="let names of image sets' classes pass the filters of weight, share and capitals"
    )
    capitalised: bool = Field(
        False, description="keep Latin names of kinds, and single names with a capital that no image set lists"
    )
    supplement: bool = Field(
        True, description="add the nouns of resources/nouns/modern.tsv, which WordNet lacks: smartphone, hoodie, latte"
    )
    imports: tuple[Annotated[str, OneOf(NOUN_SOURCES)], ...] = Field(
        (), description="further sources of nouns, which are fetched: english_wordnet, emoji, cldr (docs/nouns.md)"
    )
    min_weight: float = Field(
        5.5,
        ge=0,
        description="drop nouns below this log-scale weight, 2 less if ImageNet has pictures of them; 1 is no "
        "evidence, so 0 or 1 keeps all",
    )
    min_object_share: float = Field(
        0.1, ge=0, le=1, description="drop nouns that mean an object in less than this share of their uses as a noun"
    )
    max_pieces: int = Field(5, ge=0, description="drop nouns of more word pieces than this (0: keep all)")
    synonym_ratio: float = Field(
        8.0, ge=0, description="drop a noun when a synonym is this many times as frequent (0: keep all)"
    )
    spelling: Literal["american", "british"] = Field(
        "american", description="which of two spellings of a word leads; the other is a form of the noun"
    )
    variants: bool = Field(
        False,
        description="also forms without hyphen, apostrophe or capital, and rare open, closed, hyphenated ones",
    )
    max_nouns: int = Field(0, ge=0, description="how many nouns are kept, those of greatest weight (0: all)")
