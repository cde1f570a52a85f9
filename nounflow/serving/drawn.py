"""A picture with what was found in it: several nouns, or regions."""

from PIL import Image

from nounflow.regions.drawing import Label, draw_boxes
from nounflow.regions.photographs import FoundRegions
from nounflow.tags.naming import Tagging


def drawn(image: Image.Image, found: Tagging | FoundRegions, most_side: int | None = None) -> Image.Image:
    """A copy with boxes, each with what stands in it; of several nouns the whole image may be the box."""
    texts: dict[tuple[float, ...], list[str]] = {}
    if isinstance(found, FoundRegions):
        for one in found.boxes:
            texts.setdefault(one.box, []).append(f"{one.noun} {one.probability:.0%}")
    else:
        for each in found.nouns:
            texts.setdefault(each.box or (0.0, 0.0, *image.size), []).append(f"{each.noun} {each.score:.2f}")
    return draw_boxes(image, [Label(box, ", ".join(said)) for box, said in texts.items()], most_side)
