"""The rule of a fused predictor, fitted to held-out texts: words alone, no image and no label of one."""

import os
from collections.abc import Sequence

import numpy as np

from nounflow.config.auto import why_noise
from nounflow.config.runs.fused import FusedRun
from nounflow.counts import Counts
from nounflow.predictor_kinds import TrainingArguments
from nounflow.predictors.fused import evidence
from nounflow.predictors.loading import check_origin, load_parts
from nounflow.predictors.log_linear import LogLinear, fit
from nounflow.predictors.protocol import Predictor
from nounflow.schemas.models import FusedRule, RulePart
from nounflow.store.training_set import open_training_set
from nounflow.store.weights import write_fused
from nounflow.training.heldout import HeldOut, held_out
from nounflow.training.noise_fit import tell_noise

_BLOCK = 256  # texts
_FOLDS = 5


def train(asked: TrainingArguments[FusedRun]) -> None:
    """Fit a rule; see `PredictorKind.train`."""
    settings, texts = asked.settings, open_training_set(asked.training_set)
    config = settings.fused
    predictors = load_parts(asked.parts, asked.device, config.candidates)
    first = predictors[0].manifest
    check_origin(texts.manifest, first, asked.training_set, asked.parts[0])
    tell_noise(settings.noise, texts.manifest.embedder.spec)
    sample = held_out(texts, settings.noise, settings.seed, config.texts)
    fitted, together, alone = fit_rule(predictors, sample, config.candidates)
    parts = zip(asked.parts, predictors, fitted.weights, alone, strict=True)
    rule = FusedRule(
        parts=tuple(
            RulePart(
                path=os.path.relpath(path, asked.out.parent),
                run=part.manifest.run,
                predictor=part.manifest.predictor,
                weights_sha256=part.manifest.weights_sha256,
                weight=weight,
                **own,
            )
            for path, part, weight, own in parts
        ),
        none=fitted.none,
        candidates=config.candidates,
        training_set=texts.manifest.index_sha256,
        noise=settings.noise.model_dump(mode="json"),
        seed=settings.seed,
        texts=len(sample.nouns),
        **together,
    )
    write_fused(
        asked.out,
        rule,
        **asked.manifest(first),
        nouns=first.nouns,
        samples=0,
        metrics=together,
        reasons={"noise": why_noise(settings.noise, texts.manifest.embedder.spec)},
    )
    for part in rule.parts:
        print(f"{part.run}: weight {part.weight:.3f}; alone, log-likelihood {part.log_likelihood:.4f}, {part.top1:.1%}")
    print(
        f"{asked.run}: log-likelihood {rule.log_likelihood:.4f}, {rule.top1:.1%} first "
        f"(of {rule.texts:,} held-out texts)"
    )
    counts = Counts("models")
    flow = counts.flow(f"{asked.run}: texts", len(texts.heldout), "texts")
    flow.drop(len(texts.heldout) - len(sample.nouns), "trained on, of several nouns, or more than are needed")
    flow.out(len(sample.nouns), "held-out texts that the rule was fitted to")
    counts.write(asked.out.with_suffix(".counts.json"))


def fit_rule(
    parts: Sequence[Predictor], texts: HeldOut, candidates: int
) -> tuple[LogLinear, dict[str, float], list[dict[str, float]]]:
    """The rule that makes the texts' nouns likeliest; how well it does, and each part under a rule of its own.

    Args:
        candidates: nouns that each part puts forward.
    """
    blocks = range(0, len(texts.nouns), _BLOCK)
    found = [evidence(parts, texts.embeddings[first : first + _BLOCK], candidates) for first in blocks]
    nouns, scores = (np.concatenate(columns) for columns in zip(*found, strict=True))
    right = nouns == texts.nouns[:, None]
    truth = np.where(right.any(axis=1), right.argmax(axis=1), nouns.shape[1])
    alone = [cross_validated(scores[..., [part]], truth) for part in range(len(parts))]
    return fit(scores, truth), cross_validated(scores, truth), alone


def cross_validated(scores: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """How well rules do (`nounflow.predictors.log_linear.fit`), each text under one that was fitted without it: mean
    log-likelihood, and the share of the texts whose noun comes first.
    """
    likelihood = right = 0.0
    fold_of = np.arange(len(truth)) % _FOLDS
    for fold in range(_FOLDS):
        rest, left_out = fold_of != fold, truth[fold_of == fold]
        p = fit(scores[rest], truth[rest]).log_probabilities(scores[~rest])
        likelihood += p[np.arange(len(p)), left_out].sum()
        right += (p[:, :-1].argmax(axis=1) == left_out).sum()
    return {"log_likelihood": float(likelihood / len(truth)), "top1": float(right / len(truth))}
