r"""Train a no-model on texts or on pairs, and say what it makes of the nouns of its embedder's bank.

In:  a training set with its lexicon, or embedded pairs; the bank of nouns
Out: NAME.safetensors, the model and the bank's no-embeddings; curves in the folder NAME beside it. A job that was
     killed goes on from NAME/checkpoint/

    python workflow_scripts/train_no_model.py --name texts \
        --settings '{"embedder": "bundled", "lexicon": "small", "mixture": "m3_captions"}' \
        --material results/training_sets/bundled/small/m3_captions/manifest.json \
        --nouns results/nouns/small.parquet --bank results/open_set/bundled/bank.json \
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/open_set/bundled/no/texts.safetensors
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import add_settings, at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.no_model import NoModelConfig


def main(
    name: str,
    settings: NoModelConfig,
    material: Path,
    nouns: Path | None,
    bank: Path,
    embedder: EmbedderConfig,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Read, train, write."""
    from nounflow.embedders.load import load_embedder
    from nounflow.fingerprint import code_fingerprint
    from nounflow.open_set.bank import read_bank
    from nounflow.open_set.no_training import train_no_model
    from nounflow.open_set.pair_store import open_pairs
    from nounflow.process import prepare_process
    from nounflow.schemas.tables import read_lexicon
    from nounflow.store.training_set import open_training_set

    device = prepare_process(device, threads)
    of_texts = settings.mode == "text_only"
    tower = None
    if settings.mode == "tower":  # a copy of the full weights, also where texts are embedded in less precision
        full = embedder.model_copy(update={"precision": "fp32", "compile": False})
        tower = load_embedder(full, device, images=False)
    train_no_model(
        name,
        settings.settled(embedder.spec),  # the workflow has done so already
        open_training_set(material) if of_texts else open_pairs(material),
        read_lexicon(nouns)["noun"].to_list() if nouns else [],
        tower,
        read_bank(bank),
        device,
        out,
        code_fingerprint(Path(__file__)),
    )


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="of the no-model")
    parser.add_argument("--settings", type=json_settings(NoModelConfig), required=True, help="its settings, as JSON")
    parser.add_argument("--material", type=Path, required=True, help="manifest of its training set or of its pairs")
    parser.add_argument("--nouns", type=Path, help="the training set's lexicon")
    parser.add_argument("--bank", type=Path, required=True, help="nouns that get a no-embedding")
    add_settings(parser, "--embedder", EmbedderConfig)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the model and the no-embeddings")
    run_stage(main, parser.parse_args())
