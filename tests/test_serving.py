"""The server as clients meet it: a real one on a port, many connections at a time, bytes that are no image."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from tiny_workflow import Project

from nounflow import Naming, NounClassifier
from nounflow.cli import main
from nounflow.serving.app import Limits, naming_app

ROOT = Path(__file__).parent.parent
KEY = "a-key-of-this-test"
DEFAULT = Limits()


def start(project: Project, *options: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    words = ["serve", str(project.folder / "results/models/tiny_head"), "--port", "0", *options]
    process = subprocess.Popen(
        [sys.executable, "-c", "from nounflow.cli import main; main()", *words],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://\S+:\d+", line)
    assert found, line
    return process, found[0]


@pytest.fixture(scope="module")
def address(finished: Project) -> Iterator[str]:
    process, address = start(finished)
    yield address
    process.terminate()
    assert process.wait(30) in (0, -15, 143)


@pytest.fixture
def photo(finished: Project) -> bytes:
    return (finished.folder / "drawn/a.png").read_bytes()


def post(address: str, content: bytes, **options: object) -> httpx.Response:
    headers = {"Content-Type": "image/png", **options.pop("headers", {})}  # type: ignore[dict-item]
    return httpx.post(f"{address}/name", content=content, headers=headers, timeout=60, **options)  # type: ignore[arg-type]


def test_an_image_is_named_as_the_classifier_names_it(address: str, finished: Project, photo: bytes) -> None:
    expected = NounClassifier.load(finished.folder / "results/models/tiny_head")(photo, top_k=5)
    answer = post(address, photo, params={"top": 5}).json()
    assert [row["noun"] for row in answer["nouns"]] == list(expected.nouns)
    assert [row["probability"] for row in answer["nouns"]] == pytest.approx(expected.probabilities, abs=1e-4)
    listed = [expected.nouns[3], expected.nouns[1]]
    chosen = post(address, photo, params={"noun": listed}).json()
    assert [row["noun"] for row in chosen["nouns"]] == listed[::-1]


def test_an_answer_carries_what_name_prints_as_json(
    address: str, finished: Project, photo: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["name", str(finished.folder / "drawn/a.png"), "--run", str(finished.folder / "results/models/tiny_head")]
    main([*words, "--json", "--confidence", "0.01"])
    (row,) = json.loads(capsys.readouterr().out)["images"]
    answer = post(address, photo, params={"confidence": 0.01}).json()
    assert answer["sure"] == row["sure"] is not None
    assert answer["sure_probability"] == pytest.approx(row["sure_probability"], abs=1e-4)
    assert [one["noun"] for one in answer["nouns"]] == row["nouns"]
    assert all(one["in_lexicon"] for one in answer["nouns"])
    unsure = post(address, photo, params={"confidence": 1}).json()
    assert (unsure["sure"], unsure["sure_probability"]) == ("", 0.0)
    assert "sure" not in post(address, photo).json()
    assert post(address, photo, params={"confidence": 2}).status_code == 422
    fields = httpx.get(f"{address}/openapi.json").json()["components"]["schemas"]
    assert {"sure", "sure_probability", "calibrated_on", "verdict", "chain"} <= set(fields["Named"]["properties"])
    assert "in_lexicon" in fields["Noun"]["required"]


def test_an_answer_does_not_depend_on_what_others_ask_meanwhile(finished: Project, photo: bytes) -> None:
    classifier = NounClassifier.load(finished.folder / "results/models/tiny")
    asked: list[int] = []
    classify = classifier.classify_embeddings

    def watched(vectors: np.ndarray, top: int) -> list[Naming]:
        asked.append(top)
        return classify(vectors, top)

    classifier.classify_embeddings = watched  # type: ignore[method-assign, assignment]
    with TestClient(naming_app(classifier, "m", DEFAULT, None, set())) as client, ThreadPoolExecutor(6) as pool:

        def ask(top: int) -> int:
            answer = client.post(f"/name?top={top}", content=photo, headers={"Content-Type": "image/png"})
            return len(answer.json()["nouns"])

        assert list(pool.map(ask, (2, 12) * 6)) == [2, 12] * 6
    assert set(asked) == {2, 12}  # no batch searches wider than its clients asked


def test_nouns_that_cannot_be_said_are_told_in_the_answer(address: str, finished: Project, photo: bytes) -> None:
    known = NounClassifier.load(finished.folder / "results/models/tiny_head").nouns[0]
    assert post(address, photo, params={"noun": [known, "qwxyz"]}).json()["left_out"] == ["qwxyz"]
    assert "left_out" not in post(address, photo, params={"noun": known}).json()
    where = f"{address}/regions?boxes=1&noun=qwxyz&noun={known}"
    assert httpx.post(where, content=photo, timeout=60).json()["left_out"] == ["qwxyz"]


def test_many_clients_at_once_all_get_their_own_answer(address: str, finished: Project) -> None:
    files = sorted(path for path in (finished.folder / "drawn").glob("*.png") if path.stat().st_size)[:6]
    alone = {path: post(address, path.read_bytes()).json() for path in files}
    asked = [files[i % len(files)] for i in range(120)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda path: post(address, path.read_bytes()), asked))
    assert {answer.status_code for answer in answers} <= {200, 422}
    for path, answer in zip(asked, answers, strict=True):
        found = answer.json()
        if "nouns" in found:
            assert [row["noun"] for row in found["nouns"]] == [row["noun"] for row in alone[path]["nouns"]]
    metrics = httpx.get(f"{address}/metrics").text
    batches, images = (
        float(re.search(rf"^nounflow_batch_size_{part} (\S+)", metrics, re.MULTILINE)[1])  # type: ignore[index]
        for part in ("count", "sum")
    )
    assert images / batches > 1.5  # they were put together


def test_bytes_that_are_no_image_are_refused_and_the_server_lives_on(address: str, photo: bytes) -> None:
    generator = np.random.default_rng(0)
    spoilt = []
    for _ in range(150):
        content = bytearray(photo)
        for place in generator.integers(0, len(content), 8):
            content[place] = generator.integers(0, 256)
        spoilt.append(bytes(content[: generator.integers(0, len(content) + 1)]))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda content: post(address, content), spoilt))
    assert {answer.status_code for answer in answers} <= {200, 422}
    assert all("cannot be read" in answer.json()["detail"] for answer in answers if answer.status_code == 422)
    assert post(address, b"").status_code == 422
    assert post(address, photo).status_code == 200


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"headers": {"Content-Type": "multipart/form-data; boundary=x"}}, 415, "own bytes"),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, "without the encoding 'gzip'"),
        ({"params": {"top": 0}}, 422, "greater than"),
        ({"params": {"topk": 1}}, 422, "there are: top, noun, confidence"),
        ({"params": {"top": [1, 2]}}, 422, "several times"),
        ({"params": {"noun": ["§§§"]}}, 422, "no noun that this model can say"),
        ({"headers": {"Host": "stranger.example"}}, 421, "--allow-host"),
        ({"headers": {"Origin": "http://stranger.example"}}, 403, "other sites"),
    ],
)
def test_what_is_refused_says_why(
    address: str, photo: bytes, options: dict[str, object], status: int, said: str
) -> None:
    answer = post(address, photo, **options)
    assert answer.status_code == status
    assert said in str(answer.json()["detail"])


def test_the_server_says_that_it_is_up_and_what_it_can_do(address: str) -> None:
    assert httpx.get(f"{address}/healthz").json()["status"] == "ok"
    schema = httpx.get(f"{address}/openapi.json").json()
    named = schema["paths"]["/name"]["post"]
    assert named["requestBody"]["content"]["image/*"]["schema"]["type"] == "string"  # generators of clients want it
    assert {"413", "415", "503"} <= set(named["responses"])
    assert httpx.head(f"{address}/healthz").status_code == 200


class Nothing:
    """Where the classifier is not what is tested."""

    threads = 1
    calibrated_on = ""

    def prepare(self, _image: bytes) -> np.ndarray:
        return np.zeros(1, dtype=np.float32)

    def encode_prepared(self, images: list[np.ndarray]) -> np.ndarray:
        return np.zeros((len(images), 2), dtype=np.float32)

    def classify_embeddings(self, vectors: np.ndarray, _top: int) -> list[Naming]:
        return [Naming("", ("cat",), (1.0,))] * len(vectors)


@pytest.fixture
def client() -> Callable[..., TestClient]:
    def opened(limits: Limits = DEFAULT, key: str | None = None) -> TestClient:
        return TestClient(naming_app(Nothing(), "model", limits, key, set()))  # type: ignore[arg-type]

    return opened


def test_too_many_bytes_are_refused_announced_or_not(client: Callable[..., TestClient]) -> None:
    with client(Limits(max_bytes=1000)) as web:
        assert web.post("/name", content=b"x" * 1000).status_code == 200
        assert web.post("/name", content=b"x" * 1001).status_code == 413
        assert web.post("/name", content=(b"x" * 600 for _ in range(2))).status_code == 413  # chunked


def test_too_many_pixels_are_refused_before_they_are_decoded(client: Callable[..., TestClient], photo: bytes) -> None:
    with client(Limits(max_pixels=100)) as web:
        assert "at most 100" in web.post("/name", content=photo).json()["detail"]


def test_a_key_is_asked_for_where_there_is_one(client: Callable[..., TestClient]) -> None:
    with client(key=KEY) as web:
        for given in (b"", b"Bearer wrong", "Bearer \xe9".encode("latin-1"), KEY.encode()[:-1]):
            answer = web.post("/name", content=b"x", headers={b"Authorization": given})
            assert answer.status_code == 401
            assert KEY not in answer.text
        assert web.post("/name", content=b"x", headers={"Authorization": f"Bearer {KEY}"}).status_code == 200
        assert web.get("/metrics").status_code == 401
        assert web.get("/healthz").status_code == 200


def test_where_as_many_wait_as_may_the_next_is_told_to_come_again(client: Callable[..., TestClient]) -> None:
    with client(Limits(max_waiting=0)) as web:
        answer = web.post("/name", content=b"x")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"


def test_a_client_that_hangs_up_leaves_no_traceback(client: Callable[..., TestClient]) -> None:
    async def call() -> list[Any]:
        parts = iter([{"type": "http.request", "body": b"x", "more_body": True}])
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return next(parts, {"type": "http.disconnect"})

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/name",
            "query_string": b"",
            "headers": [],
            "scheme": "http",
        }
        await client().app(scope, receive, send)
        return sent

    asyncio.run(call())  # raises nothing
