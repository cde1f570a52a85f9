"""How often words are written: Google Web 1T counts (`wordsegment`) and a second corpus mix (`wordfreq`)."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nounflow.text import canon

# Weight 1 stands at this frequency relative to "the": 57,840 occurrences in Web 1T.
THRESHOLD = 2.5e-6
SLOPE = 1.5


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
