"""What a config will take: jobs, texts, bytes, hours, from sizes and rates that were measured or published."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from nounflow.config.captions import CaptionsConfig
from nounflow.config.experiment import Config
from nounflow.config.modality_gaps import known_gap
from nounflow.config.runs.run import TrainedRun
from nounflow.errors import NounflowError
from nounflow.images import list_images

PROCESSOR = "processor"  # the machine of rates.tsv for stages without a device: one core, whatever the machine
_HOME = Path(__file__).resolve().parents[2]
_BYTES = 2  # fp16
_CLEAN, _WHOLE = 7_500, 40_100  # nouns of the lexicons `small` and `full`
_IMAGES = {"tuxpaint": 323}  # photographs of a source that is fetched


class Rate(NamedTuple):
    """A line of resources/rates.tsv."""

    machine: str
    task: str
    subject: str
    per_second: float
    source: str = ""  # measured or published


Rates = Mapping[tuple[str, str], Rate]  # by task and subject


@dataclass(frozen=True)
class Step:
    """One line of a plan."""

    what: str
    jobs: int
    amount: int | None  # None: not known before
    unit: str
    bytes: int | None = None  # of vectors; None: none, or not known
    hours: float | None = None
    source: str = ""  # of the rate: measured, published, or "no rate"


def plan(
    config: Config,
    nouns: Mapping[str, int],
    rates: Iterable[Rate],
    machine: str,
    dims: Mapping[str, int] | None = None,
) -> list[Step]:
    """The steps of a config that take time or room, in the order of the stages.

    Args:
        nouns: lexicon -> number of its nouns.
        rates: see `read_rates`.
        machine: whose rates to take.
        dims: spec -> dimensions, of embedders that are loaded; for others see `dim_of`.
    """
    known = {(rate.task, rate.subject): rate for rate in rates if rate.machine in (machine, PROCESSOR)}
    return list(_steps(config, nouns, known, dims or {}))


def dim_of(spec: str) -> int | None:
    """Dimensions of an embedder whose weights need not be here; None where they are not known."""
    path = _HOME / "resources/towers.tsv"
    if (gap := known_gap(spec)) is not None:
        return gap.dim
    if not path.is_file():
        return None
    towers = pl.read_csv(path, separator="\t", comment_prefix="#")
    return dict(towers.select("spec", "dim").iter_rows()).get(spec)


def read_rates(path: Path) -> list[Rate]:
    """resources/rates.tsv: columns machine, task, subject, per_second, source."""
    table = pl.read_csv(path, separator="\t", comment_prefix="#", schema_overrides={"per_second": pl.Float64})
    if missing := set(Rate._fields) - set(table.columns):
        raise NounflowError(f"Columns are missing: {', '.join(sorted(missing))}", where=path)
    return [Rate(*row) for row in table.select(Rate._fields).iter_rows()]


def lexicon_sizes(config: Config, folder: Path) -> tuple[dict[str, int], list[str]]:
    """Nouns of each lexicon that a run uses: counted where it is built, else guessed with a note."""
    sizes, notes = {}, []
    for name in sorted({run.lexicon for run in config.runs.values()}):
        path = folder / f"{name}.parquet"
        lexicon = config.lexicons[name]
        if path.is_file():
            sizes[name] = pl.scan_parquet(path).select(pl.len()).collect().item()
            continue
        guess = _WHOLE if lexicon.capitalised else _CLEAN
        sizes[name] = min(lexicon.max_nouns or guess, guess)
        notes.append(f"lexicon {name} is not built: {sizes[name]:,} nouns assumed")
    return sizes, notes


def texts_of(config: Config, source: str, nouns: int) -> int:
    """Texts that a caption source has, before equal ones are merged."""
    captions = config.captions
    if source == "offline":
        return nouns * captions.offline.captions_per_noun
    if source == "llm":
        return round(nouns * captions.llm.captions_per_noun)
    each = captions.multiset.texts_per_noun[int(source[1:]) - 1]
    return nouns * (max(each, _core_texts(captions)) if source == "m1" else each)


def _core_texts(captions: CaptionsConfig) -> int:
    """Texts of M1 that every noun gets, however few are asked for."""
    files = (Path(captions.singular_templates), Path(captions.plural_templates))
    tables = (pl.read_csv(file if file.is_file() else _HOME / file, separator="\t", quote_char=None) for file in files)
    return max(int(table["core"].sum()) for table in tables)


def _steps(config: Config, nouns: Mapping[str, int], rates: Rates, dims: Mapping[str, int]) -> Iterator[Step]:
    runs = config.runs.values()
    sets = sorted({(run.embedder, run.lexicon, run.mixture) for run in runs})
    weights = {mixture: part.weights for mixture, part in config.mixtures.items()}
    wanted = sorted({(embedder, lexicon, source) for embedder, lexicon, mixture in sets for source in weights[mixture]})
    for lexicon, n in sorted(nouns.items()):
        yield Step(f"build the lexicon {lexicon}", 1, n, "nouns", **_time(1, rates.get(("lexicons", "wordnet"))))
    for lexicon, source in sorted({(lexicon, source) for _, lexicon, source in wanted}):
        texts = texts_of(config, source, nouns[lexicon])
        rate = rates.get(("captions", source if source in ("offline", "llm") else "composed"))
        yield Step(f"write {source} of {lexicon}", 1, texts, "texts", **_time(texts, rate))
    for embedder, lexicon, source in wanted:
        spec = config.embedders[embedder].spec
        texts, dim = texts_of(config, source, nouns[lexicon]), dims.get(spec) or dim_of(spec)
        yield Step(
            what=f"embed {source} of {lexicon} with {embedder}",
            jobs=config.captions.shards(source),
            amount=texts,
            unit="texts",
            bytes=None if dim is None else texts * dim * _BYTES,
            **_time(texts, rates.get(("texts", spec))),
        )
    for embedder, lexicon, mixture in sets:
        rows = sum(texts_of(config, source, nouns[lexicon]) for source in weights[mixture])
        rate = rates.get(("rows", "merged"))
        yield Step(f"merge {mixture} of {lexicon} with {embedder}", 1, rows, "texts", **_time(rows, rate))
    for name, run in config.runs.items():
        if isinstance(run, TrainedRun):
            samples = run.training.samples
            yield Step(f"train {name}", 1, samples, "samples", **_time(samples, rates.get(("samples", run.size))))
    for embedder in sorted({run.embedder for run in runs}):
        rate = rates.get(("images", config.embedders[embedder].spec))
        for name, image_set in config.image_sets.items():
            folder = Path(image_set.folder) if image_set.folder else None
            images = len(list_images(folder)) if folder and folder.is_dir() else _IMAGES.get(image_set.source or "")
            yield Step(f"embed {name} with {embedder}", 1, images, "images", **_time(images, rate))


def _time(amount: int | None, rate: Rate | None) -> dict[str, Any]:
    if rate is None or amount is None:
        return {"source": "no rate" if rate is None else "not counted yet"}
    return {"hours": amount / rate.per_second / 3600, "source": rate.source}
