"""What the asker made of the answers: written to the ledger where it is new or another than before."""

import json

from nounflow.llm.ledger import Ledger

CHUNK = 500  # verdicts that are looked up and written together

_LATEST = """
    SELECT requests.key, verdicts.accepted, verdicts.reason
    FROM json_each(?) AS wanted
    JOIN requests ON requests.key = wanted.value
    JOIN verdicts ON verdicts.id = (SELECT max(id) FROM verdicts WHERE request = requests.id)"""


class Verdicts:
    """Gathers verdicts; `flush` writes them. Use it as a context manager, within that of the ledger.

    A verdict that was given but not flushed when a process died is given again when the run is.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[str, tuple[bool, str]] = {}

    def add(self, key: str, accepted: bool, reason: str) -> bool:
        """Note the verdict on the answer with this key; returns whether it is time to `flush`."""
        self._waiting[key] = accepted, reason
        return len(self._waiting) >= CHUNK

    def flush(self) -> None:
        """Write the verdicts that are news; returns when they are on the disk. May be called from any thread."""
        given, self._waiting = self._waiting, {}
        rows = self._ledger.rows(_LATEST, json.dumps(sorted(given)))
        known = {key: (bool(accepted), reason) for key, accepted, reason in rows}
        news = {key: verdict for key, verdict in given.items() if known.get(key) != verdict}
        for written in [self._ledger.record_verdict(key, *verdict) for key, verdict in news.items()]:
            written.result()

    def __enter__(self) -> "Verdicts":
        return self

    def __exit__(self, *_error: object) -> None:
        self.flush()
