"""Names of files and texts from outside, where people or spreadsheets read them."""

import contextlib
import os
import re
import unicodedata

SURROGATE = re.compile("[\ud800-\udfff]")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_QUOTED = re.compile('"([^"]|"")*"')
_FORMULA = re.compile("'*[=+\\-@\t\r]")  # with the marks that keep earlier ones from being a formula


def escaped(name: str) -> str:
    r"""A name as one line that any terminal shows: bytes that are no UTF-8 and control codes as escapes ("caf\xe9")."""
    with contextlib.suppress(UnicodeEncodeError):  # half an emoji, say, which no path holds
        name = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(sign.encode("unicode_escape").decode() if is_unseen(sign) else sign for sign in name)


def spreadsheet_cell(name: str) -> str:
    """A cell that no spreadsheet takes for a formula, on one line."""
    return guarded(escaped(name))


def guarded(text: str) -> str:
    """A text with a mark in front where a spreadsheet would take it for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` made a cell of."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def unquoted(cell: str) -> str:
    """A cell that a spreadsheet put into quotes, without them."""
    return cell[1:-1].replace('""', '"') if _QUOTED.fullmatch(cell) else cell


def mended(text: str) -> str:
    """A text that can be written: halves of a surrogate pair are joined, a lone one becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_utf8(name: str) -> bool:
    """Whether a text can be written: the name of a file may hold any bytes."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_unseen(sign: str) -> bool:
    """Whether nothing is shown for a sign: control codes, separators of lines, zero-width spaces."""
    return unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp", "Cf")
