"""Fitting the threshold of a run's gate."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nounflow.config.open_set import OpenSetConfig
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_file
from nounflow.open_set.bank import NounBank, unit
from nounflow.open_set.calibration import fit_threshold, promise
from nounflow.open_set.gate import lexicon_gate
from nounflow.open_set.no_store import read_no_model
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.open_set import GateManifest
from nounflow.store.shards import check_identity
from nounflow.training.heldout import plain_noise


def fit_gate(
    run: PredictorManifest,
    bank: NounBank,
    bank_path: Path,
    config: OpenSetConfig,
    vectors: np.ndarray,
    answers: Sequence[Sequence[str]],
    fitted_on: str,
    out: Path,
    no_path: Path | None = None,
) -> GateManifest:
    """A gate's manifest, its threshold fitted on known images or on texts that stand for them.

    Args:
        vectors: float32 [n, dim], all known.
        answers: the run's nouns of each, best first.
        out: where the manifest will lie.
        no_path: of the no-model, for scores that need one.

    Raises:
        MismatchError: the bank or the no-model belongs to another embedder or bank.
        NounflowError: there are too few, or the score cannot be computed.
    """
    check_identity(bank.manifest.embedder, run.embedder, bank_path, out.parent)
    if len(vectors) != len(answers):
        raise NounflowError("Each vector needs the nouns that it was called", where=out)
    no = read_no_model(no_path) if no_path else None
    if no and no.bank != bank.manifest.weights_sha256:
        raise MismatchError(
            "The no-model was made for the nouns of another bank", where=f"{no_path} against {bank_path}",
            fix="name one of the run's own embedder, or delete the no-model and run again",
        )  # fmt: skip
    gate = lexicon_gate(bank, run.nouns, config.gate.score, config, no)
    scores = gate.scores(unit(vectors), answers)
    threshold = fit_threshold(scores, config.gate.keep, config.gate.conformal, fitted_on)
    return GateManifest(
        run=run.run,
        embedder=run.embedder,
        lexicon=run.lexicon,
        score=config.gate.score,
        threshold=threshold,
        keep=config.gate.keep,
        quantiles=tuple(np.quantile(scores, np.linspace(0, 1, 101)).tolist()),
        fitted_on=fitted_on,
        guarantee=promise(config.gate.keep, config.gate.conformal, len(scores)),
        images=len(scores),
        settings=config.model_dump(mode="json"),
        noise=plain_noise(run.settings.get("noise"), run.embedder.spec).model_dump(mode="json"),
        bank=Path(os.path.relpath(bank_path, out.parent)).as_posix(),
        bank_sha256=bank.manifest.weights_sha256,
        no=Path(os.path.relpath(no_path, out.parent)).as_posix() if no_path else "",
        no_sha256=sha256_file(no_path) if no_path else "",
    )
