"""How long a no-model in mode `head` is trained on cached pairs: random unit vectors, the default recipe.

python benchmarks/no_model_speed.py --pairs 100000 --samples 200000 --threads 2
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from nounflow.config.no_model import NoModelConfig
from nounflow.open_set.bank import NounBank, unit
from nounflow.open_set.no_training import train_no_model
from nounflow.open_set.pair_store import Pairs
from nounflow.schemas.embeddings import EmbedderIdentity, TrainingSetManifest
from nounflow.schemas.open_set import BankManifest
from nounflow.store.training_set import TrainingSet


def main() -> None:
    """Train once, and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rng, n = np.random.default_rng(0), arguments.pairs
    texts = unit(rng.standard_normal((n, arguments.dim), dtype=np.float32))
    images = unit(texts + 2 * unit(rng.standard_normal(texts.shape, dtype=np.float32)))
    identity = EmbedderIdentity(
        spec="openclip:random", dim=arguments.dim, digest="d", weights="w", tokenizer="t", preprocessing="p",
        precision="fp32", logit_scale=100.0,
    )  # fmt: skip
    manifest = TrainingSetManifest(
        embedder=identity, lexicon="", lexicon_path="", mixture={}, shards=(), samples=n, heldout=n // 50,
        index_sha256="i",
    )  # fmt: skip
    heldout = np.arange(n) % 50 == 0
    pairs = TrainingSet(
        manifest, images.astype(np.float16), np.arange(n), np.ones(n, np.float32), np.arange(n + 1),
        np.where(heldout, 0, 1 / (~heldout).sum()), heldout, np.zeros(n, np.uint16),
    )  # fmt: skip
    bank = BankManifest(
        embedder=identity, lexicon="l", nouns=("a", "b"), candidates=2, above=((), ()), names=(False, False),
        kinds=("", ""), prompts=("{}",), patterns=(),
    )  # fmt: skip
    training = {"samples": arguments.samples, "batch_size": arguments.batch, "micro_batch": arguments.batch,
                "learning_rate": 3e-4, "weight_decay": 0.2}  # fmt: skip
    settings = NoModelConfig.model_validate(
        {"embedder": "e", "mode": "head", "pairs": "p", "training": training}
    ).settled(identity.spec)
    with tempfile.TemporaryDirectory() as folder:
        start, worked = time.perf_counter(), time.process_time()
        train_no_model(
            "head", settings, Pairs(pairs, texts.astype(np.float16), [str(i) for i in range(n)]), (), None,
            NounBank(bank, texts[:2], texts[:2]), arguments.device, Path(folder) / "head.safetensors", "code",
        )  # fmt: skip
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    print(f"{n:,} pairs, {arguments.samples:,} samples: {seconds:.1f} s, {worked:.1f} s of CPU")


if __name__ == "__main__":
    main()
