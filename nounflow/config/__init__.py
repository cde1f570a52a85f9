"""Typed settings, a module for each part; `nounflow.config.experiment` puts them together."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "Settings": "base",
    "LexiconConfig": "lexicon",
    "CaptionsConfig": "captions",
    "MultisetConfig": "captions",
    "OfflineConfig": "captions",
    "EmbedderConfig": "embedder",
    "MixtureConfig": "mixture",
    "DecoderConfig": "decoder",
    "GenerationConfig": "decoder",
    "HeadConfig": "decoder",
    "NoiseConfig": "decoder",
    "RetrievalConfig": "decoder",
    "TrainingConfig": "decoder",
    "RunConfig": "experiment",
    "ImageSetConfig": "experiment",
    "Config": "experiment",
    "load_config": "experiment",
}


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(importlib.import_module(f"nounflow.config.{_WHERE[name]}"), name)
    raise AttributeError(name)
