"""What the `retrieval` baseline is made of: a mean embedding for each noun, and a temperature where it is fitted."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.auto import choice_for, why_noise
from nounflow.config.runs.retrieval import RetrievalRun
from nounflow.counts import Counts
from nounflow.predictor_kinds import TrainingArguments
from nounflow.schemas.tables import read_lexicon_of
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import write_predictor
from nounflow.training.heldout import HeldOut, held_out
from nounflow.training.noise_fit import tell_noise
from nounflow.training.noun_embeddings import noun_embeddings

_STEPS = 30
_TEXTS = 2000  # held-out ones, that a temperature is fitted to
_SHARPEST = 1e4  # where every text is nearest to its own noun, likelihood only grows


def train(asked: TrainingArguments[RetrievalRun]) -> None:
    """Index the nouns; see `PredictorKind.train`."""
    settings, samples = asked.settings, open_training_set(asked.training_set)
    names = read_lexicon_of(asked.nouns, samples.manifest.lexicon, asked.training_set)["noun"].to_list()
    counts = Counts("models")
    vectors = noun_embeddings(samples, len(names), counts.flow(f"{asked.run}: texts", len(samples.vectors), "texts"))
    spec, temperature = samples.manifest.embedder.spec, settings.retrieval.temperature
    metrics, reasons = dict[str, float](), dict[str, str]()
    if temperature == "tower" and (scale := samples.manifest.embedder.logit_scale):
        temperature, why = 1 / scale, "the tower's own logit scale"
    elif isinstance(temperature, float):
        auto = choice_for(spec).temperature == temperature
        why = "auto: on `bundled` a fitted one orders photographs worse" if auto else "set in the config"
    else:
        tell_noise(settings.noise, spec)
        reasons["noise"] = why_noise(settings.noise, spec)
        texts = held_out(samples, settings.noise, settings.seed, _TEXTS)
        temperature, likelihood = fit_temperature(vectors, texts)
        metrics, why = {"log_likelihood": likelihood}, f"fitted to {len(texts.nouns):,} held-out texts"
        print(f"log-likelihood {likelihood:.4f} of {len(texts.nouns):,} held-out texts")
    print(f"temperature {temperature:.4f} ({why})", flush=True)
    fitted = settings.retrieval.model_copy(update={"temperature": temperature})
    manifest = asked.manifest(samples.manifest)
    write_predictor(
        asked.out,
        {"nouns": torch.from_numpy(vectors)},
        **(manifest | {"settings": {**manifest["settings"], "retrieval": fitted.model_dump(mode="json")}}),
        nouns=tuple(names),
        samples=len(samples.vectors),
        metrics=metrics,
        reasons={**reasons, "temperature": why},
    )
    counts.write(asked.out.with_suffix(".counts.json"))


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
