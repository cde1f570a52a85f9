"""Patch tokens of open_clip's image towers, where they lie in the space of the texts."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from nounflow.embedders.protocol import Patches


def patches_of(model: Any, resize_mode: str) -> tuple[Patches, Callable[[Tensor], Tensor]] | None:
    """Of a ViT that pools its class token: that token's final norm and projection make features of the patches, too.

    None for other towers. With an attention pool (SigLIP) no projection of single tokens exists.
    """
    from open_clip.transformer import VisionTransformer

    tower = model.visual
    plain = type(tower) is VisionTransformer and tower.attn_pool is None and tower.pool_type == "tok"
    if not plain or tower.proj is None or tower.final_ln_after_pool or resize_mode not in ("shortest", "squash"):
        return None

    def features(batch: Tensor) -> Tensor:
        """Pixels [batch, 3, height, width] -> [batch, patches, dim], row by row."""
        found = tower.forward_intermediates(
            batch, indices=1, normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
        )
        projected: Tensor = found["image_intermediates"][0] @ tower.proj
        return projected

    def seen(width: int, height: int) -> tuple[float, float, float, float]:
        """`shortest` scales the shorter side and cuts the centre out."""
        if resize_mode == "squash":
            return 0.0, 0.0, float(width), float(height)
        scale = max(tower.image_size[0] / height, tower.image_size[1] / width)
        high, wide = tower.image_size[0] / scale, tower.image_size[1] / scale
        x0, y0 = (width - wide) / 2, (height - high) / 2
        return x0, y0, x0 + wide, y0 + high

    rows, columns = tower.grid_size
    return Patches((int(rows), int(columns)), seen), features
