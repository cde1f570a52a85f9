"""Tab-separated resource files, where a mistake is named with its file and row."""

from collections.abc import Iterator
from pathlib import Path

from nounflow.errors import NounflowError
from nounflow.escaping import unguarded, unquoted
from nounflow.files import text_encoding


class Row(dict[str, str]):
    """Column -> cell of one row."""

    place: str  # file and row, for messages

    def refuse_if(self, wrong: object, what: str, fix: str | None = None) -> None:
        """Refuse the row, for a reason, if something is wrong with it."""
        if wrong:
            raise NounflowError(what, where=self.place, fix=fix)


def read_rows(path: Path, columns: tuple[str, ...], what: str) -> Iterator[Row]:
    """The rows of a file; `what` names its role in messages.

    Raises:
        NounflowError: no such file, not UTF-8, another header, or a row with another number of cells.
    """
    try:
        text = Path(path).read_text(encoding=text_encoding(path))
    except (FileNotFoundError, IsADirectoryError):
        raise NounflowError(f"There is no {what} file", where=path, fix="check its path in the config") from None
    except UnicodeDecodeError as error:
        raise NounflowError(f"The {what} file is not UTF-8 ({error})", where=path, fix="save it as UTF-8") from error
    lines = [line.removesuffix("\r").split("\t") for line in text.split("\n")]
    header = lines[0] if text else []
    if tuple(header) != columns:
        raise NounflowError(
            f"The {what} file needs the tab-separated columns {', '.join(columns)}; "
            f"found: {', '.join(header) or 'nothing'}",
            where=f"{path}, row 1",
        )
    for line, cells in enumerate(lines[1:], 2):
        if cells == [""]:  # an empty line
            continue
        row = Row(zip(columns, map(unguarded, map(unquoted, cells)), strict=False))
        row.place = f"{path}, row {line}"
        row.refuse_if(len(cells) != len(columns), f"{len(columns)} cells expected, {len(cells)} found")
        yield row
