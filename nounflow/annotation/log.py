"""The decision log on disk: an SQLite journal to work with, a text file of the same records to commit and merge."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, Self

from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_text, write_text
from nounflow.journal import Additions, Journal
from nounflow.schemas.decisions import (
    Decision,
    DecisionDraft,
    Mark,
    MarkDraft,
    microseconds,
    parse_record,
    record_line,
    stamp,
    time_text,
)

TEXT_SUFFIX = ".jsonl"


class Receipt(NamedTuple):
    """What became of a draft: the record that stands for it, and whether it is new; or why it was refused."""

    id: str
    record: Decision | Mark | None
    new: bool = False
    refused: str = ""


class DecisionLog(Journal):
    """`with DecisionLog.open(path) as log: log.append([draft]).result()`: then it is on the disk."""

    name, worth = "decision log", "what people have decided"
    formats = (
        Additions(
            {
                "records": """
            seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
            record TEXT NOT NULL CHECK (json_extract(record, '$.id') = id)"""
            }
        ),
    )

    def __init__(self, path: Path, *, writable: bool, now: Callable[[], float] = time.time) -> None:
        super().__init__(path, writable=writable, now=now)
        latest = self.rows("SELECT max(json_extract(record, '$.time')) FROM records")[0][0]
        self._latest = microseconds(latest) if latest else 0

    @classmethod
    def open(cls, path: Path, *, now: Callable[[], float] = time.time) -> Self:
        """Open a log to write, made if there is none.

        Raises:
            NounflowError: another process writes to it, it was written by another version, or it is the text form.
            DamagedFileError: the file is no decision log.
        """
        if Path(path).suffix == TEXT_SUFFIX:
            raise NounflowError(
                "Decisions are written to an SQLite file; the text form is for committing and merging",
                where=path,
                fix="`nounflow decisions merge --log LOG.sqlite THIS.jsonl` makes such a file; pass --log LOG.sqlite",
            )
        return super().open(path, now=now)

    def append(self, drafts: Sequence[DecisionDraft | MarkDraft]) -> Future[list[Receipt]]:
        """Stamp drafts with the time and write them. A draft whose id is there already changes nothing.

        Times rise strictly within a log, and above those of merged records, whatever the clock does.
        """

        def write(connection: sqlite3.Connection) -> list[Receipt]:
            receipts = []
            for draft in drafts:
                self._latest = max(self._latest + 1, int(self.now() * 1e6))
                receipts.append(_insert(connection, stamp(draft, time_text(self._latest))))
            return receipts

        return self.submit(write)

    def add(self, records: Sequence[Decision | Mark]) -> Future[list[Receipt]]:
        """Write records of another log as they are."""

        def write(connection: sqlite3.Connection) -> list[Receipt]:
            self._latest = max([self._latest, *(microseconds(record.time) for record in records)])
            return [_insert(connection, record) for record in records]

        return self.submit(write)

    def records(self) -> list[Decision | Mark]:
        """All records, in the order of arrival.

        Raises:
            DamagedFileError: a row is no record.
        """
        rows = self.rows("SELECT seq, record FROM records ORDER BY seq")
        return [parse_record(record, f"{self.path}, record {seq}") for seq, record in rows]

    def digest(self) -> str:
        """Changes whenever a record is added."""
        return sha256_text(*(identity for (identity,) in self.rows("SELECT id FROM records ORDER BY id")))


def read_records(path: Path) -> list[Decision | Mark]:
    """The records of a log: `.jsonl` is text, anything else the journal.

    Raises:
        NounflowError: there is no such file, or it is of another version.
        DamagedFileError: a record is not one.
        MismatchError: one id stands for two different records.
    """
    path = Path(path)
    if path.suffix != TEXT_SUFFIX:
        with DecisionLog.read(path) as log:
            return log.records()
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise NounflowError(
            f"The decision log cannot be read ({error.strerror})", where=path, fix="check the path"
        ) from None
    records: dict[str, Decision | Mark] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            record = parse_record(line, f"{path}, line {number}")
            if records.setdefault(record.id, record) != record:
                raise MismatchError(
                    f"Two different records have the id {record.id}",
                    where=f"{path}, line {number}",
                    fix="restore the file from a copy; records are never edited",
                )
    return list(records.values())


def write_records(path: Path, records: Iterable[Decision | Mark]) -> None:
    """Write the text form, by time: two logs that are merged line by line are still a log."""
    ordered = sorted(records, key=lambda record: (record.time, record.id))
    write_text(path, "".join(f"{record_line(record)}\n" for record in ordered))


def log_digest(path: Path) -> str:
    """Changes whenever a record is added; empty where there is no log yet."""
    path = Path(path)
    if not path.is_file():
        return ""
    if path.suffix == TEXT_SUFFIX:
        return sha256_text(*sorted(record.id for record in read_records(path)))
    with DecisionLog.read(path) as log:
        return log.digest()


def _insert(connection: sqlite3.Connection, record: Decision | Mark) -> Receipt:
    values = (record.id, record_line(record))
    sql = "INSERT INTO records (id, record) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
    if connection.execute(sql, values).rowcount == 1:
        return Receipt(record.id, record, new=True)
    (line,) = connection.execute("SELECT record FROM records WHERE id = ?", (record.id,)).fetchone()
    known = parse_record(line, f"record {record.id}")
    if known.model_copy(update={"time": record.time}) != record:
        return Receipt(record.id, None, refused="another record has this id")
    return Receipt(record.id, known)
