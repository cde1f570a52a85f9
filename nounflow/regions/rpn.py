"""Proposals of a region proposal network: a detector of torchvision, with weights from a local file."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.models import detection
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.transforms.functional import pil_to_tensor

from nounflow.config.regions import ProposalsConfig
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.regions.proposals import ProposalSource


def load(config: ProposalsConfig, device: str) -> ProposalSource:
    """The network that the settings name; objectness is its sigmoid.

    Raises:
        NounflowError: torchvision has no such detector, or it has no region proposal network.
        DamagedFileError: the weights are not its weights.
    """
    build = getattr(detection, config.model, None)
    if build is None or "rcnn" not in config.model:
        raise NounflowError(
            f"torchvision has no detector {config.model} with a region proposal network",
            where="regions.proposals.model",
            fix="name one, such as fasterrcnn_resnet50_fpn_v2 or fasterrcnn_mobilenet_v3_large_fpn",
        )
    path = Path(config.weights or "")
    try:
        state = _state(path)
        classes = next((len(value) for name, value in state.items() if name.endswith("cls_score.weight")), 91)
        model = build(weights=None, weights_backbone=None, num_classes=classes)
        model.load_state_dict(state)
    except FileNotFoundError:
        raise NounflowError("There are no weights here", where=path, fix="check regions.proposals.weights") from None
    except Exception as error:  # torch and safetensors raise many kinds
        raise DamagedFileError(
            f"These are no weights of {config.model} ({str(error).splitlines()[0]})",
            where=path,
            fix="name the detector that they belong to: regions.proposals.model",
        ) from error
    model = model.eval().to(device)

    @torch.inference_mode()
    def source(image: Image.Image, _file: str) -> tuple[np.ndarray, np.ndarray]:
        pixels = pil_to_tensor(image).to(device).float() / 255
        images, _ = model.transform([pixels])
        features = list(model.backbone(images.tensors).values())
        network = model.rpn
        objectness, deltas = network.head(features)
        anchors = network.anchor_generator(images, features)
        per_level = [level[0].numel() for level in objectness]
        logits, deltas = concat_box_prediction_layers(objectness, deltas)
        proposals = network.box_coder.decode(deltas, anchors).view(1, -1, 4)
        boxes, scores = network.filter_proposals(proposals, logits, images.image_sizes, per_level)
        height, width = images.image_sizes[0]
        scale = torch.tensor([image.width / width, image.height / height] * 2, device=boxes[0].device)
        return (boxes[0] * scale).cpu().numpy(), scores[0].cpu().numpy()

    return source


def _state(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
