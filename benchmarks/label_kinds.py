"""What score a label should have that stands above nouns of the lexicon: rules compared on a labelled set.

python benchmarks/label_kinds.py --whole results/image_embeddings/bundled/scenes/whole.json \\
    --local results/image_embeddings/bundled/scenes/tiles.json --labels results/inputs/scenes/manifest.json \\
    --nouns results/nouns/small.parquet
"""

import argparse
from pathlib import Path

import numpy as np

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.load import load_embedder
from nounflow.embedders.prompts import class_embeddings
from nounflow.predictors.broader import hypernyms_of
from nounflow.schemas.tables import read_lexicon
from nounflow.scoring.intervals import percentiles
from nounflow.tags.material import read_images
from nounflow.tags.measures import LabelMeans, SetCounts, chosen, samples
from nounflow.tags.scores import dual_stream
from nounflow.tags.texts import TEMPLATES
from nounflow.text import canon

SHOWN = (5, 200)  # images of the split test that a kind is present in, at least and at most


def main() -> None:
    """Find the kinds, score them by each rule, compare with their own texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("whole", "local", "labels", "nouns"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--embedder", default="bundled:minilm-conse")
    arguments = parser.parse_args()
    embedder = load_embedder(EmbedderConfig(spec=arguments.embedder), "cpu")
    images, _boxes = read_images(arguments.whole, arguments.local, arguments.labels, None, embedder, TEMPLATES)
    lexicon = read_lexicon(arguments.nouns)
    above, nouns = hypernyms_of(lexicon), lexicon["noun"].to_list()
    number = {canon(noun): i for i, noun in enumerate(nouns)}
    below: dict[str, list[int]] = {}
    for i, chain in enumerate(above.chains):
        for synset in chain:
            below.setdefault(synset, []).append(i)
    columns: dict[str, list[int]] = {}
    for column, label in enumerate(images.truth.labels):
        for synset in above.chains[number[canon(label)]][1:] if canon(label) in number else ():
            columns.setdefault(synset, []).append(column)
    test = images.truth.rows("test")
    values = images.truth.values[test]
    kinds = [synset for synset, found in columns.items() if min(len(found), len(below[synset])) >= 4]
    truth = np.stack([np.where((values[:, columns[kind]] > 0).any(axis=1), 1, -1) for kind in kinds], axis=1)
    kept = [i for i, shown in enumerate((truth > 0).sum(axis=0)) if SHOWN[0] <= shown <= SHOWN[1]]
    kinds, truth = [kinds[i] for i in kept], truth[:, kept]
    print(f"{len(kinds)} kinds: {', '.join(above.names[kind] for kind in kinds)}")

    whole, local = images.whole[test], images.local[test]

    def dual(vectors: np.ndarray) -> np.ndarray:
        return dual_stream(whole @ vectors.T, local @ vectors.T, 2, "none")

    vectors = class_embeddings(embedder, nouns, TEMPLATES)
    each = np.concatenate([dual(part) for part in np.array_split(vectors, 16)], axis=1)  # [images, nouns]
    own = dual(class_embeddings(embedder, [above.names[kind] for kind in kinds], TEMPLATES))
    means = np.stack([vectors[below[kind]].mean(axis=0) for kind in kinds])
    most = np.stack([each[:, below[kind]].max(axis=1) for kind in kinds], axis=1)
    logits = np.concatenate([whole[:, None], local], axis=1) @ vectors.T / 0.05
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    odds /= odds.sum(axis=2, keepdims=True)
    shares = np.stack([odds[:, :, below[kind]].sum(axis=2) for kind in kinds], axis=2)
    rules = {
        "its own text": own,
        "direction of the mean below": dual(means / np.linalg.norm(means, axis=1, keepdims=True)),
        "largest of its own and below": np.maximum(own, most),
        "mean of the three largest below": np.stack(
            [-np.sort(-each[:, below[kind]], axis=1)[:, :3].mean(axis=1) for kind in kinds], axis=1
        ),
        "log-sum-exp below, 0.02": np.stack(
            [0.02 * np.log(np.exp(each[:, below[kind]] / 0.02).sum(axis=1)) for kind in kinds], axis=1
        ),
        "sum of a softmax": 0.5 * (shares[:, 0] + shares[:, 1:].max(axis=1)),
    }
    draws, plain = samples(len(test), 1), dual(images.labels)
    base = LabelMeans.of(own, truth, draws)
    for name, scores in rules.items():
        found = LabelMeans.of(scores, truth, draws)
        low, high = percentiles(found.draws - base.draws)
        together = SetCounts.of(chosen(np.hstack([scores, plain]), 5), np.hstack([truth, values])).figures()[0, 2]
        print(
            f"{name:32} mAP {100 * found.of_positive:.1f}, less own text [{100 * low:+.1f}, {100 * high:+.1f}]; "
            f"F1@5 in one list {100 * together:.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
