r"""Train a no-model on texts, and say what it makes of the nouns of its embedder's bank.

In:  a training set, its lexicon, the bank of nouns
Out: NAME.safetensors, no-embeddings of the bank's nouns; weights and curves in the folder NAME beside it. A job that
     was killed goes on from NAME/checkpoint/

    python workflow_scripts/train_no_model.py --name texts \
        --settings '{"embedder": "bundled", "lexicon": "small", "mixture": "m3_captions"}' \
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json \
        --nouns results/nouns/small.parquet --bank results/open_set/bundled/bank.json \
        --out results/open_set/bundled/no/texts.safetensors
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.no_model import NoModelConfig


def main(
    name: str,
    settings: NoModelConfig,
    training_set: Path,
    nouns: Path,
    bank: Path,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Read, train, write."""
    from nounflow.fingerprint import code_fingerprint
    from nounflow.open_set.bank import read_bank, write_no
    from nounflow.open_set.no_training import no_embeddings, train_no_model
    from nounflow.process import prepare_process
    from nounflow.schemas.tables import read_lexicon
    from nounflow.store.training_set import open_training_set

    device = prepare_process(device, threads)
    texts, found = open_training_set(training_set), read_bank(bank)
    settings = settings.settled(texts.manifest.embedder.spec)  # the workflow has done so already
    names = tuple(read_lexicon(nouns)["noun"].to_list())
    module = train_no_model(name, settings, texts, names, device, out.with_suffix(""), code_fingerprint(Path(__file__)))
    write_no(out, no_embeddings(module, found), found.manifest)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="of the no-model")
    parser.add_argument("--settings", type=json_settings(NoModelConfig), required=True, help="its settings, as JSON")
    parser.add_argument("--training-set", type=Path, required=True, help="its texts")
    parser.add_argument("--nouns", type=Path, required=True, help="the training set's lexicon")
    parser.add_argument("--bank", type=Path, required=True, help="nouns that get a no-embedding")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the no-embeddings")
    run_stage(main, parser.parse_args())
