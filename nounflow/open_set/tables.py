"""results/open_set.tsv and the table on the terminal."""

from __future__ import annotations

from pathlib import Path

from nounflow.schemas.documents import write_document
from nounflow.schemas.open_set import Measured, OpenSetResults, OpenSetRow
from nounflow.spreadsheets import write_sheet

_MEASURES = ("auroc", "auroc_gain", "fpr95", "aupr", "oscr", "score_kept", "score_kept_gain", "risk_area")
_ENDS = ("", "_low", "_high", "_spread")
_FIRST = ("test", "run", "embedder", "method", "unknown", "known_images", "unknown_images", "draws")
COLUMNS = (*_FIRST, *(f"{name}{end}" for name in _MEASURES for end in _ENDS))


def write_results(table: Path, details: Path, results: OpenSetResults) -> None:
    """Write what stands behind the table, then the table."""
    write_document(details, results)
    write_sheet(table, COLUMNS, (_cells(row) for row in results.rows))


def _cells(row: OpenSetRow) -> list[object]:
    found: list[object] = [getattr(row, name) for name in _FIRST]
    for name in _MEASURES:
        held = row.measures.get(name)
        found += [None] * len(_ENDS) if held is None else [round(value, 4) for value in held.model_dump().values()]
    return found


def print_table(results: OpenSetResults) -> None:
    """AUROC and FPR95 of each row, in percent."""
    for row in results.rows:
        auroc, fpr = row.measures["auroc"], row.measures["fpr95"]
        kept = row.measures.get("score_kept")
        gain = row.measures.get("score_kept_gain")
        extra = f"  kept {shown(kept)}" if kept else ""
        extra += f"  gain {shown(gain)}" if gain else ""
        print(
            f"{row.test} {row.run or 'with list':16} {row.unknown:12} {row.method:14} AUROC {shown(auroc)}  "
            f"FPR95 {shown(fpr)}{extra}"
        )
    for note in results.notes:
        print(note)


def shown(held: Measured) -> str:
    """A fraction in percent with its interval."""
    return f"{100 * held.value:.1f} ({100 * held.low:.1f} to {100 * held.high:.1f})"
