"""The fast text path: every kind of tower gives its library's own vectors, whatever is embedded beside a text."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models as tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders import text_encoder
from nounflow.embedders.batch_size import CPU_TOKENS, find_batch_tokens, recorded_batch_tokens
from nounflow.embedders.batching import stream_batches
from nounflow.embedders.bundled import class_names
from nounflow.embedders.golden import GOLDEN_TEXTS, check_golden
from nounflow.embedders.library_tokenizer import NASTY, fastest
from nounflow.embedders.load import load_embedder
from nounflow.embedders.openclip_tokenizer import tokenizer_of
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.errors import MismatchError, NounflowError

TEXTS = [
    "owl",
    "A photo of two dogs, playing in the SNOW!",
    "",
    *(f"a photo of thing number {i} in a row" for i in range(40)),
    "a crowded table with " + ", ".join(f"a box of {i} apples" for i in range(6)),  # more than 32 tokens
    "a long story of " + "many things and " * 60,  # more than any context
    "ünïcode — 日本語 &amp; x",
    *GOLDEN_TEXTS,
]


def load(spec, precision="fp32", **settings):
    return load_embedder(EmbedderConfig(spec=spec, precision=precision, **settings), "cpu")


def siglip_folder(folder):
    tiny.word_tokenizer(folder, 16)
    words = {"context_length": 16, "vocab_size": 200, "hf_tokenizer_name": "x"}
    text = {**tiny.SIGLIP, **words, "tokenizer_kwargs": {"clean": "canonicalize"}}
    return tiny.open_clip_folder(folder, text, custom_text=True)


def bert_folder(folder):
    """A Hugging Face text tower; its config lies in the subfolder that `hf_model_name` names."""
    from transformers import AutoTokenizer, BertConfig

    from nounflow.embedders.minilm_tokenizer import model_folder

    config = BertConfig(
        vocab_size=30522, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
    )
    config.save_pretrained(folder / "text")
    config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(folder)
    return tiny.open_clip_folder(
        folder,
        {"hf_model_name": "text", "hf_tokenizer_name": "x", "hf_pooler_type": "mean_pooler", "hf_proj_type": "linear"},
    )


def clipa_folder(folder):
    """CLIPA: no causal mask, the last place is pooled, separators become padding."""
    from transformers import AutoTokenizer

    from nounflow.embedders.minilm_tokenizer import model_folder

    AutoTokenizer.from_pretrained(model_folder()).save_pretrained(folder)
    text = {"context_length": 32, "vocab_size": 30522, "no_causal_mask": True, "pool_type": "last"}
    return tiny.open_clip_folder(
        folder, {**text, "hf_tokenizer_name": "x", "tokenizer_kwargs": {"strip_sep_token": True}}, custom_text=True
    )


def coca_folder(folder):
    multimodal = {
        "context_length": 76, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1, "attn_pooler_heads": 2
    }  # fmt: skip
    text = {"context_length": 76, "embed_cls": True, "output_tokens": True}
    return tiny.open_clip_folder(folder, text, multimodal_cfg=multimodal, custom_text=True)


def plain(**text):
    return lambda folder: tiny.open_clip_folder(folder, text)


def custom(**text):
    return lambda folder: tiny.open_clip_folder(folder, text, custom_text=True)


OURS, THEIRS, FULL = "written out", "the library's own tower", "the library's own tower at full length"
# name: (library, maker of a folder, the way that is taken, whether rows are cut)
KINDS = {
    "CLIP": ("openclip", plain(), OURS, True),
    "CLIP with quick GELU": ("openclip", lambda f: tiny.open_clip_folder(f, quick_gelu=True), OURS, True),
    "custom text": ("openclip", custom(), OURS, True),
    "custom text, pooled at its end token": ("openclip", custom(pool_type="eos", eos_id=49407), OURS, True),
    "custom text, pooled at the first": ("openclip", custom(pool_type="first"), OURS, True),
    "custom text, pooled at the last": ("openclip", custom(pool_type="last"), OURS, False),
    "custom text without causal mask": ("openclip", custom(no_causal_mask=True), OURS, False),
    "custom text with scaled layers": ("openclip", custom(ls_init_value=0.1), FULL, False),
    "custom text with normed attention": ("openclip", custom(qk_norm=True), FULL, False),
    "CoCa": ("openclip", coca_folder, FULL, False),
    "CLIPA": ("openclip", clipa_folder, OURS, False),
    "SigLIP": ("openclip", siglip_folder, OURS, False),
    "Hugging Face text tower": ("openclip", bert_folder, THEIRS, True),
    "transformers CLIP": ("transformers", lambda f: tiny.transformers_folder(f, "clip"), OURS, True),
    "transformers CLIP of an old config": (
        "transformers", lambda f: tiny.transformers_folder(f, "clip", eos_token_id=2), OURS, True
    ),
    "transformers SigLIP": ("transformers", lambda f: tiny.transformers_folder(f, "siglip"), OURS, False),
    "transformers SigLIP 2": ("transformers", lambda f: tiny.transformers_folder(f, "siglip2"), OURS, False),
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folders of models by kind, each made when first asked for."""
    made: dict[str, Path] = {}

    def folder(kind):
        if kind not in made:
            made[kind] = KINDS[kind][1](tmp_path_factory.mktemp("model"))
        return made[kind]

    return folder


def spec_of(kind, folders):
    return f"{KINDS[kind][0]}:{folders(kind)}"


@torch.inference_mode()
def own_vectors(kind, folder, texts):
    """What the library itself gives for texts padded to the full context, in fp32."""
    if KINDS[kind][0] == "openclip":
        import open_clip

        from nounflow.embedders.openclip_names import text_model_beside

        model = open_clip.create_model(f"local-dir:{folder}", **text_model_beside(f"local-dir:{folder}")).eval()
        return model.encode_text(open_clip.get_tokenizer(f"local-dir:{folder}")(texts), normalize=True).numpy()
    from transformers import AutoModel, AutoTokenizer

    model = AutoModel.from_pretrained(folder).eval()
    if "SigLIP" in kind:  # their training's own cleaning, which these small tokenizers lack
        texts = [text.lower() for text in texts]
    if kind == "transformers SigLIP":
        texts = [" ".join("".join(c for c in text if not (c.isascii() and c in PUNCTUATION)).split()) for text in texts]
    length = model.config.text_config.max_position_embeddings
    tokens = AutoTokenizer.from_pretrained(folder)(
        texts, padding="max_length", truncation=True, max_length=length, return_tensors="pt"
    )
    features = model.get_text_features(input_ids=tokens.input_ids).pooler_output
    return torch.nn.functional.normalize(features, dim=-1).numpy()


def cuts_rows(encoder):
    return len(encoder.tokenise(["owl"])[0]) < encoder.context


PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


@pytest.mark.parametrize("kind", KINDS)
def test_a_tower_gives_its_librarys_own_vectors(kind, folders):
    model = load(spec_of(kind, folders))
    found = model.encode_texts(TEXTS, progress=False)
    assert np.abs(found - own_vectors(kind, folders(kind), TEXTS)).max() < 1e-5
    assert (model.texts.name, cuts_rows(model.texts)) == KINDS[kind][2:]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "Hugging Face text tower", "CoCa", "transformers CLIP"])
def test_a_vector_does_not_depend_on_its_neighbours(kind, precision, folders):
    model = load(spec_of(kind, folders), precision)
    together = model.encode_texts(TEXTS, progress=False)
    assert np.array_equal(model.encode_texts(TEXTS[::-1], progress=False)[::-1], together)
    for row in (0, 2, 20, len(TEXTS) - 1):
        assert np.array_equal(model.encode_texts([TEXTS[row]], progress=False)[0], together[row])


def test_no_texts_have_no_vectors(folders):
    assert load(spec_of("CLIP", folders)).encode_texts([], progress=False).shape == (0, 16)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_stays_within_a_cosine_of_0_9999(precision, tmp_path):
    """At the size and with the initial weights of a real tower, of fewer layers."""
    import open_clip
    from safetensors.torch import save_file

    folder = tiny.open_clip_folder(tmp_path, {"width": 256, "heads": 4, "layers": 4})
    torch.manual_seed(0)
    fresh = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(fresh.state_dict(), folder / "model.safetensors")
    model = load(f"openclip:{folder}", precision)
    assert model.texts.forward.tokens.element_size() == 2  # the weights themselves, not a cast at each use
    check_golden(model)
    exact = load(f"openclip:{folder}").encode_texts(TEXTS, progress=False)
    assert (model.encode_texts(TEXTS, progress=False) * exact).sum(1).min() >= 0.9999


def test_a_compiled_tower_gives_the_same_vectors(folders):
    texts = ["owl", "a photo of a cat", "a photo of a fire truck"]
    model = load(spec_of("CLIP", folders), compile=True)
    found = model.encode_texts(texts, progress=False)
    assert np.abs(found - own_vectors("CLIP", folders("CLIP"), texts)).max() < 1e-5


# --- safeguards ---


def test_a_tower_that_would_differ_is_not_used(folders, monkeypatch, capsys):
    from nounflow.embedders import openclip

    right = openclip.written_out
    monkeypatch.setattr(openclip, "written_out", lambda model: replace(right(model), activation=torch.relu))
    model = load(spec_of("CLIP", folders))
    found = model.encode_texts(TEXTS, progress=False)
    assert "not used" in capsys.readouterr().out
    assert model.texts.name == FULL
    assert np.abs(found - own_vectors("CLIP", folders("CLIP"), TEXTS)).max() < 1e-5


def test_golden_texts_pass_for_whole_models(folders):
    for kind in ("SigLIP", "transformers CLIP"):
        check_golden(load(spec_of(kind, folders)))
    for precision in ("fp32", "bf16"):
        check_golden(load("bundled:minilm-conse", precision))


def test_golden_texts_that_come_out_otherwise_are_refused_with_both_sides(folders):
    model = load(spec_of("CLIP", folders))
    tower = model.texts.forward
    model.texts.forward = replace(tower, positions=tower.positions.roll(1, 0))
    with pytest.raises(MismatchError) as caught:
        check_golden(model)
    assert all(part in str(caught.value) for part in ("'owl'", "found [", "expected [", "precision: fp32"))


def test_the_recorded_golden_vectors_are_those_of_transformers():
    from transformers import AutoModel, AutoTokenizer

    from nounflow.embedders.minilm_tokenizer import model_folder

    tokenizer, model = AutoTokenizer.from_pretrained(model_folder()), AutoModel.from_pretrained(model_folder()).eval()
    recorded = load("bundled:minilm-conse").golden_vectors()
    for text, vector in zip(GOLDEN_TEXTS, recorded, strict=True):
        with torch.inference_mode():
            hidden = model(**tokenizer([text], return_tensors="pt", truncation=True, max_length=256)).last_hidden_state
        expected = torch.nn.functional.normalize(hidden[0].mean(0), dim=-1).numpy()
        assert np.abs(vector - expected).max() < 1e-6


# --- tokenizers ---


def real_captions():
    """Every ImageNet class in one template each, and every template of some classes: 2,900 captions."""
    with open("resources/templates/singular.tsv", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row and not row[0].startswith("#")]
    templates = [cell for row in rows for cell in row if "{" in cell]
    names = class_names()

    def fill(template, name):
        return template.replace(template[template.index("{") : template.index("}") + 1], name)

    return [
        *names,
        *(fill(templates[i % len(templates)], name) for i, name in enumerate(names)),
        *(fill(template, name) for template in templates for name in names[:: len(names) // 10]),
    ]


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "CLIPA", "transformers CLIP", "transformers SigLIP"])
def test_the_fast_tokenizer_gives_the_ids_of_the_models_own(kind, folders):
    words = load_target_tokenizer(EmbedderConfig(spec=spec_of(kind, folders)))
    assert len(words.tokens(["a"])[0]) < words.context
    texts = [*real_captions(), *NASTY, *TEXTS]
    assert len(texts) > 2500
    expected = words.padded(texts).tolist()
    for text, ids, row in zip(texts, words.tokens(texts), expected, strict=True):
        assert ids + [words.pad] * (words.context - len(ids)) == row, text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.text(), st.text(st.characters(codec="ascii")))))
def test_the_fast_byte_pairs_equal_open_clips_on_any_text(texts):
    words = byte_pairs()
    expected = words.padded(texts).tolist() if texts else []
    assert [ids + [0] * (77 - len(ids)) for ids in words.tokens(texts)] == expected


_BYTE_PAIRS = []


def byte_pairs():
    import open_clip

    if not _BYTE_PAIRS:
        _BYTE_PAIRS.append(tokenizer_of(open_clip.get_tokenizer("ViT-B-32")))
    return _BYTE_PAIRS[0]


def test_a_tokenizer_that_differs_anywhere_is_not_used():
    own = byte_pairs()

    def nearly(texts):
        return [ids if "X-Rays" not in text else ids[::-1] for text, ids in zip(texts, own.tokens(texts), strict=True)]

    tokens = fastest(own.padded, [nearly], own.context, own.pad)
    assert tokens(["Two X-Rays"]) == own.padded(["Two X-Rays"]).tolist()


@pytest.mark.parametrize("kind", ["SigLIP", "transformers SigLIP"])
def test_siglip_hears_neither_case_nor_punctuation(kind, folders):
    model = load(spec_of(kind, folders))
    loud, quiet = model.encode_texts(["A Photo, of a CAT!", "a photo of a cat"], progress=False)
    assert np.array_equal(loud, quiet)
    assert "canonicalize" in model.identity.preprocessing


def test_siglip_2_hears_punctuation_but_no_case(folders):
    model = load(spec_of("transformers SigLIP 2", folders))
    loud, quiet, marked = model.encode_texts(["A Cat", "a cat", "a cat, it"], progress=False)
    assert np.array_equal(loud, quiet)
    assert not np.array_equal(quiet, marked)


@pytest.mark.parametrize("kind", ["CLIP", "transformers CLIP"])
def test_targets_decode_to_the_noun(kind, folders):
    words = load_target_tokenizer(EmbedderConfig(spec=spec_of(kind, folders)))
    for noun in ("fire truck", "x-ray", "praying mantis"):
        (ids,) = words.target_tokens([noun])
        assert words.target_decode(ids).replace(" - ", "-") == noun


# --- transformers ---


@pytest.mark.parametrize("kind", ["transformers CLIP", "transformers SigLIP", "transformers SigLIP 2"])
def test_images_get_the_librarys_own_vectors(kind, folders):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel

    pixels = np.random.default_rng(0).integers(0, 255, (2, 40, 60, 3), dtype=np.uint8)
    images = [Image.fromarray(pixels[0]), Image.fromarray(pixels[1]).resize((90, 31))]
    model = load(spec_of(kind, folders))
    found = model.encode_images([model.preprocess(image) for image in images])
    own = AutoModel.from_pretrained(folders(kind)).eval()
    processor = AutoImageProcessor.from_pretrained(folders(kind), backend="pil")
    for image, vector in zip(images, found, strict=True):
        with torch.inference_mode():
            features = own.get_image_features(**processor(images=image, return_tensors="pt")).pooler_output
        assert np.abs(vector - torch.nn.functional.normalize(features[0], dim=-1).numpy()).max() < 1e-5


@pytest.mark.parametrize("kind", ["CLIP", "Hugging Face text tower"])
def test_images_get_open_clips_own_vectors(kind, folders):
    """Also that loading without drawing random numbers first leaves nothing out."""
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2

    from nounflow.embedders.openclip_names import text_model_beside

    folder = f"local-dir:{folders(kind)}"
    own = open_clip.create_model(folder, **text_model_beside(folder)).eval()
    transform = image_transform_v2(PreprocessCfg(**own.visual.preprocess_cfg), is_train=False)
    model = load(spec_of(kind, folders))
    with torch.inference_mode():
        expected = own.encode_image(transform(_red())[None], normalize=True)[0].numpy()
    assert np.abs(model.encode_images([model.preprocess(_red())])[0] - expected).max() < 1e-5


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "Hugging Face text tower", "transformers CLIP"])
def test_a_local_folder_needs_no_network(kind, folders, monkeypatch):
    spec = spec_of(kind, folders)

    def refuse(*_args, **_kwargs):
        raise AssertionError("a local model asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    model = load(spec)
    assert model.encode_texts(["owl"], progress=False).shape == (1, model.dim)
    assert model.preprocess(_red()).dtype == np.float32


def _red():
    from PIL import Image

    return Image.new("RGB", (40, 30), (200, 0, 0))


@pytest.mark.parametrize("library", ["openclip", "transformers"])
def test_a_model_that_is_not_here_names_the_command_that_fetches_it(library, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(NounflowError) as caught:
        load(f"{library}:nobody/no-such-model")
    assert "hf download nobody/no-such-model --local-dir FOLDER" in str(caught.value)


def test_a_model_of_another_kind_is_refused_with_the_kinds_there_are(folders):
    with pytest.raises(NounflowError) as caught:
        load(f"transformers:{folders('Hugging Face text tower')}")
    assert "'bert'" in str(caught.value)
    assert "siglip" in str(caught.value)


def test_a_folder_that_is_not_there_is_no_hub_id():
    for library in ("openclip", "transformers"):
        with pytest.raises(NounflowError, match="no such folder"):
            load(f"{library}:./no/such")


@pytest.mark.skipif(importlib.util.find_spec("sentencepiece") is not None, reason="sentencepiece is here")
def test_without_sentencepiece_siglips_tokenizer_json_is_read_or_the_package_is_named(folders, tmp_path):
    folder = shutil.copytree(folders("transformers SigLIP"), tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "tokenizer_class": "SiglipTokenizer"}))
    own = load(spec_of("transformers SigLIP", folders)).encode_texts(TEXTS, progress=False)
    assert np.array_equal(load(f"transformers:{folder}").encode_texts(TEXTS, progress=False), own)
    (folder / "tokenizer.json").unlink()
    (folder / "spiece.model").write_bytes(b"")
    with pytest.raises(NounflowError, match="SentencePiece"):
        load(f"transformers:{folder}")


def test_pickled_weights_of_transformers_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders("transformers CLIP"), tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(NounflowError, match="cannot be loaded"):
        load(f"transformers:{folder}")


# --- identity ---


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "transformers CLIP"])
def test_a_moved_folder_is_the_same_embedder(kind, folders, tmp_path):
    here = load(spec_of(kind, folders)).identity
    moved = load(f"{KINDS[kind][0]}:{shutil.copytree(folders(kind), tmp_path / 'moved')}").identity
    assert moved.digest == here.digest
    assert moved.spec != here.spec
    assert "0x" not in here.preprocessing  # no address of this process
    assert here.versions["torch"]
    assert load(spec_of(kind, folders), "bf16").identity.digest != here.digest


# --- batches ---


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 70), max_size=30), max_size=6), st.integers(64, 300))
def test_streamed_batches_hold_every_text_once_in_one_shape_a_width(portions, batch_tokens):
    tokens = [[[number] * length for number, length in enumerate(portion)] for portion in portions]
    flat = [ids for portion in tokens for ids in portion]
    seen, sizes, partial = [], {}, {}
    for batch, numbers, rows in stream_batches(tokens, batch_tokens, longest=70):
        assert rows == [flat[number] for number in numbers]
        assert all(len(row) <= batch.width <= 70 for row in rows)
        assert sizes.setdefault(batch.width, batch.size) == batch.size
        partial[batch.width] = partial.get(batch.width, 0) + (len(numbers) < batch.size)
        seen += numbers.tolist()
    assert sorted(seen) == list(range(len(flat)))
    assert all(count <= 1 for count in partial.values())


def test_the_batch_size_doubles_until_memory_is_out_or_nothing_is_gained(capsys):
    def rate(tokens):
        if tokens > 32768:
            raise torch.OutOfMemoryError
        return float(tokens)

    assert find_batch_tokens(rate, "cuda") == 32768
    assert find_batch_tokens(lambda tokens: min(tokens, 9000.0), "cuda") == 16384
    assert "16,384" in capsys.readouterr().out
    assert find_batch_tokens(rate, "cpu") == CPU_TOKENS


def test_a_gpu_without_room_for_one_batch_is_a_plain_message():
    def rate(_tokens):
        raise torch.OutOfMemoryError

    with pytest.raises(NounflowError, match="no room"):
        find_batch_tokens(rate, "cuda")


def test_the_trial_measures_the_real_path(folders, monkeypatch):
    monkeypatch.setattr(text_encoder, "find_batch_tokens", lambda rate, _device: 2048 if rate(2048) > 0 else 0)
    model = load(spec_of("CLIP", folders))
    assert model.batch_tokens == 2048


def test_further_shards_take_the_batch_size_that_is_recorded(tmp_path):
    (tmp_path / "0.counts.json").write_text("[]")
    (tmp_path / "0.json").write_text('{"embedder": {"digest": "aa"}, "batch_tokens": 8192}')
    assert recorded_batch_tokens(tmp_path, "aa") == 8192
    assert recorded_batch_tokens(tmp_path, "bb") is None
