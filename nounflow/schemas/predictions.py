"""What the runs say of images."""

from typing import Any

from nounflow.schemas.documents import StoredDocument


class DecodingPredictions(StoredDocument):
    """Predictions under one decoding configuration; lists run parallel to `samples`."""

    gen_cfg: dict[str, Any]
    valid_guide: tuple[float, ...]  # percent of samples whose first 1, 2, ... k are all valid
    valid_vocab: tuple[float, ...]
    valid: tuple[float, ...]
    invalid: tuple[float, ...]
    pred: tuple[tuple[str, ...], ...]
    score: tuple[tuple[float, ...], ...]  # log-probabilities; retrieval: cosines
    probability: tuple[tuple[float, ...], ...]
    result: tuple[tuple[int, ...], ...]  # 0 correct, 1 in the guide list, 2 in the vocabulary, 3 neither


class Predictions(StoredDocument):
    """results/predictions/{run}/{image_set}.json, the published layout and what it lacked."""

    version: int = 1
    model: str
    model_path: str
    model_dir: str
    model_name: str
    model_cfg: dict[str, Any]
    infer_cfg: dict[str, Any]
    guide_targets: tuple[str, ...]
    vocab_targets: tuple[str, ...]
    samples: tuple[str, ...]
    images: str = ""  # sha256 over the names and bytes of `samples`; empty: made elsewhere
    predictions: dict[str, DecodingPredictions]
    unreadable: dict[str, str]  # file -> reason: counted as wrong, never dropped
    milliseconds: float  # per image: decoding, encoding and predicting
    run: str
    predictor: str
    image_set: str
