"""A list of nouns as the places that they have in a lexicon. Nothing here imports PyTorch."""

from collections.abc import Sequence


def listed(lexicon: Sequence[str], nouns: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """The list's noun -> its number in the lexicon; and what the lexicon lacks, or the list has in another spelling."""
    number = {noun: i for i, noun in enumerate(lexicon)}
    found: dict[int, str] = {}
    left_out = []
    for noun in nouns:
        place = number.get(noun, number.get(noun.lower()))
        if place is None or place in found:
            left_out.append(noun)
        else:
            found[place] = noun
    return {noun: place for place, noun in found.items()}, left_out
