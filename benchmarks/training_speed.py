"""How much faster packed, length-grouped training is than the plain way; both run in turns, medians are printed.

The plain way repeats each sample for up to three nouns, pads every noun to the longest one and makes logits at all
places. Both have the same loss: checked here, and held to float tolerance in tests/test_decoder.py.

    python benchmarks/training_speed.py --run results/decoders/small \\
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from nounflow.config.decoder import DecoderConfig, NoiseConfig, TrainingConfig
from nounflow.decoder.loss import LossParts, weighted_cross_entropy
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trainee import DecoderTrainee
from nounflow.decoder.training import train
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.device import autocast_dtype, prepare_device
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.store.weights import read_predictor

_NOUNS = 3  # most nouns of a sample


class PlainTrainee:
    """Repeated, padded sequences and logits everywhere."""

    def __init__(self, module: ObjectDecoder, vocabulary: TargetVocabulary, training_set: TrainingSet) -> None:
        self.module, self._vocabulary, self._set = module, vocabulary, training_set

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows are padded to one length."""
        return np.ones(len(rows))

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """See `Trainee.loss`."""
        targets, weights, offsets = self._set.targets_of(rows)
        nouns = np.zeros((len(rows), _NOUNS), dtype=np.int64)
        noun_weights = np.zeros((len(rows), _NOUNS), dtype=np.float32)
        sample = np.repeat(np.arange(len(rows)), np.diff(offsets))
        place = np.arange(len(targets)) - offsets[sample]
        nouns[sample, place], noun_weights[sample, place] = targets, weights
        nouns = nouns.reshape(-1)
        labels = torch.from_numpy(self._vocabulary.tokens[nouns])  # [batch * nouns, longest + 1]
        real = (
            np.arange(labels.shape[1]) <= self._vocabulary.lengths[nouns][:, None]
        )  # the END counts, padding does not
        prefix, new = self.module.config.prefix_tokens, labels.shape[1] - 1
        mask = torch.ones(prefix + new, prefix + new, dtype=torch.bool).tril()
        mask[:prefix, :prefix] = True
        device = embeddings.device
        states = self.module(
            embeddings.repeat_interleave(_NOUNS, dim=0),
            labels[:, :-1].to(device),
            torch.arange(new, device=device).expand(len(nouns), new),
            mask.to(device),
        )
        logits = self.module.logits(states[:, prefix - 1 :])
        token_weights = torch.from_numpy(noun_weights.reshape(-1, 1) * real).float()
        return weighted_cross_entropy(
            logits.flatten(0, 1), labels.flatten().to(device), token_weights.flatten().to(device)
        )


def main() -> None:
    """Time both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="a decoder's folder, for its vocabulary and shape")
    parser.add_argument("--training-set", type=Path, required=True, help="a training set's manifest")
    parser.add_argument("--samples", type=int, default=20480, help="samples of one timing")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each way")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    arguments = parser.parse_args()

    device = prepare_device(arguments.device, arguments.threads)
    autocast = autocast_dtype("auto", device)
    samples = open_training_set(arguments.training_set)
    manifest, _tensors = read_predictor(arguments.run / "manifest.json")
    vocabulary = TargetVocabulary.from_dict(manifest.nouns, manifest.tokens)
    shape = DecoderConfig.model_validate(manifest.settings["decoder"])

    def decoder() -> ObjectDecoder:
        torch.manual_seed(0)
        return ObjectDecoder(manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, shape).to(device)

    ways = {
        "packed": lambda: DecoderTrainee(decoder(), vocabulary, samples),
        "plain": lambda: PlainTrainee(decoder(), vocabulary, samples),
    }
    rows = np.arange(0, len(samples.weights), max(1, len(samples.weights) // 256))
    vectors = torch.from_numpy(samples.vectors[rows]).float().to(device)
    with torch.no_grad():
        losses = [parts.total / parts.basis for parts in (way().loss(vectors, rows) for way in ways.values())]
    torch.testing.assert_close(*losses)

    config = TrainingConfig(samples=arguments.samples)
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(-1, arguments.rounds):  # the first warms up
        for name, way in ways.items():
            start = time.perf_counter()
            train(way(), samples, NoiseConfig(), config, 1, device, autocast, on_metrics=lambda _curves: None)
            if round_ >= 0:
                rates[name].append(arguments.samples / (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = statistics.median(fast / slow for fast, slow in zip(rates["packed"], rates["plain"], strict=True))
    where = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {arguments.threads} threads"
    print(f"{where}: packed {medians['packed']:,.0f} samples/s, plain {medians['plain']:,.0f}, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
