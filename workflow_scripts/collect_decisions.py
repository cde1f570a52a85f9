"""Make an annotations document from what people decided.

In:  a decision log (SQLite or .jsonl), the image set's folder
Out: results/annotations/{image_set}/{annotator}.json, and beside it {annotator}.contradictions.tsv (who said what where
     annotators differ, and what settled it) and {annotator}.counts.json

    python workflow_scripts/collect_decisions.py --annotator people --image-set photos \
        --settings '{"kind": "people"}' --images results/inputs/tuxpaint/manifest.json \
        --predictions results/predictions/small/photos.json --out results/annotations/photos/people.json \
        --contradictions results/annotations/photos/people.contradictions.tsv \
        --counts results/annotations/photos/people.counts.json

Where there is no log yet, the annotations name no image, and the scores will show a coverage of 0.
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import ImageSet, run_stage
from nounflow.config.annotators import PeopleAnnotatorConfig


def main(
    annotator: Annotated[str, "name under `annotators`"],
    image_set: ImageSet,
    settings: Annotated[PeopleAnnotatorConfig, "its settings"],
    images: Annotated[Path, "image folder, or manifest of a fetched source"],
    predictions: Annotated[list[Path], "predictions of all runs"],
    out: Annotated[Path, "results/annotations/{image_set}/{annotator}.json"],
    contradictions: Annotated[Path, "where to write who differs, TSV"],
    counts: Annotated[Path, "where to record the counts"],
) -> None:
    """Read, settle, write."""
    from nounflow.annotation.consensus import Contradiction, five_lists
    from nounflow.annotation.current_decisions import CurrentDecisions
    from nounflow.annotation.log import read_records
    from nounflow.annotation.pictures import digest_images
    from nounflow.annotation.plan import places
    from nounflow.schemas.annotations import Annotations
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.named import read_said
    from nounflow.spreadsheets import write_sheet

    log = Path(settings.log)
    if not log.exists():
        print(
            f"there is no decision log at {log} yet, so nothing is judged; `nounflow annotate` starts one", flush=True
        )
    current = CurrentDecisions(read_records(log) if log.exists() else (), settings.scheme)
    documents = [document for path in predictions for document in read_said(path, image_set)]
    digests = digest_images(images, {file for document in documents for file in document.samples})
    lists, differing, record = five_lists(current, places(documents, digests.images), settings)
    write_sheet(contradictions, Contradiction._fields, differing)
    record.write(counts)
    rule = f"people: {', '.join(settings.policy) or 'where all agree'}"
    write_document(out, Annotations(annotator=annotator, rule=rule, image_set=image_set, images=lists))


if __name__ == "__main__":
    run_stage(main, __doc__)
