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

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.open_set import OpenSetConfig

TEXTS = 2000  # held-out captions, at most


def main(
    model: Path,
    bank: Path,
    settings: OpenSetConfig,
    training_set: Path | None,
    images: Path | None,
    no: Path | None,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Read, fit, write."""
    from nounflow.config.noise import NoiseConfig
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
        texts = held_out(open_training_set(training_set), NoiseConfig.model_validate(noise), settings.seed, TEXTS)
        vectors, fitted_on = texts.embeddings, "held-out captions under noise"
    else:
        raise NounflowError("A gate is fitted on something", fix="give --training-set or --images")
    answers = [[noun for noun in row if noun] for row in predictor.answer(vectors, TOP_K).texts]
    gate = fit_gate(run, read_bank(bank), bank, settings, vectors, answers, fitted_on, out, no)
    write_document(out, gate)
    print(f"{gate.score} from {gate.threshold:.6g} on: {gate.keep:.0%} of {gate.images:,} {fitted_on}")
    print(gate.guarantee or "no guarantee: a plain quantile")


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--model", type=Path, required=True, help="the run's manifest")
    parser.add_argument("--bank", type=Path, required=True, help="bank of nouns of its embedder")
    parser.add_argument("--settings", type=json_settings(OpenSetConfig), required=True, help="`open_set`, as JSON")
    parser.add_argument("--training-set", type=Path, help="its held-out captions are taken")
    parser.add_argument("--images", type=Path, help="embeddings of known images, in their place")
    parser.add_argument("--no", type=Path, help="no-model of the embedder, for scores that need one")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="gate.json beside the run's manifest")
    run_stage(main, parser.parse_args())
