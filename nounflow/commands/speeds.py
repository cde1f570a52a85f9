"""How fast this machine is: a second or two of each kind of work that `nounflow plan` and `nounflow check` add up."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from nounflow.config.embedder import EmbedderConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.runs.decoder import DecoderRun
from nounflow.config.runs.head import HeadRun
from nounflow.config.runs.run import TrainedRun
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.device import autocast_dtype
from nounflow.embedders.bundled import class_names
from nounflow.embedders.load import load_embedder
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.predictors.decoder_training import DecoderTask
from nounflow.predictors.head import NounHead
from nounflow.predictors.head_training import HeadTask
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream
from nounflow.training.loop import TrainingRun
from nounflow.training.processes import Processes
from nounflow.training.validation import Samples
from nounflow.workflow.plan import Rate

if TYPE_CHECKING:
    from nounflow.config.experiment import Config
    from nounflow.training.loss import TrainingTask

HERE = "this machine"
_SECONDS = 1.5  # of each kind of work
_TEXTS = 1 << 15  # of the made-up training set
_LOCAL = ("bundled", "rehearsal")  # families whose weights are always here


def measured_rates(config: Config, sizes: Mapping[str, int], device: str) -> list[Rate]:
    """Rows as in resources/rates.tsv: of the embedders whose weights come with the packages, and of each size of model.

    Args:
        sizes: lexicon -> nouns.
    """
    rows: list[Rate] = []
    runs = [run for run in config.runs.values() if isinstance(run, TrainedRun)]
    for name in sorted({run.embedder for run in config.runs.values()}):
        embedder = config.embedders[name]
        if embedder.spec.partition(":")[0] in _LOCAL:
            rows += embedder_rates(embedder, load_embedder(embedder, device))
    sizes_of_models = {run.size: run for run in runs}
    for i, (size, run) in enumerate(sizes_of_models.items(), 1):
        say(f"measuring the training of {size} ({i} of {len(sizes_of_models)}) ...")
        rate = sample_rate(run, 512, sizes[run.lexicon], device)
        rows.append(Rate(HERE, "samples", size, rate, "measured now"))
    return rows


def embedder_rates(config: EmbedderConfig, model: Embedder) -> list[Rate]:
    """Texts and images a second."""
    captions = [f"a photo of a {name} on a table." for name in class_names()]
    pixels = stream(0, "speeds").integers(0, 255, (300, 400, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)

    def texts(n: int) -> None:
        model.encode_texts([captions[i % len(captions)] for i in range(n)], progress=False)

    def images(n: int) -> None:
        for start in range(0, n, 16):
            model.encode_images([model.preprocess(image) for _image in range(min(16, n - start))])

    rows = []
    for task, work in (("texts", texts), ("images", images)):
        say(f"measuring {task} of {config.spec}: two seconds, or more where one takes longer ...")
        rows.append(Rate(HERE, task, config.spec, rate_of(work, 1), "measured now"))
    return rows


def sample_rate(run: TrainedRun, dim: int, nouns: int, device: str) -> float:
    """Samples a second of a run's training, on made-up texts of one to three nouns of one to four tokens."""
    texts = _made_up(dim, nouns)
    task: TrainingTask
    if isinstance(run, DecoderRun):
        generator = stream(0, "speeds", "tokens")
        lengths = 1 + generator.binomial(3, 0.3, nouns)
        spelled = [[i, *generator.integers(0, nouns, n - 1).tolist()] for i, n in enumerate(lengths)]  # no two alike
        vocabulary = TargetVocabulary.build([f"noun {i}" for i in range(nouns)], spelled)
        model = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, run.decoder, nouns).to(device)
        task = DecoderTask(model, vocabulary, texts)
    elif isinstance(run, HeadRun):
        task = HeadTask(NounHead(dim, nouns, run.head).to(device), texts)
    else:
        raise NounflowError(f"No way is known to measure a training of kind '{run.predictor}'", where="nounflow plan")
    endless = run.training.model_copy(update={"samples": 10**9})
    # nothing has been measured for the run's own noise
    plain = run.model_copy(update={"noise": NoiseConfig(norm=run.noise.norm), "training": endless})
    training = TrainingRun(
        task, Samples(texts, {}), plain, Processes(device), autocast_dtype(run.training.precision, device)
    )
    batch = run.training.batch_size

    def steps(n: int) -> None:
        for _step in range(max(1, n // batch)):
            training.advance()
        if device == "cuda":
            torch.cuda.synchronize()

    return rate_of(steps, batch)


def rate_of(work: Callable[[int], None], least: int) -> float:
    """Units a second of `work(n)`, which does n units: doubled until it takes long enough; the first call warms up.

    From few units on, so that a large tower, of which one takes seconds, keeps nobody waiting.
    """
    work(least)
    n = least
    while True:
        start = time.perf_counter()
        work(n)
        if (seconds := time.perf_counter() - start) >= _SECONDS / 2:
            return n / seconds
        n *= 2


def say(what: str) -> None:
    """What comes next, for who waits."""
    print(what, file=sys.stderr, flush=True)


def _made_up(dim: int, nouns: int) -> TrainingSet:
    generator = stream(0, "speeds", "texts")
    counts = generator.integers(1, 4, _TEXTS)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    vectors = generator.standard_normal((_TEXTS, dim), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return TrainingSet(
        manifest=None,  # type: ignore[arg-type]  # of no use to a training
        vectors=vectors.astype(np.float16),
        targets=generator.integers(0, nouns, offsets[-1]).astype(np.uint32),
        target_weights=np.ones(offsets[-1], dtype=np.float32),
        offsets=offsets,
        weights=np.full(_TEXTS, 1 / _TEXTS, dtype=np.float32),
        heldout=np.zeros(_TEXTS, dtype=bool),
        sources=np.zeros(_TEXTS, dtype=np.uint16),
    )
