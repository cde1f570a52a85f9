"""What stands behind `openclip:`: a built-in name with a tag, a hub id, a local folder, or a checkpoint."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nounflow.errors import NounflowError

_HELP = (
    "write openclip:MODEL/TAG (such as openclip:ViT-B-32/laion2b_s34b_b79k), openclip:ORG/NAME of a hub, "
    "openclip:FOLDER, or openclip:MODEL@FILE with a checkpoint of yours"
)


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
        if name.startswith((".", "/", "~")):
            raise NounflowError("There is no such folder", where=name, fix=_HELP)
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
    path = folder / "open_clip_config.json"
    if not model.startswith("local-dir:") or not path.is_file():
        return {}
    text = json.loads(path.read_text(encoding="utf-8")).get("model_cfg", {}).get("text_cfg", {})
    inner = folder / str(text.get("hf_model_name", ""))
    if not text.get("hf_model_name") or not (inner / "config.json").is_file():
        return {}
    return {"text_cfg": {**text, "hf_model_name": str(inner), "hf_model_pretrained": False}}


def _check_model(model: str, models: Sequence[str]) -> None:
    if model not in models:
        close = difflib.get_close_matches(model, models, n=5, cutoff=0.4)
        raise NounflowError(
            f"open_clip knows no model '{model}'",
            where=f"openclip:{model}",
            fix=f"did you mean {', '.join(close)}?" if close else _HELP,
        )
