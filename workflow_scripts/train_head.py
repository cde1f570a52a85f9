"""Train the `head` baseline of a run: a classifier over all nouns on the same noisy embeddings as the decoder.

Writes weights.safetensors, metrics.parquet (while it trains) and, last, manifest.json.

    python workflow_scripts/train_head.py --run small_head --training-set results/training_sets/bundled/small/m3/manifest.json \\
        --nouns results/nouns/small.parquet --settings '{"training": {"samples": 100000}}' \\
        --out results/decoders/small_head/manifest.json
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.decoder import HeadTrainingSettings


def main(
    run: str,
    training_set: Path,
    nouns: Path,
    settings: HeadTrainingSettings,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Train a head; see the module docstring."""
    import torch

    from nounflow.decoder.training import train
    from nounflow.device import autocast_dtype, prepare_device
    from nounflow.predictors.head import HeadTrainee, NounHead
    from nounflow.schemas.tables import METRICS, NOUNS, read_table, write_table
    from nounflow.store.training_set import open_training_set
    from nounflow.store.weights import write_predictor

    device = prepare_device(device, threads)
    samples = open_training_set(training_set)
    names = read_table(nouns, NOUNS, "lexicon")["noun"].to_list()
    torch.manual_seed(settings.seed)
    model = NounHead(samples.manifest.embedder.dim, len(names), settings.head).to(device)
    curves = train(
        trainee=HeadTrainee(model, samples, settings.training.label_smoothing),
        training_set=samples,
        noise=settings.noise,
        config=settings.training,
        seed=settings.seed,
        device=device,
        autocast=autocast_dtype(settings.training.precision, device),
        on_metrics=lambda curves: write_table(out.parent / "metrics.parquet", curves.table(), METRICS),
    )
    write_predictor(
        out,
        model.state_dict(),
        run=run,
        predictor="head",
        embedder=samples.manifest.embedder,
        lexicon=samples.manifest.lexicon,
        lexicon_path=nouns.as_posix(),
        nouns=tuple(names),
        settings=settings.model_dump(mode="json"),
        samples=curves.samples,
        metrics=curves.last("heldout"),
    )
    samples.count_texts(run).write(out.with_suffix(".counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--settings", type=json_settings(HeadTrainingSettings), required=True, help="as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the head's manifest")
    run_stage(main, parser.parse_args())
