"""The table of benchmarks/results/rehearsal.md: angles of each rehearsal embedder on the default photographs.

    snakemake --cores 2 results/image_embeddings/bundled/photos.json
    python benchmarks/rehearsal_angles.py

The bundled towers see photographs and prompts once; the gaps are added to their vectors.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.modality_gaps import gap_statistics, published_names
from nounflow.embedder_checks.angles import all_angles, angles_within, parallel_angles
from nounflow.embedders.load import load_embedder
from nounflow.embedders.prompts import fill_prompts
from nounflow.embedders.rehearsal import rehearsed, solved
from nounflow.embedders.two_towers import TwoTowers
from nounflow.schemas.labels import read_labels
from nounflow.store.shards import read_shard
from nounflow.streams import stream


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows at unit length."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def main() -> None:
    """Print the table, and the moments that rehearsal.py holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, default=Path("results/image_embeddings/bundled/photos.json"))
    parser.add_argument("--labels", type=Path, default=Path("resources/image_sets/photos.tsv"))
    parser.add_argument("--every", type=int, default=5, help="take every so many of the 80 prompts")
    arguments = parser.parse_args()

    gold = read_labels(arguments.labels)
    manifest, stored = read_shard(arguments.images)
    images = unit(np.asarray(stored, dtype=np.float32))
    nouns = sorted({gold[file].gold for file in manifest.files})
    own = np.array([nouns.index(gold[file].gold) for file in manifest.files])
    texts = [text for noun in nouns for text in fill_prompts("imagenet80", noun)[:: arguments.every]]
    prompts = len(texts) // len(nouns)
    towers = load_embedder(EmbedderConfig(spec="bundled:minilm-conse"), "cpu", images=False)
    assert isinstance(towers, TwoTowers)
    vectors = towers.encode_texts(texts)

    means = vectors.reshape(len(nouns), prompts, -1).mean(1)
    classes = unit(means)
    cosines = images @ classes.T
    alike = ((means**2).sum(1).mean() - 1 / prompts) / (1 - 1 / prompts)
    matched, middle = cosines[np.arange(len(images)), own], images.mean(0)
    text_middle = classes[own].mean(0)
    print(
        f"alike {alike:.4f}; own {matched.mean():.4f}, {matched.std():.4f}; "
        f"any {cosines.mean():.4f}, {cosines.std():.4f}"
    )
    print(f"means {middle @ middle:.4f}, {text_middle @ text_middle:.4f}, {middle @ text_middle:.4f}")
    for name in published_names():
        gap = gap_statistics()[name]
        model = replace(rehearsed(towers, gap), lengths=solved(gap, prompts))
        lengths = model.lengths
        classes = unit(model.text_vectors(texts, vectors).reshape(len(nouns), prompts, -1).mean(1))
        pictures = model.image_vectors([file.encode() for file in manifest.files], images)
        near, away = parallel_angles(pictures, classes[own]), all_angles(pictures, classes, stream(0, "rehearsal"))
        shift = float(np.linalg.norm(pictures.mean(0) - classes[own].mean(0)))
        apart = angles_within(classes, stream(0, "rehearsal"))
        print(
            f"| {name} | {lengths.semantic:.3f} | {lengths.offset:.3f} | {lengths.cosine:.2f} | "
            f"{lengths.residual:.3f} | "
            f"{near.mean:.2f} ± {near.std:.1f} ({gap.matched:.2f} ± {gap.matched_std:.1f}) | "
            f"{away.mean:.2f} ± {away.std:.1f} ({gap.all:.2f} ± {gap.all_std:.1f}) | "
            f"{shift:.3f} ({gap.shift:.3f}) | {apart.mean if apart else 0:.1f} |"
        )


if __name__ == "__main__":
    main()
