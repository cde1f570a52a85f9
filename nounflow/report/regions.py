"""The page of detection: the table of ways, recall of the proposals, AP50 of each name, drawn boxes. Pure."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import jinja2
from markupsafe import Markup
from PIL import Image

from nounflow.schemas.regions import RegionScores

SAYS = {
    "fused": "probe, similarity and objectness",
    "similarity": "similarity of box and name alone: the baseline",
    "no_probe": "similarity and objectness",
    "probe_only": "the probe alone",
    "no_objectness": "probe and similarity",
    "no_quality": "without the fit that is learnt from base boxes",
    "one_scale": "boxes without their surroundings",
    "free_names": "named without a list, then matched with it",
}
_QUALITY = 80


@dataclass(frozen=True)
class DrawnPicture:
    """A picture with its boxes, and what stands below it."""

    test: str
    run: str
    file: str
    image: Image.Image
    true: tuple[str, ...]
    detected: tuple[str, ...]
    free: tuple[str, ...]


def regions_page(scores: RegionScores, pictures: Sequence[DrawnPicture]) -> str:
    """The whole page, self-contained."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("nounflow.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "uri": _uri}
    groups: dict[tuple[str, str], list[object]] = {}
    for row in scores.rows:
        groups.setdefault((row.test, row.run), []).append(row)
    css = (resources.files("nounflow.report") / "templates" / "report.css").read_text(encoding="utf-8")
    return environment.get_template("regions.html.j2").render(
        css=Markup(css), groups=groups, says=SAYS, scores=scores, pictures=pictures
    )


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a number of hundredths; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"


def _uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_QUALITY, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
