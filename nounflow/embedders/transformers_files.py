"""What stands behind `transformers:`: a hub id, or a local folder with safetensors."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from nounflow.embedders.loading import loaded
from nounflow.errors import NounflowError

KINDS = ("clip", "siglip", "siglip2")


def load_config(name: str) -> Any:
    """The config of a model.

    Raises:
        NounflowError: the model is of another kind, or its files are not here.
    """
    from transformers import AutoConfig

    config = load_or_advise(name, lambda: AutoConfig.from_pretrained(source(name), **where(name)))
    if config.model_type not in KINDS:
        raise NounflowError(
            f"A model of kind '{config.model_type}' puts no texts and images into one space that is known here",
            where=f"transformers:{name}",
            fix=f"use a model of kind {', '.join(KINDS)}, or one of open_clip (openclip:ORG/NAME)",
        )
    return config


def source(name: str) -> str:
    """The folder or hub id behind a name.

    Raises:
        NounflowError: it looks like a folder, but there is none.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if name.startswith((".", "/", "~")):
        raise NounflowError(
            "There is no such folder",
            where=name,
            fix="write transformers:FOLDER with config.json, safetensors and a tokenizer, or transformers:ORG/NAME",
        )
    return name


def where(name: str) -> dict[str, Any]:
    """A local folder never asks a network, and no code of a model is ever run."""
    return {"local_files_only": Path(name).expanduser().is_dir(), "trust_remote_code": False}


def load_or_advise(name: str, load: Callable[[], Any]) -> Any:
    """Call `load`; see `nounflow.embedders.loading.loaded`."""
    repository = "ORG/NAME" if Path(name).expanduser().is_dir() else name
    return loaded(f"transformers:{name}", load, f"hf download {repository} --local-dir FOLDER")
