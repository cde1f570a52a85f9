"""Tokenizers: the fast one gives the ids of the library's own, and texts are cleaned as in training."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tower_material import TEXTS, load, spec_of

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.bundled import class_names
from nounflow.embedders.library_tokenizer import NASTY, LibraryTokenizer, fastest
from nounflow.embedders.openclip_tokenizer import tokenizer_of
from nounflow.embedders.tokenizer import load_target_tokenizer


def real_captions() -> list[str]:
    """Every ImageNet class in one template each, and every template of some classes: 2,900 captions."""
    with open("resources/templates/singular.tsv", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file, delimiter="\t") if row and not row[0].startswith("#")]
    templates = [cell for row in rows for cell in row if "{" in cell]
    names = class_names()

    def fill(template: str, name: str) -> str:
        return template.replace(template[template.index("{") : template.index("}") + 1], name)

    return [
        *names,
        *(fill(templates[i % len(templates)], name) for i, name in enumerate(names)),
        *(fill(template, name) for template in templates for name in names[:: len(names) // 10]),
    ]


@pytest.mark.parametrize("kind", ["CLIP", "SigLIP", "CLIPA", "transformers CLIP", "transformers SigLIP"])
def test_the_fast_tokenizer_gives_the_ids_of_the_models_own(kind: str, folders: Callable[[str], Path]) -> None:
    words = load_target_tokenizer(EmbedderConfig(spec=spec_of(kind, folders)))
    assert isinstance(words, LibraryTokenizer)
    assert len(words.tokens(["a"])[0]) < words.context
    texts = [*real_captions(), *NASTY, *TEXTS]
    assert len(texts) > 2500
    expected = words.padded(texts).tolist()
    for text, ids, row in zip(texts, words.tokens(texts), expected, strict=True):
        assert ids + [words.pad] * (words.context - len(ids)) == row, text


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(st.text(), st.text(st.characters(codec="ascii")))))
def test_the_fast_byte_pairs_equal_open_clips_on_any_text(texts: list[str]) -> None:
    words = byte_pairs()
    expected = words.padded(texts).tolist() if texts else []
    assert [ids + [0] * (77 - len(ids)) for ids in words.tokens(texts)] == expected


_BYTE_PAIRS: list[LibraryTokenizer] = []


def byte_pairs() -> LibraryTokenizer:
    import open_clip

    if not _BYTE_PAIRS:
        _BYTE_PAIRS.append(tokenizer_of(open_clip.get_tokenizer("ViT-B-32")))
    return _BYTE_PAIRS[0]


def test_a_tokenizer_that_differs_anywhere_is_not_used() -> None:
    own = byte_pairs()

    def nearly(texts: Sequence[str]) -> list[list[int]]:
        return [ids if "X-Rays" not in text else ids[::-1] for text, ids in zip(texts, own.tokens(texts), strict=True)]

    tokens = fastest(own.padded, [nearly], own.context, own.pad)
    assert tokens(["Two X-Rays"]) == own.padded(["Two X-Rays"]).tolist()


@pytest.mark.parametrize("kind", ["SigLIP", "transformers SigLIP"])
def test_siglip_hears_neither_case_nor_punctuation(kind: str, folders: Callable[[str], Path]) -> None:
    model = load(spec_of(kind, folders))
    loud, quiet = model.encode_texts(["A Photo, of a CAT!", "a photo of a cat"], progress=False)
    assert np.array_equal(loud, quiet)
    assert "canonicalize" in model.identity.preprocessing


def test_siglip_2_hears_punctuation_but_no_case(folders: Callable[[str], Path]) -> None:
    model = load(spec_of("transformers SigLIP 2", folders))
    loud, quiet, marked = model.encode_texts(["A Cat", "a cat", "a cat, it"], progress=False)
    assert np.array_equal(loud, quiet)
    assert not np.array_equal(quiet, marked)


@pytest.mark.parametrize("kind", ["CLIP", "transformers CLIP"])
def test_targets_decode_to_the_noun(kind: str, folders: Callable[[str], Path]) -> None:
    words = load_target_tokenizer(EmbedderConfig(spec=spec_of(kind, folders)))
    for noun in ("fire truck", "x-ray", "praying mantis"):
        (ids,) = words.target_tokens([noun])
        assert words.target_decode(ids).replace(" - ", "-") == noun
