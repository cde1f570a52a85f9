"""Synthetic patterns: images that show no noun at all, the farthest from known ones. Made by seed, no photographs."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from nounflow.streams import stream

_SIDE = 256
_EACH = 10  # of a kind


def patterns(seed: int) -> Iterator[tuple[str, Image.Image]]:
    """Name and image of each pattern, ten of each of six kinds."""
    for kind, value in _KINDS.items():
        for number in range(_EACH):
            rng = stream(seed, "open set", "pattern", kind, number)
            field = value(rng)  # [side, side], any range
            field = (field - field.min()) / max(float(np.ptp(field)), 1e-9)
            low, high = rng.uniform(0, 255, (2, 3))
            pixels = low + field[..., None] * (high - low)
            yield f"{kind} {number + 1}", Image.fromarray(pixels.astype(np.uint8))


def _plane(rng: np.random.Generator) -> np.ndarray:
    """A coordinate that rises along a random direction, 0 to about 1."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] / _SIDE
    angle = rng.uniform(0, np.pi)
    return np.asarray(np.cos(angle) * x + np.sin(angle) * y)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    return np.asarray(np.sin(_plane(rng) * rng.uniform(20, 120)) > 0, dtype=np.float64)


def _checks(rng: np.random.Generator) -> np.ndarray:
    squares = rng.integers(4, 24)
    y, x = np.mgrid[0:_SIDE, 0:_SIDE] * squares // _SIDE
    return np.asarray((x + y) % 2, dtype=np.float64)


def _clouds(rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with frequency."""
    frequency = np.hypot(np.fft.fftfreq(_SIDE)[:, None], np.fft.rfftfreq(_SIDE)[None])
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.normal(size=(_SIDE, _SIDE))) / frequency ** rng.uniform(1.0, 2.0)
    return np.asarray(np.fft.irfft2(spectrum, (_SIDE, _SIDE)))


def _cells(rng: np.random.Generator) -> np.ndarray:
    """Shades of the nearest of some points."""
    points, shades = rng.uniform(0, _SIDE, (int(rng.integers(15, 80)), 2)), rng.uniform(size=80)
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    nearest = np.argmin((x[..., None] - points[:, 0]) ** 2 + (y[..., None] - points[:, 1]) ** 2, axis=-1)
    return np.asarray(shades[nearest])


_KINDS = {
    "gradient": _plane,
    "stripes": _stripes,
    "checks": _checks,
    "noise": lambda rng: rng.normal(size=(_SIDE, _SIDE)),
    "clouds": _clouds,
    "cells": _cells,
}
