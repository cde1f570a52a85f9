"""The lists of nouns in the report."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from nounflow.scoring.answers import only_decoding
from nounflow.scoring.load import ScoringMaterial

_TOP_NOUNS = 20


def noun_lists(material: ScoringMaterial) -> list[dict[str, Any]]:
    """The heaviest nouns of each lexicon in use, and the nouns each run gave most."""
    lists = []
    for lexicon in sorted({run.lexicon for run in material.runs.values()}):
        table = material.tables[lexicon].sort(["weight", "noun"], descending=[True, False])
        rows = [
            (noun, weight, f"{weight:.2f}") for noun, weight in table.select("noun", "weight").head(_TOP_NOUNS).rows()
        ]
        lists.append(_noun_list(f"Lexicon {lexicon}", f"{len(table):,} nouns; the heaviest", "weight", rows))
    for document in material.predictions:
        given = Counter(nouns[0] for nouns in only_decoding(document).pred)
        top = sorted(given.items(), key=lambda pair: (-pair[1], pair[0]))[:_TOP_NOUNS]
        note = f"{len(given):,} different first nouns on {document.image_set}; the most frequent"
        lists.append(_noun_list(document.run, note, "images", [(noun, n, str(n)) for noun, n in top]))
    return lists


def _noun_list(title: str, note: str, unit: str, rows: Sequence[tuple[str, float, str]]) -> dict[str, Any]:
    most = max((value for _, value, _ in rows), default=1.0) or 1.0
    return {
        "title": title,
        "note": note,
        "unit": unit,
        "rows": [(noun or "(empty)", text, f"{100 * value / most:.1f}") for noun, value, text in rows],
    }
