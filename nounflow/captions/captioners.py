"""The captioners that can be asked for by name. A new one is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nounflow.config.captions import OfflineConfig

if TYPE_CHECKING:
    import polars as pl

    from nounflow.counts import Counts

# (lexicon, folder of resources, settings, seed) -> (table of schema `CAPTIONS`, counts)
Captioner = Callable[["pl.DataFrame", Path, OfflineConfig, int], "tuple[pl.DataFrame, Counts]"]


def offline(nouns: pl.DataFrame, words: Path, settings: OfflineConfig, seed: int) -> tuple[pl.DataFrame, Counts]:
    """Captions from glosses, patterns and word lists; no language model."""
    from nounflow.captions.offline import write_captions
    from nounflow.captions.scenes import SceneBook

    return write_captions(nouns, SceneBook.read(words), settings, seed)


CAPTIONERS: dict[str, Captioner] = {"offline": offline}
