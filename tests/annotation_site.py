"""A small place to annotate in: drawn pictures, predictions of two runs, and the real server as a process."""

from __future__ import annotations

import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from PIL import Image, ImageDraw
from synthetic_results import predictions

from nounflow.files import sha256_file
from nounflow.schemas.documents import write_document
from nounflow.schemas.regions import RegionScores
from nounflow.schemas.tags import TagScores

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-c", "from nounflow.cli import main; main()")
ANSWERS = {  # file -> what the first run says, what the second says
    "cup.png": (["cup", "teapot", "saucer"], ["teapot", "cup", "table"]),
    "dog.png": (["dog", "wolf", "sofa"], ["dog", "sofa", "wolf"]),
    "sub dir/boat.png": (["boat", "ship", "sea"], ["boat", "ship", "sea"]),
}


def draw(path: Path, number: int) -> None:
    """A picture that differs from all others."""
    image = Image.new("RGB", (320, 240), (245, 243, 236))
    ImageDraw.Draw(image).ellipse((60, 40, 260, 200), fill=(37 * number % 256, 120, 200 - 11 * number % 200))
    ImageDraw.Draw(image).text((5, 5), str(number), fill="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


class Site:
    """A folder like that of a user, with results of two runs."""

    def __init__(
        self, folder: Path, wordnet_input: Path, answers: Mapping[str, tuple[list[str], ...]] = ANSWERS
    ) -> None:
        self.folder = folder
        self.log = folder / "log.sqlite"
        (folder / "config").mkdir(parents=True)
        shutil.copy(ROOT / "config/config.yaml", folder / "config/config.yaml")
        self.manifest = wordnet_input / "manifest.json"
        for number, file in enumerate(answers):
            if not (folder / "images" / file).exists():
                draw(folder / "images" / file, number)
        for which, run in enumerate(("one", "two")):
            said = {file: nouns[which] for file, nouns in answers.items()}
            document = predictions(run, said, image_set="drawn")
            write_document(folder / f"results/predictions/{run}/drawn.json", document)
        self.configure(second_pass=0)

    def configure(self, **people: object) -> None:
        """Settings of the annotator `people`."""
        settings = {"kind": "people", "log": str(self.log), **people}
        folder = str(self.folder / "images")
        config = {
            "annotators": {"people": settings},
            "image_sets": {"photos": None, "drawn": {"folder": folder}},
            "tags": {"sets": {"several": {"folder": folder, "labels": "labels.tsv"}}},
            "regions": {"tests": {"boxed": {"folder": folder, "boxes": "boxes.json"}}},
        }
        (self.folder / "mine.yaml").write_text(json.dumps(config))

    def name(self, file: str, run: str, *nouns: tuple[str, tuple[float, ...]]) -> None:
        """A run's tags of a picture, and the same as names of boxes of it: results/tags.json and regions.json."""
        tags = [{"noun": noun, "score": 0.5, "box": box} for noun, box in nouns]
        image = {"run": run, "file": file, "tags": tags}
        found = {"rows": (), "problems": {}, "seen": {}, "examples": [{"set": "several", **image}]}
        write_document(self.folder / "results/tags.json", TagScores.model_validate(found))
        found = {"rows": (), "per_name": {}, "unretrieved": {}, "named": [{"set": "boxed", **image}]}
        write_document(self.folder / "results/regions.json", RegionScores.model_validate(found))

    def image(self, file: str) -> str:
        """The digest of a picture."""
        return sha256_file(self.folder / "images" / file)

    def nounflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line here."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder, env=environment(), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def start(
        self, *options: str, of: Sequence[str] = ("one", "two"), port: int | None = None, file_kib: int | None = None
    ) -> Server:
        """Start the annotation server; returns when it has printed its address. `file_kib`: no file may be larger."""
        arguments = ["annotate", *of, "--configfile", "mine.yaml", "--wordnet", str(self.manifest)]
        arguments += ["--no-browser", "--port", str(port or free_port()), *options]
        limit = ["bash", "-c", f'ulimit -f {file_kib}; exec "$@"', "limited"] if file_kib else []
        return Server([*limit, *COMMAND, *arguments], self.folder)


class Server:
    """The real server as a process of its own, and a client of it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.output = ""
        try:
            self.url = self._await_address()
            parts = urlsplit(self.url)
            self.host, self.port = parts.hostname or "", parts.port or 0
            self.origin = f"http://{parts.netloc}"
            self.cookie = self._log_in()
        except BaseException:
            self.kill()
            raise

    def _await_address(self) -> str:
        deadline = time.monotonic() + 60
        assert self.process.stdout
        while time.monotonic() < deadline:
            if not select.select([self.process.stdout], [], [], 1)[0]:
                continue
            line = self.process.stdout.readline()
            self.output += line
            if found := re.match(r"open  (\S+)", line):
                return found[1]
            if not line:
                break
        raise AssertionError(f"the server did not start:\n{self.output}")

    def _log_in(self) -> str:
        """At once: who opens the address as soon as it is printed is not refused."""
        answer = self.request("GET", urlsplit(self.url).path + "?" + urlsplit(self.url).query, cookie="")
        assert answer.status == 303, answer.status
        return answer.headers["set-cookie"].split(";")[0]

    def request(
        self, method: str, path: str, body: object = None, cookie: str | None = None, **headers: str | None
    ) -> Answer:
        """One request as the page would send it; a header set to None is left out, `_` in its name is `-`."""
        given: dict[str, str | None] = {"Cookie": self.cookie if cookie is None else cookie}
        if body is not None:
            given |= {"Content-Type": "application/json", "Origin": self.origin, "Sec-Fetch-Site": "same-origin"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            payload = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
            sent = {name: value for name, value in given.items() if value is not None}
            connection.request(method, path, payload, sent)
            response = connection.getresponse()
            return Answer(
                response.status, {name.lower(): value for name, value in response.headers.items()}, response.read()
            )
        finally:
            connection.close()

    def get(self, path: str, **query: object) -> dict[str, Any]:
        """JSON from a path."""
        answer = self.request("GET", f"{path}?{urlencode(query)}" if query else path)
        assert answer.status == 200, (answer.status, answer.body)
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def send(self, *records: Mapping[str, object]) -> dict[str, Any]:
        """Post records."""
        answer = self.request("POST", "/api/records", {"records": list(records)})
        assert answer.status == 200, (answer.status, answer.body)
        found: dict[str, Any] = json.loads(answer.body)
        return found

    def kill(self) -> None:
        """As the power would."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def stop(self) -> str:
        """As Ctrl+C does; returns all that it printed."""
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=20)
        return self.output + rest

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Annotator(threading.Thread):
    """Decides and sends as the page does: keeps what is not acknowledged, and sends it again until it is."""

    def __init__(self, name: str, records: list[dict[str, Any]], address: dict[str, Server]) -> None:
        super().__init__(name=name, daemon=True)
        self.records, self.address = records, address
        self.acknowledged: list[str] = []

    def run(self) -> None:
        for record in self.records:
            while True:
                server = self.address["server"]
                try:
                    if record["id"] in server.send(record)["accepted"]:
                        break
                except (OSError, http.client.HTTPException, AssertionError):  # AssertionError: another start's token
                    time.sleep(0.02)
            self.acknowledged.append(record["id"])


def judge_through_kills(
    site: Site, annotators: int, each: int, kills: int, *options: str
) -> tuple[list[str], list[Annotator]]:
    """Many annotators at once while the server is killed and started again; the ids sent, and the annotators."""
    port, image = free_port(), site.image("dog.png")
    address = {"server": site.start(*options, port=port)}
    threads = [
        Annotator(f"a{i}", [decision(image, f"noun {i} {j}", annotator=f"a{i}") for j in range(each)], address)
        for i in range(annotators)
    ]
    for thread in threads:
        thread.start()
    total = annotators * each
    for kill in range(kills):
        while sum(len(thread.acknowledged) for thread in threads) < total * (kill + 1) / (kills + 1):
            time.sleep(0.002)
        address["server"].kill()
        address["server"] = site.start(*options, port=port)
    for thread in threads:
        thread.join(timeout=300)
    address["server"].stop()
    return [record["id"] for thread in threads for record in thread.records], threads


def decision(
    image: str, noun: str, category: str = "incorrect", annotator: str = "ann", **changes: object
) -> dict[str, Any]:
    """A record as the page makes it."""
    record = {"kind": "decision", "id": uuid.uuid4().hex, "annotator": annotator, "tool": "test", "image": image}
    return {**record, "noun": noun, "category": category, **changes}


def free_port() -> int:
    """A port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """Variables under which the project is found, whether or not it is installed."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
