"""A low-rank map of image vectors, and a shift that all labels share, kept on disk with what they were trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from nounflow.embedders.protocol import Embedder
from nounflow.schemas.documents import StoredDocument
from nounflow.schemas.embeddings import EmbedderIdentity
from nounflow.store.shards import check_identity
from nounflow.store.weights import load_beside, save_beside
from nounflow.tags.context import LearntContext


class AdapterManifest(StoredDocument):
    """results/tags/{set}/{method}/adapter.json beside adapter.safetensors."""

    method: str
    embedder: EmbedderIdentity
    settings: dict[str, Any]
    templates: tuple[str, ...] = ()  # whose words were learnt
    labels: tuple[str, ...]  # that it was trained on; none of texts, whose labels are the lexicon's nouns
    samples: int
    metrics: dict[str, float]
    weights_sha256: str


class TagAdapter(nn.Module):
    """Images x + B A x, shared by both streams; labels z + delta. Begins as the identity."""

    def __init__(self, dim: int, rank: int, offset: bool) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim, bias=False)
        nn.init.zeros_(self.up.weight)
        self.offset = nn.Parameter(torch.zeros(dim)) if offset else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Unit vectors [..., dim] -> vectors [..., dim]."""
        found: torch.Tensor = images + self.up(self.down(images))
        return found

    def of_labels(self, labels: torch.Tensor) -> torch.Tensor:
        """Unit vectors [labels, dim] -> unit vectors."""
        return labels if self.offset is None else F.normalize(labels + self.offset, dim=-1)

    @torch.inference_mode()
    def moved(self, images: np.ndarray) -> np.ndarray:
        """Unit vectors [..., dim] as scores are computed from: adapted, unit again."""
        return F.normalize(self(torch.from_numpy(images)), dim=-1).numpy()

    @torch.inference_mode()
    def moved_labels(self, _labels: Sequence[str], vectors: np.ndarray) -> np.ndarray:
        """Likewise of labels [labels, dim]."""
        return self.of_labels(torch.from_numpy(vectors)).numpy()


Learnt = TagAdapter | LearntContext  # both say where images and labels are moved to


def save_adapter(path: Path, adapter: Learnt, **fields: Any) -> AdapterManifest:
    """Write the weights, then the manifest, to `path`."""
    return save_beside(path, adapter.state_dict(), lambda digest: AdapterManifest(weights_sha256=digest, **fields))


def load_adapter(path: Path, embedder: Embedder) -> tuple[AdapterManifest, Learnt]:
    """Read and check an adapter.

    Raises:
        DamagedFileError: its weights are not those that were written.
        MismatchError: it was trained with another embedder.
    """
    manifest, tensors = load_beside(AdapterManifest, path, "adapter")
    check_identity(manifest.embedder, embedder.identity, path, "the embedder")
    adapter: Learnt = (
        LearntContext(embedder, manifest.templates)
        if manifest.templates
        else TagAdapter(manifest.embedder.dim, len(tensors["down.weight"]), "offset" in tensors)
    )
    adapter.load_state_dict(tensors)
    return manifest, adapter.eval()
