"""The lists behind the inflection of nouns (`resources/nouns/inflection.yaml`): what no rule can know of a word."""

from typing import Literal

from pydantic import Field

from nounflow.config.base import Settings
from nounflow.nouns.rules import Keys, WordRule, Words

Countability = Literal["count", "mass", "both", "plural", "name"]


class PluralRule(Settings):
    """Plurals of words, in one of three ways."""

    reason: str = Field(min_length=3)
    all: Literal["="] | None = Field(None, description="`words` are the same in the plural")
    rule: Literal["s"] | None = Field(None, description="`words` take an s alone")
    words: Words = ()
    each: dict[str, Words] = Field(default_factory=dict, description="word -> its plurals, commonest first")


class MassRule(Settings):
    """Senses, or whole WordNet classes, of stuff or of things."""

    reason: str = Field(min_length=3)
    senses: Keys = ()
    kinds: Words = ()


class InflectionLists(Settings):
    """The whole file; a word holds for itself and as the last word of a compound."""

    plurals: tuple[PluralRule, ...] = ()
    mass: tuple[WordRule, ...] = Field((), description="no article, no plural: some water")
    both: tuple[WordRule, ...] = Field((), description="mass nouns that have a plural: some wine, wines")
    count: tuple[WordRule, ...] = Field((), description="things, though `mass_below` or their spelling says otherwise")
    pairs: tuple[WordRule, ...] = Field((), description="singulars that are only shown in the plural: tweezer")
    plural_only: tuple[WordRule, ...] = ()
    singular_s: tuple[WordRule, ...] = Field((), description="singulars that end like a plural")
    mass_below: tuple[MassRule, ...] = ()
    count_below: tuple[MassRule, ...] = ()
    capitals: tuple[WordRule, ...] = Field((), description="words with a capital wherever they stand in a noun")
    display: dict[str, str] = Field(default_factory=dict, description="canon -> how the noun is written")

    def words(self, name: str) -> dict[str, str]:
        """The words of a list, in small letters -> as written."""
        return {word.lower(): word for rule in getattr(self, name) for word in rule.words}

    def plurals_of(self) -> dict[str, tuple[str, ...]]:
        """Word in small letters -> its plurals."""
        found: dict[str, tuple[str, ...]] = {}
        for rule in self.plurals:
            found.update({word.lower(): (word if rule.all else f"{word}s",) for word in rule.words})
            found.update({word.lower(): plurals for word, plurals in rule.each.items()})
        return found

    def countability(self) -> dict[str, Countability]:
        """Word in small letters -> what a list says of it."""
        names: tuple[tuple[str, Countability], ...] = (("count", "count"), ("both", "both"), ("mass", "mass"))
        return {word: use for name, use in names for word in self.words(name)}
