r"""Write the report: scores, gallery, training curves and counts on one page that needs no network.

In:  results/scores.json, predictions, annotations, run manifests (metrics.parquet, angles.json and
     caption_calibration.json beside them are drawn where they exist), lexicons, counts of all stages, image folders,
     label files; if there is one, the comparison of open-set scores
Out: results/report.html, one self-contained file

    python workflow_scripts/report.py --scores results/scores.json --predictions results/predictions/small/photos.json \
        --annotations results/annotations/photos/wordnet.json --models results/models/small/manifest.json \
        --nouns results/nouns/small.parquet --counts results/nouns/small.parquet.counts.json \
        --image-folders '{"photos": "photos"}' --labels '{"photos": null}' --gallery 60 --out results/report.html \
        --report-counts results/report.counts.json
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from nounflow.commandline import run_stage

if TYPE_CHECKING:
    from nounflow.counts import Counts
    from nounflow.report.gallery import Card, Picture
    from nounflow.scoring.load import ScoringMaterial

MOST_BYTES = 12_000_000  # of pictures in the page: it stays under 15 MB, which can be mailed


def main(
    scores: Annotated[Path, "results/scores.json"],
    predictions: Annotated[list[Path], "predictions of all runs"],
    models: Annotated[list[Path], "manifests of the runs"],
    nouns: Annotated[list[Path], "lexicons of the runs"],
    image_folders: Annotated[dict[str, str | None], '{"photos": FOLDER, its manifest.json, or null}'],
    labels: Annotated[dict[str, str | None], '{"photos": PATH or null}'],
    out: Annotated[Path, "results/report.html"],
    report_counts: Annotated[Path, "where to record this stage's own counts"],
    annotations: Annotated[Sequence[Path], "judgements of all annotators"] = (),
    counts: Annotated[Sequence[Path], "counts of all stages, in their order"] = (),
    gallery: Annotated[int, "most images in the gallery"] = 60,
    published: Annotated[bool, "show published scores, marked as such"] = False,
    measures: Annotated[Sequence[str], "measures to show beside the usual ones"] = (),
    classification: Annotated[Path | None, "results/classification.tsv, to show it"] = None,
    tags: Annotated[Path | None, "results/tags.json: several nouns for an image"] = None,
    regions: Annotated[Path | None, "results/regions.json: names of boxes"] = None,
    jobs_of: Annotated[Path | None, "results: its benchmarks/ and logs/ say what the jobs took"] = None,
    open_set: Annotated[Path | None, "results/open_set.json, for a section of its own"] = None,
) -> None:
    """Read, choose the gallery, render, write."""
    from nounflow.classification.table import read_table
    from nounflow.counts import Counts
    from nounflow.files import write_text
    from nounflow.report.page import Report, render
    from nounflow.report.reading import read_progress
    from nounflow.schemas.documents import read_document
    from nounflow.schemas.open_set import OpenSetResults
    from nounflow.schemas.regions import RegionScores
    from nounflow.schemas.tags import TagScores
    from nounflow.scoring.load import load_material
    from nounflow.scoring.results import Scores
    from nounflow.workflow.job_costs import job_costs

    scored = read_document(Scores, scores, "score file with details")
    material = load_material(predictions, annotations, models, nouns, labels)
    progress = read_progress(models)
    record = Counts("report")
    cards, images = show(material, image_folders, gallery, record)
    page = render(
        Report(
            scores=scored,
            material=material,
            progress=progress,
            counts=[(short(path), read_document(Counts, path, "counts of a stage")) for path in counts],
            jobs=None if jobs_of is None else job_costs(jobs_of),
            cards=cards,
            images=images,
            published=published,
            open_set=None
            if open_set is None
            else read_document(OpenSetResults, open_set, "comparison of open-set scores"),
            measures=measures,
            classification=None if classification is None else read_table(classification),
            tags=None if tags is None else read_document(TagScores, tags, "scores of several nouns"),
            regions=None if regions is None else read_document(RegionScores, regions, "scores of regions"),
        )
    )
    write_text(out, page)
    record.write(report_counts)
    print(f"{out}: {len(page.encode()) / 1e6:.1f} MB")


def show(
    material: ScoringMaterial, folders: dict[str, str | None], most: int, record: Counts
) -> tuple[list[tuple[Card, Picture]], int]:
    """The gallery's cards with their pictures, and the number of images they were chosen from."""
    from nounflow.images import ImageError
    from nounflow.inputs import images_folder
    from nounflow.report.gallery import cards, choose, picture
    from nounflow.scoring.answers import judgements

    judged = {document.image_set: judgements(document) for document in reversed(material.annotations)}  # first wins
    every = cards(material.predictions, judged, material.labels)
    flow = record.flow("gallery", len(every), "images")
    within = [card for card in every if folders.get(card.image_set)]
    flow.drop(len(every) - len(within), "no folder was given for their image set")
    chosen = choose(within, most)
    flow.drop(len(within) - len(chosen), f"the gallery shows {most}")
    places = {card.image_set: images_folder(Path(folders[card.image_set] or "")) for card in chosen}
    shown: list[tuple[Card, Picture]] = []
    held = 0
    for card in chosen:
        if held > MOST_BYTES:
            flow.drop(1, "the page stays under 15 MB")
            continue
        try:
            shown.append((card, picture(places[card.image_set], card.file)))
            held += len(shown[-1][1].uri)
        except ImageError as error:
            print(f"not in the gallery: {card.file}: {error}")
            flow.drop(1, "could be read when it was named, and cannot now")
    flow.out(len(shown), "cards")
    return shown, len(every)


def short(path: Path) -> str:
    """A counts file's path below results/, as the page names it."""
    parts = path.parts
    below = parts[len(parts) - parts[::-1].index("results") :] if "results" in parts else parts[-1:]
    return "/".join(below).removesuffix(".counts.json")


if __name__ == "__main__":
    run_stage(main, __doc__)
