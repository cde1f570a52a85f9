"""Do probabilities mean what they say on labelled photographs: a run's own, and fitted in three ways.

    snakemake --cores all results/models/{small,small_head,small_retrieval,small_fused}/caption_calibration.json
    python benchmarks/calibration.py --labels resources/image_sets/photos.tsv --image-set photos

In the project's folder, of all runs that have such a file. To captions under the run's noise; to captions as the
embedder's image tower would show them (both: words alone, no photograph and no label); and to a half of the labelled
photographs, tried on the other half. Prints a Markdown table of expected calibration errors of first nouns with 95 %
intervals over photographs, and mean probabilities.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from nounflow.config.embedder_views import view_of
from nounflow.config.noise import NoiseConfig
from nounflow.namings import CANDIDATES, AnswerReader
from nounflow.predictors.calibrating import CAPTION_CALIBRATION, calibrated, caption_evidence, fit_calibration
from nounflow.predictors.loading import load_predictor
from nounflow.predictors.protocol import Predictor
from nounflow.registry import resolve
from nounflow.schemas.documents import read_document
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.schemas.labels import read_labels
from nounflow.schemas.tables import read_lexicon
from nounflow.scoring.calibration import calibration, calibration_interval
from nounflow.store.shards import read_shard
from nounflow.store.training_set import open_training_set
from nounflow.streams import stream
from nounflow.text import canon
from nounflow.training.heldout import held_out, plain_noise

Rule = tuple[float, float]


def fitted(evidence: tuple[np.ndarray, np.ndarray]) -> Rule:
    rule = fit_calibration(*evidence).rule
    return rule.weights[0], rule.none


def to_captions(predictor: Predictor, made_from: Path, texts: int) -> Iterator[tuple[str, Rule]]:
    """How captions were made images, and the rule."""
    manifest = predictor.manifest
    training_set = open_training_set(made_from)
    groups = read_lexicon(Path(manifest.lexicon_path))["group"].to_list()
    noise = plain_noise(manifest.settings.get("noise"), manifest.embedder.spec)
    noisy = held_out(training_set, noise, 1, texts)
    yield "captions under noise", fitted(caption_evidence(predictor, noisy.embeddings, noisy.nouns, groups, CANDIDATES))
    if view := view_of(manifest.embedder.spec):
        clean = held_out(training_set, NoiseConfig(scheme="gauss_elem", norm=1e-6), 1, texts)
        shown = resolve(view)(clean.embeddings)
        yield (
            "captions as the tower shows them",
            fitted(caption_evidence(predictor, shown, clean.nouns, groups, CANDIDATES)),
        )


def halves(probabilities: np.ndarray, right: np.ndarray, splits: int) -> tuple[list[float], list[float]]:
    """Calibration errors and mean probabilities on the other half, of rules fitted to one."""
    errors, claims = [], []
    for split in range(splits):
        order = stream(split, "halves").permutation(len(right))
        mine, others = np.array_split(order, 2)
        found = calibrated(probabilities[others], *fitted((probabilities[mine], right[mine])))[:, 0]
        errors.append(calibration(found, right[others][:, 0])[0])
        claims.append(float(found.mean()))
    return errors, claims


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--image-set", required=True)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--splits", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    labels = read_labels(arguments.labels)
    print("| run | probabilities | claimed | right | calibration error |\n|---|---|---|---|---|")
    for path in sorted(Path("results/models").glob(f"*/{CAPTION_CALIBRATION}")):
        path = path.with_name("manifest.json")
        predictor = load_predictor(path, "cpu")
        run = predictor.manifest.run
        made_from = Path(read_document(AnswerCalibration, path.with_name(CAPTION_CALIBRATION), "calibration").labels)
        images = Path(f"results/image_embeddings/{made_from.parts[-4]}/{arguments.image_set}.json")
        shard, vectors = read_shard(images)
        answers = predictor.answer(np.asarray(vectors, dtype=np.float32), CANDIDATES)
        reader = AnswerReader.of(path, predictor.manifest, use_calibration=False)
        probabilities = answers.probabilities.astype(np.float64)
        right = np.zeros(probabilities.shape, dtype=bool)
        for row, file, texts in zip(right, shard.files, answers.texts, strict=True):
            names = reader.synonyms((labels[file].gold, *labels[file].accepted))
            row[:] = [canon(text) in names for text in texts]
        first, share = right[:, 0], right[:, 0].mean()
        ways: list[tuple[str, np.ndarray]] = [("its own", probabilities)]
        for name, rule in to_captions(predictor, made_from, arguments.texts):
            ways.append((name, calibrated(probabilities, *rule)))
        for name, found in ways:
            error = calibration(found[:, 0], first)[0]
            low, high = calibration_interval(found[:, 0], first, stream(0, run, name))
            print(f"| {run} | {name} | {found[:, 0].mean():.3f} | {share:.3f} | {error:.3f} [{low:.3f}, {high:.3f}] |")
        errors, claims = halves(probabilities, right, arguments.splits)
        between = f"{np.mean(errors):.3f} ({min(errors):.3f} to {max(errors):.3f})"
        print(
            f"| {run} | half of the labelled photographs, mean (range) of {arguments.splits} splits | "
            f"{np.mean(claims):.3f} | {share:.3f} | {between} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
