"""The annotation page under load: answer times at 20,000 pairs, kill -9 among ten annotators, decisions by keyboard.

    python benchmarks/annotation_app.py --wordnet results/inputs/wordnet

Everything is the real thing: the server as a process of its own with its log on the disk, clients over loopback, and a
headless Chromium. The ten clients share the machine with the server.
"""

import argparse
import http.client
import itertools
import json
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import chromium
from annotation_site import Server, Site, decision, judge_through_kills

from nounflow.annotation.log import read_records
from nounflow.inputs import input_folder
from nounflow.wordnet import WordNet


def answers(wordnet: WordNet, images: int) -> dict[str, tuple[list[str], ...]]:
    """Predictions of two runs with five nouns a picture in all: three each, of which they share the second."""
    words = itertools.cycle(sorted(word for word in wordnet.index if word.isalpha()))
    said = {}
    for number in range(images):
        a, b, c, d, e = (next(words) for _ in range(5))
        said[f"{number:05}.png"] = ([a, b, c], [d, b, e])
    return said


class Client:
    """One connection that is kept, as a browser keeps it; notes how long each answer took."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=60)
        self.milliseconds: dict[str, list[float]] = {}

    def ask(self, kind: str, method: str, path: str, body: object = None) -> bytes:
        """Send a request and read its answer."""
        headers = {"Cookie": self.server.cookie}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Origin": self.server.origin}
        payload = None if body is None else json.dumps(body)
        started = time.perf_counter()
        self.connection.request(method, path, payload, headers)
        response = self.connection.getresponse()
        content = response.read()
        self.milliseconds.setdefault(kind, []).append(1000 * (time.perf_counter() - started))
        assert response.status == 200, content
        return content

    def judge(self, annotator: str, pictures: int, pause: float = 0.0) -> None:
        """Judge picture after picture as the page does: tasks, the picture, a record for each noun."""
        self.ask("session", "GET", f"/api/session?annotator={annotator}")
        after = 0
        for _ in range(pictures):
            path = f"/api/tasks?annotator={annotator}&after={after}&n=1"
            (task,) = json.loads(self.ask("next picture", "GET", path))["tasks"]
            after = task["number"]
            self.ask("picture", "GET", f"/pictures/{task['image']}?size=screen")
            for noun in task["nouns"]:
                record = decision(task["image"], noun["noun"], annotator=annotator)
                self.ask("decision", "POST", "/api/records", {"records": [record]})
                time.sleep(pause)


def answer_times(site: Site, annotators: int, pictures: int, pause: float) -> dict[str, list[float]]:
    """Milliseconds of each kind of request, of all annotators at once."""
    with site.start("--top-k", "3", "--log", f"times_{annotators}_{pause}.sqlite") as server:
        clients = [Client(server) for _ in range(annotators)]
        jobs = [
            threading.Thread(target=client.judge, args=(f"a{i}", pictures, pause)) for i, client in enumerate(clients)
        ]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
    kinds = sorted({kind for client in clients for kind in client.milliseconds})
    return {kind: [ms for client in clients for ms in client.milliseconds.get(kind, [])] for kind in kinds}


def print_times(title: str, times: dict[str, list[float]]) -> None:
    """A table of medians and 95th percentiles."""
    print(f"\n{title}\n\n| request | n | median ms | 95th percentile ms | slowest ms |\n|---|---|---|---|---|")
    for kind, values in times.items():
        middle, high, most = np.percentile(values, (50, 95, 100))
        print(f"| {kind} | {len(values):,} | {middle:.1f} | {high:.1f} | {most:.1f} |", flush=True)


def keyboard(site: Site, decisions: int) -> float:
    """Decisions a minute in Chromium: each key is pressed when the page has announced the one before."""
    from playwright.sync_api import sync_playwright

    with site.start("--top-k", "3", "--log", "keyboard.sqlite") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{server.url}&annotator=ann")
        page.locator("#noun:not(:empty)").wait_for()
        said = page.locator("#said")
        started = time.perf_counter()
        for number in range(decisions):
            before = said.inner_text()
            page.keyboard.press("qwasd"[number % 5])
            wait_until(lambda before=before: said.inner_text() != before)
        page.locator("#unsent[data-state=saved][data-waiting='0']").wait_for()
        minutes = (time.perf_counter() - started) / 60
        browser.close()
    assert len(read_records(site.folder / "keyboard.sqlite")) == decisions
    return decisions / minutes


def wait_until(true: Callable[[], bool]) -> None:
    """Poll."""
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline


def main() -> None:
    """All three, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True, help="folder of a fetched WordNet")
    parser.add_argument("--images", type=int, default=4000, help="pictures, of five nouns each")
    arguments = parser.parse_args()
    wordnet = WordNet.load(input_folder(arguments.wordnet / "manifest.json"))
    with tempfile.TemporaryDirectory() as name:
        said = answers(wordnet, arguments.images)
        site = Site(Path(name) / "site", arguments.wordnet.resolve(), {**said, "dog.png": (["dog"], ["dog"])})
        print(f"{5 * arguments.images + 1:,} pairs on {arguments.images + 1:,} pictures, two runs")
        print_times("One annotator without a pause", answer_times(site, 1, 200, 0.0))
        print_times("Ten annotators, 60 decisions a minute each", answer_times(site, 10, 12, 1.0))
        print_times("Ten annotators without a pause", answer_times(site, 10, 100, 0.0))
        sent, threads = judge_through_kills(site, 10, 1000, 2, "--top-k", "3")
        kept = Counter(record.id for record in read_records(site.log))
        acknowledged = {identity for thread in threads for identity in thread.acknowledged}
        print(f"\nTen annotators, {len(sent):,} decisions, the server killed twice with kill -9:")
        print(f"lost {len(set(sent) - set(kept))}, doubled {sum(n > 1 for n in kept.values())}, ", end="")
        print(f"acknowledged and lost {len(acknowledged - set(kept))}, strange {len(set(kept) - set(sent))}")
        print(f"\nBy keyboard in Chromium: {keyboard(site, 300):.0f} decisions a minute")


if __name__ == "__main__":
    main()
