"""Class embeddings: the mean over many prompts, at unit length (Radford et al. 2021, section 3.1.4)."""

from collections.abc import Sequence

import numpy as np

from nounflow.config.check_set import Prompts
from nounflow.embedders.protocol import Embedder
from nounflow.progress import Progress

_TEXTS = 4096  # embedded at a time: what bounds memory


def prompts_name(prompts: Prompts) -> str:
    """How a choice of prompts is called in results."""
    return prompts if isinstance(prompts, str) else "of the config"


def fill_prompts(prompts: Prompts, name: str) -> list[str]:
    """All prompts around one class name."""
    if isinstance(prompts, tuple):
        return [prompt.replace("{}", name) for prompt in prompts]
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES, SIMPLE_IMAGENET_TEMPLATES

    shipped = {"imagenet80": OPENAI_IMAGENET_TEMPLATES, "imagenet7": SIMPLE_IMAGENET_TEMPLATES}[prompts]
    return [template(name) for template in shipped]


def class_embeddings(embedder: Embedder, names: Sequence[str], prompts: Prompts, progress: bool = True) -> np.ndarray:
    """float32 [len(names), dim], unit rows: the normalised mean of the unit embeddings of a name's prompts."""
    each = len(fill_prompts(prompts, ""))
    at_a_time = max(1, _TEXTS // each)
    within = progress and len(names) <= at_a_time  # of one block the embedder itself tells how far it is
    means = []
    with Progress("class names", len(names), "classes", quiet=within or not progress) as bar:
        for start in range(0, len(names), at_a_time):
            block = names[start : start + at_a_time]
            texts = [text for name in block for text in fill_prompts(prompts, name)]
            vectors = embedder.encode_texts(texts, progress=within)  # [block x prompts, dim]
            means.append(vectors.reshape(len(block), each, -1).mean(1))
            bar.advance(len(block))
    mean = np.concatenate(means) if means else np.zeros((0, embedder.dim), dtype=np.float32)
    found: np.ndarray = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    return found
