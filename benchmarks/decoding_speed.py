"""Guided decoding of a decoder of the published size: beam and exact search against the plain way.

The plain way recomputes the whole sequence, prefix included, for every hypothesis at every step, and finds the tokens
that may follow by comparing each hypothesis with the whole list of nouns. Both ways take turns in one process.

    python benchmarks/decoding_speed.py [--repeats 5] [--sharpness 1 8] [--threads 2]

Weights are random: `--sharpness` multiplies the logits, since a trained decoder is surer of itself than a random one,
and an exact search has the less to prove the surer it is.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.published_size import DECODER, DIM, published_vocabulary
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.trie import TokenTrie

WIDTH = 10
BATCHES = (1, 16)


@torch.inference_mode()
def plain_beam(
    model: ObjectDecoder, embeddings: torch.Tensor, nouns: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens int64 [batch, WIDTH, longest] and scores [batch, WIDTH]; `nouns` int64 [nouns, longest], END as 0.

    Finished hypotheses are kept apart, as ours are, so that the answers compare.
    """
    batch, longest = len(embeddings), nouns.shape[1]
    tokens = torch.zeros(batch, WIDTH, longest, dtype=torch.int64)
    total = torch.full((batch, WIDTH), -torch.inf)
    total[:, 0] = 0.0
    best_tokens, best = torch.zeros_like(tokens), torch.full_like(total, -torch.inf)
    rows = torch.arange(batch)[:, None]
    prefix = model.config.prefix_tokens
    for place in range(longest):
        written = tokens[:, :, :place].flatten(0, 1)
        mask = torch.ones(prefix + place, prefix + place, dtype=torch.bool).tril()
        mask[:prefix, :prefix] = True
        positions = torch.arange(place)[None].expand(len(written), place)
        hidden = model(embeddings.repeat_interleave(WIDTH, 0), written, positions, mask)
        step = F.log_softmax(model.logits(hidden[:, -1]), -1).view(batch, WIDTH, -1)
        allowed = torch.zeros_like(step, dtype=torch.bool)
        for sample in range(batch):
            for beam in range(WIDTH):
                same = (nouns[:, :place] == tokens[sample, beam, :place]).all(1)
                allowed[sample, beam, nouns[same, place]] = True
        if place:
            allowed &= (total > -torch.inf)[:, :, None]
        values = (total[:, :, None] + step).masked_fill(~allowed, -torch.inf)
        scores = torch.cat([best, values[:, :, 0]], 1)
        best, order = scores.topk(WIDTH, 1)
        best_tokens = torch.cat([best_tokens, tokens], 1)[rows, order]
        values[:, :, 0] = -torch.inf
        total, order = values.flatten(1).topk(WIDTH, 1)
        tokens = tokens[rows, order // step.shape[-1]]
        tokens[:, :, place] = order % step.shape[-1]
    return best_tokens, best


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    start = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--sharpness", type=float, nargs="+", default=[1.0, 8.0])
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    vocabulary = published_vocabulary()
    build = min(timed(lambda: TokenTrie.build(vocabulary)) for _ in range(3))
    trie = TokenTrie.build(vocabulary)
    print(f"{len(vocabulary.nouns):,} nouns of {vocabulary.size:,} pieces; the trie is built in {build:.0f} ms\n")
    print("| sharpness | images | plain, ms | beam, ms | times | exact, ms | of the beam | proved by the beam |")
    print("|---|---|---|---|---|---|---|---|")
    nouns = torch.from_numpy(vocabulary.tokens)
    beam, exact = (GenerationConfig(method=method, beam_width=WIDTH) for method in ("beam", "exact"))
    for sharpness in arguments.sharpness:
        torch.manual_seed(0)
        model = ObjectDecoder(DIM, vocabulary.size, vocabulary.max_tokens, DECODER).eval()
        model.norm.weight.data *= sharpness
        for batch in BATCHES:
            times: list[list[float]] = []
            proved = []
            for repeat in range(arguments.repeats + 1):
                generator = torch.Generator().manual_seed(repeat)
                embeddings = F.normalize(torch.randn(batch, DIM, generator=generator), dim=-1)
                ours = generate(model, embeddings, trie, beam)
                row = [timed(partial(generate, model, embeddings, trie, beam))]
                row.append(timed(partial(generate, model, embeddings, trie, exact)) if sharpness > 1 else np.nan)
                if repeat <= 2:  # minutes, where ours takes milliseconds
                    start = time.perf_counter()
                    slow = plain_beam(model, embeddings, nouns)
                    row.append(1000 * (time.perf_counter() - start))
                    assert torch.equal(slow[0], ours.tokens), "the two ways give other nouns"
                    assert torch.allclose(slow[1], ours.scores, atol=1e-3)
                if repeat:  # the first warms up
                    times.append(row)
                    proved.append(float(ours.settled.float().mean()))
            fast, sure = (statistics.median(row[i] for row in times) for i in (0, 1))
            plain = statistics.median(row[2] for row in times if len(row) > 2)
            print(
                f"| {sharpness:g} | {batch} | {plain:,.0f} | {fast:,.1f} | {plain / fast:,.0f} | {sure:,.1f} "
                f"| {sure / fast:.2f} | {np.mean(proved):.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
