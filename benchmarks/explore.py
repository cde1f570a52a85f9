"""How long a page of `nounflow explore` takes on 100,000 made-up images and two runs: python benchmarks/explore.py"""

import argparse
import statistics
import time

import numpy as np
from fastapi.testclient import TestClient

from nounflow.schemas.labels import Labels
from nounflow.schemas.predictions import DecodingPredictions, Predictions
from nounflow.web.exploring.answers import answer_table
from nounflow.web.exploring.app import exploring_app

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--images", type=int, default=100_000)
n = parser.parse_args().images
rng = np.random.default_rng(1)
words = [f"noun {i}" for i in range(6000)]
files = tuple(f"folder {i % 100}/{i:06d}.jpg" for i in range(n))


def made(run: str) -> Predictions:
    """Ten random nouns an image."""
    nouns = rng.integers(0, len(words), (n, 10))
    decoding = DecodingPredictions.model_construct(
        pred=tuple(tuple(words[i] for i in row) for row in nouns.tolist()),
        probability=tuple(map(tuple, np.sort(rng.random((n, 10)))[:, ::-1].tolist())),
    )
    return Predictions.model_construct(samples=files, predictions={"plain": decoding}, run=run, image_set="made up")


gold = rng.integers(0, len(words), n)
labels = {file: Labels(gold=words[i]) for file, i in zip(files, gold.tolist(), strict=True)}
judged = {file: {words[i]: "correct_primary", words[i - 1]: "incorrect"} for file, i in zip(files, gold, strict=True)}
start = time.perf_counter()
table = answer_table([made("a"), made("b")], judged, labels, dict.fromkeys(words, "thing"))
print(f"table of {table.height:,} rows: {time.perf_counter() - start:.1f} s, {table.estimated_size() / 1e6:.0f} MB")
client = TestClient(exploring_app(table, __file__, "made up", "nobody", rng.random((n, 2))))
for name, path, asked in (
    ("first page", "page", {}),
    ("page 1,000", "page", {"number": 1000}),
    ("with a second run", "page", {"other": "b"}),
    ("verdicts differ", "page", {"other": "b", "differ": True}),
    ("search", "page", {"search": "noun 4321"}),
    ("surest first", "page", {"order": "surest"}),
    ("confusions", "confusions", {}),
    ("map", "map", {}),
):
    times = []
    for _ in range(7):
        start = time.perf_counter()
        assert client.get(f"/api/{path}", params={"run": "a", **asked}).status_code == 200
        times.append(1000 * (time.perf_counter() - start))
    print(f"{name}: median {statistics.median(times):.0f} ms, slowest {max(times):.0f} ms")
