"""How much faster training is than the plain way (benchmarks/plain_training.py); both in turns, medians are printed.

Both have the same loss on the same rows in fp32: checked here first, and held to float tolerance in tests. Without
`--run` the decoder is that of the published FT0 recipe, on data of its shape drawn at random.

    python benchmarks/training_speed.py
    python benchmarks/training_speed.py --run results/models/small \\
        --training-set results/training_sets/bundled/small/m3_captions/manifest.json
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from plain_training import PlainTraining
from published_size import DECODER, DIM, NOISE, published_training_set, published_vocabulary
from torch.utils.flop_counter import FlopCounterMode

from nounflow.config.runs.decoder import DecoderRun
from nounflow.config.training import TrainingConfig
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.device import autocast_dtype
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.process import prepare_process
from nounflow.store.training_set import TrainingSet, open_training_set
from nounflow.store.weights import read_predictor
from nounflow.training.batches import micro_batches, rows_of_step
from nounflow.training.loop import TrainingRun
from nounflow.training.processes import Processes
from nounflow.training.validation import Samples

# Dense bf16 multiply-adds of some cards, floating-point operations a second (vendors' data sheets).
_BF16 = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "RTX A6000": 155e12}


NAMES = {"lexicon": "small", "embedder": "bundled", "mixture": "m3_captions"}


@dataclass
class Case:
    """A decoder, its data and how it is trained."""

    vocabulary: TargetVocabulary
    training_set: TrainingSet
    dim: int
    settings: DecoderRun
    device: str
    autocast: torch.dtype | None

    def model(self, dropout: bool = True) -> ObjectDecoder:
        """A new decoder, the same each time."""
        torch.manual_seed(0)
        config = self.settings.decoder if dropout else self.settings.decoder.model_copy(update={"dropout": 0.0})
        return ObjectDecoder(self.dim, self.vocabulary.size, self.vocabulary.max_tokens, config).to(self.device)

    def task(self, dropout: bool = True) -> DecoderTask:
        """Our way."""
        return DecoderTask(self.model(dropout), self.vocabulary, self.training_set)

    def plain(self, dropout: bool = True) -> PlainTraining:
        """The plain way."""
        return PlainTraining(self.model(dropout), self.vocabulary, self.training_set, self.settings)

    def run(self) -> TrainingRun:
        """Our loop, before its first step."""
        samples = Samples(self.training_set, {})
        return TrainingRun(self.task(), samples, self.settings, Processes(self.device), self.autocast)

    def wait(self) -> float:
        """Let the device finish; the time."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def check_equal(case: Case, rows: np.ndarray) -> None:
    """Loss and gradient of both ways on the same rows, fp32, no dropout."""
    vectors = torch.from_numpy(case.training_set.vectors[rows]).to(case.device).float()
    ours, plain = case.task(dropout=False), case.plain(dropout=False)
    parts = ours.loss(vectors, rows)
    (parts.total / parts.basis).backward()
    total, basis, _correct = plain.loss(vectors, rows)
    (total / basis).backward()
    torch.testing.assert_close(parts.total / parts.basis, total / basis, rtol=1e-5, atol=1e-6)
    pairs = zip(ours.module.parameters(), plain.model.parameters(), strict=True)
    worst = max(float((one.grad - other.grad).norm() / other.grad.norm()) for one, other in pairs)
    assert worst < 1e-4, worst
    loss = float((total / basis).detach())
    print(f"same loss in fp32: {loss:.5f}; gradients differ by {worst:.1e} of their norm at most")


def seconds_a_step(case: Case, take: Callable[[], object], steps: int) -> float:
    """Time of one optimiser step."""
    start = case.wait()
    take()
    return (case.wait() - start) / steps


def data_seconds(case: Case, steps: int) -> float:
    """Host time of one step's data: drawing rows, taking embeddings, laying out targets."""
    task = case.task()
    size = case.settings.training.batch_size
    most = case.settings.training.micro_batch or size
    start = time.perf_counter()
    for rows, _vectors in case.training_set.batches(case.settings.seed, size, range(steps), case.device):
        for groups in micro_batches(task.cost(rows), most, case.device):
            for group in groups:
                task.packed(rows[group])
    return (time.perf_counter() - start) / steps


def flops_a_sample(case: Case) -> float:
    """Floating-point operations of a sample, forward and backward, as torch counts them."""
    run = case.run()
    with FlopCounterMode(display=False) as counter:
        run.gradients()
    return counter.get_total_flops() / case.settings.training.batch_size


def bf16_rate(device: str) -> float:
    """Floating-point operations a second of a large bf16 matrix product, measured here."""
    n = 8192 if device == "cuda" else 2048
    first, second = (torch.randn(n, n, device=device).bfloat16() for _ in range(2))
    times = []
    for _ in range(6):
        start = time.perf_counter()
        product = first @ second
        float(product[0, 0])  # waits for the device
        times.append(time.perf_counter() - start)
    return 2 * n**3 / min(times)


def published(batch: int, micro: int | None) -> tuple[TargetVocabulary, TrainingSet, int, DecoderRun]:
    """The published FT0 recipe at its full size."""
    training = TrainingConfig(
        samples=929_000_000, batch_size=batch, micro_batch=micro, learning_rate=1.5e-3, warmup=0.0, beta2=0.95
    )
    settings = DecoderRun(**NAMES, decoder=DECODER, noise=NOISE, training=training)
    return published_vocabulary(), published_training_set(), DIM, settings


def of_run(
    folder: Path, training_set: Path, batch: int, micro: int | None
) -> tuple[TargetVocabulary, TrainingSet, int, DecoderRun]:
    """A trained run's decoder and data."""
    manifest, _tensors = read_predictor(folder / "manifest.json")
    vocabulary = TargetVocabulary.from_dict(manifest.nouns, manifest.tokens)
    shape = {key: manifest.settings[key] for key in ("decoder", "noise")}
    training = TrainingConfig(batch_size=batch, micro_batch=micro)
    settings = DecoderRun.model_validate({**NAMES, **shape, "training": training})
    return vocabulary, open_training_set(training_set), manifest.embedder.dim, settings


def main() -> None:
    """Time both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a decoder's folder, for its vocabulary and shape")
    parser.add_argument("--training-set", type=Path, help="with --run: a training set's manifest")
    parser.add_argument("--batch", type=int, help="samples a step (512; on a GPU 8192)")
    parser.add_argument("--micro-batch", type=int, help="samples computed at once (see the config)")
    parser.add_argument("--steps", type=int, default=4, help="steps of one timing of our way; the plain way takes one")
    parser.add_argument("--rounds", type=int, default=5, help="timings of each way")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    arguments = parser.parse_args()

    device = prepare_process(arguments.device, arguments.threads)
    batch = arguments.batch or (8192 if device == "cuda" else 512)
    if arguments.run:
        parts = of_run(arguments.run, arguments.training_set, batch, arguments.micro_batch)
    else:
        parts = published(batch, arguments.micro_batch)
    case = Case(*parts, device, autocast_dtype("auto", device))
    vocabulary = case.vocabulary
    print(f"{case.model().parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(vocabulary.nouns):,} nouns")
    check_equal(case, rows_of_step(case.training_set, 1, 0, 64))

    ours, plain = case.run(), case.plain()
    ours.advance()  # both warm up
    plain.steps(1)
    rates: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(arguments.rounds):
        ours_step = seconds_a_step(case, lambda: [ours.advance() for _ in range(arguments.steps)], arguments.steps)
        plain_step = seconds_a_step(case, lambda: plain.steps(1), 1)
        rates["ours"].append(batch / ours_step)
        rates["plain"].append(batch / plain_step)
    ratio = statistics.median(fast / slow for fast, slow in zip(rates["ours"], rates["plain"], strict=True))
    rate = statistics.median(rates["ours"])
    where = torch.cuda.get_device_name() if device == "cuda" else f"{platform.machine()}, {arguments.threads} threads"
    print(f"{where}: ours {rate:,.0f} samples/s, plain {statistics.median(rates['plain']):,.1f}, ratio {ratio:.2f}")
    share = data_seconds(case, 20) * rate / batch
    print(f"data: {share:.2%} of a step's time" + (", beside the device's own work" if device == "cuda" else ""))
    flops, peak = flops_a_sample(case) * rate, bf16_rate(device)
    print(f"{flops / 1e12:.2f} TFLOP/s, {flops / peak:.0%} of a large bf16 product here ({peak / 1e12:.2f} TFLOP/s)")
    for card, sheet in _BF16.items():
        if card in where:
            print(f"{flops / sheet:.1%} of the data sheet's dense bf16 rate")


if __name__ == "__main__":
    main()
