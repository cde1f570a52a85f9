"""Fit the rule of a `fused` run: how its parts' answers are combined, from held-out texts alone.

Writes rule.json and, last, manifest.json.

    python workflow_scripts/fit_fused.py --run small_fused \\
        --parts results/models/small/manifest.json results/models/small_retrieval/manifest.json \\
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json \\
        --nouns results/nouns/small.parquet --settings '{}' --out results/models/small_fused/manifest.json
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.decoder import FusedSettings


def main(
    run: str,
    parts: list[Path],
    training_set: Path,
    nouns: Path,
    settings: FusedSettings,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Fit a rule; see the module docstring."""
    import os

    from nounflow.counts import Counts
    from nounflow.device import prepare_device
    from nounflow.predictors.fused import check_origin
    from nounflow.predictors.fused_training import fit_rule
    from nounflow.predictors.loading import load_parts
    from nounflow.schemas.documents import FusedRule, RulePart
    from nounflow.store.training_set import open_training_set
    from nounflow.store.weights import write_fused
    from nounflow.training.heldout import held_out

    texts = open_training_set(training_set)
    predictors = load_parts(parts, prepare_device(device, threads), settings.fused.candidates)
    first = predictors[0].manifest
    check_origin(texts.manifest, first, training_set, parts[0])
    sample = held_out(texts, settings.noise, settings.seed, settings.fused.texts)
    fitted = fit_rule(predictors, sample, settings.fused.candidates)
    rule = FusedRule(
        parts=tuple(
            RulePart(
                path=os.path.relpath(path, out.parent),
                run=part.manifest.run,
                predictor=part.manifest.predictor,
                weights_sha256=part.manifest.weights_sha256,
                weight=weight,
                log_likelihood=alone.log_likelihood,
                top1=alone.top1,
            )
            for path, part, weight, alone in zip(parts, predictors, fitted.rule.weights, fitted.alone, strict=True)
        ),
        none=fitted.rule.none,
        candidates=settings.fused.candidates,
        training_set=texts.manifest.index_sha256,
        noise=settings.noise.model_dump(mode="json"),
        seed=settings.seed,
        texts=len(sample.nouns),
        log_likelihood=fitted.fused.log_likelihood,
        top1=fitted.fused.top1,
    )
    write_fused(
        out,
        rule,
        run=run,
        embedder=first.embedder,
        lexicon=first.lexicon,
        lexicon_path=nouns.as_posix(),
        nouns=first.nouns,
        settings=settings.model_dump(mode="json"),
        samples=0,
        metrics={"log_likelihood": rule.log_likelihood, "top1": rule.top1},
    )
    for part in rule.parts:
        print(f"{part.run}: weight {part.weight:.3f}; alone, log-likelihood {part.log_likelihood:.4f}, {part.top1:.1%}")
    print(f"{run}: log-likelihood {rule.log_likelihood:.4f}, {rule.top1:.1%} first (of {rule.texts:,} held-out texts)")
    counts = Counts("models")
    flow = counts.flow(f"{run}: texts", len(texts.heldout), "texts")
    flow.drop(len(texts.heldout) - len(sample.nouns), "trained on, of several nouns, or more than are needed")
    flow.out(len(sample.nouns), "held-out texts that the rule was fitted to")
    counts.write(out.with_suffix(".counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--parts", type=Path, nargs="+", required=True, help="manifests of the runs to combine")
    parser.add_argument(
        "--training-set", type=Path, required=True, help="manifest of the set whose held-out texts count"
    )
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--settings", type=json_settings(FusedSettings), required=True, help="as JSON")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the fused predictor's manifest")
    run_stage(main, parser.parse_args())
