"""`nounflow regions`: what is where in photographs."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import (
    add_command,
    add_guide,
    add_machine,
    add_run,
    box_text,
    end_with_status,
    load_classifier,
    photo_files,
    share,
)
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.extras import need

if TYPE_CHECKING:
    from nounflow.regions.photographs import FoundRegions

_SIDE = 1600  # pixels of a drawn picture's longer side
_EXAMPLES = """\
examples:
  nounflow regions street.jpg                       boxes with their nouns
  nounflow regions street.jpg --draw out/           the same as a picture: out/street.png
  nounflow regions photos/*.jpg --coco boxes.json   a data set in COCO's form
  nounflow regions street.jpg --guide nouns.txt     look for these only, one noun a line

exit status: 0 all were read, 1 some could not be, 2 none could.
"""


def add(commands: Any) -> None:
    """Add `regions` to the parsers of `nounflow`."""
    regions = add_command(
        commands,
        "regions",
        help="say what is where in photographs: boxes with nouns",
        description="Propose boxes (x0,y0 x1,y1 in pixels) in photographs and name what is in them, the best first.",
        examples=_EXAMPLES,
    )
    regions.add_argument("paths", nargs="+", type=Path, metavar="PHOTO", help="image files, or folders of them")
    add_run(regions)
    add_guide(regions)
    regions.add_argument("--boxes", type=at_least_one, default=40, help="boxes of a photo that are looked at (40)")
    regions.add_argument("--most", type=at_least_one, default=10, help="boxes of a photo that are kept (10)")
    regions.add_argument("--min-confidence", type=share, default=0.3, metavar="P", help="of a noun, 0 to 1 (0.3)")
    regions.add_argument("--draw", type=Path, metavar="DIR", help="write each photo with its boxes, as PNG")
    regions.add_argument("--coco", type=Path, metavar="JSON", help="write all boxes in COCO's form")
    add_machine(regions)
    regions.set_defaults(call=_regions)
    add_json(regions)


def _regions(arguments: argparse.Namespace) -> None:
    need("cv2", "torchvision")
    files = photo_files(arguments.paths, arguments.here)
    pictures = _pictures(files, arguments.draw) if arguments.draw else {}

    from nounflow.files import write_text
    from nounflow.regions.photographs import as_coco

    classifier = load_classifier(arguments, arguments.run)
    found: list[FoundRegions] = []
    for one in classifier.regions(
        files, boxes=arguments.boxes, most=arguments.most, min_probability=arguments.min_confidence
    ):
        found.append(one)
        if one.file in pictures and not one.problem:
            _draw(one, pictures[one.file])
        if not arguments.json:
            _say(one)
    found = [replace(one, file=escaped(one.file)) for one in found]
    show("photographs", [one.as_dict() for one in found], lambda: None)
    if arguments.coco:
        write_text(arguments.coco, json.dumps(as_coco(found), indent=1, ensure_ascii=False) + "\n")
    end_with_status("photographs", len(found), sum(bool(one.problem) for one in found))


def _draw(found: FoundRegions, path: Path) -> None:
    from nounflow.atomic import atomic_file
    from nounflow.images import open_image
    from nounflow.serving.drawn import drawn

    picture = drawn(open_image(Path(found.file)), found, _SIDE)
    with atomic_file(path) as temporary:
        picture.save(temporary, "PNG")


def _pictures(files: list[str], folder: Path) -> dict[str, Path]:
    """Where each photo's drawing goes: a.png, and a_2.png where another drawing is called so, too.

    Raises:
        NounflowError: a drawing would replace a photo.
    """
    places, taken = dict[str, Path](), set[str]()
    for file in files:
        stem = Path(file).stem
        name = next(name for name in _numbered(stem) if name.casefold() not in taken)
        taken.add(name.casefold())  # to some file systems a.png and A.png are one
        places[file] = folder / f"{name}.png"
    photos = {Path(file).resolve() for file in files}
    if lost := [place for place in places.values() if place.resolve() in photos]:
        raise NounflowError("A drawing would replace a photograph", where=lost[0], fix="name another folder for --draw")
    return places


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    yield from (f"{stem}_{number}" for number in itertools.count(2))


def _say(found: FoundRegions) -> None:
    if found.problem or not found.boxes:
        print(
            f"{escaped(found.file)}\t{f'unreadable: {found.problem}' if found.problem else 'nothing sure'}", flush=True
        )
    for one in found.boxes:
        print(f"{escaped(found.file)}\t{one.noun} {one.probability:.0%}\t{box_text(one.box)}", flush=True)
