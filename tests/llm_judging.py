"""Three drawn pictures and many, what two runs say of them, and the stage that asks a language model."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from judge_server import COLOURS
from PIL import Image
from synthetic_results import predictions

from nounflow.schemas.annotations import CATEGORIES, Annotations
from nounflow.schemas.documents import read_document, write_document

RIGHT, BESIDE, NEAR, NEAR_BESIDE, WRONG = CATEGORIES
SAID = {  # picture -> what two runs say of it
    "red.png": (["apple", "fruit", "kite"], ["cherry", "apple"]),
    "green.png": (["tree", "lawn", ""], ["tree", "bush"]),
    "blue.png": (["sea", "boat"], ["Sea", "sky"]),
}
TRUTH = {
    ("red", "apple"): (RIGHT,), ("red", "fruit"): (RIGHT,), ("red", "cherry"): (NEAR, WRONG, RIGHT),
    ("green", "tree"): (RIGHT,), ("green", "lawn"): (BESIDE,), ("green", "bush"): (NEAR,),
    ("blue", "sea"): (RIGHT,), ("blue", "Sea"): (RIGHT,), ("blue", "sky"): (BESIDE,),
}  # fmt: skip


def settings(url: str = "http://127.0.0.1:9/v1", folder: Path | None = None, **changes: Any) -> dict[str, Any]:
    server = {
        "base_url": url, "model": "tiny", "budget_usd": 1.0, "prices": {"tiny": {"input": 1.0, "output": 2.0}},
        "first_wait_s": 0.001, "max_wait_s": 0.05, "max_attempts": 6, "concurrency": 4,
        "max_output_tokens": 200, "max_retry_tokens": 400,
    }  # fmt: skip
    values = {"kind": "openai", "server": {**server, **changes.pop("server", {})}, "max_side": 64}
    if folder:
        values |= {"log": str(folder / "judgements.sqlite"), "ledger": str(folder / "ledger.sqlite")}
    return {**values, **changes}


def make_place(folder: Path, said: dict[str, tuple[list[str], list[str]]]) -> Path:
    (folder / "images").mkdir()
    for number, file in enumerate(said):
        colour = COLOURS[file.split(".")[0].rstrip("0123456789")]
        image = Image.new("RGB", (200, 100), colour)
        image.putpixel((0, 0), (number % 256, number // 256, 7))  # no two files alike
        image.save(folder / "images" / file)
    for which, run in enumerate(("one", "two")):
        document = predictions(run, {file: nouns[which] for file, nouns in said.items()}, image_set="drawn")
        write_document(folder / f"{run}.json", document)
    return folder


def judge_command(
    repository: Path, folder: Path, values: dict[str, Any], out: str = "openai", *options: str
) -> list[str]:
    return [
        sys.executable, str(repository / "workflow_scripts/ask_judgements.py"), "--annotator", "openai",
        "--image-set", "drawn", "--settings", json.dumps(values), "--images", str(folder / "images"),
        "--predictions", str(folder / "one.json"), str(folder / "two.json"), "--out", str(folder / f"{out}.json"),
        "--votes", str(folder / f"{out}.votes.tsv"), "--counts", str(folder / f"{out}.counts.json"),
        "--people", json.dumps({"kind": "people", "log": str(folder / "people.sqlite")}), *options,
    ]  # fmt: skip


def run_judge(
    repository: Path, folder: Path, values: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        judge_command(repository, folder, values, *options), capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def read_annotations(folder: Path, out: str = "openai") -> Annotations:
    return read_document(Annotations, folder / f"{out}.json", "annotations")


def sql(path: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


MANY = {
    f"{colour}{i}.png": ([f"thing {j}" for j in range(i, i + 4)], [f"thing {j}" for j in range(i + 2, i + 6)])
    for i, colour in enumerate([*COLOURS] * 4)
}


def many_truth() -> dict[tuple[str, str], tuple[str, ...]]:
    dice = random.Random(3)
    return {
        (colour, f"thing {j}"): tuple(dice.choices(CATEGORIES, k=dice.choice((1, 2, 3))))
        for colour in COLOURS
        for j in range(40)
    }


def nothing_paid_twice(ledger: Path) -> None:
    again = """
        SELECT count(*) FROM sendings AS later JOIN sendings AS earlier USING (request)
        JOIN endings ON endings.sending = earlier.id
        JOIN requests ON requests.id = later.request AND requests.prompt_version NOT LIKE 'probe%'
        WHERE later.id > earlier.id AND endings.outcome IN ('answered', 'refused')
        AND endings.raw NOT LIKE '%"finish_reason": "length"%'"""
    assert sql(ledger, again) == [(0,)]
