"""What stands behind `transformers:`: a hub id, or a local folder with safetensors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nounflow.config.base import at_home
from nounflow.embedders.hub import HubFiles, check_folder, loaded
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
    path = Path(at_home(name))
    if path.is_dir():
        check_folder(path)
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
    return {"local_files_only": Path(at_home(name)).is_dir(), "trust_remote_code": False}


def load_or_advise(name: str, load: Callable[[], Any], *files: Sequence[str]) -> Any:
    """Call `load`; see `nounflow.embedders.hub.loaded`. `files`: what it needs of a hub beside the config."""
    spec, local = f"transformers:{name}", Path(at_home(name)).is_dir()
    wanted = None if local else HubFiles(source(name), (("config.json",), *files))
    repository = "ORG/NAME" if local else name
    return loaded(spec, wanted, load, f"hf download {repository} --local-dir FOLDER")
