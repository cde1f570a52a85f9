"""Asking the local server through the real client, in this process or in one that can be killed."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterable, Callable, Iterable
from pathlib import Path
from typing import Any

from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.client import open_client
from nounflow.llm.ledger import Ledger
from nounflow.llm.records import Totals
from nounflow.llm.requests import Outcome, Request

PRICES = {"tiny": {"input": 1.0, "output": 2.0}}
PAID = (20 * 1.0 + 10 * 2.0) / 1e6  # USD of one good answer of the server, outside a batch
KEY = "sk-very/secret-0123456789abcdef"


def config(server: LLMServer, **changes: Any) -> LLMConfig:
    values = {
        "base_url": server.url,
        "model": "tiny",
        "prices": PRICES,
        "budget_usd": 10.0,
        "first_wait_s": 0.01,
        "timeout_s": 5.0,
        "max_output_tokens": 100,
        "max_retry_tokens": 400,
    }
    return LLMConfig.model_validate(values | changes)


def batch_config(server: LLMServer, *, batch: dict[str, Any] | None = None, **changes: Any) -> LLMConfig:
    """Batches of ten, looked at all the time."""
    return config(
        server, **{"mode": "batch", "batch": {"poll_s": 0.01, "max_requests": 10, **(batch or {})}, **changes}
    )


def questions(n: int, **changes: Any) -> list[Request]:
    return [
        Request(f"noun {i}", ({"role": "user", "content": f"noun {i}"},), **({"prompt_version": "1"} | changes))
        for i in range(n)
    ]


def ask(
    path: Path,
    settings_: LLMConfig,
    requests: Iterable[Request] | AsyncIterable[Request],
    now: Callable[[], float] = time.time,
) -> list[Outcome]:
    async def run() -> list[Outcome]:
        with Ledger.open(path, now=now) as ledger:
            async with open_client(settings_, ledger) as client:
                return [outcome async for outcome in client.ask(requests)]

    return asyncio.run(run())


def get_outcomes(path: Path, settings_: LLMConfig, requests: list[Request]) -> list[Outcome]:
    """Like `ask`, where no request may fail."""
    outcomes = [outcome for outcome in ask(path, settings_, requests) if outcome.status != "failed"]
    assert len(outcomes) == len(requests)
    return outcomes


def totals(path: Path) -> Totals:
    with Ledger.read(path) as ledger:
        return ledger.totals()


def unanswered(ledger: Ledger) -> list[tuple[str, float, float]]:
    """Sendings without an ending: item, time, worst cost in USD."""
    sql = """
        SELECT requests.item, sendings.sent_at, sendings.worst_usd
        FROM sendings JOIN requests ON requests.id = sendings.request
        LEFT JOIN endings ON endings.sending = sendings.id
        WHERE endings.sending IS NULL ORDER BY sendings.id"""
    return ledger.rows(sql)


def verdict_counts(ledger: Ledger) -> dict[str, int]:
    """How many requests were accepted ("") or rejected, by reason; the latest verdict of each counts."""
    sql = """
        SELECT CASE WHEN accepted THEN '' ELSE reason END AS why, count(*) FROM verdicts
        WHERE id IN (SELECT max(id) FROM verdicts GROUP BY request) GROUP BY why ORDER BY why"""
    return dict(ledger.rows(sql))


def words(outcomes: Iterable[Outcome]) -> dict[str, tuple[str, ...]]:
    return {outcome.request.item: outcome.texts for outcome in outcomes if outcome.status != "failed"}


def right(n: int) -> dict[str, tuple[str, ...]]:
    """The good answers to `questions(n)`."""
    return {f"noun {i}": (f'{{"word": "noun {i}"}}',) for i in range(n)}


def created(server: LLMServer) -> int:
    """How many batches the server has got."""
    return len(server.batches.batches)


def inputs(server: LLMServer) -> list[bytes]:
    """The input files that the server has got."""
    return [content for name, content in server.batches.files.items() if name.startswith("file-")]


async def _print_outcomes(path: Path, settings: LLMConfig, n: int) -> None:
    with Ledger.open(path) as ledger:
        async with open_client(settings, ledger) as client:
            async for outcome in client.ask(questions(n)):
                # One write, so that a kill leaves the whole line or nothing of it, buffered or not.
                os.write(sys.stdout.fileno(), f"{outcome.request.item}\n".encode())


class Askers:
    """Makes processes that ask and can be killed: copies of one that has everything imported."""

    def __enter__(self) -> Askers:
        command = [sys.executable, "-c", "import llm_asking; llm_asking.serve_askers()"]
        tests = Path(__file__).resolve().parent
        environment = {**os.environ, "PYTHONPATH": f"{tests.parent}:{tests}"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asking, self._answers = self._process.stdin, self._process.stdout
        return self

    def __exit__(self, *_: object) -> None:
        self._asking.close()
        self._process.wait()
        self._answers.close()

    def start(self, path: Path, settings: LLMConfig, n: int, server: LLMServer) -> None:
        """A process that asks `n` questions, and that the server may kill."""
        self._tell(json.dumps([str(path), settings.model_dump_json(), n]))
        self._batches = server.batches
        self._batches.victim = int(self._answers.readline())
        self._tell("go")

    def _tell(self, line: str) -> None:
        print(line, file=self._asking, flush=True)

    def answered(self) -> str:
        """What the process has got an answer about next; "" when it has ended."""
        if (item := self._answers.readline().strip()) == "":
            self._batches.victim = None
            self._tell("gone")
        return item

    def wait(self) -> None:
        """Until the process has ended."""
        while self.answered():
            pass


def serve_askers() -> None:
    """What the first process does. It has one thread, so it may be copied."""
    while line := sys.stdin.readline():
        path, settings, n = json.loads(line)
        waiting, going = os.pipe()
        if (child := os.fork()) == 0:
            code = 1
            try:
                os.read(waiting, 1)
                asyncio.run(_print_outcomes(Path(path), LLMConfig.model_validate_json(settings), n))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)
        sys.stdin.readline()
        os.write(going, b"g")
        os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)  # it keeps its number until nobody would kill it
        print(flush=True)
        sys.stdin.readline()
        os.waitpid(child, 0)
        os.close(waiting)
        os.close(going)
