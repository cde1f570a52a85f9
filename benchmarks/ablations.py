"""The table of docs/ablations.md from the runs of config/recipes/ablations_small.yaml.

    snakemake --cores 2 --configfile config/recipes/ablations_small.yaml
    python benchmarks/ablations.py --out docs/ablations.md

What stands above the table's first line in the file stays. Runs are named {row}_s{seed}; a row without any run is left
out. An image's points are averaged over a row's seeds; differences to the base row are resampled by image, in pairs.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from compare_runs import points

from nounflow.files import write_text
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import read_document
from nounflow.schemas.models import PredictorManifest
from nounflow.scoring.answers import Judgements, judgements
from nounflow.scoring.intervals import mean_interval
from nounflow.streams import stream

START = "<!-- Made by benchmarks/ablations.py -->"
BASE = "base"

# Row -> (what it changes, the published row beside it, that row's difference on World and on Wiki-L).
# Published: NOVIC paper, three runs a row, difference to its own base row (NOVIC uses FT2, SigLIP B/16).
ROWS: dict[str, dict[str, tuple[str, str, str]]] = {
    "Noise level": {
        "level_0": ("no noise", "Gauss 1.00", "−59.5, −48.4"),
        "level_03": ("norm 0.3", "Gauss 1.75", "−8.6, −11.9"),
        "level_10": ("norm 1.0", "", ""),
        "level_175": ("norm 1.75", "", ""),
    },
    "Noise kind": {
        "vector": ("`gauss_vec`, norm 0.6", "", ""),
        "uniform": ("`uniform_angle`, 19 to 32°", "Uniform 45–75 only", "−2.5, −0.7 (against the mix)"),
        "mixed": ("`gauss_elem_uniform_angle`, 15 % of 19 to 32°", "mix against Gauss 3.25", "+1.4, +1.6"),
        "gap": ("`gap`", "", ""),
        "residuals": ("`covariance` of residuals, norm 0.6", "", ""),
        "texts": ("`covariance` of texts, norm 0.6", "", ""),
    },
    "Mean shift": {
        "shift_texts": ("`shift: texts`", "", ""),
        "shift_images": ("`shift: images`", "", ""),
    },
    "Schedule": {
        "linear": ("`linear`, scale 0 to 1", "", ""),
        "cosine": ("`cosine`, scale 0 to 1", "", ""),
        "warmup": ("`warmup`, scale 0 to 1 in a fifth", "", ""),
    },
    "Texts": {
        "m1": ("M1 only", "M1 only", "−8.8, −13.9"),
        "m1_captions": ("M1 + captions", "M1 + captions", "−6.8, −8.6"),
        "m2_captions": ("M1 + M2 + captions", "M1 + captions + M2", "−0.6, −2.4"),
        "no_captions": ("M1 + M2 + M3", "M1 + M2 + M3, no captions", "−1.4, −1.9"),
        "m3_captions": ("M3 + captions", "M3 + captions", "−1.0, −1.0"),
    },
    "Model": {
        "prefix_1": ("prefix 1 (base: 2)", "prefix 2 (base: 4)", "−1.0, −1.2"),
        "prefix_4": ("prefix 4", "prefix 6", "−0.9, +0.2"),
        "layers_1": ("1 layer (base: 2)", "4 layers (base: 6)", "−1.7, −1.6"),
        "layers_4": ("4 layers", "8 layers", "−1.0, −1.2"),
    },
    "Targets": {
        "synonyms": ("`synonym_share: 0.3`", "", ""),
    },
    "Lexicon": {
        "fewer": ("500 nouns (base: 1,000)", "FT6 (base: FT2)", "−0.5, −1.4"),
    },
    "Beside the decoder": {
        "retrieval": ("`retrieval`", "", ""),
    },
}


@dataclass(frozen=True)
class Row:
    """A row's runs, pooled."""

    seeds: tuple[float, ...]  # mean points of each run
    points: np.ndarray  # [images], mean over the runs
    loss: float | None  # on held-out captions


def read_row(results: Path, name: str, image_set: str, judged: Judgements) -> Row | None:
    """The runs of a row that are finished, None if there are none."""
    found, losses = [], []
    for path in sorted((results / "predictions").glob(f"{name}_s[0-9]/{image_set}.json")):
        found.append(points(path, judged)[1])
        manifest = results / "models" / path.parent.name / "manifest.json"
        losses.append(read_document(PredictorManifest, manifest, "predictor manifest").metrics.get("loss"))
    if not found:
        return None
    known = [loss for loss in losses if loss is not None]
    return Row(
        seeds=tuple(float(values.mean()) for values in found),
        points=np.mean(found, axis=0),
        loss=float(np.mean(known)) if known else None,
    )


def cells(name: str, row: Row, base: Row) -> tuple[str, float, float]:
    """(mean, seeds, loss and difference as cells, low and high of the difference)."""
    spread = " ".join(f"{100 * seed:.1f}" for seed in row.seeds)
    loss = "" if row.loss is None else f"{row.loss:.2f}"
    if name == BASE:
        return f"| {100 * row.points.mean():.1f} | {spread} | {loss} | |", 0.0, 0.0
    difference = row.points - base.points
    low, high = mean_interval(difference, stream(1, "ablations", name))
    interval = f"{100 * difference.mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
    return f"| {100 * row.points.mean():.1f} | {spread} | {loss} | {interval} |", low, high


def agreement(published: str, low: float, high: float) -> str:
    """Whether an interval lies on the side of a published difference."""
    if not published:
        return ""
    if low <= 0 <= high:
        return "open"
    return "yes" if (high < 0) == published.startswith("−") else "no"


def table(results: Path, image_set: str, judged: Judgements) -> str:
    """The table, in Markdown."""
    base = read_row(results, BASE, image_set, judged)
    assert base, "the base row has no finished run"
    lines = [
        "| row | score, mean | by seed | held-out loss | minus base, 95 % | published row | published | same? |",
        "|---|---|---|---|---|---|---|---|",
        f"| **base** {cells(BASE, base, base)[0]} | | |",
    ]
    for section, rows in ROWS.items():
        found = {name: row for name in rows if (row := read_row(results, name, image_set, judged))}
        if found:
            lines.append(f"| *{section}* | | | | | | | |")
        for name, row in found.items():
            label, published, difference = rows[name]
            text, low, high = cells(name, row, base)
            lines.append(f"| {label} {text} {published} | {difference} | {agreement(difference, low, high)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-set", default="photos")
    parser.add_argument("--annotator", default="wordnet")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, required=True, help="the page")
    arguments = parser.parse_args()

    path = arguments.results / "annotations" / arguments.image_set / f"{arguments.annotator}.json"
    judged = judgements(read_document(Annotations, path, "annotations"))
    above = arguments.out.read_text(encoding="utf-8").split(START)[0]
    write_text(arguments.out, f"{above}{START}\n\n{table(arguments.results, arguments.image_set, judged)}")


if __name__ == "__main__":
    main()
