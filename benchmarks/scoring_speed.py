"""How long scoring takes: a million judged pairs, 10,000 bootstrap draws, every measure, comparison and breakdown.

    python benchmarks/scoring_speed.py --wordnet results/inputs/wordnet/manifest.json \\
        --nouns results/nouns/small.parquet

Ten made-up runs name 20,000 images with five nouns each; every one of the 1,000,000 (run, image, noun) is judged. The
other side is the plain way to one of these figures: drawing images anew, draw by draw, for one run's score.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from nounflow.inputs import input_folder
from nounflow.schemas.annotations import CATEGORIES, Annotations, ImageAnnotations
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import DecodingPredictions, Predictions
from nounflow.schemas.tables import lexicon_digest, read_lexicon
from nounflow.scoring.answers import judge, judgements
from nounflow.scoring.evaluation import ScoredRun
from nounflow.scoring.hierarchy import Hierarchy
from nounflow.scoring.intervals import DRAWS, resampled_means
from nounflow.scoring.load import ScoringMaterial, lexicon_entries
from nounflow.scoring.scores import score_all
from nounflow.scoring.values import prediction_values
from nounflow.streams import stream
from nounflow.wordnet import WordNet

RANKS = 5


def main() -> None:
    """Print the Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wordnet", type=Path, required=True)
    parser.add_argument("--nouns", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()

    table = read_lexicon(arguments.nouns)
    nouns = table["noun"].to_list()
    documents = [made_up(f"run{i}", nouns, arguments.images) for i in range(arguments.runs)]
    judged = judge_all(documents)
    labels = {file: Labels(gold=row[0]) for file, row in zip(documents[0].samples, pairs_of(documents[0]), strict=True)}
    digest, entries = lexicon_digest(nouns), lexicon_entries(table)
    runs = {one.run: ScoredRun(manifest(one.run, nouns, digest), "made_up", entries) for one in documents}
    hierarchy = Hierarchy(WordNet.load(input_folder(arguments.wordnet)), [table])

    material = ScoringMaterial(runs, tuple(documents), (judged,), {"made_up": labels}, {})

    def whole() -> Any:
        hierarchy.nearness.cache_clear()
        return score_all(material, hierarchy=hierarchy)

    scores = whole()
    pairs = sum(len(row) for one in documents for row in pairs_of(one))
    values = prediction_values(judge(documents[0], judgements(judged))).worst
    print(f"{pairs:,} judged pairs, {arguments.runs} runs, {arguments.images:,} images, {DRAWS:,} draws")
    print(f"{len(scores.rows)} rows, {len(scores.comparisons[0].runs) ** 2} cells of run against run\n")
    print("| what | seconds, median |\n|---|---:|")
    print(
        f"| the whole table: all measures, intervals, comparisons, breakdowns | {median(whole, arguments.repeat):.2f} |"
    )
    cells = median(lambda: resampled_means(values, stream(1, "speed")), arguments.repeat)
    print(f"| one run's 10,000 means, multinomial over cells | {cells:.4f} |")
    plain = median(lambda: image_by_image(values, DRAWS // 10), arguments.repeat) * 10
    print(f"| the same, images drawn one by one (1,000 draws, times ten) | {plain:.2f} |")


def made_up(run: str, nouns: list[str], n: int) -> Predictions:
    """Predictions drawn at random, common nouns more often."""
    rng = stream(1, "scoring speed", run)
    weights = 1.0 / np.arange(1, len(nouns) + 1)
    rows = np.stack([(start + RANKS * np.arange(RANKS)) % len(nouns) for start in _draw(rng, weights, n)])
    probability = np.sort(rng.dirichlet(np.ones(RANKS), size=n), axis=1)[:, ::-1]
    decoding = DecodingPredictions(
        gen_cfg={}, valid_guide=(), valid_vocab=(), valid=(), invalid=(),
        pred=tuple(tuple(nouns[i] for i in row) for row in rows),
        score=(), probability=tuple(map(tuple, probability.tolist())), result=(),
    )  # fmt: skip
    return Predictions(
        model=run, model_path="", model_dir="", model_name="", model_cfg={}, infer_cfg={}, guide_targets=(),
        vocab_targets=(), samples=tuple(f"{i:06d}.jpg" for i in range(n)), predictions={"one": decoding},
        unreadable={}, milliseconds=1.0, run=run, predictor="decoder", image_set="made_up",
    )  # fmt: skip


def judge_all(documents: list[Predictions]) -> Annotations:
    """Every noun of every image in one of the five categories, by chance."""
    rng = stream(1, "scoring speed", "judge")
    images: dict[str, dict[str, list[str]]] = {}
    for number, file in enumerate(documents[0].samples):
        said = sorted({noun for one in documents for noun in pairs_of(one)[number]})
        lists: dict[str, list[str]] = {category: [] for category in CATEGORIES}
        for noun, category in zip(said, rng.integers(0, len(CATEGORIES), len(said)), strict=True):
            lists[CATEGORIES[category]].append(noun)
        images[file] = lists
    held = {file: ImageAnnotations.model_validate(lists) for file, lists in images.items()}
    return Annotations(annotator="chance", rule="1", image_set="made_up", images=held)


def pairs_of(document: Predictions) -> tuple[tuple[str, ...], ...]:
    """Nouns of each image."""
    return document.predictions["one"].pred


def manifest(run: str, nouns: list[str], lexicon: str) -> PredictorManifest:
    """As much of a run as scoring asks for."""
    embedder = EmbedderIdentity(
        spec="none", dim=1, digest="", weights="", tokenizer="", preprocessing="", precision="fp32"
    )
    return PredictorManifest(
        run=run, predictor="decoder", embedder=embedder, lexicon=lexicon, lexicon_path="", nouns=tuple(nouns),
        settings={}, weights_sha256="", parameters=0, samples=0,
    )  # fmt: skip


def image_by_image(values: np.ndarray, draws: int) -> np.ndarray:
    """The plain bootstrap."""
    rng = stream(1, "plain")
    return np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(draws)])


def median(call: Callable[[], Any], repeat: int) -> float:
    """Median seconds of some calls."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _draw(rng: np.random.Generator, weights: np.ndarray, n: int) -> np.ndarray:
    return rng.choice(len(weights), size=n, p=weights / weights.sum())


if __name__ == "__main__":
    main()
