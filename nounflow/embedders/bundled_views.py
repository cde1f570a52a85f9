"""Texts as the bundled image tower would show them, which knows a thousand classes and puts every image among these.

Photographs of what is no class of ImageNet come out of it as mixtures of the classes that they resemble. A text is sent
the same way: to the mean of its ten nearest classes, weighted by their likeness.
"""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.bundled import SPEC, class_names, conse
from nounflow.embedders.kept import kept
from nounflow.embedders.load import load_embedder

# Of the softmax over cosines. At 0.04 a text lies as near to its nearest class (median cosine 0.94) as a default
# photograph does; no label of these was looked at.
_TEMPERATURE = 0.04
_PROMPT = "A photo of a {}."


def as_images(vectors: np.ndarray) -> np.ndarray:
    """Unit vectors of texts, float32 [n, dim] -> unit vectors as of images of what they name."""
    texts = load_embedder(EmbedderConfig(spec=SPEC, precision="fp32"), "cpu", images=False)
    prompts = [_PROMPT.format(name) for name in class_names()]

    def embedded() -> torch.Tensor:
        return torch.from_numpy(texts.encode_texts(prompts, progress=False))

    classes = kept("imagenet-class-texts", (texts.identity.digest, *prompts), embedded)
    likeness = F.softmax(torch.from_numpy(vectors) @ classes.T / _TEMPERATURE, dim=-1)
    return F.normalize(conse(likeness, classes), dim=-1).numpy()
