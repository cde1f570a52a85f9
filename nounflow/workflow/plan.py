"""What a config will take: jobs, texts, bytes, hours, from sizes and rates that were measured or published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from nounflow.config.experiment import Config, RunConfig
from nounflow.errors import NounflowError

_BYTES = 2  # fp16
_CLEAN, _WHOLE = 4_636, 51_150  # nouns of the lexicons `small` and `full`
_DIMS = {  # of embedders whose weights need not be here; published
    "bundled:minilm-conse": 384,
    "openclip:timm/ViT-B-16-SigLIP": 768,
    "openclip:timm/ViT-SO400M-14-SigLIP": 1152,
    "openclip:apple/DFN5B-CLIP-ViT-H-14-378": 1024,
}


@dataclass(frozen=True)
class Step:
    """One line of a plan."""

    what: str
    jobs: int
    amount: int
    unit: str
    bytes: int | None = None  # None: not known
    hours: float | None = None
    source: str = ""  # of the rate: measured, published, or "no rate"


def plan(config: Config, nouns: Mapping[str, int], rates: pl.DataFrame, machine: str) -> list[Step]:
    """The steps of a config that take time or room.

    Args:
        nouns: lexicon -> number of its nouns.
        rates: see `read_rates`.
        machine: whose rates to take.
    """
    of_machine = {
        (task, subject): (rate, source)
        for name, task, subject, rate, source in rates.iter_rows()
        if name == machine
    }  # fmt: skip
    return [*_embedding(config, nouns, of_machine), *_training(config, of_machine)]


def read_rates(path: Path) -> pl.DataFrame:
    """resources/rates.tsv: columns machine, task, subject, per_second, source."""
    table = pl.read_csv(path, separator="\t", comment_prefix="#")
    missing = {"machine", "task", "subject", "per_second", "source"} - set(table.columns)
    if missing:
        raise NounflowError(f"Columns are missing: {', '.join(sorted(missing))}", where=path)
    return table.select("machine", "task", "subject", pl.col("per_second").cast(pl.Float64), "source")


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
    return nouns * captions.multiset.texts_per_noun[int(source[1:]) - 1]


def _embedding(
    config: Config, nouns: Mapping[str, int], rates: Mapping[tuple[str, str], tuple[float, str]]
) -> Iterator[Step]:
    wanted = sorted(
        {
            (run.embedder, run.lexicon, source)
            for run in config.runs.values()
            for source in config.mixtures[run.mixture].weights
        }
    )
    for embedder, lexicon, source in wanted:
        spec = config.embedders[embedder].spec
        texts, dim = texts_of(config, source, nouns[lexicon]), _DIMS.get(spec)
        yield Step(
            what=f"embed {source} of {lexicon} with {embedder}",
            jobs=config.captions.shards(source),
            amount=texts,
            unit="texts",
            bytes=None if dim is None else texts * dim * _BYTES,
            **_time(texts, rates.get(("texts", spec))),
        )


def _training(config: Config, rates: Mapping[tuple[str, str], tuple[float, str]]) -> Iterator[Step]:
    for name, run in config.runs.items():
        if run.predictor in ("decoder", "head"):
            samples = run.training.samples
            found = rates.get(("samples", _shape(run)))
            yield Step(f"train {name}", 1, samples, "samples", **_time(samples, found))


def _shape(run: RunConfig) -> str:
    return f"head:{run.head.hidden}" if run.predictor == "head" else f"decoder:{run.decoder.width}x{run.decoder.layers}"


def _time(amount: int, rate: tuple[float, str] | None) -> dict:
    return {"source": "no rate"} if rate is None else {"hours": amount / rate[0] / 3600, "source": rate[1]}
