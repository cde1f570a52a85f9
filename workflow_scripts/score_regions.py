r"""Score detection on its tests: average precision of each way with intervals, recall of the proposals, free names.

    python workflow_scripts/score_regions.py --settings '{"tests": {"scenes": {"images": "scenes"}}}' \
        --cases '[{"test": "scenes", "run": "small", "probe": "results/regions/scenes/bundled/probe.json", ...}]' \
        --out results/regions.tsv --details results/regions.json --page results/regions.html

A case names the files of a test and a run: see `RegionCase` of nounflow/config/regions.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.regions import RegionCase, RegionsConfig

if TYPE_CHECKING:
    from nounflow.regions.case import Drawn
    from nounflow.schemas.regions import DrawnPicture

_SIDE = 640  # pixels of a picture's longer side


def pictures(case: RegionCase, drawn: list[Drawn]) -> list[DrawnPicture]:
    """Their images with boxes; those that cannot be read any more are left out, and named."""
    from nounflow.images import ImageError, open_image
    from nounflow.inputs import images_folder
    from nounflow.regions.drawing import draw_boxes
    from nounflow.report.gallery import jpeg_uri
    from nounflow.schemas.regions import DrawnPicture

    found = []
    folder = images_folder(Path(case.folder))
    for one in drawn:
        try:
            image = open_image(folder / one.file)
        except ImageError as problem:
            print(f"not drawn: {one.file}: {problem}", flush=True)
            continue
        picture = draw_boxes(image, one.detected, _SIDE)
        found.append(
            DrawnPicture(
                test=case.test,
                run=case.run,
                file=one.file,
                uri=jpeg_uri(picture),
                width=picture.width,
                height=picture.height,
                true=one.true,
                detected=tuple(label.text for label in one.detected),
                free=one.free,
            )
        )
    return found


def main(
    settings: Annotated[RegionsConfig, "settings, as JSON"],
    cases: Annotated[tuple[RegionCase, ...], "JSON list of cases"],
    out: Annotated[Path, "results/regions.tsv"],
    details: Annotated[Path, "results/regions.json"],
    page: Annotated[Path, "results/regions.html"],
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Score; see the module docstring."""
    from nounflow.files import write_json, write_text
    from nounflow.process import prepare_process
    from nounflow.regions.case import score_case
    from nounflow.report.regions import regions_page
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.regions import DrawnPicture, RegionRow, RegionScores
    from nounflow.schemas.tags import NamedImage
    from nounflow.spreadsheets import write_sheet

    device = prepare_process(device, threads)
    rows, drawn, named = list[RegionRow](), list[DrawnPicture](), list[NamedImage]()
    per_name, unretrieved = dict[str, dict[str, float]](), dict[str, tuple[str, ...]]()
    for case in cases:
        found = score_case(case, settings, device)
        rows += found.rows
        per_name |= {f"{case.test}/{case.run}/{way}": values for way, values in found.per_name.items()}
        unretrieved[f"{case.test}/{case.run}"] = found.unretrieved
        drawn += pictures(case, found.drawn)
        named += found.named
        for way, results in found.detections.items():
            write_json(case.detections / f"{way}.json", results)
    scores = RegionScores(
        rows=tuple(rows), per_name=per_name, unretrieved=unretrieved, named=tuple(named), pictures=tuple(drawn)
    )
    write_text(page, regions_page(scores))
    write_document(details, scores)
    columns = list(RegionRow.model_fields)
    write_sheet(out, columns, ([getattr(row, column) for column in columns] for row in rows), digits=".6g")
    for row in rows:
        shown = (row.ap50_novel, row.ap50_novel_low, row.ap50_novel_high, row.ap50_base, row.ap50_all)
        numbers = ["  –  " if value is None else f"{100 * value:5.1f}" for value in shown]
        print(f"{row.test} {row.run} {row.way:14} AP50 novel {numbers[0]} ({numbers[1]} … {numbers[2]}) "
              f"base {numbers[3]} all {numbers[4]}")  # fmt: skip


if __name__ == "__main__":
    run_stage(main, __doc__)
