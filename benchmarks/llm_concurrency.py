"""Whether 500 requests at a time come through without loss, and how long they take.

The tests' server on loopback answers each request after a fixed time, and none before so many are under way at once.
It runs in the same process, so its work is in the figures. Every request goes through the real client and a ledger on
the disk.

    python benchmarks/llm_concurrency.py
"""

import argparse
import asyncio
import os
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from llm_server import LLMServer

from nounflow.config.llm import LLMConfig
from nounflow.llm.client import open_client
from nounflow.llm.ledger import Ledger
from nounflow.llm.requests import Request


def main() -> None:
    """Ask with many and with few requests at a time, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[500, 50], help="requests under way at a time")
    parser.add_argument("--answer-s", type=float, default=0.25, help="seconds that the server takes for an answer")
    parser.add_argument("--rounds", type=int, default=3, help="timings; the median is printed")
    arguments = parser.parse_args()

    os.environ["NO_PROXY"] = "127.0.0.1"
    times: dict[int, list[float]] = {concurrency: [] for concurrency in arguments.concurrency}
    for _ in range(arguments.rounds):
        for concurrency, taken in times.items():
            taken.append(one_run(arguments.requests, concurrency, arguments.answer_s))
    for concurrency, taken in times.items():
        ideal = arguments.requests / concurrency * arguments.answer_s
        print(
            f"{platform.machine()}: {arguments.requests:,} requests, {concurrency} at a time: "
            f"median {statistics.median(taken):.1f} s, {ideal:.1f} s if nothing but the server took time"
        )


def one_run(requests: int, concurrency: int, answer_s: float) -> float:
    """Seconds of one run; says what was answered, lost and asked twice."""
    with tempfile.TemporaryDirectory() as folder, LLMServer(delay_s=answer_s, gate=concurrency) as server:
        config = LLMConfig.model_validate(
            {
                "base_url": server.url,
                "model": "local",
                "prices": {"local": {"input": 0, "output": 0}},
                "concurrency": concurrency,
            }
        )
        start = time.perf_counter()
        answered = asyncio.run(ask(Path(folder) / "ledger.sqlite", config, requests))
        taken = time.perf_counter() - start
        twice = sum(count > 1 for count in server.asked_questions.values())
        print(
            f"{concurrency} at a time: {answered:,} answered, {requests - answered:,} lost, {twice:,} asked twice, "
            f"{server.max_open_batches} under way at once, {taken:.1f} s",
            flush=True,
        )
    return taken


async def ask(path: Path, config: LLMConfig, requests: int) -> int:
    """How many of so many requests are answered."""
    asked = (Request(f"noun {i}", ({"role": "user", "content": f"noun {i}"},), "1") for i in range(requests))
    with Ledger.open(path) as ledger:
        async with open_client(config, ledger) as client:
            outcomes = [outcome.status != "failed" async for outcome in client.ask(asked)]
    return sum(outcomes)


if __name__ == "__main__":
    main()
