"""`results/classification.tsv`: measured rows, and beside them published ones, marked as such."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from importlib import resources
from pathlib import Path

from pydantic import TypeAdapter

from nounflow.errors import NounflowError
from nounflow.escaping import unguarded
from nounflow.schemas.classification import Classification
from nounflow.schemas.embedder_checks import Share
from nounflow.spreadsheets import write_sheet

MEASURED, PUBLISHED = "measured", "published"  # NOVIC paper, table 1: mean of three trainings, whole test sets

_CLASSES = {  # of the whole sets, which published values are of
    **{"cifar10": 10, "cifar100": 100, "food101": 101, "imagenette": 10, "imagewoof": 10},
    **{"imagenet": 1000, "imagenet_a": 200, "imagenet_r": 200},
}


@dataclass(frozen=True)
class Row:
    """Shares as fractions; a published row has a top-1 alone."""

    check_set: str
    kind: str
    run: str  # or the model, where published
    origin: str  # measured or published
    top1: float
    top1_low: float | None = None  # 95 % Wilson interval
    top1_high: float | None = None
    top5: float | None = None
    top5_low: float | None = None
    top5_high: float | None = None
    top1_mapped: float | None = None  # over images of classes that the lexicon can say
    top1_mapped_low: float | None = None
    top1_mapped_high: float | None = None
    n: int | None = None
    unreadable: int | None = None
    classes: int | None = None
    unmapped: int | None = None
    candidates: int | None = None
    predictor: str = ""
    lexicon: str = ""
    embedder: str = ""


COLUMNS = tuple(field.name for field in fields(Row))


def rows(found: Iterable[Classification]) -> list[Row]:
    """By set: the measured rows, the best first, then what was published on sets of its kind."""
    by_set: dict[str, list[Classification]] = {}
    for one in found:
        by_set.setdefault(one.check_set, []).append(one)
    table = []
    for name, several in sorted(by_set.items()):
        table += [_measured(one) for one in sorted(several, key=lambda one: (-one.top1.value, one.run))]
        whole = {(one.kind, one.classes) for one in several}
        table += [
            Row(name, kind, model, PUBLISHED, top1)
            for kind, model, top1 in _published()
            if (kind, _CLASSES[kind]) in whole
        ]
    return table


def write_table(path: Path, table: Sequence[Row]) -> None:
    """Write it atomically; numbers with six significant digits."""
    write_sheet(path, COLUMNS, map(astuple, table), digits=".6g", exact=True)


def read_table(path: Path) -> list[Row]:
    """Read what `write_table` wrote.

    Raises:
        NounflowError: there is none, or it is of another form.
    """
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            found = list(csv.DictReader(handle, delimiter="\t"))
        return [
            TypeAdapter(Row).validate_python({key: unguarded(cell) for key, cell in row.items() if cell != ""})
            for row in found
        ]
    except (OSError, TypeError, ValueError) as error:  # no UTF-8, or another form
        raise NounflowError(
            f"The table of classifications cannot be read ({error})", where=path, fix="delete it and run again"
        ) from None


def cells(row: Row) -> list[str]:
    """A row for people: run, top-1, top-5, top-1 of the classes that can be said, images, classes without a noun."""
    shares = [
        _percent(getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high"))
        for name in ("top1", "top5", "top1_mapped")
    ]
    unmapped = "–" if row.unmapped is None else f"{row.unmapped:,} of {row.classes:,}"
    return [row.run, *shares, "–" if row.n is None else f"{row.n:,}", unmapped]


HEADINGS = ("Run", "Top-1", "Top-5", "Top-1 where a noun is", "Images", "Classes without a noun")


def _percent(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f}" + ("" if low is None or high is None else f" [{100 * low:.1f}, {100 * high:.1f}]")


def _measured(one: Classification) -> Row:
    return Row(
        *(one.check_set, one.kind, one.run, MEASURED),
        *(*_numbers(one.top1), *_numbers(one.top5), *_numbers(one.top1_mapped)),  # type: ignore[arg-type]
        *(one.n, one.unreadable, one.classes, len(one.unmapped), one.candidates),
        *(one.predictor, one.lexicon, one.embedder),
    )


def _numbers(found: Share | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.low, found.high)


def _published() -> list[tuple[str, str, float]]:
    text = (resources.files("nounflow.classification") / "published.tsv").read_text(encoding="utf-8")
    found = csv.DictReader(text.splitlines(), delimiter="\t")
    return [(row["kind"], row["model"], float(row["top1"]) / 100) for row in found]
