"""The modality gap: how far images lie from the texts that belong to them, and how much of that one shift explains."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from nounflow.config.check_set import Prompts
from nounflow.config.noise import NoiseConfig
from nounflow.embedder_checks.angles import all_angles, angles_within, parallel_angles
from nounflow.embedders.prompts import class_embeddings, prompts_name
from nounflow.embedders.protocol import Embedder
from nounflow.schemas.embedder_checks import AngleStatistics, ModalityGap, TextGap
from nounflow.streams import stream, stream_key
from nounflow.training.noise import apply_noise, noise_scale

SEED = 1  # of samples among very many pairs, and of noise
_NOISED = 20_000  # at least so many draws of noise
_ROWS = 4096  # at a time


def modality_gap(
    embedder: Embedder,
    image_set: str,
    vectors: np.ndarray,
    nouns: Sequence[str],
    captions: Mapping[int, str],
    prompts: Prompts,
    noise: NoiseConfig | None,
) -> ModalityGap:
    """The gap of an image set.

    Args:
        vectors: [images, dim], unit rows, at least one.
        nouns: gold noun of each image.
        captions: row of an image -> its caption; rows may be missing.
        noise: a training noise to compare with.
    """
    images = np.asarray(vectors, dtype=np.float32)
    distinct, own = _distinct(nouns)
    texts = class_embeddings(embedder, distinct, prompts)
    captioned = None
    if captions:
        written, own_caption = _distinct(list(captions.values()))
        embedded = embedder.encode_texts(written)
        captioned = text_gap(images[list(captions)], embedded, own_caption)
    return ModalityGap(
        embedder=embedder.identity,
        image_set=image_set,
        images=len(images),
        prompts=prompts_name(prompts),
        nouns=text_gap(images, texts, own),
        captions=captioned,
        image_image=angles_within(images, stream(SEED, "modality_gap", "images")),
        noise=None if noise is None else noise_angles(texts, noise),
        noise_scheme="" if noise is None else noise.described,
    )


def text_gap(images: np.ndarray, texts: np.ndarray, own: np.ndarray) -> TextGap:
    """Images against the texts that belong to them.

    The mean shift is the mean image minus the mean of the images' own texts. With it the mean squared distance of
    matched pairs falls apart into |shift|^2 and the rest about the means; `explained` is the first one's part.

    Args:
        images: float32 [n, dim], unit rows, n > 0.
        texts: float32 [texts, dim], unit rows, distinct texts.
        own: int64 [n], the text of each image.
    """
    matching = texts[own]
    shift = images.mean(0, dtype=np.float64) - matching.mean(0, dtype=np.float64)
    shifted = matching + shift.astype(np.float32)
    shifted /= np.maximum(np.linalg.norm(shifted, axis=1, keepdims=True), 1e-12)
    return TextGap(
        texts=len(texts),
        images=len(images),
        matched=parallel_angles(images, matching),
        all_pairs=all_angles(images, texts, stream(SEED, "modality_gap", "all")),
        text_text=angles_within(texts, stream(SEED, "modality_gap", "texts")),
        mean_shift=tuple(shift.tolist()),
        mean_shift_norm=float(np.linalg.norm(shift)),
        explained=float((shift**2).sum() / max(_mean_squared_distance(images, matching), 1e-12)),
        matched_after_shift=parallel_angles(images, shifted),
    )


def _mean_squared_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean |a - b|^2 of parallel rows [n, dim], summed in double precision by blocks."""
    total = 0.0
    for start in range(0, len(first), _ROWS):
        part = slice(start, start + _ROWS)
        total += float(((first[part].astype(np.float64) - second[part]) ** 2).sum())
    return total / len(first)


def noise_angles(texts: np.ndarray, noise: NoiseConfig) -> AngleStatistics:
    """Angles between unit texts [n, dim] and what the noise of the last step makes of them, at least 20,000 draws."""
    repeated = torch.from_numpy(np.ascontiguousarray(texts)).repeat(-(-_NOISED // len(texts)), 1)
    seed = int(stream_key(SEED, "modality_gap", "noise")[0] >> np.uint64(1))
    noised = apply_noise(repeated, noise, torch.Generator().manual_seed(seed), scale=noise_scale(noise, 1.0))
    return parallel_angles(repeated.numpy(), noised.numpy())


def _distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Different texts in their first order, and the number of each text among them."""
    number = {text: i for i, text in enumerate(dict.fromkeys(texts))}
    return list(number), np.array([number[text] for text in texts], dtype=np.int64)
