"""Where rows come from: digests of what each was made with, and the commands that make one of them again."""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError
from nounflow.files import sha256_json, sha256_text
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import only_decoding
from nounflow.scoring.results import Provenance, Scores
from nounflow.scoring.rows import ScoreRow
from nounflow.version import nounflow_version

CONFIG_VARIABLE = "NOUNFLOW_CONFIG"  # set by the workflow: file of the config that it was started with, as JSON
_OTHER_NAMES = ("lexicon", "embedder", "mixture", "predictor", "kind", "source")  # of a part: no run is meant by them


def provenance(code: Path) -> Provenance:
    """What is known here and now: the version, the commit of a folder of code, the workflow's config."""
    config = os.environ.get(CONFIG_VARIABLE)
    commit = _git(code, "rev-parse", "HEAD")
    changed = bool(commit and _git(code, "status", "--porcelain", "--untracked-files=no"))
    return Provenance(
        nounflow=nounflow_version(),
        commit=commit or None,
        changed=changed,
        config=json.loads(Path(config).read_text(encoding="utf-8")) if config else None,
    )


def find_row(scores: Scores, name: str) -> ScoreRow:
    """A row by its number from 1, or by run, run/image_set or run/image_set/annotator.

    Raises:
        NounflowError: none or several fit.
    """
    if name.isdecimal() and 0 < int(name) <= len(scores.rows):
        return scores.rows[int(name) - 1]
    found = [row for row in scores.rows if f"{row.name}/".startswith(f"{name}/")]
    if len(found) != 1:
        which = found or scores.rows
        names = ", ".join(row.name for row in which)
        raise NounflowError(
            f"{'Several rows are' if found else 'No row is'} called '{name}'", fix=f"take one of {names}"
        )
    return found[0]


def reproduction(scores: Scores, row: ScoreRow) -> str:
    """A shell script that makes a row of the score table again, from nothing or from what stands.

    Raises:
        NounflowError: the table was not made by the workflow, so that its config is not known.
    """
    origin = scores.provenance
    if origin is None or origin.config is None:
        raise NounflowError(
            "The scores do not say which config they were made with",
            fix="make them with the workflow: snakemake --cores all results/scores.tsv",
        )
    digests = ("templates", "class_list", "preprocessing", "split", "config")
    lines = [
        f"# {row.name}: seed {row.seed or '-'}, prediction score {row.prediction_score}",
        "# " + ", ".join(f"{name} {getattr(row, name) or '-'}" for name in digests),
        f"# nounflow {origin.nounflow}; bootstrap seed {scores.seed}",
    ]
    if origin.changed:
        lines.append("# The code differed from this commit: changes that were not committed cannot be had back.")
    if origin.commit:
        lines.append(f"git checkout {origin.commit}")
    settings = json.dumps(_only(origin.config, row), indent=2, ensure_ascii=False)
    lines += ["cat > reproduce.yaml <<'END'", settings, "END"]
    lines.append("snakemake --cores all --configfile reproduce.yaml -- results/scores.tsv")
    return "\n".join(lines)


def _only(config: Mapping[str, Any], row: ScoreRow) -> dict[str, Any]:
    """The config with only what a row needs of runs, image sets and annotators; null takes out the others.

    A part needs those that it names, as a fused run does its parts, and any may need what people decided.
    """
    needed = {row.run, row.retrieval_run, row.image_set, row.annotator}
    groups = {key: part for key in ("runs", "image_sets", "annotators") if isinstance(part := config.get(key), Mapping)}
    needed |= {name for name, part in groups.get("annotators", {}).items() if part and part.get("kind") == "people"}
    named = [(name, part) for group in groups.values() for name, part in group.items()]
    known = {name for name, _ in named}
    while found := {text for name, part in named if name in needed for text in _texts(part)} & known - needed:
        needed |= found
    return dict(config) | {
        key: {name: part if name in needed else None for name, part in group.items()} for key, group in groups.items()
    }


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            if key not in _OTHER_NAMES:
                yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


_DIGITS = 12


def row_digests(predictions: Predictions, run: PredictorManifest, labels: Mapping[str, Labels]) -> dict[str, str]:
    """Class list, preprocessing, split and settings of a run on an image set; rows compare where these agree."""
    images = sorted((*predictions.samples, *predictions.unreadable))
    split = [[image, labels[image].model_dump(mode="json") if image in labels else None] for image in images]
    settings = {"run": run.settings, "predictor": run.predictor, "generation": only_decoding(predictions).gen_cfg}
    return {
        "class_list": sha256_text(*predictions.guide_targets)[:_DIGITS],
        "preprocessing": sha256_text(run.embedder.tokenizer, run.embedder.preprocessing)[:_DIGITS],
        "split": sha256_json([predictions.images, split])[:_DIGITS],
        "config": sha256_json(settings)[:_DIGITS],
    }


def templates_digest(files: Iterable[Path]) -> str:
    """One digest of the caption templates' files; empty without files."""
    texts = [Path(file).read_text(encoding="utf-8") for file in files]
    return sha256_text(*texts)[:_DIGITS] if texts else ""
