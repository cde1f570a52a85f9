r"""Fit the threshold of a run's gate: on held-out captions under noise, or on known images.

In:  a run's manifest, the bank of nouns of its embedder, its training set or the embeddings of known images, and the
     no-model that the score needs, if it does
Out: gate.json beside the run's manifest

    python workflow_scripts/fit_gate.py --model results/models/small/manifest.json \
        --bank results/open_set/bundled/bank.json --settings '{}' \
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json \
        --out results/models/small/gate.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.open_set import OpenSetConfig

TEXTS = 2000  # held-out captions, at most


def main(
    model: Annotated[Path, "the run's manifest"],
    bank: Annotated[Path, "bank of nouns of its embedder"],
    settings: Annotated[OpenSetConfig, "`open_set`, as JSON"],
    out: Annotated[Path, "gate.json beside the run's manifest"],
    training_set: Annotated[Path | None, "its held-out captions are taken"] = None,
    images: Annotated[Path | None, "embeddings of known images, in their place"] = None,
    no: Annotated[Path | None, "no-model of the embedder, for scores that need one"] = None,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Read, fit, write."""
    from nounflow.errors import NounflowError
    from nounflow.open_set.bank import read_bank
    from nounflow.open_set.gate import TOP_K
    from nounflow.open_set.gate_fitting import fit_gate
    from nounflow.predictors.loading import load_predictor
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.store.shards import check_identity, read_shard
    from nounflow.store.training_set import open_training_set
    from nounflow.training.heldout import held_out, plain_noise

    predictor = load_predictor(model, prepare_process(device, threads))
    run = predictor.manifest
    if images is not None:
        shard, rows = read_shard(images)
        check_identity(shard.embedder, run.embedder, images, model)
        vectors, fitted_on = rows[:].astype("float32"), f"images of {shard.source}"
    elif training_set is not None:
        noise = plain_noise(run.settings.get("noise"), run.embedder.spec)
        texts = held_out(open_training_set(training_set), noise, settings.seed, TEXTS)
        vectors, fitted_on = texts.embeddings, "held-out captions under noise"
    else:
        raise NounflowError("A gate is fitted on something", fix="give --training-set or --images")
    answers = [[noun for noun in row if noun] for row in predictor.answer(vectors, TOP_K).texts]
    gate = fit_gate(run, read_bank(bank), bank, settings, vectors, answers, fitted_on, out, no)
    write_document(out, gate)
    print(f"{gate.score} from {gate.threshold:.6g} on: {gate.keep:.0%} of {gate.images:,} {fitted_on}")
    print(gate.guarantee or "no guarantee: a plain quantile")


if __name__ == "__main__":
    run_stage(main, __doc__)
