"""What the `retrieval` baseline is made of: a mean embedding for each noun, and a temperature where it is fitted."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.runs.retrieval import RetrievalRun
from nounflow.counts import Counts, Flow
from nounflow.errors import NounflowError
from nounflow.predictor_kinds import TrainingArguments
from nounflow.schemas.tables import read_lexicon
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.store.weights import write_predictor
from nounflow.training.heldout import HeldOut, held_out

_BLOCK = 1 << 16
_STEPS = 30
_TEXTS = 2000  # held-out ones, that a temperature is fitted to
_SHARPEST = 1e4  # where every text is nearest to its own noun, likelihood only grows


def train(asked: TrainingArguments[RetrievalRun]) -> None:
    """Index the nouns; see `PredictorKind.train`."""
    settings, samples = asked.settings, open_training_set(asked.training_set)
    names = read_lexicon(asked.nouns)["noun"].to_list()
    counts = Counts("models")
    vectors = noun_embeddings(samples, len(names), counts.flow(f"{asked.run}: texts", len(samples.vectors), "texts"))
    metrics, fitted = {}, settings.retrieval
    if fitted.temperature is None:
        texts = held_out(samples, settings.noise, settings.seed, _TEXTS)
        temperature, likelihood = fit_temperature(vectors, texts)
        print(f"temperature {temperature:.4f}: log-likelihood {likelihood:.4f} of {len(texts.nouns):,} held-out texts")
        metrics, fitted = {"log_likelihood": likelihood}, fitted.model_copy(update={"temperature": temperature})
    manifest = asked.manifest(samples.manifest)
    write_predictor(
        asked.out,
        {"nouns": torch.from_numpy(vectors)},
        **(manifest | {"settings": {**manifest["settings"], "retrieval": fitted.model_dump(mode="json")}}),
        nouns=tuple(names),
        samples=len(samples.vectors),
        metrics=metrics,
    )
    counts.write(asked.out.with_suffix(".counts.json"))


def noun_embeddings(training_set: TrainingSet, nouns: int, flow: Flow) -> np.ndarray:
    """Normalised mean embedding of each noun's single-noun texts: float32 [nouns, dim].

    Held-out texts are left out, as what is fitted later is fitted to them; only where a noun has no others do they
    take part. `flow` counts the texts.

    Raises:
        NounflowError: a noun has no text of its own.
    """
    single = np.flatnonzero(np.diff(training_set.offsets) == 1)
    flow.drop(len(training_set.vectors) - len(single), "name several nouns")
    labels = training_set.targets[training_set.offsets[single]]
    trained = ~training_set.heldout[single]
    taken = trained | ~np.isin(labels, labels[trained])
    flow.drop(int((~taken).sum()), "held out, their nouns have others")
    single, labels = single[taken], labels[taken]
    flow.out(len(single), "texts averaged")
    sums = np.zeros((nouns, training_set.vectors.shape[1]), dtype=np.float64)
    for first in range(0, len(single), _BLOCK):  # the vectors need not fit into memory
        block = slice(first, first + _BLOCK)
        np.add.at(sums, labels[block], training_set.vectors[single[block]].astype(np.float64))
    missing = np.setdiff1d(np.arange(nouns), labels)
    if len(missing):
        raise NounflowError(
            f"{len(missing)} nouns have no text of their own to be found by",
            fix="give the run a mixture with M1, such as `multiset: [1]`",
        )
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)


def fit_temperature(nouns: np.ndarray, texts: HeldOut) -> tuple[float, float]:
    """The temperature that makes held-out texts' nouns likeliest, and their mean log-likelihood under it.

    Newton's method on its inverse, in which the likelihood is concave.

    Args:
        nouns: [nouns, dim], as indexed.
    """
    cosines = F.normalize(torch.from_numpy(texts.embeddings), dim=-1) @ torch.from_numpy(nouns).T  # [n, nouns]
    right = cosines[torch.arange(len(cosines)), torch.from_numpy(texts.nouns)]
    sharpness = 20.0
    for _step in range(_STEPS):
        p = F.softmax(sharpness * cosines, dim=-1)
        mean = (p * cosines).sum(-1)
        slope = float((right - mean).double().sum())
        curvature = float((p * (cosines - mean[:, None]) ** 2).sum(-1).double().sum())
        sharpness = min(max(sharpness + slope / (curvature + 1e-9), sharpness / 2), sharpness * 2, _SHARPEST)
    likelihood = sharpness * right - torch.logsumexp(sharpness * cosines, dim=-1)
    return 1 / sharpness, float(likelihood.double().mean())
