"""Thresholds by the error that one accepts: the share of known images that is kept."""

from __future__ import annotations

import math

import numpy as np

from nounflow.errors import NounflowError

LEAST = 50  # known images or texts that a threshold is fitted on


def check_share(keep: float) -> None:
    """Refuse what is no share of known images, such as a percentage."""
    if not 0 < keep < 1:
        raise NounflowError(
            f"The share of known images to keep is {keep:g}", where="keep", fix="give a number between 0 and 1: 0.95"
        )


def fit_threshold(scores: np.ndarray, keep: float, conformal: bool = False, what: str = "known images") -> float:
    """The score from which an image is accepted, so that `keep` of the known ones are.

    Args:
        scores: float64 [n], of known images.
        conformal: split-conformal (Vovk et al. 2005; Papadopoulos et al. 2002): a new known image, exchangeable with
            these, is accepted with a chance of at least `keep`, whatever the distribution. Else the plain quantile.

    Raises:
        NounflowError: there are fewer than 50, or too few to keep so many; or `keep` is no share.
    """
    check_share(keep)
    if len(scores) < LEAST:
        raise NounflowError(
            f"A threshold is fitted on {LEAST} {what} or more, and there are {len(scores)}",
            fix="give more; without `open_set.gate.images` (or --known) it is fitted on captions",
        )
    if not conformal:
        return float(np.quantile(scores, 1 - keep))
    rank = math.floor((1 - keep) * (len(scores) + 1) + 1e-9)
    if rank < 1:
        least = math.ceil(1 / (1 - keep)) - 1
        raise NounflowError(
            f"To keep {keep:.1%} by a split-conformal threshold takes {least} {what} or more; there are {len(scores)}",
            fix="give more of them, or lower `open_set.gate.keep`",
        )
    return float(np.sort(scores)[rank - 1])


def promise(keep: float, conformal: bool, images: int) -> str:
    """What a threshold guarantees, in words; nothing for a plain quantile."""
    if not conformal:
        return ""
    return (
        f"a known image from where these {images} come from is accepted with a chance of {keep:.0%} or more, on "
        "average over such fits; nothing is promised of other images"
    )
