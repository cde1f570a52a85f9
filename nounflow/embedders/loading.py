"""Loading models of other libraries: quickly, as tensors only, and with advice where a model is not here."""

import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.overrides import TorchFunctionMode

from nounflow.errors import NounflowError

Loaded = TypeVar("Loaded")

_FILLS = {torch.Tensor.normal_, torch.Tensor.uniform_}


class SkipInitialisation(TorchFunctionMode):
    """Do not draw the random numbers that a checkpoint overwrites: seconds for a large model."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _FILLS or getattr(func, "__module__", "") == "torch.nn.init":
            return kwargs["tensor"] if kwargs and "tensor" in kwargs else args[0]
        return func(*args, **(kwargs or {}))


def loaded(spec: str, load: Callable[[], Loaded], fetch: str) -> Loaded:
    """Call `load`; whatever a library raises when a model is not here becomes advice that names `fetch`.

    Raises:
        NounflowError: the model cannot be loaded.
    """
    try:
        return load()
    except NounflowError:
        raise
    except ImportError as error:
        sentence = " ".join(str(error).split()).partition(". ")[0]
        raise NounflowError(
            f"The model {spec} needs a package that is not here ({sentence})",
            where=spec,
            fix="pip install that package",
        ) from error
    except Exception as error:  # network, files, formats: each library has its own kinds
        reason = textwrap.shorten(str(error), 300, placeholder=" ...")
        raise NounflowError(
            f"The model {spec} cannot be loaded ({type(error).__name__}: {reason})",
            where=spec,
            fix=f"without a network, fetch it where there is one ({fetch}), copy the folder here and write "
            f"{spec.partition(':')[0]}:FOLDER",
        ) from error
