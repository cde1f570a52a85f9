"""A published NOVIC checkpoint as a predictor's folder: its decoder, bound to an embedder that stands here."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nounflow.decoder.novic import PublishedDecoder
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.protocol import Embedder
from nounflow.embedders.tokenizer import TargetTokenizer
from nounflow.errors import MismatchError, NounflowError
from nounflow.files import sha256_file
from nounflow.schemas.models import PredictorManifest
from nounflow.schemas.tables import lexicon_digest
from nounflow.store.weights import write_predictor

MANIFEST = "manifest.json"


def embedder_spec(published: str) -> str:
    """Our spec of the embedder that a checkpoint names.

    "openclip:ORG/NAME" is the same here; "openai:ViT-B/32" are OpenAI's weights, which open_clip knows too.

    Raises:
        MismatchError: another library's model.
    """
    kind, _, name = published.partition(":")
    if kind == "openclip" and name:
        return published
    if kind == "openai" and name:
        model = name.replace("/", "-").replace("@336px", "-336")
        return f"openclip:{model}-quickgelu/openai"
    raise MismatchError(
        f"The checkpoint's embedder {published!r} has no counterpart here",
        fix="pass the same model as --embedder openclip:...",
    )


def target_vocabulary(published: PublishedDecoder, words: TargetTokenizer) -> tuple[TargetVocabulary, tuple[str, ...]]:
    """The checkpoint's nouns as the tokenizer spells them, and the nouns left out for having another's tokens.

    Raises:
        MismatchError: the nouns' tokens are not exactly the vocabulary that the decoder was trained on.
    """
    nouns, spelled, repeated = _distinct(published.nouns, words.target_tokens(published.nouns))
    known = set(published.tokenizer_ids[1:].tolist())
    strange = [noun for noun, ids in zip(nouns, spelled, strict=True) if not ids or not known.issuperset(ids)]
    if not strange:
        vocabulary = TargetVocabulary.build(nouns, spelled)
        same = np.array_equal(vocabulary.tokenizer_ids[1:], published.tokenizer_ids[1:])
        if same and vocabulary.max_tokens == published.max_tokens:
            return vocabulary, repeated
        example = f"it makes {vocabulary.size:,} pieces of them, the longest noun {vocabulary.max_tokens} tokens, "
        example += f"where the checkpoint has {len(published.tokenizer_ids):,} and {published.max_tokens}"
    else:
        example = f"{len(strange):,} of {len(nouns):,} need pieces that the checkpoint lacks, such as {strange[0]!r}"
    raise MismatchError(
        f"The embedder's tokenizer is not the one that the checkpoint's nouns were spelled with: {example}",
        fix=f"pass the model that it was trained with ({published.embedder}) as --embedder",
    )


def import_decoder(
    checkpoint: Path, published: PublishedDecoder, embedder: Embedder, out: Path
) -> tuple[PredictorManifest, tuple[str, ...]]:
    """Write the predictor's folder `out`: weights.safetensors and, last, manifest.json, which it returns with the nouns
    that were left out for having the tokens of an earlier noun.

    Raises:
        MismatchError: the embedder has another dimension or another tokenizer.
        NounflowError: `out` holds a predictor already.
    """
    if (out / MANIFEST).exists():
        raise NounflowError("There is a predictor already", where=out, fix="name another folder with --out")
    if embedder.dim != published.dim:
        raise MismatchError(
            f"The decoder reads {published.dim} dimensions, the embedder {embedder.identity.spec} makes {embedder.dim}",
            where=checkpoint,
            fix=f"pass the model that it was trained with ({published.embedder}) as --embedder",
        )
    vocabulary, repeated = target_vocabulary(published, embedder)
    manifest = write_predictor(
        out / MANIFEST,
        published.tensors,
        run=out.resolve().name,
        predictor="decoder",
        embedder=embedder.identity,
        lexicon=lexicon_digest(vocabulary.nouns),
        lexicon_path=checkpoint.name,
        nouns=vocabulary.nouns,
        settings={
            "decoder": published.config.model_dump(mode="json"),
            "imported": {
                "file": checkpoint.name,
                "sha256": sha256_file(checkpoint),
                "embedder": published.embedder,
                "config": published.settings,
            },
        },
        tokens=vocabulary.as_dict(),
        samples=0,  # the file does not say
    )
    return manifest, repeated


def _distinct(nouns: Sequence[str], spelled: Sequence[list[int]]) -> tuple[list[str], list[list[int]], tuple[str, ...]]:
    """Of nouns with the same tokens the first, since the decoder cannot tell them apart; and the others."""
    first: dict[tuple[int, ...], str] = {}
    repeated = []
    for noun, ids in zip(nouns, spelled, strict=True):
        if tuple(ids) in first:
            repeated.append(noun)
        else:
            first[tuple(ids)] = noun
    return list(first.values()), [list(ids) for ids in first], tuple(repeated)
