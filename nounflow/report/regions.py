"""What the report shows of detection: ways, recall of the proposals, AP50 of each name, drawn boxes. Pure."""

from typing import Any

from nounflow.report.templating import environment, verbatim
from nounflow.schemas.regions import RegionRow, RegionScores

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


def regions(scores: RegionScores) -> dict[str, Any]:
    """What the section's template shows."""
    groups: dict[tuple[str, str], list[RegionRow]] = {}
    for row in scores.rows:
        groups.setdefault((row.test, row.run), []).append(row)
    return {"groups": groups, "says": SAYS, "scores": scores, "percent": percent}


def regions_page(scores: RegionScores) -> str:
    """The section as a page of its own, self-contained, for whoever runs no more than this stage."""
    page = environment().get_template("regions_page.html.j2")
    return page.render(css=verbatim("report.css"), regions=regions(scores))


def percent(value: float | None, digits: int = 1) -> str:
    """A fraction as a number of hundredths; a dash where there is none."""
    return "–" if value is None else f"{100 * value:.{digits}f}"
