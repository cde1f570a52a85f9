"""Which predictor bridges a gap? Decoder with `noise: auto`, head and retrieval, on rehearsal embedders.

    python benchmarks/rehearsal.py config siglip-b16 dfn5b-h14 > rehearsal.yaml
    snakemake --cores 2 results/scores.tsv --configfile rehearsal.yaml
    python benchmarks/rehearsal.py table

`config --bridges` adds decoders with the nearest nouns before them, images projected onto texts, and the mean shift.
Without names, `config` takes all eleven statistics. The size is that of the ablations (docs/ablations.md) with a longer
training, since large noise wants one: 1,000 nouns, three seeds. An image's points are averaged over seeds; differences
are resampled by image, in pairs, so the luck of three seeds is not in an interval. A rehearsal is no CLIP.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import yaml
from compare_runs import points

from nounflow.config.modality_gaps import gap_statistics, published_names
from nounflow.schemas.annotations import Annotations
from nounflow.schemas.documents import read_document
from nounflow.scoring.answers import Judgements, judgements
from nounflow.scoring.intervals import mean_interval
from nounflow.streams import stream

SEEDS = (1, 2, 3)
SPECS = {"bundled": "bundled:minilm-conse"} | {name: f"rehearsal:{name}" for name in published_names()}
_WEAK = {"scheme": "gauss_elem", "norm": 0.6}
KINDS = {  # what of a run differs
    "auto": {"training": {"samples": 60_000, "batch_size": 128}},
    "weak": {"training": {"samples": 60_000, "batch_size": 128}, "noise": _WEAK},
    "head": {"predictor": "head", "training": {"samples": 200_000, "batch_size": 256, "learning_rate": 3.0e-3}},
    "retrieval": {"predictor": "retrieval", "mixture": "prompts"},
}
BRIDGES = {  # gap bridging beyond noise: what of a decoder differs from `auto`
    "near1": {"decoder": {"neighbours": 1}},
    "near4": {"decoder": {"neighbours": 4}},
    "near8": {"decoder": {"neighbours": 8}},
    "memory": {"memory": 20_000},
    "memory_weak": {"memory": 20_000, "noise": _WEAK},
    "shift": {"noise": {"shift": "images", "images": "photos"}},
    "shift_weak": {"noise": {**_WEAK, "shift": "images", "images": "photos"}},
    "means": {"noise": {"shift": "means", "images": "photos"}},
    "covariance": {"noise": {"scheme": "covariance", "images": "photos"}},
}


def name_of(statistic: str, kind: str, seed: int) -> str:
    """Of a run."""
    return f"{statistic.replace('-', '_')}_{kind}_s{seed}"


def config(statistics: list[str], bridges: bool) -> str:
    """A config to be laid over the default one, as YAML."""
    kinds = KINDS | ({name: KINDS["auto"] | part for name, part in BRIDGES.items()} if bridges else {})
    runs: dict[str, object] = dict.fromkeys(("small", "small_head", "small_retrieval", "small_fused"))
    for statistic in statistics:
        for kind, settings in kinds.items():
            for seed in SEEDS[:1] if kind == "retrieval" else SEEDS:
                parts = {"lexicon": "words", "embedder": statistic.replace("-", "_"), "mixture": "m3_captions"}
                runs[name_of(statistic, kind, seed)] = {**parts, **settings, "seed": seed}
    values = {
        "threads": 1,
        "device": "cpu",
        "captions": {"multiset": {"texts_per_noun": [8, 4, 3]}, "offline": {"captions_per_noun": 6}},
        "lexicons": {"small": None, "words": {"max_nouns": 1000}},
        "embedders": {name.replace("-", "_"): {"spec": SPECS[name]} for name in statistics},
        "runs": runs,
    }
    return yaml.safe_dump(values, sort_keys=False)


def mean_points(results: Path, statistic: str, kind: str, image_set: str, judged: Judgements) -> np.ndarray | None:
    """Points [images], mean over the seeds that are finished; None if none is."""
    found = [
        points(path, judged)[1]
        for seed in SEEDS
        if (path := results / "predictions" / name_of(statistic, kind, seed) / f"{image_set}.json").is_file()
    ]
    return np.mean(found, axis=0) if found else None


def difference(one: np.ndarray, other: np.ndarray, name: str) -> str:
    """The mean of paired differences with its interval, in points."""
    low, high = mean_interval(one - other, stream(1, "rehearsal", name))
    return f"{100 * (one - other).mean():+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def table(results: Path, image_set: str, judged: Judgements) -> str:
    """A row for each statistic whose runs are finished, in Markdown."""
    lines = [
        "| rehearsal of | matched angle | decoder, auto | decoder, 0.6 | head, auto | retrieval | "
        "auto − 0.6 | auto − retrieval | head − retrieval |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for statistic in published_names():
        found = {kind: mean_points(results, statistic, kind, image_set, judged) for kind in KINDS}
        rows = [row for row in found.values() if row is not None]
        if len(rows) < len(KINDS):
            continue
        auto, weak, head, retrieval = rows
        scores = " | ".join(f"{100 * row.mean():.1f}" for row in rows)
        pairs = ((auto, weak), (auto, retrieval), (head, retrieval))
        differences = " | ".join(difference(*pair, f"{statistic} {i}") for i, pair in enumerate(pairs))
        lines.append(f"| {statistic} | {gap_statistics()[statistic].matched:.1f}° | {scores} | {differences} |")
    return "\n".join(lines)


def bridge_table(results: Path, image_set: str, judged: Judgements) -> str:
    """A row for each way of bridging on each statistic whose runs are finished, in Markdown."""
    lines = ["| embedder | bridge | score | minus decoder, auto | minus retrieval |", "|---|---|---|---|---|"]
    for statistic, spec in SPECS.items():
        auto, retrieval = (mean_points(results, statistic, kind, image_set, judged) for kind in ("auto", "retrieval"))
        for bridge in BRIDGES:
            found = mean_points(results, statistic, bridge, image_set, judged)
            if found is not None and auto is not None and retrieval is not None:
                cells = [difference(found, other, f"{statistic} {bridge}") for other in (auto, retrieval)]
                lines.append(f"| {spec} | {bridge} | {100 * found.mean():.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def main() -> None:
    """Write the config, or the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("config", "table"))
    parser.add_argument(
        "statistics",
        nargs="*",
        help="bundled, or rows of nounflow/config/modality_gaps.tsv (default: all published)",
    )
    parser.add_argument("--bridges", action="store_true", help="config: also runs with neighbours, memory and shift")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--image-set", default="photos")
    arguments = parser.parse_args()
    if arguments.what == "config":
        print(config(arguments.statistics or list(published_names()), arguments.bridges))
        return
    path = arguments.results / "annotations" / arguments.image_set / "wordnet.json"
    judged = judgements(read_document(Annotations, path, "annotations"))
    print(table(arguments.results, arguments.image_set, judged))
    print(bridge_table(arguments.results, arguments.image_set, judged))


if __name__ == "__main__":
    main()
