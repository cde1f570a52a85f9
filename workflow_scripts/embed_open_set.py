"""Embed what open-set scores need beside the images: nouns of lexicons, class names, and synthetic patterns.

In:  the lexicon that negatives are chosen from, the lexicons of the runs, label files and class lists, WordNet
Out: a bank of nouns: bank.json and bank.safetensors

    python workflow_scripts/embed_open_set.py --candidates results/nouns/small.parquet \\
        --labels resources/image_sets/photos.tsv --wordnet-manifest results/inputs/wordnet/manifest.json \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/open_set/bundled/bank.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.check_set import Prompts
from nounflow.config.embedder import EmbedderConfig


def main(
    candidates: Annotated[Path, "lexicon that negatives are chosen from"],
    wordnet_manifest: Annotated[Path, "results/inputs/wordnet/manifest.json"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "bank.json"],
    nouns: Annotated[Sequence[Path], "lexicons of runs"] = (),
    labels: Annotated[Sequence[Path], "label files: their gold nouns"] = (),
    classes: Annotated[Sequence[Path], "class lists, one name a line"] = (),
    prompts: Annotated[Prompts, "what stands around a noun: imagenet80, imagenet7, or a list (JSON)"] = (
        "a photo of a {}.",
    ),
    seed: Annotated[int, "of the patterns"] = 1,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Gather, embed, write."""
    import numpy as np

    from nounflow.commands.options import noun_list
    from nounflow.embedders.load import load_embedder
    from nounflow.embedders.prompts import class_embeddings, fill_prompts
    from nounflow.inputs import input_folder
    from nounflow.open_set.bank import meanings, unit, write_bank
    from nounflow.open_set.patterns import patterns
    from nounflow.process import prepare_process
    from nounflow.schemas.labels import read_labels
    from nounflow.schemas.open_set import BankManifest
    from nounflow.schemas.tables import lexicon_digest, read_lexicon
    from nounflow.senses import WordSenses
    from nounflow.text import canon
    from nounflow.wordnet import WordNet

    tables = [read_lexicon(path) for path in (candidates, *nouns)]
    words = tables[0]["noun"].to_list()
    further = [noun for table in tables[1:] for noun in table["noun"].to_list()]
    further += [label.gold for path in labels for label in read_labels(path).values()]
    further += [name for path in classes for name in noun_list(path)]
    first = {canon(word): word for word in reversed([*words, *further])}
    ours = set(map(canon, words))
    listed = [
        *words,
        *(word for word in dict.fromkeys(further) if first[canon(word)] == word and canon(word) not in ours),
    ]
    senses = WordSenses(WordNet.load(input_folder(wordnet_manifest)), tables)
    above, names = meanings(listed, senses)
    model = load_embedder(embedder, prepare_process(device, threads))
    shown = list(patterns(seed))
    images = [model.encode_images([model.preprocess(image)]) for _, image in shown]  # one by one: as any batch
    manifest = BankManifest(
        embedder=model.identity,
        lexicon=lexicon_digest(words),
        nouns=tuple(listed),
        candidates=len(words),
        above=tuple(above),
        names=tuple(names),
        kinds=tuple(tables[0]["kind"].to_list()),
        prompts=tuple(fill_prompts(prompts, "{}")),
        patterns=tuple(name for name, _ in shown),
    )
    write_bank(out, manifest, class_embeddings(model, listed, prompts), unit(np.concatenate(images)))
    print(f"{len(listed):,} nouns ({len(words):,} to choose negatives from), {len(shown)} patterns")


if __name__ == "__main__":
    run_stage(main, __doc__)
