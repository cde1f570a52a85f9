"""Make the predictor of a run: train a decoder or a head, index the nouns for retrieval, fit the rule of a fused run.

The run's settings say which kind it is. Writes weights.safetensors (fused: rule.json) and, last, manifest.json; what is
trained also metrics.parquet, while it trains. A training that was killed goes on from checkpoint/ in the same folder.
Under `torchrun` its processes share each batch.

    python workflow_scripts/train_model.py --run small \\
        --settings '{"lexicon": "small", "embedder": "bundled", "mixture": "m3", "training": {"samples": 100000}}' \\
        --training-set results/training_sets/bundled/small/m3/manifest.json --nouns results/nouns/small.parquet \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/models/small/manifest.json
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.runs.run import AnyRun


def main(
    run: Annotated[str, "name of the run"],
    settings: Annotated[AnyRun, "settings, as JSON"],
    training_set: Annotated[Path, "the training set's manifest"],
    nouns: Annotated[Path, "the lexicon"],
    embedder: Annotated[EmbedderConfig, "whose tokenizer spells the nouns, JSON"],
    out: Annotated[Path, "the predictor's manifest"],
    captions: Annotated[Sequence[Path], "needed where templates are held out"] = (),
    gap: Annotated[Sequence[Path], "needed where the noise is matched to images"] = (),
    parts: Annotated[Sequence[Path], "manifests of the runs that are combined"] = (),
    device: Device = "auto",
    threads: Threads = 2,
    restart: Annotated[bool, "begin anew where a checkpoint stands"] = False,
) -> None:
    """Make a predictor; see the module docstring."""
    from nounflow.fingerprint import code_fingerprint
    from nounflow.predictor_kinds import PREDICTORS, TrainingArguments
    from nounflow.process import prepare_process
    from nounflow.registry import resolve

    kind = PREDICTORS[settings.predictor]
    device = prepare_process(device, threads)
    code = code_fingerprint(Path(__file__), kind.settings, kind.train)
    settings = settings.settled(embedder.spec)  # the workflow has done so already
    asked = TrainingArguments(
        run=run, settings=settings, training_set=training_set, nouns=nouns, captions=captions, gap=gap, parts=parts,
        embedder=embedder, device=device, restart=restart, out=out, code=code,
    )  # fmt: skip
    resolve(kind.train)(asked)


if __name__ == "__main__":
    run_stage(main, __doc__)
