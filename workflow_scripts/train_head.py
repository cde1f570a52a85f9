"""Train the `head` baseline of a run: a classifier over all nouns on the same noisy embeddings as the decoder.

Writes weights.safetensors, metrics.parquet (while it trains) and, last, manifest.json. A run that was killed goes on
from checkpoint/ in the same folder. Under `torchrun` its processes share each batch.

    python workflow_scripts/train_head.py --run small_head --training-set results/training_sets/bundled/small/m3/manifest.json \\
        --nouns results/nouns/small.parquet --settings '{"training": {"samples": 100000}}' \\
        --out results/models/small_head/manifest.json
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path
from typing import Any

from nounflow.commandline import run_stage
from nounflow.config.decoder import HeadTrainingSettings
from nounflow.training.arguments import TrainingArguments, training_parser


def main(**arguments: Any) -> None:
    """Train a head; see the module docstring."""
    from nounflow.fingerprint import code_fingerprint
    from nounflow.predictors.head import NounHead
    from nounflow.predictors.head_training import HeadTask
    from nounflow.training.job import TrainingMaterial, train_predictor

    asked = TrainingArguments[HeadTrainingSettings](**arguments)
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts = material.texts
    train_predictor(
        asked,
        material,
        build=lambda: NounHead(texts.manifest.embedder.dim, len(material.names), settings.head),
        task_of=lambda head: HeadTask(head, texts, settings.training.label_smoothing),
        code=code_fingerprint(Path(__file__)),
        predictor="head",
    )


if __name__ == "__main__":
    run_stage(main, training_parser(__doc__, HeadTrainingSettings).parse_args())
