"""How often words are written: Google Web 1T counts (`wordsegment`) and a second corpus mix (`wordfreq`)."""

import functools
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nounflow.text import canon

# Weight 1 stands at this frequency relative to "the": 57,840 occurrences in Web 1T.
THRESHOLD = 2.5e-6
SLOPE = 1.5
_LIST_END = 100_000 / 23_135_851_162  # the rarest pair that the web's list holds


def log_weight(frequency: float) -> float:
    """g(f) = 1 + 1.5 ln(f / T), at least 1: linear in the logarithm of a frequency relative to "the"."""
    return 1.0 + SLOPE * math.log(max(frequency, THRESHOLD) / THRESHOLD)


@dataclass(frozen=True)
class Frequencies:
    """Frequencies relative to "the" (1.0), by canon; 0 means no evidence."""

    web: Mapping[str, float]  # one word or two
    second: Mapping[str, float]  # one word
    # spellings that are words of their own: "car pet" must not borrow from "carpet"
    is_word: Callable[[str], bool] = field(default=lambda _: True)

    def __call__(self, spelling: str) -> float:
        """Frequency of one spelling.

        One word: the geometric mean of both sources where both know it, since each has its own bias (the web count
        favours computing and shopping, the mix favours speech). Two words: the web's bigram, and the closed
        spelling if that is no word of its own ("fire truck" gains from "firetruck"). Three and more: no evidence.
        """
        words = canon(spelling).split(" ")
        if len(words) == 1:
            first, other = self.web.get(words[0], 0.0), self.second.get(words[0], 0.0)
            return math.sqrt(first * other) if first and other else first or other
        if len(words) > 2:
            return 0.0
        closed = "".join(words)
        return self.web.get(" ".join(words), 0.0) + (0.0 if self.is_word(closed) else self.web.get(closed, 0.0))

    def estimate(self, compound: str) -> float:
        """What a compound without a count may have, from its words; 0 if a word is unknown, or it is one word.

        The web's list ends at 100,000 occurrences. Of two words with frequencies a and b it holds the pair with the
        probability logistic(4.51 + 0.415 ln a + 0.483 ln b), fitted on the 42,489 two-word nouns of WordNet; the
        estimate is that share of the list's end. Of three words and more the least likely pair counts.
        """
        words = [self(word) for word in canon(compound).split(" ")]
        if len(words) < 2 or not all(words):
            return 0.0
        pairs = (4.51 + 0.415 * math.log(a) + 0.483 * math.log(b) for a, b in itertools.pairwise(words))
        return min(_LIST_END / (1.0 + math.exp(-logit)) for logit in pairs)


@functools.lru_cache(maxsize=1)
def _sources() -> tuple[dict[str, float], dict[str, float]]:
    import wordfreq
    import wordsegment

    wordsegment.load()
    the = wordsegment.UNIGRAMS["the"]
    web = {word: count / the for word, count in wordsegment.UNIGRAMS.items()}
    for pair, count in wordsegment.BIGRAMS.items():
        if not pair.startswith("<s>"):
            web[pair] = web.get(pair, 0.0) + count / the
    table = wordfreq.get_frequency_dict("en", wordlist="large")
    return web, {word: value / table["the"] for word, value in table.items() if word.isascii()}


def load_frequencies(is_word: Callable[[str], bool]) -> Frequencies:
    """Read both packages (1 s). `is_word` tells whether a spelling is a word of its own."""
    return Frequencies(*_sources(), is_word)
