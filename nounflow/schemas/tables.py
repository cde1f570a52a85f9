"""The parquet files that pass between stages: one schema each, checked when read."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nounflow.atomic import atomic_file
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.files import sha256_text

_strings = pa.list_(pa.field("item", pa.string()))
_ids = pa.list_(pa.field("item", pa.uint32()))
_floats = pa.list_(pa.field("item", pa.float32()))

NOUNS = pa.schema(
    [
        ("id", pa.uint32()),  # row number: the target id within this lexicon
        ("key", pa.string()),  # stable name of the entry, from its content: survives a new build
        ("noun", pa.string()),  # display form, what the decoder writes: "x-ray", "St. Bernard"
        ("canon", pa.string()),  # nounflow.text.canon(noun); unique
        ("kind", pa.string()),  # WordNet class of the first sense: animal, plant, food, artifact, ...
        # ids of the selected synsets, commonest first: "n02084071". They are those of the WordNet that the lexicon was
        # built from; 3.0 and 3.1 have other ids for the same synset. Code that compares meanings compares these.
        ("synsets", _strings),
        ("gloss", pa.string()),  # of the first selected sense
        ("hypernyms", _strings),  # names, to be read, from the first sense's parent up to the root
        ("singulars", _strings),
        ("singular_shares", _floats),  # share of each form in the noun's use; singular and plural shares sum to 1
        ("plurals", _strings),
        ("plural_shares", _floats),
        ("frequency", pa.float64()),  # relative to "the", summed over forms; 0 = no evidence
        ("weight", pa.float32()),  # log scale, 1 or more; how often the noun is drawn
    ]
)

_MEANINGS = [  # what only a lexicon made from WordNet has
    pa.field(
        "sense_keys", _strings
    ),  # beside each synset this noun's key in it, which 3.0 and 3.1 share: "dog%1:05:00::"
    pa.field("hypernym_synsets", _strings),  # ids of `hypernyms`
    pa.field("countability", pa.string()),  # count (a dog), mass (water), both (wine), plural (jeans), name (Canis)
    pa.field("group", pa.string()),  # nouns of one group mean the same: id of the first synset
    pa.field("aliases", _strings),  # other names of the first synset, Latin ones and ranks included; never in captions
    pa.field("visualness", pa.float32()),  # 0 to 1, of the first synset
]
LEXICON = pa.schema([*NOUNS, *_MEANINGS])

CAPTIONS = pa.schema(
    [
        ("text", pa.string()),  # distinct within the file
        ("targets", _ids),  # noun ids, in order of mention
        ("target_weights", _floats),  # sum to 1
        ("weight", pa.float32()),  # sampling weight within this source
        ("template", pa.string()),  # where the words come from: template id, or the captioner's pattern
    ]
)

SAMPLES = pa.schema(  # the index of a training set; vectors stay in the shards
    [
        ("shard", pa.uint16()),  # position in the manifest's list of shards
        ("row", pa.uint32()),  # row within the shard
        ("targets", _ids),
        ("target_weights", _floats),
        ("weight", pa.float32()),  # sampling weight, mixture included; sums to 1 over the training split
        ("heldout", pa.bool_()),  # never trained on; used to choose and to draw validation curves
    ]
)

PAIRS = pa.schema([("image", pa.string()), ("text", pa.string())])  # name and caption of each embedded pair

METRICS = pa.schema(
    [
        ("samples", pa.int64()),  # training samples seen
        ("split", pa.string()),  # train or heldout
        ("metric", pa.string()),  # loss, token_accuracy, noun_accuracy, learning_rate ...
        ("value", pa.float64()),
    ]
)

INDEX = "index.parquet"  # of a training set, beside its manifest
ROW_GROUP = 65_536  # rows: what a table that is written or read bit by bit holds in memory


def lexicon_digest(nouns: Sequence[str]) -> str:
    """Identity of a lexicon: SHA-256 over its display nouns in the order of their ids."""
    return sha256_text(*nouns)


def write_table(path: Path, table: pl.DataFrame, schema: pa.Schema) -> None:
    """Write a table atomically, cast to its schema (columns in the schema's order)."""
    arrow = table.select(schema.names).to_arrow().cast(schema)
    with atomic_file(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")


def write_batches(path: Path, batches: Iterable[pl.DataFrame], schema: pa.Schema) -> None:
    """Write a table that is made bit by bit, as `write_table` does; at most `ROW_GROUP` rows are held at a time."""
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for batch in rebatched(batches, ROW_GROUP):
            writer.write_table(batch.select(schema.names).to_arrow().cast(schema), row_group_size=ROW_GROUP)


def rebatched(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The same rows in tables of exactly so many rows; the last one may be shorter, none is empty."""
    waiting: list[pl.DataFrame] = []
    held = 0
    for frame in frames:
        while held + len(frame) >= rows:
            yield pl.concat([*waiting, frame[: rows - held]], rechunk=True)
            frame = frame[rows - held :]
            waiting, held = [], 0
        if len(frame):
            waiting.append(frame)
            held += len(frame)
    if waiting:
        yield pl.concat(waiting, rechunk=True)


def read_batches(path: Path, schema: pa.Schema, what: str, rows: int = ROW_GROUP) -> Iterator[pl.DataFrame]:
    """The rows of a table, so many at a time, checked as by `read_table`."""
    with _explained(path, what), pq.ParquetFile(path, pre_buffer=False) as file:
        _check_columns(path, file.schema_arrow.names, schema, what)
        batches = file.iter_batches(min(rows, 8192), columns=schema.names)
        tables = (pa.Table.from_batches([batch]).select(schema.names).cast(schema) for batch in batches)
        yield from rebatched(map(pl.from_arrow, tables), rows)  # type: ignore[arg-type]


def count_rows(path: Path, what: str) -> int:
    """Rows of a parquet file, from its footer."""
    with _explained(path, what):
        return int(pq.read_metadata(path).num_rows)


def read_table(path: Path, schema: pa.Schema, what: str) -> pl.DataFrame:
    """Read a table and check that its columns are those of the schema; `what` names its role in messages."""
    with _explained(path, what):
        arrow = _read(path)
        _check_columns(path, arrow.column_names, schema, what)
        return pl.from_arrow(arrow.select(schema.names).cast(schema))  # type: ignore[return-value]


def read_lexicon(path: Path) -> pl.DataFrame:
    """Read a lexicon (schema `LEXICON`); one with the columns of `NOUNS` only has no further meanings."""
    with _explained(path, "lexicon"):
        arrow = _read(path)
        _check_columns(path, arrow.column_names, NOUNS, "lexicon")
        for field in _MEANINGS:
            if field.name not in arrow.column_names:
                empty: Any = [] if pa.types.is_list(field.type) else {"countability": "count"}.get(field.name)
                arrow = arrow.append_column(field, pa.array([empty] * len(arrow), field.type))
        return pl.from_arrow(arrow.select(LEXICON.names).cast(LEXICON))  # type: ignore[return-value]


def read_lexicon_of(path: Path, digest: str, owner: Path) -> pl.DataFrame:
    """Read the lexicon that target ids stand for, which decides about every noun that is learnt or said.

    Args:
        digest: of the lexicon that `owner`, a manifest, was made with.

    Raises:
        MismatchError: it is another one.
    """
    table = read_lexicon(path)
    if (found := lexicon_digest(table["noun"].to_list())) != digest:
        raise MismatchError(
            f"The lexicon is another one than that of {owner} ({found[:12]} against {digest[:12]})",
            where=path,
            fix="name the lexicon that its captions were made for",
        )
    return table


def countability_of(nouns: pl.DataFrame) -> list[str]:
    """The column `countability` of a lexicon; a table made without WordNet has none, and its nouns are counted."""
    if "countability" not in nouns.columns:
        return ["count"] * len(nouns)
    return nouns["countability"].fill_null("count").to_list()


def read_columns(
    path: Path, schema: pa.Schema, what: str, columns: Sequence[str], rows: int = 1 << 18
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table in batches of at most `rows` rows, checked as in `read_table`."""
    wanted = pa.schema([schema.field(name) for name in columns])
    with _explained(path, what), pq.ParquetFile(path) as file:
        _check_columns(path, file.schema_arrow.names, schema, what)
        for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
            yield batch.select(wanted.names).cast(wanted)


def _read(path: Path) -> pa.Table:
    with pq.ParquetFile(path) as file:  # `pq.read_table` would import pandas, a quarter of a second
        return file.read()


@contextlib.contextmanager
def _explained(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NounflowError(f"There is no {what}", where=path, fix="run the stage that writes it") from None
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(
            f"The {what} is not a readable parquet file ({error})", where=path, fix="delete it and run its stage again"
        ) from error


def _check_columns(path: Path, found: Sequence[str], schema: pa.Schema, what: str) -> None:
    if missing := [name for name in schema.names if name not in found]:
        raise MismatchError(
            f"The {what} lacks the columns {', '.join(missing)}; it was written by another version",
            where=path,
            fix="delete it and run its stage again",
        )
