"""Data of the published FT0 run's shape, drawn at random: as many nouns, tokens and targets a text, no meaning."""

import numpy as np

from nounflow.config.decoder import DecoderConfig
from nounflow.config.noise import NoiseConfig
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.store.training_set import TrainingSet

DIM = 768
NOUNS = 42_919
TOKENS = 15_800  # compact ids, END included
DECODER = DecoderConfig(prefix_tokens=4, width=512, heads=8, layers=6, feedforward=0.25, dropout=0.1)
NOISE = NoiseConfig(scheme="gauss_elem_uniform_angle", norm=3.25, angle_min=45, angle_max=75, mix_ratio=0.15)

_LENGTHS = (0.16, 0.30, 0.26, 0.15, 0.07, 0.035, 0.015, 0.01)  # share of nouns of 1, 2, ... word pieces: mean 3.0
_TARGETS = (0.45, 0.32, 0.23)  # share of texts that name 1, 2, 3 nouns: mean 1.78, that of M3 with captions
_TEXTS = 60_000


def published_vocabulary(seed: int = 0) -> TargetVocabulary:
    """Nouns of random word pieces, common pieces oftener; every id occurs."""
    generator = np.random.default_rng(seed)
    cumulative = np.cumsum(1 / np.arange(1, TOKENS))
    spelled: dict[tuple[int, ...], None] = {}
    for noun, length in enumerate(generator.choice(np.arange(1, len(_LENGTHS) + 1), size=NOUNS, p=_LENGTHS)):
        while len(spelled) == noun:
            pieces = np.searchsorted(cumulative, generator.random(length) * cumulative[-1]) + 1
            if noun < TOKENS - 1:
                pieces[0] = noun + 1
            spelled.setdefault(tuple(pieces.tolist()))
            length = min(length + 1, len(_LENGTHS))  # a spelling that was taken: try a longer one
    return TargetVocabulary.build([f"noun {i}" for i in range(NOUNS)], [list(pieces) for pieces in spelled])


def published_training_set(seed: int = 0) -> TrainingSet:
    """Texts of one to three nouns with random embeddings."""
    generator = np.random.default_rng(seed)
    counts = generator.choice(np.arange(1, len(_TARGETS) + 1), size=_TEXTS, p=_TARGETS)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    vectors = generator.standard_normal((_TEXTS, DIM), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return TrainingSet(
        manifest=None,  # type: ignore[arg-type]  # nothing on a disk
        vectors=vectors.astype(np.float16),
        targets=generator.integers(0, NOUNS, offsets[-1]),
        target_weights=np.repeat(1 / counts, counts).astype(np.float32),
        offsets=offsets,
        weights=np.full(_TEXTS, 1 / _TEXTS),
        heldout=np.zeros(_TEXTS, dtype=bool),
        sources=np.zeros(_TEXTS, dtype=np.uint16),
    )
