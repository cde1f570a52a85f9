"""Other spellings of a noun: American and British ("gray wolf", "grey wolf"), open and closed ("fire truck")."""

from collections.abc import Callable, Mapping

from nounflow.text import canon

# A closed spelling this frequent beside the open one is in use.
_IN_USE = 0.05


class Spellings:
    """Variants of spellings from a table of word pairs, American -> British."""

    def __init__(self, pairs: Mapping[str, str], lead: str = "american") -> None:
        """`lead`: which of two spellings of a noun leads, "american" or "british"."""
        self._other = dict(pairs) | {british: american for american, british in pairs.items()}
        self._leading = frozenset(pairs if lead == "american" else pairs.values())

    def dialects(self, form: str) -> str | None:
        """The form as the other side of the Atlantic writes it, None if it is written alike."""
        words = form.split(" ")
        other = [self._other.get(word, word) for word in words]
        return None if other == words else " ".join(other)

    def leads(self, form: str, rival: str) -> bool:
        """Whether two nouns differ only by dialect, and the first is written in the leading one."""
        return self.dialects(form) == rival and any(word in self._leading for word in form.split(" "))

    def variants(
        self, forms: tuple[str, ...], frequency: Callable[[str], float], taken: Callable[[str], bool]
    ) -> tuple[str, ...]:
        """The forms, and behind them their other spellings that are no noun of their own (`taken`, by canon)."""
        found = list(forms)
        for form in forms:
            other, closed = self.dialects(form), form.replace(" ", "").replace("-", "")
            if other:
                found.append(other)
            if form.count(" ") == 1 and not closed.isupper() and frequency(closed) > _IN_USE * frequency(form) > 0:
                found.append(closed)
        return tuple(form for form in dict.fromkeys(found) if form in forms or not taken(canon(form)))
