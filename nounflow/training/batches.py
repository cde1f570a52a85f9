"""The rows of a step, their noise and the order in which they are computed.

All of it is a function of (seed, step) and of a row's place in the batch. So a step does not depend on how the run got
there, on how a batch is cut into parts, or on how many processes share it.
"""

from collections.abc import Iterator

import numpy as np
import torch

from nounflow.config.noise import NoiseConfig
from nounflow.device import by_device
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream, stream_key
from nounflow.training.noise import apply_noise
from nounflow.training.noise_shape import NO_SHAPE, NoiseShape

_NOISE_BLOCK = 1024  # places of a batch whose noise is one random stream
# What one more group of rows costs, in states (prefix vectors and tokens): kernels have to be started for it.
_GROUP_COST = (256, 2048)  # CPU and GPU
_EIGHTHS = 8


def rows_of_step(training_set: TrainingSet, seed: int, step: int, batch_size: int) -> np.ndarray:
    """Training-set rows of a step, int64 [batch_size], in the order in which they were drawn."""
    return training_set.draw(stream(seed, "samples", step), batch_size)


def noisy(
    vectors: torch.Tensor,
    places: range,
    noise: NoiseConfig,
    seed: int,
    step: int,
    shape: NoiseShape = NO_SHAPE,
    scale: float = 1.0,
) -> torch.Tensor:
    """Shifted and noisy embeddings, float32 [len(places), dim], of some places of a step's vectors [batch, dim].

    A place's noise is the same whichever places are asked for with it.
    """
    parts = []
    for block in range(places.start // _NOISE_BLOCK, -(-places.stop // _NOISE_BLOCK)):
        first = block * _NOISE_BLOCK
        clean = shape.shifted(vectors[first : first + _NOISE_BLOCK].float())
        generator = torch.Generator(clean.device).manual_seed(torch_seed(seed, "noise", step, block))
        noised = apply_noise(clean, noise, generator, shape, scale)
        parts.append(noised[max(0, places.start - first) : places.stop - first])
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def micro_batches(cost: np.ndarray, most: int, device: str) -> Iterator[list[np.ndarray]]:
    """Cut the rows of a batch, by their cost [n], into parts of at most `most` rows of like length.

    Yields positions into `cost`: a list of groups for each part. A group is padded to its longest row.
    """
    order = np.argsort(cost, kind="stable")
    for part in np.array_split(order, -(-len(order) // most)):
        cuts = length_cuts(cost[part], by_device(torch.device(device).type, *_GROUP_COST))
        yield np.split(part, cuts)


def length_cuts(cost: np.ndarray, group_cost: int) -> list[int]:
    """Where to cut rows, sorted by cost [n], so that padding and the groups' own cost are least together.

    A group costs its rows times its longest row, and `group_cost` more. Exact among cuts at eighths of the rows, by
    dynamic programming; other places would give each step matrices of other shapes, for which kernels are made anew.
    """
    ends = np.unique(np.arange(1, _EIGHTHS + 1) * len(cost) // _EIGHTHS)
    ends = ends[ends > 0]
    starts = np.concatenate([[0], ends[:-1]])
    least = np.zeros(len(ends) + 1)  # of the rows before each piece
    first = np.zeros(len(ends), dtype=np.int64)  # piece with which the group that ends with each one begins
    for last, end in enumerate(ends):
        totals = least[: last + 1] + group_cost + (end - starts[: last + 1]) * cost[end - 1]
        first[last] = np.argmin(totals)
        least[last + 1] = totals[first[last]]
    cuts, last = [], len(ends) - 1
    while first[last] > 0:
        cuts.append(int(starts[first[last]]))
        last = int(first[last]) - 1
    return cuts[::-1]


def spaced(rows: np.ndarray, most: int) -> np.ndarray:
    """At most `most` of some rows [n], evenly spaced, so that every source is among them."""
    return rows if len(rows) <= most else rows[np.arange(most) * len(rows) // most]


def torch_seed(seed: int, *names: str | int) -> int:
    """A seed for torch's generators, from a stream's key."""
    return int(stream_key(seed, *names)[0] >> np.uint64(1))
