r"""Fit a run's probabilities to held-out captions that stand for images: words alone, no image and no label of one.

In:  a run's manifest, its training set and lexicon
Out: caption_calibration.json beside the manifest, which naming uses unless there is one of labelled images

    python workflow_scripts/calibrate.py --model results/models/small/manifest.json \
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json \
        --nouns results/nouns/small.parquet --out results/models/small/caption_calibration.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Device, Threads, run_stage

TEXTS = 1000  # held-out captions, at most


def main(
    model: Annotated[Path, "manifest of the run"],
    training_set: Annotated[Path, "its training set's manifest"],
    nouns: Annotated[Path, "its lexicon"],
    out: Annotated[Path, "the calibration"],
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Read, fit, write."""
    from nounflow.config.embedder_views import view_of
    from nounflow.config.noise import NoiseConfig
    from nounflow.namings import CANDIDATES
    from nounflow.predictors.calibrating import caption_evidence, fit_document
    from nounflow.predictors.loading import load_predictor
    from nounflow.process import prepare_process
    from nounflow.registry import resolve
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import read_lexicon_of
    from nounflow.scoring.calibration import calibration
    from nounflow.store.training_set import open_training_set
    from nounflow.training.heldout import held_out, plain_noise

    predictor = load_predictor(model, prepare_process(device, threads))
    manifest = predictor.manifest
    view = view_of(manifest.embedder.spec)
    noise = plain_noise(manifest.settings.get("noise"), manifest.embedder.spec)
    if view:
        noise = NoiseConfig(scheme="none")
    texts = held_out(open_training_set(training_set), noise, int(manifest.settings.get("seed", 1)), TEXTS)
    vectors = resolve(view)(texts.embeddings) if view else texts.embeddings
    groups = read_lexicon_of(nouns, manifest.lexicon, model)["group"].to_list()
    probabilities, right = caption_evidence(predictor, vectors, texts.nouns, groups, CANDIDATES)
    found, _first = fit_document(
        probabilities,
        right,
        lambda claimed, truth: calibration(claimed, truth)[0],
        weights_sha256=manifest.weights_sha256,
        candidates=CANDIDATES,
        labels=training_set.as_posix(),
        fitted_on=f"held-out captions {'as the image tower shows them' if view else 'under noise'}",
    )
    write_document(out, found)
    print(
        f"{found.images:,} {found.fitted_on}, the first noun is right for {found.right:.1%}; temperature "
        f"{1 / found.weight:.2f}: calibration error {found.error_before:.3f}, now {found.error_after:.3f} in "
        "cross-validation"
    )


if __name__ == "__main__":
    run_stage(main, __doc__)
