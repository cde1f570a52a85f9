"""All tests of a config, compared: from what was read to the rows of results/open_set.tsv."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from nounflow.open_set.evaluation import Compared
from nounflow.open_set.reference import reference
from nounflow.open_set.trial import Material, Trial
from nounflow.schemas.documents import write_document
from nounflow.schemas.open_set import Measured, OpenSetResults, OpenSetRow
from nounflow.spreadsheets import write_sheet

_MEASURES = ("auroc", "auroc_gain", "fpr95", "aupr", "oscr", "score_kept", "score_kept_gain", "risk_area")
_ENDS = ("", "_low", "_high", "_spread")
_FIRST = ("test", "run", "embedder", "method", "unknown", "known_images", "unknown_images", "draws")
COLUMNS = (*_FIRST, *(f"{name}{end}" for name in _MEASURES for end in _ENDS))


def compare(material: Material) -> OpenSetResults:
    """Compare all scores on all tests, for each embedder.

    Raises:
        NounflowError: a test's sets overlap, or its class list is of no use.
    """
    rows: list[OpenSetRow] = []
    compared: list[Compared] = []
    notes: list[str] = []
    for bank in material.banks:
        no = {model.path.stem: model.no for model in material.no if model.bank == bank.manifest.weights_sha256}
        for name in material.settings.tests or {}:
            trial = Trial(material, bank, name, no)
            compared.append(trial.with_list())
            rows += compared[-1].rows()
            notes += _notes(trial)
            of_runs = list(trial.of_runs())
            plain = [other.plain_points() for other in of_runs]
            best = max(plain, key=lambda found: float(found[0]), default=None)
            for other in of_runs:
                compared.append(other)
                kept = dict(other.kept(best))
                for row in other.rows():
                    more = kept[row.method] if row.unknown == "wrong" else {}
                    rows.append(row.model_copy(update={"measures": row.measures | more}))
    return OpenSetResults(
        rows=tuple(rows),
        histograms=tuple(chain.from_iterable(one.histograms() for one in compared)),
        fooled=tuple(chain.from_iterable(one.fooled() for one in compared)),
        notes=tuple(notes),
    )


def _notes(trial: Trial) -> Iterator[str]:
    """What is left out of the first draw, and why; which kinds of nouns the negatives are."""
    name, bank, draw = trial.name, trial.bank.manifest, trial.draws[0]
    if draw.neither:
        related = "theirs is a kind of a known noun, or a known noun is a kind of theirs"
        why = "none of the known classes is right for them" if trial.test.unknown else related
        yield f"{name}: in the first draw {draw.neither} images take no part: {why}"
    settings = trial.material.settings
    held, negatives = reference(trial.bank, trial.bank.rows(draw.classes), settings.negatives, settings.seed)
    chosen = Counter(bank.kinds[row] for row in negatives.tolist())
    kinds = ", ".join(f"{kind} {chosen[kind]:,} of {count:,}" for kind, count in Counter(bank.kinds).most_common())
    yield f"{name}: {len(negatives):,} negatives of {bank.candidates:,} nouns in the first draw: {kinds}"
    if held.kept is not None:
        out = int((~held.kept).sum())
        yield f"{name}: negrefine leaves out {out:,} of them: names of single things and kinds of known nouns"


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
