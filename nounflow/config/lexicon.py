"""Which nouns are kept."""

from typing import Literal, get_args

from pydantic import Field

from nounflow.config.base import Settings

Kind = Literal[
    "animal", "plant", "food", "artifact", "body", "object", "person", "phenomenon", "possession", "substance",
    "group", "time", "shape", "location", "communication", "event",
]  # fmt: skip

KINDS: tuple[Kind, ...] = get_args(Kind)


class LexiconConfig(Settings):
    """A lexicon: WordNet's object nouns, narrowed by rules. docs/nouns.md explains the rules, in their order."""

    kinds: tuple[Kind, ...] = Field(
        KINDS, min_length=1, description="WordNet noun classes to take from; the rule file says how much of each"
    )
    photographed: bool = Field(
        True, description="apply the rule file's exclusions: subtrees and words that nobody names in a photograph"
    )
    supplement: bool = Field(
        True, description="add the nouns of resources/nouns/modern.tsv, which WordNet lacks: smartphone, hoodie, latte"
    )
    hand_kept: bool = Field(
        True, description="let the words under `keep` in the rule file pass the filters below, whatever their weight"
    )
    capitalised: bool = Field(False, description="keep taxa and other names that WordNet writes with a capital")
    min_weight: float = Field(
        2.0, ge=0, description="drop nouns below this log-scale weight; 1 is no evidence, so 0 or 1 keeps all"
    )
    min_object_share: float = Field(
        0.2, ge=0, le=1, description="drop nouns that mean an object in less than this share of their uses as a noun"
    )
    max_pieces: int = Field(5, ge=0, description="drop nouns of more word pieces than this (0: keep all)")
    synonym_ratio: float = Field(
        8.0, ge=0, description="drop a noun when a synonym is this many times as frequent (0: keep all)"
    )
    max_nouns: int = Field(0, ge=0, description="how many nouns are kept, those of greatest weight (0: all)")
