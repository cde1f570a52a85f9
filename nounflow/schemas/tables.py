"""The parquet files that pass between stages: one schema each, checked when read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.files import atomic_file, sha256_text

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
        ("synsets", _strings),  # sense keys of the selected senses, commonest first
        ("gloss", pa.string()),  # of the first selected sense
        ("hypernyms", _strings),  # names from the first sense's parent up to the root
        ("singulars", _strings),
        ("singular_shares", _floats),  # share of each form in the noun's use; singular and plural shares sum to 1
        ("plurals", _strings),
        ("plural_shares", _floats),
        ("frequency", pa.float64()),  # relative to "the", summed over forms; 0 = no evidence
        ("weight", pa.float32()),  # log scale, 1 or more; how often the noun is drawn
    ]
)

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

METRICS = pa.schema(
    [
        ("samples", pa.int64()),  # training samples seen
        ("split", pa.string()),  # train or heldout
        ("metric", pa.string()),  # loss, token_accuracy, noun_accuracy, learning_rate ...
        ("value", pa.float64()),
    ]
)


def lexicon_digest(nouns: Sequence[str]) -> str:
    """Identity of a lexicon: SHA-256 over its display nouns in the order of their ids."""
    return sha256_text(*nouns)


def write_table(path: Path, table: pl.DataFrame, schema: pa.Schema) -> None:
    """Write a table atomically, cast to its schema (columns in the schema's order)."""
    arrow = table.select(schema.names).to_arrow().cast(schema)
    with atomic_file(path) as temporary:
        pq.write_table(arrow, temporary, compression="zstd")


def read_table(path: Path, schema: pa.Schema, what: str) -> pl.DataFrame:
    """Read a table and check that its columns are those of the schema; `what` names its role in messages."""
    with _readable(path, what):
        arrow = pq.read_table(path)
    _check_columns(arrow.column_names, schema, path, what)
    return pl.from_arrow(arrow.select(schema.names).cast(schema))  # type: ignore[return-value]


def read_batches(
    path: Path, schema: pa.Schema, what: str, columns: Sequence[str], rows: int = 1 << 18
) -> Iterator[pa.RecordBatch]:
    """Some columns of a table in batches of at most `rows` rows, checked as in `read_table`."""
    wanted = pa.schema([schema.field(name) for name in columns])
    with _readable(path, what), pq.ParquetFile(path) as file:
        _check_columns(file.schema_arrow.names, schema, path, what)
        for batch in file.iter_batches(rows, columns=list(columns), use_threads=False):
            yield batch.select(wanted.names).cast(wanted)


def count_rows(path: Path, what: str) -> int:
    """Rows of a table, from its footer."""
    with _readable(path, what):
        return pq.read_metadata(path).num_rows


@contextlib.contextmanager
def _readable(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NounflowError(f"There is no {what}", where=path, fix="run the stage that writes it") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DamagedFileError(
            f"The {what} is not a readable parquet file ({error})", where=path, fix="delete it and run its stage again"
        ) from error


def _check_columns(names: Sequence[str], schema: pa.Schema, path: Path, what: str) -> None:
    if missing := [name for name in schema.names if name not in names]:
        raise MismatchError(
            f"The {what} lacks the columns {', '.join(missing)}; it was written by another version",
            where=path,
            fix="delete it and run its stage again",
        )
