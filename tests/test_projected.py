"""Images projected onto a memory of texts before they are named."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from training_material import DIM, run_training, write_project

from nounflow.predictors.loading import load_predictor
from nounflow.predictors.moved import MovedPredictor, projected
from nounflow.predictors.protocol import Answers, Predictor
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import read_predictor_manifest


class Seen:
    """A predictor that keeps what it is asked about."""

    manifest, width = None, 1

    def answer(self, embeddings: np.ndarray, _top_k: int) -> np.ndarray:
        return embeddings


def test_an_image_becomes_the_mixture_of_its_nearest_texts() -> None:
    memory = torch.eye(4)
    predictor = MovedPredictor(Seen(), partial(projected, memory=memory))  # type: ignore[arg-type]
    image = np.array([[0.8, 0.6, 0.0, 0.0]])
    shares = np.exp(100 * np.array([0.8, 0.6, 0, 0]))
    expected = shares / np.linalg.norm(shares)
    assert np.asarray(predictor.answer(image, 1))[0] == pytest.approx(expected, abs=1e-5)
    assert np.asarray(predictor.answer(np.zeros((0, 4)), 1)).shape == (0, 4)


def test_a_run_with_a_memory_names_its_texts_and_its_memory_is_no_parameter(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    training = {"samples": 6400, "batch_size": 64, "learning_rate": 5e-3}
    # Begun as the nouns' means, or under noise that rises, it bears such a shift by itself.
    cold = {"head": {"init": "default"}, "noise": {"schedule": "constant"}}
    for name, memory in (("plain", 0), ("projected", 500)):
        done = run_training(folder, folder / name, {"memory": memory, "training": training, **cold}, kind="head")
        assert done.returncode == 0, done.stdout
    predictors: dict[str, Predictor] = {
        name: load_predictor(folder / f"{name}/manifest.json", "cpu") for name in ("plain", "projected")
    }
    assert isinstance(predictors["projected"], MovedPredictor)
    sizes = {read_predictor_manifest(folder / f"{name}/manifest.json").parameters for name in predictors}
    assert len(sizes) == 1
    texts = open_training_set(folder / "set/manifest.json")
    vectors = texts.vectors[np.arange(len(texts.weights))].astype(np.float32)
    far = vectors + 3 * np.eye(DIM, dtype=np.float32)[0]  # as if of another modality
    found: Answers = predictors["projected"].answer(far, 1)
    expected = texts.targets[texts.offsets[:-1]]
    assert (found.nouns[:, 0] == expected).mean() > (predictors["plain"].answer(far, 1).nouns[:, 0] == expected).mean()
