"""What a row was made with, as short digests: two rows can be compared where these agree."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from nounflow.files import sha256_json, sha256_text
from nounflow.schemas.labels import Labels
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.predictions import Predictions
from nounflow.scoring.answers import only_decoding

_DIGITS = 12


def row_digests(predictions: Predictions, run: PredictorManifest, labels: Mapping[str, Labels]) -> dict[str, str]:
    """Class list, preprocessing, split and settings of a run on an image set."""
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
