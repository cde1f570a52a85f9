"""Published accuracies of embedders, and whether a measured one agrees with them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from nounflow.embedder_checks.accuracy import Z
from nounflow.schemas.embedder_checks import Expectation, Share
from nounflow.tsv import read_rows

CLASSES = {"cifar10": 10, "cifar100": 100, "food101": 101, "imagenette": 10, "imagenet": 1000}
_COLUMNS = ("spec", "kind", "top1", "prompts", "source")


@dataclass(frozen=True)
class Published:
    """One published top-1 accuracy."""

    top1: float  # a fraction
    prompts: str
    source: str


def read_published(path: Path) -> dict[tuple[str, str], Published]:
    """(embedder spec, kind of check set) -> what was published."""
    found = {}
    for row in read_rows(path, _COLUMNS, "published accuracies"):
        try:
            found[row["spec"], row["kind"]] = Published(float(row["top1"]) / 100, row["prompts"], row["source"])
        except ValueError:
            row.refuse_if(True, f"An accuracy is no number: {row['top1']!r}", "write it in percent")
    return found


def hub_spec(spec: str) -> str:
    """open_clip's own name of a model (openclip:MODEL/TAG) as its hub id, where it has one; other specs as they are."""
    kind, _, name = spec.partition(":")
    if kind == "openclip" and name.startswith("hf-hub:"):
        return f"openclip:{name.removeprefix('hf-hub:')}"
    model, slash, tag = name.partition("/")
    if kind != "openclip" or not slash:
        return spec
    import open_clip

    found = open_clip.get_pretrained_cfg(model, tag).get("hf_hub", "").rstrip("/")
    return f"openclip:{found}" if found else spec


def expectation(measured: Share, published: Published, prompts: str) -> Expectation:
    """The published value beside the measured one; see `Expectation` for what is what.

    The tolerance is Z * sqrt(p (1 - p) / n) with the published p: by how much a random sample of n images may differ.
    """
    tolerance = Z * math.sqrt(published.top1 * (1 - published.top1) / measured.n)
    difference = measured.value - published.top1
    verdict = "as expected"
    if abs(difference) > tolerance:
        verdict = "lower than expected" if difference < 0 else "higher than expected"
    note = ""
    if published.prompts not in (prompts, ""):
        note = (
            f"published with {published.prompts} prompts, measured with {prompts}: part of a difference may be theirs"
        )
    return Expectation(
        top1=published.top1,
        difference=difference,
        tolerance=tolerance,
        verdict=verdict,
        prompts=published.prompts,
        source=published.source,
        note=note,
    )


def find_published(
    table: Mapping[tuple[str, str], Published], spec: str, kind: str, classes: int, own: float | None
) -> tuple[Published | None, str]:
    """What is expected of an embedder on a set, or None and why.

    Args:
        own: top-1 accuracy in percent that the config gives for this embedder.
    """
    if own is not None:
        return Published(own / 100, "", "the config"), ""
    if kind not in CLASSES or not any(known == kind for _, known in table):
        return None, f"no accuracies on a set of kind {kind} are in the table"
    if classes != CLASSES[kind]:
        return None, f"published values are for all {CLASSES[kind]:,} classes, and this set has {classes:,}"
    found = table.get((hub_spec(spec), kind)) or table.get((spec, kind))
    return found, "" if found else f"no accuracy of {spec} on {kind} is in the table"
