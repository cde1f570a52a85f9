"""Proposals of OWLv2's objectness head, by transformers, from a local folder. Nothing is asked of a hub."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import NounflowError
from nounflow.regions.proposals import ProposalSource


def load(config: ProposalsConfig, device: str) -> ProposalSource:
    """The objectness head's sigmoid, of the model in the folder that the settings name.

    Raises:
        NounflowError: it is not there, or no OWLv2.
    """
    from transformers import Owlv2ForObjectDetection, Owlv2ImageProcessor

    folder = Path(config.weights or "")
    try:
        model = Owlv2ForObjectDetection.from_pretrained(folder, local_files_only=True)
        processor = Owlv2ImageProcessor.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise NounflowError(
            f"There is no OWLv2 here ({str(error).splitlines()[0]})",
            where=folder,
            fix="name a folder with config.json, preprocessor_config.json and weights: regions.proposals.weights",
        ) from error
    model = model.eval().to(device)

    @torch.inference_mode()
    def source(image: Image.Image, _file: str) -> tuple[np.ndarray, np.ndarray]:
        pixels = processor(images=image, return_tensors="pt")["pixel_values"].to(device)
        feature_map = model.image_embedder(pixels)[0]  # [1, rows, columns, dim]
        features = feature_map.reshape(1, -1, feature_map.shape[-1])
        objectness = model.objectness_predictor(features)[0].sigmoid()
        centres = model.box_predictor(features, feature_map)[0]  # x, y, width, height of the padded square
        side = max(image.size)  # the processor pads at the right and the bottom
        corners = torch.cat([centres[:, :2] - centres[:, 2:] / 2, centres[:, :2] + centres[:, 2:] / 2], dim=1) * side
        return corners.cpu().numpy(), objectness.cpu().numpy()

    return source
