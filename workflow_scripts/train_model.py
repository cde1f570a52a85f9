"""Make the predictor of a run: train a decoder or a head, index the nouns for retrieval, fit the rule of a fused run.

The run's settings say which kind it is. Writes weights.safetensors (fused: rule.json) and, last, manifest.json; what is
trained also metrics.parquet, while it trains. A training that was killed goes on from checkpoint/ in the same folder.
Under `torchrun` its processes share each batch.

    python workflow_scripts/train_model.py --run small \\
        --settings '{"lexicon": "small", "embedder": "bundled", "mixture": "m3", "training": {"samples": 100000}}' \\
        --training-set results/training_sets/bundled/small/m3/manifest.json --nouns results/nouns/small.parquet \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/models/small/manifest.json
"""

from pathlib import Path
from typing import Any

from nounflow.commandline import add_settings, at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.runs.run import RUN, Run


def main(settings: Run, device: str, threads: int, **arguments: Any) -> None:
    """Make a predictor; see the module docstring."""
    from nounflow.fingerprint import code_fingerprint
    from nounflow.predictor_kinds import PREDICTORS, TrainingArguments
    from nounflow.process import prepare_process
    from nounflow.registry import resolve

    kind = PREDICTORS[settings.predictor]
    device = prepare_process(device, threads)
    code = code_fingerprint(Path(__file__), kind.settings, kind.train)
    resolve(kind.train)(TrainingArguments(settings=settings, device=device, code=code, **arguments))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    add_settings(parser, "--settings", RUN)
    parser.add_argument("--training-set", type=Path, required=True, help="the training set's manifest")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--captions", type=Path, nargs="*", default=[], help="needed where templates are held out")
    parser.add_argument("--gap", type=Path, nargs="*", default=[], help="needed where the noise is matched to images")
    parser.add_argument("--parts", type=Path, nargs="*", default=[], help="manifests of the runs that are combined")
    parser.add_argument(
        "--embedder", type=json_settings(EmbedderConfig), required=True, help="whose tokenizer spells the nouns, JSON"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--restart", action="store_true", help="begin anew where a checkpoint stands")
    parser.add_argument("--out", type=Path, required=True, help="the predictor's manifest")
    run_stage(main, parser.parse_args())
