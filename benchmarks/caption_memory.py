"""Peak memory and rate of each command of the captions stage at a hundred thousand and a million captions.

Every command runs as a process of its own, on the same lexicon; memory is its largest resident set, in MiB (Linux).
With `--against` the same is measured for another checkout of the project, in turns. `ask` talks to a local server that
writes captions; its rate is over all captions in the answers, of which some are refused.

    python benchmarks/caption_memory.py --nouns results/nouns/small.parquet --work /tmp/caption_memory
"""

import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

_HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_HERE / "tests"))

from llm_server import LLMServer  # noqa: E402

COMMANDS = ("m1", "m3", "offline", "check", "import", "ask")
_ADJECTIVES = ["old", "red", "small", "bright", "dusty", "wooden", "green", "quiet", "tall", "narrow", "blue", "broken"]
_THINGS = ["fence", "window", "door", "bridge", "bench", "wall", "garden", "road", "river", "shelf", "lamp", "barn"]
_TIMES = ["morning", "evening", "rain", "snow", "sun", "shade", "fog", "moonlight", "spring", "autumn", "wind", "dark"]


class WritingServer(LLMServer):
    """Answers each question with different captions that pass the checks, for the most part."""

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        completion = super()._completion(fault, body, message)
        turn = self.asked[message]
        dice = random.Random(hashlib.sha256(f"{turn} {message}".encode()).digest())
        found: dict[str, list[str]] = {"singular": [], "plural": []}
        for n, form, number in re.findall(r'(\d+) with the word "([^"]+)" \((singular|plural)\)', message):
            for _ in range(int(n)):
                one, other = dice.sample(_ADJECTIVES, 2)
                things = dice.sample(_THINGS, 2)
                found[number].append(
                    f"The {one} {form} near a {other} {things[0]} and the {things[1]} in the {dice.choice(_TIMES)}."
                )
        if any(found.values()):
            completion["choices"][0]["message"]["content"] = json.dumps(found)
        return completion


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nouns", type=Path, required=True, help="lexicon, parquet")
    parser.add_argument("--work", type=Path, required=True, help="folder for what is written, on a real disk")
    parser.add_argument("--against", type=Path, help="folder of another checkout")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=COMMANDS)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000], help="captions, about")
    arguments = parser.parse_args()
    sides = [side for side in (arguments.against, _HERE) if side is not None]
    print("| command | captions | side | peak MiB | seconds | processor s | captions a processor s |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for command in arguments.commands:
        for size in arguments.sizes:
            for side in sides:
                folder = arguments.work / f"{command}-{size}-{side.name}"
                folder.mkdir(parents=True, exist_ok=True)
                rows, peak, seconds, spent = _measure(command, size, arguments.nouns, folder, side)
                name = "this" if side is _HERE else "other"
                figures = f"{peak:,.0f} | {seconds:.1f} | {spent:.1f} | {rows / spent:,.0f}"
                print(f"| {command} | {rows:,} | {name} | {figures} |", flush=True)


def _measure(command: str, size: int, nouns: Path, folder: Path, side: Path) -> tuple[int, float, float, float]:
    """Captions that were taken or made, peak memory in MiB, seconds and processor seconds of one run."""
    each = -(-size // pl.scan_parquet(nouns).select(pl.len()).collect().item())
    common = ["--nouns", str(nouns), "--out", str(folder / "out.parquet")]
    if command in ("check", "import"):
        source = folder.parent / f"source-{size}.parquet"
        if not source.is_file():
            _run("generate_captions.py", ["--nouns", str(nouns), "--out", str(source), *_offline(each)], _HERE)
        if command == "check":
            options = [*common[:2], "--captions", str(source), "--out", str(folder / "out.check.json")]
            options += ["--kept", str(folder / "kept.parquet"), "--min-yield", "0.5"]
            return (_rows(source), *_run("check_captions.py", options, side))
        published = _published(source, nouns)
        return (_rows(source), *_run("import_captions.py", [*common, "--published", str(published)], side))
    if command == "ask":
        (folder / "ledger.sqlite").unlink(missing_ok=True)
        with WritingServer() as server:
            model = {
                "base_url": server.url,
                "model": "m",
                "budget_usd": 1e6,
                "prices": {"m": {"input": 1, "output": 1}},
            }
            asked = {"server": model, "captions_per_noun": each, "captions_per_request": 40, "attempts_per_noun": 99}
            options = [*common, "--settings", json.dumps(asked), "--ledger", str(folder / "ledger.sqlite")]
            measured = _run("ask_captions.py", options, side)
        return (json.loads((folder / "out.check.json").read_text())["captions"], *measured)
    if command == "offline":
        measured = _run("generate_captions.py", [*common, *_offline(each)], side)
    else:
        settings = json.dumps({"texts_per_noun": [each] * 3, "shards": [1] * 3})
        templates = [
            option
            for number in ("singular", "plural")
            for option in (f"--{number}-templates", str(_HERE / f"resources/templates/{number}.tsv"))
        ]
        options = [*common, *templates, "--source", command, "--settings", settings, "--seed", "1"]
        measured = _run("compose_captions.py", options, side)
    return (_rows(folder / "out.parquet"), *measured)


def _offline(each: int) -> list[str]:
    return ["--captioner", "offline", "--settings", json.dumps({"captions_per_noun": each}), "--seed", "1"]


def _rows(path: Path) -> int:
    return int(pl.scan_parquet(path).select(pl.len()).collect().item())


def _published(source: Path, nouns: Path) -> Path:
    """The captions of a file in the published layout, the noun's place behind its words."""
    path = source.with_suffix(".json")
    if not path.is_file():
        with open(path, "w", encoding="utf-8") as file:
            file.write("[\n" + ",\n".join(_entries(source, nouns)) + "\n]\n")
    return path


def _entries(source: Path, nouns: Path) -> Iterator[str]:
    own = pl.scan_parquet(source).select(pl.col("targets").list.first().alias("id"), "text")
    texts = own.group_by("id", maintain_order=True).agg("text").collect()
    names = dict(pl.scan_parquet(nouns).select("id", "canon").collect().iter_rows())
    for noun, captions in texts.iter_rows():
        places = [f"{caption.rstrip('.')} beside a {{singular}}" for caption in captions]
        yield json.dumps({"target_noun": names[noun], "singular_captions": places, "plural_captions": []})


def _run(script: str, options: list[str], side: Path) -> tuple[float, float, float]:
    """Peak memory in MiB (Linux counts in KiB), seconds and processor seconds of one process."""
    environment = {**os.environ, "PYTHONPATH": str(side), "OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}
    start = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, str(side / "workflow_scripts" / script), *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(errors)
    return usage.ru_maxrss / 1024, time.perf_counter() - start, usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
