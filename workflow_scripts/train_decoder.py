"""Train the object decoder of a run.

Writes weights.safetensors, metrics.parquet (while it trains), angles.json and, last, manifest.json. A run that was
killed goes on from checkpoint/ in the same folder. Under `torchrun` its processes share each batch.

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
    captions: list[Path],
    gap: list[Path],
    embedder: EmbedderConfig,
    settings: DecoderTrainingSettings,
    device: str,
    threads: int,
    restart: bool,
    out: Path,
) -> None:
    """Train a decoder; see the module docstring."""
    import torch

    from nounflow.decoder.angles import angle_histograms
    from nounflow.decoder.job import TrainingJob
    from nounflow.decoder.memory import check_size
    from nounflow.decoder.model import ObjectDecoder
    from nounflow.decoder.noise_shape import load_noise_shape
    from nounflow.decoder.processes import joined_processes
    from nounflow.decoder.synonyms import share_with_synonyms
    from nounflow.decoder.trainee import DecoderTrainee
    from nounflow.decoder.vocabulary import TargetVocabulary
    from nounflow.device import prepare_device
    from nounflow.embedders import load_target_tokenizer
    from nounflow.fingerprint import code_fingerprint
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import NOUNS, read_table
    from nounflow.store.training_set import open_training_set
    from nounflow.store.weights import with_image_shift, write_predictor
    from nounflow.synonyms import synonym_groups

    device = prepare_device(device, threads)
    table = read_table(nouns, NOUNS, "lexicon")
    names = table["noun"].to_list()
    texts = share_with_synonyms(open_training_set(training_set), synonym_groups(table), settings.training.synonym_share)
    shape = load_noise_shape(settings.noise, gap[0] if gap else None, texts)
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(embedder).target_tokens(names))

    def build() -> ObjectDecoder:
        return ObjectDecoder(texts.manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, settings.decoder)

    with joined_processes(device) as processes:
        check_size(build, settings.training, device)
        torch.manual_seed(settings.seed)
        model = build().to(device)
        print(f"{model.parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(names):,} nouns", flush=True)
        job = TrainingJob(run, out, settings, processes, texts, shape, restart, code_fingerprint(Path(__file__)))
        samples = job.hold_out(training_set, names, captions)
        curves = job.train(DecoderTrainee(model, vocabulary, texts, settings.training.label_smoothing), samples)
        if not processes.first:
            return
        write_document(out.parent / "angles.json", angle_histograms(texts, settings.noise, shape, settings.seed))
        write_predictor(
            out,
            with_image_shift(model.state_dict(), shape.image_shift),
            run=run,
            predictor="decoder",
            embedder=texts.manifest.embedder,
            lexicon=texts.manifest.lexicon,
            lexicon_path=nouns.as_posix(),
            nouns=tuple(names),
            settings=settings.model_dump(mode="json"),
            tokens=vocabulary.as_dict(),
            samples=curves.samples,
            metrics=curves.of_kept(),
        )
        texts.count_texts(run).write(out.with_suffix(".counts.json"))
        job.finish()


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--captions", type=Path, nargs="*", default=[], help="needed where templates are held out")
    parser.add_argument("--gap", type=Path, nargs="*", default=[], help="needed where the noise is matched to images")
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    parser.add_argument("--settings", type=json_settings(DecoderTrainingSettings), required=True, help="as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--restart", action="store_true", help="begin anew where a checkpoint stands")
    parser.add_argument("--out", type=Path, required=True, help="the decoder's manifest")
    run_stage(main, parser.parse_args())
