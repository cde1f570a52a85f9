"""Many paths in one shell command."""

import itertools
import re
import shlex
from collections.abc import Iterable, Sequence

_NUMBERED = re.compile(r"(.*/)(0|[1-9]\d*)(\.[^/]*)?", flags=re.DOTALL)


def shell_words(paths: Iterable[str]) -> str:
    """Paths as quoted words, in their order; a run of numbered ones (`a/0.json a/1.json ...`) as a brace expansion.

    Linux takes 128 KiB for the text of a command (one argument of `bash -c`), which 2,000 paths fill; what bash expands
    it to may have megabytes.
    """
    words: list[str] = []
    for around, group in itertools.groupby(paths, _around_number):
        members = list(group)
        numbers = [int(found[2]) for path in members if (found := _NUMBERED.fullmatch(path))]
        if around is None or len(members) == 1 or not _consecutive(numbers):
            words += map(shlex.quote, members)
        else:
            before, after = map(shlex.quote, around)
            words.append(f"{before}{{{numbers[0]}..{numbers[-1]}}}{after}")
    return " ".join(words)


def _around_number(path: str) -> tuple[str, str] | None:
    found = _NUMBERED.fullmatch(path)
    return (found[1], found[3] or "") if found else None


def _consecutive(numbers: Sequence[int]) -> bool:
    return all(b == a + 1 for a, b in itertools.pairwise(numbers))
