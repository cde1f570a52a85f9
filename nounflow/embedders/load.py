"""An embedder from its settings."""

from nounflow.config.embedder import EmbedderConfig
from nounflow.device import choose_precision, settle_device
from nounflow.embedders.options import ComputeOptions
from nounflow.embedders.protocol import Embedder
from nounflow.registry import resolve


def load_embedder(config: EmbedderConfig, device: str, images: bool = True) -> Embedder:
    """Load the embedder that `config.spec` names.

    Args:
        device: auto, cpu, cuda or mps.
        images: also load what images need; False starts faster.

    Raises:
        NounflowError: its weights are not here.
    """
    device = settle_device(device)
    precision = choose_precision(config.precision, device, "embedding")
    options = ComputeOptions(device, precision, config.batch_tokens, config.compile)
    embedder: Embedder = resolve(config.family.load)(config.model, options, images)
    return embedder
