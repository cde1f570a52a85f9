"""What is exported, as PyTorch modules of tensors alone, and how a module becomes an ONNX file."""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nounflow.decoder.model import ObjectDecoder
from nounflow.embedders.two_towers import TwoTowers
from nounflow.errors import NounflowError
from nounflow.onnx.opening import prepared
from nounflow.onnx.preparing import noise_images
from nounflow.schemas.onnx import ImagePreparation

_ONE_FILE = 1_800_000_000  # bytes of weights: a protobuf holds 2 GB, more stand beside it in NAME.onnx.data


class _Function(nn.Module):
    """A function of one tensor."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = function

    def forward(self, given: Tensor) -> Tensor:
        return self._function(given)


class _Decoder(nn.Module):
    """One step of the decoder. The prefix is computed again at each step, so that one graph holds all weights once.

    Its inputs are embeddings [n, dim], tokens [n, live] and the keys and values of the tokens before these,
    [n, live, layers, heads, past, size]. Its outputs are log-probabilities of the first token [n, vocabulary] and of
    what follows the given ones [n, live, vocabulary], and keys and values with the given tokens.
    """

    def __init__(self, model: ObjectDecoder) -> None:
        super().__init__()
        self.model = model

    def forward(self, embeddings: Tensor, tokens: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
        first, prefix = self.model.start(embeddings)
        own = list(zip(keys.unbind(2), values.unbind(2), strict=True))
        following, longer = self.model.step(tokens, keys.shape[4], prefix, own)
        long_keys, long_values = (torch.stack(part, 2) for part in zip(*longer, strict=True))
        return F.log_softmax(first, -1), F.log_softmax(following, -1), long_keys, long_values


class Graph(NamedTuple):
    """A module with all that its export needs to know."""

    what: str  # for messages
    module: nn.Module
    inputs: dict[str, Tensor]  # examples, in the order of `forward`; no dimension of any length is 0 or 1 there
    any_length: tuple[tuple[int, ...], ...]  # dimensions of each input
    outputs: tuple[str, ...]


def tower_graph(embedder: TwoTowers, how: ImagePreparation) -> Graph:
    """Of an embedder in fp32: images uint8 [n, height, width, 3] -> unit vectors float32 [n, dim]."""
    features = embedder.image_features
    assert features is not None
    takes_pixels = embedder.preprocess(noise_images()[0]).dtype == np.uint8  # else floats, normalised
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (how.mean, how.std))

    def encode(pixels: Tensor) -> Tensor:
        if not takes_pixels:
            pixels = (pixels.permute(0, 3, 1, 2).float() / 255 - mean) / std
        return F.normalize(features(pixels).float(), dim=-1)

    inputs = {"pixels": torch.from_numpy(np.stack([prepared(image, how) for image in noise_images()[:2]]))}
    return Graph(embedder.identity.spec, _Function(encode), inputs, ((0,),), ("embeddings",))


def decoder_graph(model: ObjectDecoder) -> Graph:
    """Of one step: see `_Decoder`."""
    shape = model.config
    past = (2, 3, shape.layers, shape.heads, 2, shape.width // shape.heads)
    inputs = {"embeddings": _unit_rows(model.dim), "tokens": torch.ones(2, 3, dtype=torch.int64)}
    inputs |= {"past_keys": torch.zeros(past), "past_values": torch.zeros(past)}  # two: one tensor would be one input
    lengths = ((0,), (0, 1), (0, 1, 4), (0, 1, 4))
    return Graph("decoder", _Decoder(model), inputs, lengths, ("first", "following", "keys", "values"))


def head_graph(logits: Callable[[Tensor], Tensor], dim: int) -> Graph:
    """Embeddings [n, dim] -> log-probabilities of all nouns [n, nouns]; `logits` is in evaluation mode."""
    module = _Function(lambda embeddings: F.log_softmax(logits(embeddings), dim=-1))
    return Graph("head", module, {"embeddings": _unit_rows(dim)}, ((0,),), ("log_probabilities",))


def cannot(what: str, error: BaseException) -> NounflowError:
    """What an export ended with."""
    while error.__cause__ is not None:
        error = error.__cause__
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return NounflowError(
        f"This cannot be written as ONNX ({reason})", where=what, fix="use the run itself, or another embedder"
    )


@torch.no_grad()
def write_graph(path: Path, graph: Graph, int8: bool = False) -> None:
    """Write a graph as ONNX.

    Args:
        int8: weights of matrix products and tables become int8; what they are multiplied with is quantised as it comes.

    Raises:
        NounflowError: it uses what ONNX, or its exporter, does not have.
    """
    try:
        with _quiet():
            program = torch.onnx.export(
                graph.module.eval(),
                tuple(graph.inputs.values()),
                dynamo=True,
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                dynamic_shapes=tuple(dict.fromkeys(places, torch.export.Dim.DYNAMIC) for places in graph.any_length),
                verbose=False,
            )
            assert program is not None
            weights = [value.const_value for value in program.model.graph.initializers.values()]
            size = sum(int(weight.nbytes) for weight in weights if weight is not None)
            program.save(path, external_data=size > _ONE_FILE)
    except Exception as error:  # torch, onnxscript and onnx have many kinds
        raise cannot(graph.what, error) from error
    if int8:
        _quantise(path, size > _ONE_FILE)


def _quantise(path: Path, large: bool) -> None:
    """In place: matrix products with weights, and tables."""
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with _quiet(), tempfile.TemporaryDirectory(dir=path.parent) as folder:
        plain = Path(folder) / path.name  # with transposed weights computed: only constants are quantised
        quant_pre_process(path, plain, skip_symbolic_shape=True, save_as_external_data=large)
        for old in path.parent.glob(f"{path.name}*"):
            old.unlink()
        quantize_dynamic(
            plain,
            path,
            op_types_to_quantize=["MatMul", "Gemm", "Gather"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=large,
        )


def _unit_rows(dim: int) -> Tensor:
    """Two embeddings [2, dim] to try a graph with."""
    drawn = np.random.Generator(np.random.Philox(0)).standard_normal((2, dim), dtype=np.float32)
    return F.normalize(torch.from_numpy(drawn), dim=-1)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter and the quantiser tell of each operator that they leave as it is."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
