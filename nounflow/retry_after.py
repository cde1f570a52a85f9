"""How long a server asks to be left alone."""

import email.utils
import math
import time
from collections.abc import Mapping
from email.message import Message


def retry_after(headers: Mapping[str, str] | Message) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date); None without one that makes sense."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            seconds = _until(value)
        if 0 < seconds < math.inf:
            return seconds
    return None


def _until(date: str) -> float:
    """Seconds from now to a date of HTTP; NaN where it is none, or of no calendar."""
    try:
        parsed = email.utils.parsedate_tz(date)
        return math.nan if parsed is None else email.utils.mktime_tz(parsed) - time.time()
    except (ValueError, OverflowError, OSError):
        return math.nan
