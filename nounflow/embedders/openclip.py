"""Any open_clip model as an embedder: a built-in name with a tag, a hub id, a local folder or checkpoint.

Texts are always padded to the model's full context, which is right for every kind of tower.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from nounflow.device import Precision
from nounflow.embedders.identity import make_identity, state_digest
from nounflow.errors import NounflowError
from nounflow.files import sha256_text
from nounflow.progress import Progress

_HELP = (
    "write openclip:MODEL/TAG (such as openclip:ViT-B-32/laion2b_s34b_b79k), openclip:ORG/NAME of a hub, "
    "openclip:local-dir:FOLDER, or openclip:MODEL@FILE with a checkpoint of yours"
)


class OpenClipTokenizer:
    """The model's own tokenizer; spells the decoder's targets too."""

    def __init__(self, name: str) -> None:
        import open_clip

        model, _weights = parse_name(name)
        self._tokenizer = _loaded(name, lambda: open_clip.get_tokenizer(model))
        self.context = int(self._tokenizer.context_length)
        sample = self.tokens(["a photo of a cat", "Ünïcode, punctuation! and 12345 numbers", "nounflow"])
        self.target_digest = sha256_text(repr(self._tokenizer.__class__), repr(sample.tolist()), *_vocabulary(self))

    def tokens(self, texts: Sequence[str]) -> torch.Tensor:
        """int64 [len(texts), context], padded as the model was trained."""
        return self._tokenizer(list(texts))

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TargetTokenizer.target_tokens`."""
        clean = getattr(self._tokenizer, "clean_fn", lambda text: text)
        inner = getattr(self._tokenizer, "tokenizer", None)
        if inner is not None:  # a Hugging Face tokenizer
            return [inner(clean(text), add_special_tokens=False).input_ids for text in texts]
        return [self._tokenizer.encode(clean(text)) for text in texts]

    def target_decode(self, ids: Sequence[int]) -> str:
        """See `TargetTokenizer.target_decode`."""
        inner = getattr(self._tokenizer, "tokenizer", None)
        text = inner.decode(list(ids), skip_special_tokens=True) if inner else self._tokenizer.decode(list(ids))
        return " ".join(text.split())


class OpenClipEmbedder:
    """An open_clip model; both towers share its space."""

    def __init__(self, name: str, device: str, precision: Precision, batch_tokens: int) -> None:
        import open_clip

        self._device, self._precision = device, precision
        self._words = OpenClipTokenizer(name)
        self.target_digest = self._words.target_digest
        self._batch = max(2, batch_tokens // self._words.context)
        model, weights = parse_name(name)
        self._model, _, self._transform = _loaded(
            name,
            lambda: open_clip.create_model_and_transforms(
                model,
                pretrained=weights,
                device=device,
                weights_only=True,
                require_pretrained=True,  # else open_clip goes on with random weights where it finds none
            ),
        )
        self._model.eval()
        self.dim = int(self.encode_texts(["a"], progress=False).shape[1])
        self.identity = make_identity(
            spec=f"openclip:{name}",
            dim=self.dim,
            weights=state_digest(self._model.state_dict()),
            tokenizer=self.target_digest,
            preprocessing=f"texts padded to {self._words.context} tokens; images: {self._transform}",
            precision=precision,
        )

    @torch.inference_mode()
    def encode_texts(self, texts: Sequence[str], progress: bool = True) -> np.ndarray:
        """See `Embedder.encode_texts`. Batches have one shape: the last is filled up with copies of its first text."""
        parts: list[torch.Tensor] = []
        report = Progress("texts", len(texts), "texts") if progress else None
        for start in range(0, len(texts), self._batch):
            batch = list(texts[start : start + self._batch])
            filled = batch + [batch[0]] * (self._batch - len(batch))
            tokens = self._words.tokens(filled).to(self._device)
            with self._autocast():
                features = self._model.encode_text(tokens)
            parts.append(F.normalize(features.float(), dim=-1)[: len(batch)].cpu())
            if report:
                report.advance(len(batch))
        return torch.cat(parts).numpy() if parts else np.zeros((0, self.dim), dtype=np.float32)

    def preprocess(self, image: Image.Image) -> np.ndarray:
        """See `Embedder.preprocess`: float32 [3, side, side]."""
        return np.asarray(self._transform(image))

    @torch.inference_mode()
    def encode_images(self, images: Sequence[np.ndarray]) -> np.ndarray:
        """See `Embedder.encode_images`."""
        batch = torch.from_numpy(np.stack(images)).to(self._device)
        with self._autocast():
            features = self._model.encode_image(batch)
        return F.normalize(features.float(), dim=-1).cpu().numpy()

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """See `TargetTokenizer.target_tokens`."""
        return self._words.target_tokens(texts)

    def target_decode(self, ids: Sequence[int]) -> str:
        """See `TargetTokenizer.target_decode`."""
        return self._words.target_decode(ids)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device, dtype=torch.bfloat16, enabled=self._precision == "bf16")


def parse_name(name: str) -> tuple[str, str | None]:
    """(open_clip model name, its weights: a tag, a file, or None where the name says it all).

    Raises:
        NounflowError: nothing that open_clip knows, with the closest names.
    """
    import open_clip

    models = open_clip.list_models()
    if name.startswith(("hf-hub:", "local-dir:")):
        return name, None
    model, at, checkpoint = name.partition("@")
    if at:
        _check_model(model, models)
        if not Path(checkpoint).is_file():
            raise NounflowError("There is no such checkpoint", where=checkpoint, fix=_HELP)
        return model, checkpoint
    if Path(name).is_dir():
        return f"local-dir:{name}", None
    model, slash, tag = name.partition("/")
    if slash and model not in models:
        return f"hf-hub:{name}", None
    _check_model(model, models)
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag not in tags:
        known = f"with one of: {', '.join(tags)}" if tags else "none are known: openclip:MODEL@FILE takes yours"
        raise NounflowError(
            f"open_clip has {'no weights ' + repr(tag) if tag else 'several weights'} for {model}",
            where=f"openclip:{name}",
            fix=f"write openclip:{model}/TAG, {known}",
        )
    return model, tag


def _check_model(model: str, models: Sequence[str]) -> None:
    if model not in models:
        close = difflib.get_close_matches(model, models, n=5, cutoff=0.4)
        raise NounflowError(
            f"open_clip knows no model '{model}'",
            where=f"openclip:{model}",
            fix=f"did you mean {', '.join(close)}?" if close else _HELP,
        )


def _loaded(name: str, load: Any) -> Any:
    """Call `load`; whatever the libraries raise when a model is not here becomes advice."""
    try:
        return load()
    except NounflowError:
        raise
    except Exception as error:  # network, files, formats: each library has its own kinds
        reason = str(error).strip().splitlines()
        raise NounflowError(
            f"The model openclip:{name} cannot be loaded ({type(error).__name__}: {reason[0] if reason else ''})",
            where=f"openclip:{name}",
            fix=(
                "without a network, fetch it where there is one (hf download ORG/NAME --local-dir FOLDER), copy the "
                "folder here and write openclip:local-dir:FOLDER"
            ),
        ) from error


def _vocabulary(words: OpenClipTokenizer) -> list[str]:
    """Everything that fixes a tokenizer's ids, as strings."""
    inner = getattr(words._tokenizer, "tokenizer", None)
    table = inner.get_vocab() if inner is not None else words._tokenizer.encoder
    return [f"{token}\t{number}" for token, number in sorted(table.items(), key=lambda item: item[1])]
