"""What can be judged: the images of an image set, their tags, and the names of their boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


class JudgedSet(NamedTuple):
    """Where its images and what is true of them lie."""

    folder: str | None
    source: str | None  # without a folder: the name of an input
    labels: str | None  # composed scenes bring theirs


def judged_sets(config: Config) -> dict[str, JudgedSet]:
    """By name: image sets by their own, the sets of tags as tags-NAME, the tests of regions as regions-NAME."""
    found = {name: JudgedSet(part.folder, part.source, part.labels) for name, part in config.image_sets.items()}
    for name, tags in config.tags.sets.items():
        found[f"tags-{name}"] = JudgedSet(tags.folder, tags.source, tags.labels)
    for name, test in config.regions.tests.items():
        found[f"regions-{name}"] = JudgedSet(test.folder, test.source and "region_scenes", test.boxes)
    return found
