"""What stands behind `openclip:`: a built-in name with a tag, a hub id, a local folder, or a checkpoint."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nounflow.config.base import at_home
from nounflow.embedders.hub import OPENCLIP_WEIGHTS, HubFiles, check_folder, check_whole
from nounflow.errors import NounflowError
from nounflow.files import read_json

_CONFIG = "open_clip_config.json"
_HELP = (
    "write openclip:MODEL/TAG (such as openclip:ViT-B-32/laion2b_s34b_b79k), openclip:ORG/NAME of a hub, "
    "openclip:FOLDER, or openclip:MODEL@FILE with a checkpoint of yours"
)

_MISSPELT = 0.85  # likeness to a built-in name from which a first part is taken for it, not for an owner on a hub


def parse_name(name: str) -> tuple[str, str | None]:
    """(open_clip model name, its weights: a tag, a file, or None where the name says it all).

    Raises:
        NounflowError: nothing that open_clip knows, with the closest names.
    """
    import open_clip

    models = open_clip.list_models()
    if name.startswith("hf-hub:"):
        return name, None
    folder = Path(at_home(name.removeprefix("local-dir:")))
    if folder.is_dir():
        _check_towers(folder)
        return f"local-dir:{folder}", None
    if name.startswith("local-dir:"):
        raise NounflowError("There is no such folder", where=name, fix=_HELP)
    model, at, checkpoint = name.partition("@")
    if at:
        _check_model(model, models)
        path = Path(at_home(checkpoint))
        if not path.is_file():
            raise NounflowError("There is no such checkpoint", where=checkpoint, fix=_HELP)
        check_whole(path)
        return model, str(path)
    model, slash, tag = name.partition("/")
    if slash and model not in models:
        if name.startswith((".", "/", "~")):
            raise NounflowError("There is no such folder", where=name, fix=_HELP)
        if difflib.get_close_matches(model, models, n=1, cutoff=_MISSPELT):
            _check_model(model, models)
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


def hub_files(model: str, weights: str | None) -> HubFiles | None:
    """What of a hub a model's weights are; None where no hub has them."""
    import open_clip

    if model.startswith("hf-hub:"):
        return HubFiles(model.removeprefix("hf-hub:"), (("open_clip_config.json",), OPENCLIP_WEIGHTS))
    place = str(((weights and open_clip.get_pretrained_cfg(model, weights)) or {}).get("hf_hub", ""))
    repository, _, file = place.rpartition("/")
    names = (f"{file.rpartition('.')[0]}.safetensors", file) if file else OPENCLIP_WEIGHTS
    return HubFiles(repository, (names,)) if repository else None


def hub_tokenizer_files(model: str) -> HubFiles | None:
    """What of a hub a model's tokenizer is; None where it comes with open_clip, or from a folder."""
    import open_clip

    if model.startswith("hf-hub:"):
        return HubFiles(model.removeprefix("hf-hub:"), (("open_clip_config.json",),))
    if model.startswith("local-dir:"):
        return None
    repository = (open_clip.get_model_config(model) or {}).get("text_cfg", {}).get("hf_tokenizer_name")
    return HubFiles(repository, (("tokenizer_config.json",),)) if repository else None


def fetch_command(model: str, weights: str | None) -> str:
    """The command that fetches a model where there is a network."""
    import open_clip

    repository = model.removeprefix("hf-hub:") if model.startswith("hf-hub:") else ""
    if weights is not None:
        known = open_clip.get_pretrained_cfg(model, weights) or {}
        repository = str(known.get("hf_hub", "")).strip("/")
    return f"hf download {repository or 'ORG/NAME'} --local-dir FOLDER"


def text_model_beside(model: str) -> dict[str, Any]:
    """Arguments that let a local folder bring its Hugging Face text tower's config along.

    open_clip looks `hf_model_name` up on a hub even for a local folder. If the folder has a subfolder of that name
    with a `config.json`, that one is meant.
    """
    folder = Path(model.removeprefix("local-dir:"))
    if not model.startswith("local-dir:"):
        return {}
    text = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    inner = folder / str(text.get("hf_model_name", ""))
    if not text.get("hf_model_name") or not (inner / "config.json").is_file():
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(inner), "hf_model_pretrained": False}}


def _check_towers(folder: Path) -> None:
    """Refuse a folder without a config, whose config lacks a side, and weights that are cut off."""
    path = folder / _CONFIG
    config = read_json(path, f"open_clip config of a model ({_CONFIG})", _HELP)
    parts = config.get("model_cfg") if isinstance(config, dict) else None
    for side, key in (("image", "vision_cfg"), ("text", "text_cfg")):
        if not isinstance(parts, dict) or not isinstance(parts.get(key), dict) or not parts[key]:
            raise NounflowError(
                f"The model has no {side} side (its config has no {key})",
                where=path,
                fix="take a model with both: naming images needs texts and images in one space",
            )
    check_folder(folder)


def _check_model(model: str, models: Sequence[str]) -> None:
    if model not in models:
        close = difflib.get_close_matches(model, models, n=5, cutoff=0.4)
        raise NounflowError(
            f"open_clip knows no model '{model}'",
            where=f"openclip:{model}",
            fix=f"did you mean {', '.join(close)}?" if close else _HELP,
        )
