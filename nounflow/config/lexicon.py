"""Which nouns are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nounflow.config.base import Settings

Kind = Literal[
    "animal", "artifact", "body", "event", "feeling", "food", "object", "person", "phenomenon", "plant", "possession"
]


class LexiconConfig(Settings):
    """A lexicon: WordNet's object nouns, narrowed by rules. The rules are explained in docs/nouns.md."""

    kinds: tuple[Kind, ...] = Field(
        ("animal", "plant", "food", "artifact"), min_length=1, description="WordNet noun classes to select from"
    )
    min_weight: float = Field(0.0, ge=0, description="drop nouns whose log-scale weight is below this")
    max_pieces: int = Field(0, ge=0, description="drop nouns of more word pieces than this (0: keep all)")
    max_nouns: int = Field(0, ge=0, description="keep only the so many heaviest nouns (0: keep all)")
    capitalised: bool = Field(True, description="keep taxa and other names that WordNet writes with a capital")
