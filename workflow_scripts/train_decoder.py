"""Train the object decoder of a run.

Writes weights.safetensors, metrics.parquet (while it trains), angles.json and, last, manifest.json.

    python workflow_scripts/train_decoder.py --run small --training-set results/training_sets/bundled/small/m3/manifest.json \\
        --nouns results/nouns/small.parquet --embedder '{"spec": "bundled:minilm-conse"}' \\
        --settings '{"training": {"samples": 100000}}' --out results/decoders/small/manifest.json
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.decoder import DecoderTrainingSettings
from nounflow.config.embedder import EmbedderConfig


def main(
    run: str,
    training_set: Path,
    nouns: Path,
    embedder: EmbedderConfig,
    settings: DecoderTrainingSettings,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Train a decoder; see the module docstring."""
    import torch

    from nounflow.decoder.angles import angle_histograms
    from nounflow.decoder.model import ObjectDecoder
    from nounflow.decoder.trainee import DecoderTrainee
    from nounflow.decoder.training import train
    from nounflow.decoder.vocabulary import TargetVocabulary
    from nounflow.device import autocast_dtype, prepare_device
    from nounflow.embedders import load_target_tokenizer
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import METRICS, NOUNS, read_table, write_table
    from nounflow.store.training_set import open_training_set
    from nounflow.store.weights import write_predictor

    device = prepare_device(device, threads)
    samples = open_training_set(training_set)
    names = read_table(nouns, NOUNS, "lexicon")["noun"].to_list()
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(embedder).target_tokens(names))
    torch.manual_seed(settings.seed)
    model = ObjectDecoder(samples.manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, settings.decoder)
    print(
        f"{model.parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(names):,} nouns",
        flush=True,
    )
    curves = train(
        trainee=DecoderTrainee(model.to(device), vocabulary, samples, settings.training.label_smoothing),
        training_set=samples,
        noise=settings.noise,
        config=settings.training,
        seed=settings.seed,
        device=device,
        autocast=autocast_dtype(settings.training.precision, device),
        on_metrics=lambda curves: write_table(out.parent / "metrics.parquet", curves.table(), METRICS),
    )
    write_document(out.parent / "angles.json", angle_histograms(samples, settings.noise, settings.seed))
    write_predictor(
        out,
        model.state_dict(),
        run=run,
        predictor="decoder",
        embedder=samples.manifest.embedder,
        lexicon=samples.manifest.lexicon,
        lexicon_path=nouns.as_posix(),
        nouns=tuple(names),
        settings=settings.model_dump(mode="json"),
        tokens=vocabulary.as_dict(),
        samples=curves.samples,
        metrics=curves.last("heldout"),
    )
    samples.count_texts(run).write(out.with_suffix(".counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    parser.add_argument("--settings", type=json_settings(DecoderTrainingSettings), required=True, help="as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the decoder's manifest")
    run_stage(main, parser.parse_args())
