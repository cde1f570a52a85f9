"""Published checkpoints: the imported decoder computes what the original did; what is strange is refused by name."""

from __future__ import annotations

import dataclasses
import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from nounflow import NounClassifier
from nounflow.cli import main
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.generation import GenerationConfig
from nounflow.decoder.generation import generate
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.novic import read_checkpoint
from nounflow.decoder.packing import pack
from nounflow.decoder.trie import TokenTrie
from nounflow.decoder.vocabulary import END
from nounflow.embedders.load import load_embedder
from nounflow.embedders.minilm_tokenizer import load_tokenizer as load_word_pieces
from nounflow.embedders.openclip import load_tokenizer, parse_name
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.predictors.decoder_training import decoder_loss
from nounflow.predictors.loading import load_predictor
from nounflow.predictors.novic import embedder_spec, import_decoder, target_vocabulary

FIXTURE = Path(__file__).parent / "fixtures/novic"
CHECKPOINT = FIXTURE / "checkpoint.train"
GUIDING = {"unguided": "none", "guided": "plain", "renorm": "renorm"}


@pytest.fixture(scope="module")
def expected():
    return np.load(FIXTURE / "expected.npz")


@pytest.fixture(scope="module")
def published():
    return read_checkpoint(CHECKPOINT)


@pytest.fixture(scope="module")
def words():
    return load_tokenizer("ViT-B-32-quickgelu/openai")


@pytest.fixture(scope="module")
def vocabulary(published, words):
    return target_vocabulary(published, words)[0]


@pytest.fixture(scope="module")
def model(published, vocabulary):
    decoder = ObjectDecoder(published.dim, vocabulary.size, vocabulary.max_tokens, published.config)
    decoder.load_state_dict(published.tensors)
    return decoder.eval()


# --- what it computes ---


def test_the_parameter_count_is_that_of_the_published_formula(model):
    prefix, width, dim, vocabulary, longest, layers, hidden = 4, 64, 512, 484, 9, 2, 16
    assert model.parameter_count == (
        prefix * width * dim
        + vocabulary * width
        + (prefix + longest - 1) * width
        + layers * (4 * width**2 + 2 * width * hidden + 2 * width)
        + width
    )


def test_the_nouns_are_those_of_the_file_in_the_original_s_tokens(published, vocabulary, expected):
    assert list(published.nouns) == json.loads((FIXTURE / "nouns.json").read_text())
    assert vocabulary.nouns == published.nouns
    assert np.array_equal(vocabulary.tokens[:16], expected["target_tokens"])


def test_the_vocabulary_s_ids_decode_to_the_nouns(vocabulary, words):
    for noun, tokens, length in zip(vocabulary.nouns, vocabulary.tokens, vocabulary.lengths, strict=True):
        spelled = words.target_decode(vocabulary.tokenizer_ids[tokens[:length]].tolist())
        assert spelled.replace(" ", "") == noun.replace(" ", "")


def test_teacher_forced_logits_are_the_original_s(model, vocabulary, expected):
    prefix, places = 4, vocabulary.max_tokens - 1
    mask = torch.ones(prefix + places, prefix + places, dtype=torch.bool).tril()
    mask[:prefix, :prefix] = True
    tokens = torch.from_numpy(vocabulary.tokens[:16, :-1])
    with torch.no_grad():
        hidden = model(torch.from_numpy(expected["embeddings"]), tokens, torch.arange(places).expand(16, -1), mask)
        found = model.logits(hidden[:, prefix - 1 :]).numpy()
    real = ~expected["target_padding"]  # behind the end the original looks at nothing
    assert real.sum() == expected["loss_basis"]
    assert np.abs(found - expected["logits"][:, 0])[real].max() < 1e-4


def test_the_loss_of_packed_targets_is_the_original_s(model, vocabulary, expected):
    packed = pack(vocabulary, 4, np.arange(16), np.ones(16, dtype=np.float32), np.arange(17))
    with torch.no_grad():
        parts = decoder_loss(model, torch.from_numpy(expected["embeddings"]), packed)
    assert float(parts.total) == pytest.approx(float(expected["loss_sum"]), abs=1e-4)
    assert float(parts.basis) == float(expected["loss_basis"])


def following(model, embedding, hypotheses):
    """Logits [hypotheses, vocabulary] of what follows each token sequence, recomputed from the beginning."""
    prefix, places = model.config.prefix_tokens, len(hypotheses[0])
    mask = torch.ones(prefix + places, prefix + places, dtype=torch.bool).tril()
    mask[:prefix, :prefix] = True
    tokens = torch.tensor(hypotheses, dtype=torch.int64).reshape(len(hypotheses), places)
    with torch.no_grad():
        hidden = model(embedding.expand(len(tokens), -1), tokens, torch.arange(places).expand(len(tokens), -1), mask)
        return model.logits(hidden[:, -1])


def published_search(model, vocabulary, embedding, width, guided):
    """The published search, from its description: finished nouns hold places of the beam, and there is one step
    fewer than the longest noun has tokens, so its end is neither written nor scored. (tokens, score), best first.
    """
    spelled = [tuple(row[: n + 1]) for row, n in zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True)]
    beam = [((), 0.0)]
    for place in range(vocabulary.max_tokens - 1):
        live = [(tokens, score) for tokens, score in beam if END not in tokens]
        beam = [(tokens, score) for tokens, score in beam if END in tokens]
        logits = following(model, embedding, [tokens for tokens, _score in live]) if live else []
        for (tokens, score), row in zip(live, logits, strict=True):
            allowed = torch.ones_like(row, dtype=torch.bool)
            if guided != "none":
                allowed[:] = False
                allowed[[noun[place] for noun in spelled if noun[:place] == tokens]] = True
            if guided == "renorm":
                row = row.masked_fill(~allowed, -torch.inf)
            steps = F.log_softmax(row, dim=-1)
            if place == 0:
                allowed[END] = False
            beam += [((*tokens, int(token)), score + float(steps[token])) for token in allowed.nonzero()[:, 0]]
        beam = sorted(beam, key=lambda hypothesis: -hypothesis[1])[:width]
    return beam


@pytest.mark.parametrize("name", GUIDING)
def test_the_published_search_over_the_imported_decoder_finds_the_original_s_beams(name, model, vocabulary, expected):
    for row, embedding in enumerate(torch.from_numpy(expected["embeddings"])):
        found = published_search(model, vocabulary, embedding[None], 5, GUIDING[name])
        assert [score for _, score in found] == pytest.approx(expected[f"beam_{name}_scores"][row].tolist(), abs=1e-4)
        for (tokens, _score), wanted in zip(found, expected[f"beam_{name}_tokens"][row].tolist(), strict=True):
            assert list(tokens) == wanted[: len(tokens)]
            assert not any(wanted[len(tokens) :])


BETTER = {"unguided": {(13, 4)}, "guided": {(8, 4), (15, 4)}, "renorm": set()}


@pytest.mark.parametrize("name", GUIDING)
def test_our_search_finds_the_original_s_beams_or_something_likelier(name, model, vocabulary, expected):
    """Ours keeps finished nouns apart, so that they take no place from what is still being written: of 240 places
    three, each the last of its beam, hold a likelier answer; all others the same one.
    """
    settings = GenerationConfig(beam_width=5, guided=GUIDING[name])
    found = generate(model, torch.from_numpy(expected["embeddings"]), TokenTrie.build(vocabulary), settings)
    tokens = np.zeros((16, 5, vocabulary.max_tokens), dtype=np.int64)
    original = expected[f"beam_{name}_tokens"]
    tokens[:, :, : original.shape[2]] = original
    same = (found.tokens.numpy() == tokens).all(2)
    gain = found.scores.numpy() - expected[f"beam_{name}_scores"]
    assert {tuple(place) for place in np.argwhere(~same).tolist()} == BETTER[name]
    assert np.abs(gain[same]).max() < 1e-4
    assert (gain[~same] > 0.1).all()


def test_the_only_other_difference_is_the_end_of_a_noun_of_the_greatest_length(model, vocabulary, expected):
    """With room for all nouns both searches score every noun; ours adds the end token that the original leaves out."""
    (longest,) = np.flatnonzero(vocabulary.lengths == vocabulary.max_tokens - 1)
    embeddings = torch.from_numpy(expected["embeddings"][:2])
    everything = GenerationConfig(beam_width=len(vocabulary.nouns))
    found = generate(model, embeddings, TokenTrie.build(vocabulary), everything)
    numbers = {
        tuple(row[: n + 1]): i
        for i, (row, n) in enumerate(zip(vocabulary.tokens.tolist(), vocabulary.lengths, strict=True))
    }
    for row in range(2):
        ours = dict(zip(found.nouns[row].tolist(), found.scores[row].tolist(), strict=True))
        for tokens, score in published_search(model, vocabulary, embeddings[row][None], len(vocabulary.nouns), "plain"):
            if END in tokens:
                assert ours.pop(numbers[tokens]) == pytest.approx(score, abs=1e-3)
                continue
            end = F.log_softmax(following(model, embeddings[row][None], [tokens]), dim=-1)[0, END]
            assert tokens == tuple(vocabulary.tokens[longest, :-1].tolist())
            assert ours.pop(int(longest)) == pytest.approx(score + float(end), abs=1e-3)
        assert not ours


# --- from the command line to names ---


@pytest.fixture(scope="module")
def embedder_folder(tmp_path_factory):
    """An open_clip model of random weights with OpenAI's tokenizer and 512 dimensions, as a hub would serve it."""
    import open_clip
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("model")
    config = {
        "embed_dim": 512,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**config).state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": preprocess}))
    return folder


@pytest.fixture(scope="module")
def imported(embedder_folder, tmp_path_factory):
    """The fixture imported by the command, as a run's folder."""
    out = tmp_path_factory.mktemp("runs") / "imported"
    main(
        ["import-novic", str(CHECKPOINT), "--out", str(out), "--embedder", f"openclip:local-dir:{embedder_folder}",
         "--precision", "fp32", "--device", "cpu", "--threads", "1"]
    )  # fmt: skip
    return out


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def test_the_imported_run_answers_as_the_checkpoint_s_decoder_does(imported, published, expected):
    predictor = load_predictor(imported / "manifest.json", "cpu", GenerationConfig(beam_width=5, guided="renorm"))
    answers = predictor.answer(expected["embeddings"], 5)
    assert np.abs(answers.scores - expected["beam_renorm_scores"]).max() < 1e-4
    found = [[text.replace(" ", "") for text in row] for row in answers.texts]
    assert found == [[text.replace(" ", "") for text in row] for row in expected["beam_renorm_text"].tolist()]
    manifest = predictor.manifest
    assert manifest.settings["imported"]["embedder"] == "openai:ViT-B/32"
    assert manifest.settings["imported"]["config"]["noise_scheme"] == "GaussElemUniformAngle"
    assert manifest.nouns == published.nouns


def test_an_unguided_answer_is_spelled_by_the_embedder_s_tokenizer(imported, expected):
    predictor = load_predictor(imported / "manifest.json", "cpu", GenerationConfig(beam_width=5, guided="none"))
    texts = predictor.answer(expected["embeddings"], 5).texts
    for row, column in [(0, 0), (0, 1), (1, 1), (13, 2)]:
        original = expected["beam_unguided_text"][row, column]
        assert texts[row][column].replace(" ", "") == original.replace(" ", "")


def test_an_imported_run_names_pictures_by_every_ordinary_way(imported, pictures, embedder_folder, tmp_path, capsys):
    named = NounClassifier.load(imported, device="cpu", threads=1).name(["0.png", "1.png", "2.png"], pictures, top_k=3)
    assert all(set(naming.nouns) < set(json.loads((FIXTURE / "nouns.json").read_text())) for naming in named)
    main(["name", str(pictures), "--run", str(imported), "--device", "cpu", "--threads", "1"])
    lines = capsys.readouterr().out.splitlines()
    for naming in named:
        (line,) = (line for line in lines if line.startswith(str(pictures / naming.file)))
        assert f"\t{naming.nouns[0]} " in line

    scripts = Path(__file__).parent.parent / "workflow_scripts"
    common = {"image_set": "mine", "device": "cpu", "threads": 1, "counts": tmp_path / "counts.json"}
    runpy.run_path(str(scripts / "embed_images.py"))["main"](
        folder=pictures,
        input_manifest=None,
        labels=None,
        only_labelled=False,
        embedder=EmbedderConfig(spec=f"openclip:local-dir:{embedder_folder}", precision="fp32"),
        out=tmp_path / "images.json",
        **common,
    )
    runpy.run_path(str(scripts / "predict.py"))["main"](
        predictor=imported / "manifest.json",
        images=tmp_path / "images.json",
        generation=GenerationConfig(),
        top_k=10,
        out=tmp_path / "predictions.json",
        **common,
    )
    (decoding,) = json.loads((tmp_path / "predictions.json").read_text())["predictions"].values()
    assert [tuple(row[:3]) for row in decoding["pred"]] == [naming.nouns for naming in named]


def test_a_folder_that_holds_a_run_is_not_overwritten(imported, embedder_folder, published):
    embedder = load_embedder(EmbedderConfig(spec=f"openclip:local-dir:{embedder_folder}", precision="fp32"), "cpu")
    before = (imported / "manifest.json").read_bytes()
    with pytest.raises(NounflowError, match="predictor already"):
        import_decoder(CHECKPOINT, published, embedder, imported)
    assert (imported / "manifest.json").read_bytes() == before


# --- the embedder ---


@pytest.mark.parametrize(
    "spec",
    ["openai:RN50", "openai:RN101", "openai:RN50x4", "openai:RN50x16", "openai:RN50x64", "openai:ViT-B/32",
     "openai:ViT-B/16", "openai:ViT-L/14", "openai:ViT-L/14@336px"],
)  # fmt: skip
def test_every_openai_model_is_known_to_open_clip(spec):
    assert parse_name(embedder_spec(spec).removeprefix("openclip:"))[1] == "openai"


def test_a_hub_model_keeps_its_name_and_another_library_s_is_refused():
    assert embedder_spec("openclip:timm/ViT-B-16-SigLIP") == "openclip:timm/ViT-B-16-SigLIP"
    with pytest.raises(NounflowError, match="transformers:openai/clip-vit-base-patch32"):
        embedder_spec("transformers:openai/clip-vit-base-patch32")


def test_another_tokenizer_is_refused_with_a_noun_that_shows_it(published):
    with pytest.raises(NounflowError, match=r"tokenizer is not the one .* such as 'african love grass'"):
        target_vocabulary(published, load_word_pieces(""))


def test_an_embedder_of_another_dimension_is_refused(published, tmp_path):
    bundled = load_embedder(EmbedderConfig(spec="bundled:minilm-conse", precision="fp32"), "cpu", images=False)
    with pytest.raises(NounflowError, match=r"reads 512 dimensions.*makes 384"):
        import_decoder(CHECKPOINT, published, bundled, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("ids", "longest"), [([-1, 5, 6, 7, 8], 3), ([-1, 5, 6, 7], 4)])
def test_a_tokenizer_that_needs_less_than_the_decoder_was_trained_on_is_refused(published, ids, longest):
    class Frugal:
        target_digest = ""

        def target_tokens(self, texts):
            return [[5], [6, 7]]

    other = dataclasses.replace(published, nouns=("ax", "bird house"), tokenizer_ids=np.array(ids), max_tokens=longest)
    with pytest.raises(NounflowError, match="tokenizer is not the one"):
        target_vocabulary(other, Frugal())


# --- what is refused ---


def tampered(tmp_path, change):
    parts = torch.load(CHECKPOINT, weights_only=True)
    change(parts)
    torch.save(parts, tmp_path / "checkpoint.train")
    return tmp_path / "checkpoint.train"


def setting(**values):
    return lambda parts: parts["cfg_flat"].update(values)


def weight(name, value):
    return lambda parts: parts["model_state_dict"].update({name: value})


FIRST = "transformer.layers.0.linear1.weight"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (setting(init_rezero_mode="perskip"), "cfg_flat.init_rezero_mode: found 'perskip', only 'none'"),
        (setting(mlp_hidden_layer="max"), "cfg_flat.mlp_hidden_layer: found 'max', only 'none'"),
        (setting(layer_bias=True), "cfg_flat.layer_bias: found True, only False"),
        (setting(logits_bias=True), "cfg_flat.logits_bias: found True, only False"),
        (setting(layer_norm_first=False), "cfg_flat.layer_norm_first: found False"),
        (setting(layer_activation="relu"), "cfg_flat.layer_activation: found 'relu'"),
        (setting(weight_tying=False), "cfg_flat.weight_tying: found False"),
        (setting(vocab_quant=True), "cfg_flat.vocab_quant: found True"),
        (setting(with_start_token=True), "cfg_flat.with_start_token: found True"),
        (setting(model="DudDecoder"), "cfg_flat.model: found 'DudDecoder'"),
        (setting(layer_scale=0.1), "cfg_flat.layer_scale: unknown, found 0.1"),
        (setting(hidden_dim=128), "logits_linear.weight: shape (484, 64), expected (484, 128)"),
        (setting(hidden_dim="64"), "width Input should be a valid integer"),
        (setting(num_heads=5), "width (64) must be a multiple of heads (5)"),
        (setting(feedfwd_scale="1/0"), "cfg_flat.feedfwd_scale: found '1/0'"),
        (setting(strictly_causal=True), "causality_mask: another attention"),
        (lambda parts: parts["cfg_flat"].pop("num_layers"), "cfg_flat.num_layers: missing"),
        (lambda parts: parts["cfg_flat"].pop("layer_bias"), "cfg_flat.layer_bias: missing, where False is usual"),
        (lambda parts: parts.update(ema_state_dict={}), "ema_state_dict: unknown"),
        (lambda parts: parts.pop("target_nouns"), "target_nouns: missing"),
        (lambda parts: parts["target_config"].update(start_token_id=1), "target_config.start_token_id: found 1"),
        (lambda parts: parts["target_config"].update(case=1), "target_config.case: unknown"),
        (lambda parts: parts["target_config"]["compact_map"].fill_(3), "compact_map: not the inverse"),
        (lambda parts: parts["target_config"].update(vocab_size=480), "compact_unmap: 484 ids"),
        (lambda parts: parts.update(num_invalid_target_nouns=0), "target_nouns: an empty noun"),
        (lambda parts: parts["model_state_dict"].pop(FIRST), f"model_state_dict.{FIRST}: missing"),
        (weight("transformer.layers.0.linear1.bias", torch.zeros(16)), "linear1.bias: unknown"),
        (weight(FIRST, torch.zeros(17, 64)), f"{FIRST}: shape (17, 64), expected (16, 64)"),
        (weight(FIRST, torch.full((16, 64), math.nan)), f"{FIRST}: holds values that are not finite"),
        (weight(FIRST, torch.zeros(16, 64, dtype=torch.int64)), f"{FIRST}: no dense tensor of floats"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(tmp_path, change, named):
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, change))
    assert named in caught.value.what


def test_one_strange_thing_is_one_line_and_several_are_all_listed(tmp_path):
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, setting(layer_bias=True)))
    assert "\n" not in caught.value.what
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(tampered(tmp_path, setting(layer_bias=True, layer_scale=0.1, init_rezero_mode="perskip")))
    assert len(caught.value.what.splitlines()) == 4


def test_an_unknown_entry_can_be_passed_over_by_name_but_not_a_wrong_value(tmp_path):
    path = tampered(tmp_path, setting(layer_scale=1.0, layer_bias=True))
    with pytest.raises(NounflowError) as caught:
        read_checkpoint(path)
    assert caught.value.fix.endswith("--ignore cfg_flat.layer_scale")
    with pytest.raises(NounflowError, match="layer_bias"):
        read_checkpoint(path, ["cfg_flat.layer_scale", "cfg_flat.layer_bias"])
    path = tampered(tmp_path, setting(layer_scale=1.0))
    assert read_checkpoint(path, ["cfg_flat.layer_scale"]).config.width == 64


def test_a_setting_of_training_that_nobody_knows_is_named_and_passed_over(tmp_path):
    found = read_checkpoint(tampered(tmp_path, setting(warmup_chunks=3)))
    assert "warmup_chunks" in found.not_read


def test_a_checkpoint_of_weights_only_is_read_too(tmp_path, published):
    parts = torch.load(CHECKPOINT, weights_only=True)
    kept = ("cfg_flat", "target_config", "model_state_dict", "target_nouns", "num_invalid_target_nouns")
    torch.save({name: parts[name] for name in kept}, tmp_path / "checkpoint.model")
    found = read_checkpoint(tmp_path / "checkpoint.model")
    assert all(torch.equal(found.tensors[name], published.tensors[name]) for name in published.tensors)


@pytest.mark.parametrize("in_a_zip", [True, False])
def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path, in_a_zip, capsys):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "trap.train"
    torch.save({"cfg_flat": Trap()}, path, _use_new_zipfile_serialization=in_a_zip)
    with pytest.raises(DamagedFileError, match="not opened: it would run code" if in_a_zip else "not opened") as caught:
        read_checkpoint(path)
    assert "\n" not in caught.value.what
    with pytest.raises(SystemExit):
        main(["import-novic", str(path), "--out", str(tmp_path / "run")])
    assert "trap.train" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint", CHECKPOINT.read_bytes()[:100_000]])
def test_a_broken_file_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "broken.train").write_bytes(content)
    with pytest.raises(DamagedFileError) as caught:
        read_checkpoint(tmp_path / "broken.train")
    assert "\n" not in caught.value.what


def test_nouns_that_the_tokenizer_spells_alike_leave_the_first(published):
    class Alike:
        target_digest = ""

        def target_tokens(self, texts):
            return [[5], [6, 7], [5]]

    nouns = ("ax", "bird house", "Ax")
    few = dataclasses.replace(published, nouns=nouns, tokenizer_ids=np.array([-1, 5, 6, 7]), max_tokens=3)
    vocabulary, repeated = target_vocabulary(few, Alike())
    assert (vocabulary.nouns, repeated) == (("ax", "bird house"), ("Ax",))
