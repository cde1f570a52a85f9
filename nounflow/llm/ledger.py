"""The ledger: every request before it is sent, every raw answer before it is read.

    with Ledger.open(Path("results/captions/ledger.sqlite")) as ledger:
        sending = ledger.record_sending(question, max_output_tokens=1000, worst_usd=0.002).result()
        ledger.record_ending(sending, Ending("answered", raw=..., usage=..., charged_usd=0.0011)).result()

It is a journal (`nounflow.journal`): what a future has returned survives `kill -9`. All methods may be called from any
thread; one process writes at a time.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from nounflow.journal import Journal
from nounflow.llm import ledger_tables as tables
from nounflow.llm.records import Ending, LedgerEntry, Totals, insert_ending, insert_sending
from nounflow.llm.requests import Question, TokenUsage


class Ledger(Journal):
    """See the module. Open it with `Ledger.open` to write, `Ledger.read` to look."""

    name, worth, formats = "ledger", "paid answers", tables.FORMATS

    def begin_run(self, base_url: str, model: str, server: Mapping[str, Any]) -> int:
        """Note what is asked from now on, and what its server can do; returns the run's number."""
        values = (self.now(), base_url, model, json.dumps(server))
        sql = "INSERT INTO runs (started_at, base_url, model, server) VALUES (?, ?, ?, ?)"
        number: int = self.submit(lambda connection: connection.execute(sql, values).lastrowid).result()
        return number

    def record_sending(
        self, question: Question, *, max_output_tokens: int, worst_usd: float, run: int | None = None
    ) -> Future[int]:
        """Write that a request is about to be sent. Send it only when the future (the sending's number) is done."""
        at = self.now()
        return self.submit(
            lambda connection: insert_sending(connection, question, run, at, max_output_tokens, worst_usd)
        )

    def record_ending(self, sending: int, ending: Ending) -> Future[None]:
        """Write how a sending ended. Read the answer only when the future is done."""
        at = self.now()
        return self.submit(lambda connection: insert_ending(connection, sending, at, ending))

    def record_verdict(self, key: str, accepted: bool, reason: str = "") -> Future[int]:
        """Write what the asker made of an answer, and why it was rejected, where the latest verdict is another.

        One that was not yet written when a process died is given again when the run is.
        """
        values = {"at": self.now(), "key": key, "accepted": int(accepted), "reason": reason}
        return self.submit(lambda connection: connection.execute(tables.VERDICT, values).rowcount)

    def look_up(self, keys: Sequence[str]) -> dict[str, LedgerEntry]:
        """What is known of many keys at once; unknown ones are absent. Holds their raw answers, so ask in chunks."""
        entries: dict[str, LedgerEntry] = {}
        latest: dict[str, int] = {}  # number of the sending whose ending stands
        rows = self.rows(tables.HISTORY, json.dumps(sorted(keys)))  # sorted: neighbours share pages of the index
        for key, digest, sending, room, outcome, raw, detail, prompt, output, usd, batch in rows:
            entry = entries.get(key)
            if entry is None:
                entry = entries[key] = LedgerEntry(digest, None, 0)
            if outcome in ("answered", "refused") and sending > latest.get(key, 0):
                latest[key] = sending
                entry.last, entry.room = Ending(outcome, raw, detail, TokenUsage(prompt, output), usd), room
            elif batch is not None:
                entry.batch = batch
        return entries

    def totals(self) -> Totals:
        """Calls, tokens and money of all runs; rejected answers and failed sendings are in it."""
        return Totals(*self.rows(tables.TOTALS)[0])

    def mean_output_tokens(self, model: str, prompt_version: str) -> float | None:
        """Mean length of the answers so far; None without any."""
        found: float | None = self.rows(tables.MEAN_OUTPUT, model, prompt_version)[0][0]
        return found
