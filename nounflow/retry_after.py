"""How long a server asks to be left alone."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from email.message import Message


def retry_after(headers: Mapping[str, str] | Message) -> float | None:
    """Seconds to wait by `retry-after-ms` or `Retry-After` (seconds or a date); None without either."""
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(float(value) * unit, 0.0)
        except ValueError:
            if (date := email.utils.parsedate_tz(value)) is not None:
                return max(email.utils.mktime_tz(date) - time.time(), 0.0)
    return None
