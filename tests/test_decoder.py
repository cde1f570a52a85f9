"""The decoder's architecture, loss and decoding, against formulas, repetition and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.config.decoder import DecoderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import pack
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.errors import NounflowError
from nounflow.predictors.decoder_training import decoder_loss
from nounflow.training import loss

SMALL = DecoderConfig(prefix_tokens=4, width=32, heads=4, layers=2, dropout=0.0)
DIM = 24


def vocabulary_of(token_ids: list[list[int]]) -> TargetVocabulary:
    return TargetVocabulary.build([f"noun {i}" for i in range(len(token_ids))], token_ids)


def random_vocabulary(nouns: int, seed: int = 0, tokens: int = 40, longest: int = 4) -> TargetVocabulary:
    generator = np.random.default_rng(seed)
    found: set[tuple[int, ...]] = set()
    while len(found) < nouns:
        found.add(tuple(generator.integers(1000, 1000 + tokens, generator.integers(1, longest + 1)).tolist()))
    return vocabulary_of([list(ids) for ids in sorted(found)])


def decoder_for(
    vocabulary: TargetVocabulary, config: DecoderConfig = SMALL, dim: int = DIM, seed: int = 0
) -> ObjectDecoder:
    torch.manual_seed(seed)
    return ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, config).eval()


def unit_rows(n: int, dim: int = DIM, seed: int = 0) -> torch.Tensor:
    return F.normalize(torch.randn(n, dim, generator=torch.Generator().manual_seed(seed)), dim=-1)


def all_log_probabilities(model: ObjectDecoder, vocabulary: TargetVocabulary, embeddings: torch.Tensor) -> torch.Tensor:
    """Teacher-forced log-probability of every noun for every embedding: the oracle of decoding."""
    n, prefix = len(embeddings), model.config.prefix_length
    totals = torch.zeros(n, len(vocabulary.nouns))
    for noun in range(len(vocabulary.nouns)):
        packed = pack(vocabulary, prefix, np.full(n, noun), np.ones(n, dtype=np.float32), np.arange(n + 1))
        with torch.no_grad():
            states = model(embeddings, packed.tokens, packed.positions, packed.mask)
            logits = model.logits(states.reshape(-1, states.shape[-1])[packed.predict_from])
        losses = F.cross_entropy(logits, packed.predict, reduction="none")
        sample = packed.predict_from // (prefix + packed.tokens.shape[1])
        totals[:, noun] = torch.zeros(n).index_add(0, sample, -losses)
    return totals


# --- shape and initialisation ---


def test_the_parameter_count_is_that_of_the_published_formula() -> None:
    model = ObjectDecoder(768, 5000, 9, DecoderConfig(prefix_tokens=4, width=512, heads=8, layers=6))
    assert model.parameter_count == 8_657_408 + 512 * (5000 + 9 + 3)


@pytest.mark.parametrize("config", [SMALL, DecoderConfig(width=48, heads=3, layers=1, prefix_tokens=2)])
def test_the_parameter_count_follows_the_formula_for_other_shapes(config: DecoderConfig) -> None:
    vocabulary, longest = 77, 6
    width, hidden, prefix = config.width, round(config.width * config.feedforward), config.prefix_tokens
    expected = (
        prefix * width * DIM
        + vocabulary * width
        + (prefix + longest - 1) * width
        + config.layers * (4 * width**2 + 2 * width * hidden + 2 * width)
        + width
    )
    assert ObjectDecoder(DIM, vocabulary, longest, config).parameter_count == expected


def test_balanced_initialisation_gives_unit_variance_in_two_after_the_layers_and_root_half_logits() -> None:
    torch.manual_seed(0)
    config = DecoderConfig(prefix_tokens=4, width=512, heads=8, layers=6, dropout=0.0)
    model = ObjectDecoder(768, 4000, 8, config).eval()
    embeddings = unit_rows(64, 768)
    with torch.no_grad():
        x = model.prefix_vectors(embeddings) + model.positions[:4]
        assert x.var().item() == pytest.approx(1.0, rel=0.1)
        for layer in model.layers:
            x, _ = layer(x, None)
        assert x.var().item() == pytest.approx(2.0, rel=0.15)
        assert model.logits(model.norm(x)).std().item() == pytest.approx(0.707, rel=0.1)


# --- attention ---


def test_a_changed_token_never_alters_what_stands_before_it() -> None:
    vocabulary = vocabulary_of([[1, 2, 3, 4], [5, 6, 7, 8]])
    model = decoder_for(vocabulary)
    packed = pack(vocabulary, 4, np.array([0]), np.ones(1, dtype=np.float32), np.array([0, 1]))
    embeddings = unit_rows(1)
    with torch.no_grad():
        before = model(embeddings, packed.tokens, packed.positions, packed.mask)
        for place in range(4):
            changed = packed.tokens.clone()
            changed[0, place] = 8
            after = model(embeddings, changed, packed.positions, packed.mask)
            assert torch.equal(after[:, : 4 + place], before[:, : 4 + place])
            assert not torch.allclose(after[:, 4 + place :], before[:, 4 + place :])


def test_prefix_vectors_see_each_other() -> None:
    vocabulary = vocabulary_of([[1]])
    model = decoder_for(vocabulary)
    packed = pack(vocabulary, 4, np.array([0]), np.ones(1, dtype=np.float32), np.array([0, 1]))
    embeddings = unit_rows(1)
    with torch.no_grad():
        before = model(embeddings, packed.tokens, packed.positions, packed.mask)
        model.positions[3, 0] += 1.0  # only the last prefix vector changes
        after = model(embeddings, packed.tokens, packed.positions, packed.mask)
    assert (after[:, 0] - before[:, 0]).abs().max() > 1e-4


# --- loss ---


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 6), smoothing=st.sampled_from([0.0, 0.1]))
@settings(max_examples=40, deadline=None)
def test_the_packed_loss_equals_that_of_repeated_sequences(seed: int, batch: int, smoothing: float) -> None:
    generator = np.random.default_rng(seed)
    vocabulary = random_vocabulary(30, seed=1)
    model = decoder_for(vocabulary)
    counts = generator.integers(1, 4, batch)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    targets = generator.integers(0, 30, offsets[-1])
    weights = generator.random(offsets[-1]).astype(np.float32) + 0.1
    embeddings = unit_rows(batch, seed=seed)
    with torch.no_grad():
        packed = decoder_loss(model, embeddings, pack(vocabulary, 4, targets, weights, offsets), smoothing)
        total = basis = correct = torch.tensor(0.0)
        for sample in range(batch):
            for position in range(offsets[sample], offsets[sample + 1]):
                alone = pack(
                    vocabulary, 4, targets[position : position + 1], weights[position : position + 1], np.array([0, 1])
                )
                parts = decoder_loss(model, embeddings[sample : sample + 1], alone, smoothing)
                total, basis, correct = total + parts.total, basis + parts.basis, correct + parts.correct
    assert float(packed.basis) == pytest.approx(float(basis), rel=1e-5)
    assert float(packed.total) == pytest.approx(float(total), rel=1e-5)
    assert float(packed.correct) == pytest.approx(float(correct), rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("chunk", [1, 100, 1 << 21])
def test_the_chunked_cross_entropy_has_the_loss_and_gradient_of_torch(
    monkeypatch: pytest.MonkeyPatch, smoothing: float, chunk: int
) -> None:
    monkeypatch.setattr(loss, "_CHUNK", (chunk, chunk))
    generator = torch.Generator().manual_seed(3)
    logits = 30 * torch.randn(17, 40, generator=generator)  # far apart: an unstable softmax would overflow
    logits[3] += 1e4
    labels = torch.randint(0, 40, (17,), generator=generator)
    weights = torch.rand(17, generator=generator)
    expected, found = (logits.clone().requires_grad_() for _ in range(2))
    oracle = (weights * F.cross_entropy(expected, labels, reduction="none", label_smoothing=smoothing)).sum()
    (3 * oracle).backward()
    parts = loss.weighted_cross_entropy(found * 1, labels, weights, smoothing)  # overwrites what it is given
    (3 * parts.total).backward()
    assert torch.allclose(parts.total, oracle, rtol=1e-5)
    assert found.grad is not None
    assert expected.grad is not None
    assert torch.allclose(found.grad, expected.grad, atol=1e-5)
    assert float(parts.correct) == pytest.approx(float((weights * (logits.argmax(1) == labels)).sum()))


def test_the_gradient_of_the_packed_loss_is_that_of_repeated_sequences() -> None:
    vocabulary = random_vocabulary(10, seed=2)
    targets, offsets = np.array([0, 5, 7, 3]), np.array([0, 3, 4])
    weights = np.array([0.5, 0.25, 0.25, 1.0], dtype=np.float32)
    embeddings = unit_rows(2)
    packed_model, repeated_model = decoder_for(vocabulary), decoder_for(vocabulary)
    decoder_loss(packed_model, embeddings, pack(vocabulary, 4, targets, weights, offsets)).total.backward()
    for target, weight, sample in zip(targets, weights, [0, 0, 0, 1], strict=True):
        alone = pack(vocabulary, 4, np.array([target]), np.array([weight]), np.array([0, 1]))
        decoder_loss(repeated_model, embeddings[sample : sample + 1], alone).total.backward()
    for (name, packed), repeated in zip(packed_model.named_parameters(), repeated_model.parameters(), strict=True):
        assert packed.grad is not None
        assert repeated.grad is not None
        assert torch.allclose(packed.grad, repeated.grad, atol=1e-6), name


def test_nouns_with_the_same_tokens_are_refused_by_name() -> None:
    with pytest.raises(NounflowError, match="'noun 0' and 'noun 1'"):
        vocabulary_of([[3, 4], [3, 4]])


# --- decoding ---


@pytest.mark.parametrize("longest", [1, 3, 5])
def test_a_beam_as_wide_as_the_lexicon_ranks_all_nouns_as_brute_force_does(longest: int) -> None:
    vocabulary = random_vocabulary(60, seed=longest, tokens=80, longest=longest)
    model, embeddings = decoder_for(vocabulary), unit_rows(5)
    expected = all_log_probabilities(model, vocabulary, embeddings).sort(descending=True)
    found = generate(model, embeddings, TokenTrie.build(vocabulary), GenerationConfig(beam_width=60))
    assert torch.equal(found.nouns, expected.indices)
    assert torch.allclose(found.scores, expected.values, atol=1e-5)


def test_guiding_by_a_trie_of_some_nouns_is_brute_force_over_those_nouns() -> None:
    vocabulary = random_vocabulary(60, seed=4)
    model, embeddings = decoder_for(vocabulary), unit_rows(5)
    chosen = np.array([3, 8, 9, 21, 40, 41, 59])
    scores = all_log_probabilities(model, vocabulary, embeddings)[:, chosen]
    found = generate(model, embeddings, TokenTrie.build(vocabulary, chosen), GenerationConfig(beam_width=7))
    assert torch.equal(found.nouns, torch.from_numpy(chosen)[scores.argsort(descending=True)])


def test_renormalised_probabilities_of_all_nouns_sum_to_one() -> None:
    vocabulary = random_vocabulary(50, seed=5)
    model, embeddings = decoder_for(vocabulary), unit_rows(3)
    found = generate(model, embeddings, TokenTrie.build(vocabulary), GenerationConfig(beam_width=50, guided="renorm"))
    assert torch.allclose(found.scores.exp().sum(1), torch.ones(3), atol=1e-5)


def test_plain_guided_probabilities_sum_to_at_most_one() -> None:
    vocabulary = random_vocabulary(50, seed=5)
    model, embeddings = decoder_for(vocabulary), unit_rows(3)
    found = generate(model, embeddings, TokenTrie.build(vocabulary), GenerationConfig(beam_width=50))
    assert (found.scores.exp().sum(1) <= 1).all()


def test_an_image_is_named_alike_alone_and_in_a_batch() -> None:
    vocabulary = random_vocabulary(60, seed=6)
    model, embeddings = decoder_for(vocabulary), unit_rows(9)
    trie, config = TokenTrie.build(vocabulary), GenerationConfig(beam_width=5)
    together = generate(model, embeddings, trie, config)
    for row in range(9):
        alone = generate(model, embeddings[row : row + 1], trie, config)
        assert torch.equal(alone.nouns[0], together.nouns[row])
        assert torch.allclose(alone.scores[0], together.scores[row], atol=1e-5)


def test_fewer_nouns_than_places_leave_empty_places_marked() -> None:
    vocabulary = random_vocabulary(3, seed=7)
    found = generate(decoder_for(vocabulary), unit_rows(2), TokenTrie.build(vocabulary), GenerationConfig(beam_width=5))
    assert (found.nouns[:, 3:] == -1).all()
    assert torch.isinf(found.scores[:, 3:]).all()
    assert (found.nouns[:, :3] >= 0).all()


def test_a_length_exponent_changes_the_ranks_and_leaves_the_probabilities_true() -> None:
    vocabulary = random_vocabulary(12, seed=3)
    model, embeddings = decoder_for(vocabulary), unit_rows(6)
    expected = all_log_probabilities(model, vocabulary, embeddings)
    trie, width = TokenTrie.build(vocabulary), len(vocabulary.nouns)
    found = generate(model, embeddings, trie, GenerationConfig(beam_width=width, length_alpha=2.0))
    assert torch.allclose(found.totals, expected.gather(1, found.nouns), atol=1e-5)
    assert (found.totals.exp().sum(1) <= 1 + 1e-5).all()
    lengths = torch.from_numpy(vocabulary.lengths)[found.nouns] + 1  # the end token counts
    assert torch.allclose(found.scores, found.totals / lengths**2.0, atol=1e-5)
    assert (found.scores.diff(dim=1) <= 0).all()
    assert (found.totals.diff(dim=1) > 0).any()  # other ranks than by probability


def test_unguided_decoding_marks_what_is_no_noun_of_the_lexicon() -> None:
    vocabulary = random_vocabulary(20, seed=8, tokens=12, longest=2)
    model = decoder_for(vocabulary)
    found = generate(model, unit_rows(20), TokenTrie.build(vocabulary), GenerationConfig(beam_width=8, guided="none"))
    spelled = {tuple(row[:length]) for row, length in zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True)}
    for tokens, nouns in zip(found.tokens.tolist(), found.nouns.tolist(), strict=True):
        for row, noun in zip(tokens, nouns, strict=True):
            content = tuple(row[: row.index(0)] if 0 in row else row)
            assert (noun >= 0) == (content in spelled)


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=30, unique_by=tuple))
@settings(max_examples=50, deadline=None)
def test_the_trie_spells_exactly_the_nouns(token_ids: list[list[int]]) -> None:
    vocabulary = vocabulary_of(token_ids)
    trie = TokenTrie.build(vocabulary)
    spelled = {}
    waiting: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while waiting:
        node, prefix = waiting.pop()
        if int(trie.noun[node]) >= 0:
            spelled[int(trie.noun[node])] = prefix
        _, edges = trie.children(torch.tensor([node]))
        waiting += [(int(trie.child_node[edge]), (*prefix, int(trie.child_token[edge]))) for edge in edges.tolist()]
    assert len(spelled) == len(token_ids)
    for noun, tokens in spelled.items():
        length = int(vocabulary.lengths[noun])
        assert list(tokens) == [*vocabulary.tokens[noun, :length].tolist(), 0]


# --- exact search, priors, greedy, names ---


@pytest.mark.parametrize("alpha", [0.0, 0.7, -0.5])
@pytest.mark.parametrize("prior", ["none", "tgt", "tok"])
def test_exact_search_from_a_narrow_beam_gives_what_brute_force_gives(alpha: float, prior: str) -> None:
    vocabulary = random_vocabulary(60, seed=11, tokens=8, longest=4)
    model, embeddings, trie = decoder_for(vocabulary), unit_rows(60), TokenTrie.build(vocabulary)
    config = GenerationConfig(method="exact", beam_width=3, length_alpha=alpha, prior=prior, prior_scale=0.6)
    totals = all_log_probabilities(model, vocabulary, embeddings)
    lengths = torch.from_numpy(vocabulary.lengths) + 1
    expected = (totals - 0.6 * brute_prior(vocabulary, prior)) / lengths**alpha
    found = generate(model, embeddings, trie, config)
    assert torch.equal(found.nouns, expected.sort(descending=True).indices[:, :3])
    assert torch.allclose(found.scores, expected.sort(descending=True).values[:, :3], atol=1e-4)
    assert torch.allclose(found.totals, totals.gather(1, found.nouns), atol=1e-4)  # probabilities stay the model's
    beam = generate(model, embeddings, trie, config.model_copy(update={"method": "beam"}))
    assert (beam.nouns != found.nouns).any()  # else this model could not tell the two apart


@pytest.mark.parametrize("prior", ["tgt", "tok"])
def test_what_a_strong_prior_likes_best_is_found_however_low_it_ranks_at_first(prior: str) -> None:
    for seed in (0, 3):
        rng, found = np.random.default_rng(seed), set[tuple[int, ...]]()
        while len(found) < 40:  # most nouns begin alike
            length, first = rng.integers(1, 5), 0 if rng.random() < 0.6 else int(rng.integers(1, 8))
            found.add((1000 + first, *(1000 + rng.integers(0, int(rng.integers(2, 12)), length - 1)).tolist()))
        vocabulary = vocabulary_of([list(ids) for ids in sorted(found)])
        model, embeddings = decoder_for(vocabulary, seed=seed), unit_rows(12, seed=seed)
        expected = all_log_probabilities(model, vocabulary, embeddings) - 3 * brute_prior(vocabulary, prior)
        for width in (1, 2):
            config = GenerationConfig(method="exact", beam_width=width, prior=prior, prior_scale=3.0)
            scores = generate(model, embeddings, TokenTrie.build(vocabulary), config).scores
            assert torch.allclose(scores, expected.topk(width).values, atol=1e-4)


def test_a_beam_that_says_it_is_settled_holds_the_best() -> None:
    vocabulary = random_vocabulary(60, seed=11, tokens=8, longest=4)
    model, embeddings, trie = decoder_for(vocabulary), unit_rows(60), TokenTrie.build(vocabulary)
    model.norm.weight.data *= 8  # surer of itself, so that some beams are proved and some are not
    beam = GenerationConfig(beam_width=4, guided="renorm")
    found = generate(model, embeddings, trie, beam)
    exact = generate(model, embeddings, trie, beam.model_copy(update={"method": "exact"}))
    assert exact.settled.all()
    assert found.settled.any()
    assert not found.settled.all()
    assert torch.equal(found.nouns[found.settled], exact.nouns[found.settled])
    assert (found.nouns != exact.nouns).any()


def brute_prior(vocabulary: TargetVocabulary, kind: str) -> torch.Tensor:
    """Log-prior of each noun, counted noun by noun."""
    rows = [(*row[:n], 0) for row, n in zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True)]
    found = []
    for row in rows:
        total = 0.0
        for place in range(len(row) if kind != "none" else 0):
            alike = [other for other in rows if other[:place] == row[:place]]
            following = [other[place] for other in alike]
            share = following.count(row[place]) / len(alike) if kind == "tgt" else 1 / len(set(following))
            total += np.log(share)
        found.append(total)
    return torch.tensor(found, dtype=torch.float32)


def test_a_prior_counts_over_the_vocabulary_and_forbids_what_it_lacks() -> None:
    vocabulary = random_vocabulary(40, seed=12, tokens=8)
    known, guide = np.arange(0, 40, 2), np.arange(10, 30)
    config = GenerationConfig(method="exact", beam_width=20, prior="tgt", prior_scale=1.0)
    found = generate(
        decoder_for(vocabulary),
        unit_rows(3),
        TokenTrie.build(vocabulary, guide),
        config,
        vocabulary=TokenTrie.build(vocabulary, known),
    )
    for row in found.nouns.tolist():
        assert set(row) - {-1} == set(known) & set(guide)
    shift = (found.scores - found.totals)[found.nouns >= 0]
    assert torch.allclose(shift, torch.tensor(20.0).log(), atol=1e-4)  # whole nouns: one over their number


def test_greedy_search_takes_the_likeliest_token_each_time() -> None:
    vocabulary = random_vocabulary(60, seed=13, tokens=8, longest=4)
    model, embeddings = decoder_for(vocabulary), unit_rows(20)
    config = GenerationConfig(method="greedy", beam_width=1)
    found = generate(model, embeddings, TokenTrie.build(vocabulary), config)
    rows = [(*row[:n], 0) for row, n in zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True)]
    for sample in range(20):
        written: tuple[int, ...] = ()
        while not written or written[-1]:
            allowed = sorted({row[len(written)] for row in rows if row[: len(written)] == written})
            with torch.no_grad():
                new = torch.tensor([written], dtype=torch.int64)
                mask = torch.ones(4 + len(written), 4 + len(written), dtype=torch.bool).tril()
                mask[:4, :4] = True
                hidden = model(embeddings[sample : sample + 1], new, torch.arange(len(written))[None], mask)
                logits = model.logits(hidden[0, -1])
            written = (*written, max(allowed, key=lambda token: float(logits[token])))
        assert rows[int(found.nouns[sample, 0])] == written


@given(
    st.builds(
        GenerationConfig,
        method=st.sampled_from(["beam", "exact"]),
        beam_width=st.integers(1, 99),
        guided=st.sampled_from(["none", "plain", "renorm"]),
        prior=st.sampled_from(["tgt", "tok"]),
        prior_scale=st.integers(0, 3000).map(lambda n: n / 1000),
        temperature=st.integers(1, 5000).map(lambda n: n / 1000),
        length_alpha=st.integers(-2000, 2000).map(lambda n: n / 1000),
    )
)
def test_a_name_of_settings_gives_them_back_in_any_order(config: GenerationConfig) -> None:
    assert GenerationConfig.from_name(config.name) == config
    assert GenerationConfig.from_name(" ".join(reversed(config.name.upper().split("_")))) == config


def test_names_that_people_write_are_understood() -> None:
    assert GenerationConfig.from_name("beam_k10_vnone_gp_t1_a0") == GenerationConfig()
    assert GenerationConfig.from_name("all_k3_vtok_gr") == GenerationConfig(
        method="exact", beam_width=3, prior="tok", prior_scale=1.0, guided="renorm"
    )
    assert GenerationConfig.from_name("greedy") == GenerationConfig(method="greedy", beam_width=1)
    assert GenerationConfig.from_name("beam_k10_vtgt0.25_gp_t.5_a-0.2").prior_scale == 0.25
    for bad, part in {"beam_q3": "'q3'", "beam_k3_k4": "'k4'", "greedy_k5": "beam_width", "t0": "greater"}.items():
        with pytest.raises(NounflowError, match=part):
            GenerationConfig.from_name(bad)
