"""How long a ledger with the answers about 100,000 nouns takes to be asked about all of them.

The ledger is written through its own interface, then every key is looked up as the client does it, 500 at a time, and
one at a time, in turns.

    python benchmarks/ledger_speed.py
"""

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path

from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import CHUNK
from nounflow.llm.records import Ending
from nounflow.llm.requests import Question, Request, TokenUsage

_ANSWER_BYTES = 1500  # of an answer with ten captions


def main() -> None:
    """Write the ledger, then time the look-ups."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nouns", type=int, default=100_000, help="nouns with one answer each")
    parser.add_argument("--rounds", type=int, default=5, help="timings; the median is printed")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite") as ledger:
        start = time.perf_counter()
        keys = fill(ledger, arguments.nouns)
        filled = time.perf_counter() - start
        size = ledger.path.stat().st_size
        times: dict[int, list[float]] = {CHUNK: [], 1: []}
        for _ in range(arguments.rounds):
            for portion, taken in times.items():
                start = time.perf_counter()
                found = sum(len(ledger.look_up(keys[at : at + portion])) for at in range(0, len(keys), portion))
                taken.append(time.perf_counter() - start)
                assert found == len(keys)
    print(f"{platform.machine()}: {len(keys):,} nouns, {size / 1e6:,.0f} MB, written in {filled:.1f} s")
    for portion, taken in times.items():
        spread = f"{min(taken):.2f} to {max(taken):.2f}"
        print(f"all looked up, {portion} at a time: {statistics.median(taken):.2f} s, median of {spread}")


def fill(ledger: Ledger, nouns: int) -> list[str]:
    """Requests, sendings and answers; returns the keys."""
    raw = json.dumps({"choices": [{"message": {"content": "x" * _ANSWER_BYTES}}]})
    keys = []
    for start in range(0, nouns, CHUNK):
        items = range(start, min(start + CHUNK, nouns))
        requests = [Request(f"noun {i}", ({"role": "user", "content": f"noun {i}"},), "1") for i in items]
        questions = [Question.of(request, "model", {}) for request in requests]
        sendings = [ledger.record_sending(question, max_output_tokens=1000, worst_usd=0.01) for question in questions]
        ending = Ending("answered", raw, "", TokenUsage(100, 300), 0.001)
        for written in [ledger.record_ending(sending.result(), ending) for sending in sendings]:
            written.result()
        keys += [question.key for question in questions]
    return keys


if __name__ == "__main__":
    main()
