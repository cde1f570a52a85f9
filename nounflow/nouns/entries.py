"""A noun on its way into a lexicon."""

from dataclasses import dataclass

from nounflow.nouns.frequencies import THRESHOLD, log_weight
from nounflow.nouns.inflection_lists import Countability
from nounflow.senses import WordSense
from nounflow.text import canon


@dataclass(frozen=True)
class NounEntry:
    """One noun before it becomes a row."""

    name: str  # canon of WordNet's word
    noun: str  # display form
    senses: tuple[WordSense, ...]  # selected ones, commonest first
    singulars: tuple[str, ...]
    plurals: tuple[str, ...]
    countability: Countability = "count"
    pictured: bool = False  # ImageNet has pictures of its first sense
    latin: bool = False  # a name of a species, such as "Canis familiaris"
    frequency: float = 0.0  # relative to "the", over all forms and meanings
    object_frequency: float = 0.0  # of this, as the object: P(object | word) times the frequency, form by form
    noun_share: float = 0.0  # P(object | word, used as a noun)

    @property
    def canon(self) -> str:
        """Its name in the lexicon."""
        return canon(self.noun)

    @property
    def weight(self) -> float:
        """g of the frequency with which the word means the object, 1 or more."""
        return log_weight(self.object_frequency)

    @property
    def spellings(self) -> tuple[str, ...]:
        """Distinct canons of all forms."""
        return tuple(dict.fromkeys(canon(form) for form in (*self.singulars, *self.plurals)))

    def sense_frequency(self, sense: WordSense) -> float:
        """Frequency in one sense; a noun without evidence stands at half the weight threshold."""
        frequency = self.object_frequency if self.frequency else THRESHOLD / 2
        return frequency * sense.mass / sum(selected.mass for selected in self.senses)
