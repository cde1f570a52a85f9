"""The captioners that can be asked for by name. A new one is one more entry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nounflow.config.captions import OfflineConfig

if TYPE_CHECKING:
    import polars as pl

    from nounflow.captions.table import CaptionDraft

# (lexicon, folder of resources, settings, seed) -> captions to be written
Captioner = Callable[["pl.DataFrame", Path, OfflineConfig, int], "CaptionDraft"]


def offline(nouns: pl.DataFrame, words: Path, settings: OfflineConfig, seed: int) -> CaptionDraft:
    """Captions from glosses, patterns and word lists; no language model."""
    from nounflow.captions.offline import draft_captions
    from nounflow.captions.scenes import SceneBook

    return draft_captions(nouns, SceneBook.read(words), settings, seed)


CAPTIONERS: dict[str, Captioner] = {"offline": offline}
