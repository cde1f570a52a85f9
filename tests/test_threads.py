"""Which results do not depend on the number of threads, so that another number reruns nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from tiny_workflow import Project

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.image_files import embed_image_files
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.side_by_side import side_by_side


@pytest.fixture(scope="module")
def bundled() -> Embedder:
    return load_embedder(EmbedderConfig(spec="bundled:minilm-conse"), "cpu")


@pytest.fixture
def with_threads() -> Iterator[Callable[..., None]]:
    """Sets torch's threads for the test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_vectors_of_texts_have_the_same_bytes_under_any_number_of_threads(
    bundled: Embedder, with_threads: Callable[..., None]
) -> None:
    texts = [f"a photo of {n} {word}s beside a {word}" for word in ("cat", "lorry", "xylophone") for n in range(200)]
    found = set()
    for threads in (1, 2, 3):
        with_threads(threads)
        found.add(bundled.encode_texts(texts, progress=False).tobytes())
        assert torch.get_num_threads() == threads  # of its own threads each has but one, ours keeps what it had
    assert len(found) == 1


def test_vectors_of_images_depend_neither_on_threads_nor_on_the_batch_nor_on_neighbours(
    bundled: Embedder, with_threads: Callable[..., None], tmp_path: Path
) -> None:
    files = [f"{i}.png" for i in range(19)]
    for i, file in enumerate(files):
        image = Image.new("RGB", (60 + i, 50), (10 * i, 255 - 9 * i, 120))
        ImageDraw.Draw(image).ellipse((5, 5, 20 + 2 * i, 40), fill=(200, 12 * i, 30))
        image.save(tmp_path / file)

    def embedded(names: list[str], batch: int) -> np.ndarray:
        return embed_image_files(bundled, tmp_path, names, batch, 2, fixed_shape=True, quiet=True).vectors

    expected = embedded(files, 32)
    for threads, batch in ((1, 32), (2, 5), (3, 1)):
        with_threads(threads)
        assert np.array_equal(embedded(files, batch), expected)
    assert np.array_equal(embedded(files[7:9], 32), expected[7:9])


def test_computing_in_several_threads_at_once_leaves_torch_its_own_number(
    with_threads: Callable[..., None],
) -> None:
    with_threads(2)

    def of_a_new_thread() -> int:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(torch.get_num_threads).result()

    def compute(_turn: int) -> None:
        for _ in range(3):
            list(side_by_side(lambda _batch: time.sleep(0.002), range(4)))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(compute, range(6)))
    assert (torch.get_num_threads(), of_a_new_thread()) == (2, 2)


def test_predictions_are_the_same_under_any_number_of_threads(finished: Project, tmp_path: Path) -> None:
    results, script = finished.folder / "results", Path(__file__).parent.parent / "workflow_scripts/predict.py"

    def predicted(run: str, threads: int) -> dict[str, Any]:
        out = tmp_path / f"{run}{threads}.json"
        images = results / "image_embeddings/bundled/drawn.json"
        subprocess.run(
            [sys.executable, script, "--predictor", results / f"models/{run}/manifest.json", "--images", images,
             "--image-set", "drawn", "--device", "cpu", "--threads", str(threads), "--out", out, "--counts",
             tmp_path / "counts.json"], check=True, capture_output=True,
        )  # fmt: skip
        return {key: value for key, value in json.loads(out.read_text()).items() if key != "milliseconds"}

    assert predicted("tiny_fused", 1) == predicted("tiny_fused", 2)
