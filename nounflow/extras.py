"""Packages that a plain installation lacks, and which extra of pyproject.toml brings each. Light to import."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable

from nounflow.errors import NounflowError

_OF_EXTRAS = {  # extra -> top-level modules; a test compares them with pyproject.toml and with what is imported
    "workflow": (
        *("filelock", "ijson", "inflect", "jinja2", "markupsafe", "matplotlib", "psutil", "rich", "sklearn"),
        *("snakemake", "tenacity", "wordfreq", "wordsegment", "yaml", "zarr"),
    ),
    "llm": ("httpx2", "openai"),
    "web": ("fastapi", "krippendorff", "prometheus_client", "starlette", "uvicorn"),
    "xmp": ("exiv2",),
    "demo": ("gradio",),
    "pairs": ("webdataset",),
    "regions": ("cv2", "faster_coco_eval", "torchvision"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "tracking": ("tensorboard", "wandb"),
}
EXTRAS = {module: extra for extra, modules in _OF_EXTRAS.items() for module in modules}


def need(*modules: str) -> None:
    """Refuse to go on without modules that a plain installation lacks.

    Raises:
        NounflowError: one is missing; it names the extras that bring them.
    """
    if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise missing_error(missing)


def missing_error(missing: Iterable[str]) -> NounflowError:
    """The error about modules of `EXTRAS` that are not installed."""
    names = sorted(set(missing))
    extras = ",".join(sorted({EXTRAS[name] for name in names}))
    return NounflowError(
        f"This needs a package that is not installed ({', '.join(names)})",
        fix=f"pip install 'nounflow[{extras}]' (in the project's folder: pip install -e '.[{extras}]')",
    )
