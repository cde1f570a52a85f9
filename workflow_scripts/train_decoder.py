"""Train the object decoder of a run.

Writes weights.safetensors, metrics.parquet (while it trains), angles.json and, last, manifest.json. A run that was
killed goes on from checkpoint/ in the same folder. Under `torchrun` its processes share each batch.

    python workflow_scripts/train_decoder.py --run small --training-set results/training_sets/bundled/small/m3/manifest.json \\
        --nouns results/nouns/small.parquet --embedder '{"spec": "bundled:minilm-conse"}' \\
        --settings '{"training": {"samples": 100000}}' --out results/models/small/manifest.json
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import Any

from nounflow.commandline import json_settings, run_stage
from nounflow.config.decoder import DecoderTrainingSettings
from nounflow.config.embedder import EmbedderConfig
from nounflow.training.arguments import TrainingArguments, training_parser


def main(embedder: EmbedderConfig, **arguments: Any) -> None:
    """Train a decoder; see the module docstring."""
    from nounflow.decoder.model import ObjectDecoder
    from nounflow.decoder.training_task import DecoderTask
    from nounflow.decoder.vocabulary import TargetVocabulary
    from nounflow.embedders import load_target_tokenizer
    from nounflow.fingerprint import code_fingerprint
    from nounflow.schemas.documents import write_document
    from nounflow.training.angles import angle_histograms
    from nounflow.training.job import TrainingMaterial, train_predictor

    asked = TrainingArguments[DecoderTrainingSettings](**arguments)
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts, names = material.texts, material.names
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(embedder).target_tokens(names))

    def build() -> ObjectDecoder:
        return ObjectDecoder(texts.manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, settings.decoder)

    def task_of(decoder: ObjectDecoder) -> DecoderTask:
        print(f"{decoder.parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(names):,} nouns", flush=True)
        return DecoderTask(decoder, vocabulary, texts, settings.training.label_smoothing)

    def write_angles() -> None:
        histograms = angle_histograms(texts, settings.noise, material.shape, settings.seed)
        write_document(asked.out.parent / "angles.json", histograms)

    train_predictor(
        asked,
        material,
        build,
        task_of,
        code=code_fingerprint(Path(__file__)),
        beside=write_angles,
        predictor="decoder",
        tokens=vocabulary.as_dict(),
    )


if __name__ == "__main__":
    parser = training_parser(__doc__, DecoderTrainingSettings)
    parser.add_argument("--embedder", type=json_settings(EmbedderConfig), required=True, help="settings, as JSON")
    run_stage(main, parser.parse_args())
