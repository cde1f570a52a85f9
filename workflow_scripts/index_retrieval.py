"""Index the `retrieval` baseline of a run: one prompt-ensembled text embedding for each noun.

Writes weights.safetensors and, last, manifest.json.

    python workflow_scripts/index_retrieval.py --run small_retrieval --nouns results/nouns/small.parquet \\
        --training-set results/training_sets/bundled/small/prompts/manifest.json --settings '{}' \\
        --out results/models/small_retrieval/manifest.json
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import json_settings, run_stage, stage_parser
from nounflow.config.decoder import RetrievalSettings

_TEXTS = 2000  # held-out ones, that the temperature is fitted to


def main(run: str, training_set: Path, nouns: Path, settings: RetrievalSettings, out: Path) -> None:
    """Index the nouns; see the module docstring."""
    import torch

    from nounflow.counts import Counts
    from nounflow.predictors.retrieval_training import fit_temperature, noun_embeddings
    from nounflow.schemas.tables import NOUNS, read_table
    from nounflow.store.training_set import open_training_set
    from nounflow.store.weights import write_predictor
    from nounflow.training.heldout import held_out

    samples = open_training_set(training_set)
    names = read_table(nouns, NOUNS, "lexicon")["noun"].to_list()
    counts = Counts("models")
    vectors = noun_embeddings(samples, len(names), counts.flow(f"{run}: texts", len(samples.vectors), "texts"))
    metrics, fitted = {}, settings.retrieval
    if fitted.temperature is None:
        texts = held_out(samples, settings.noise, settings.seed, _TEXTS)
        temperature, likelihood = fit_temperature(vectors, texts)
        print(f"temperature {temperature:.4f}: log-likelihood {likelihood:.4f} of {len(texts.nouns):,} held-out texts")
        metrics, fitted = {"log_likelihood": likelihood}, fitted.model_copy(update={"temperature": temperature})
    write_predictor(
        out,
        {"nouns": torch.from_numpy(vectors)},
        run=run,
        predictor="retrieval",
        embedder=samples.manifest.embedder,
        lexicon=samples.manifest.lexicon,
        lexicon_path=nouns.as_posix(),
        nouns=tuple(names),
        settings={**settings.model_dump(mode="json"), "retrieval": fitted.model_dump(mode="json")},
        samples=len(samples.vectors),
        metrics=metrics,
    )
    counts.write(out.with_suffix(".counts.json"))


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--run", required=True, help="name of the run")
    parser.add_argument("--training-set", type=Path, required=True, help="manifest of a training set with M1")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon")
    parser.add_argument("--settings", type=json_settings(RetrievalSettings), required=True, help="as JSON")
    parser.add_argument("--out", type=Path, required=True, help="the index's manifest")
    run_stage(main, parser.parse_args())
