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
from typing import Annotated

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.no_model import NoModelConfig


def main(
    name: Annotated[str, "of the no-model"],
    settings: Annotated[NoModelConfig, "its settings, as JSON"],
    material: Annotated[Path, "manifest of its training set or of its pairs"],
    bank: Annotated[Path, "nouns that get a no-embedding"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the model and the no-embeddings"],
    nouns: Annotated[Path | None, "the training set's lexicon"] = None,
    device: Device = "auto",
    threads: Threads = 2,
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
    run_stage(main, __doc__)
