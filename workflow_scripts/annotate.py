"""Judge the predicted nouns of an image set against its labels.

In:  results/predictions/{run}/{image_set}.json of all runs, or results/tags.json or regions.json; the image set's label
     file (if it has one), results/inputs/wordnet/manifest.json
Out: results/annotations/{image_set}/{annotator}.json, and beside it {annotator}.reasons.tsv (image, noun, category and
     why) and {annotator}.counts.json

    python workflow_scripts/annotate.py --annotator wordnet --image-set photos \
        --labels resources/image_sets/photos.tsv --wordnet-manifest results/inputs/wordnet/manifest.json \
        --predictions results/predictions/small/photos.json --out results/annotations/photos/wordnet.json \
        --reasons results/annotations/photos/wordnet.reasons.tsv --counts results/annotations/photos/wordnet.counts.json

Without --labels nothing can be judged: the annotations name no image, and the scores will show a coverage of 0.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.annotator_kinds import ANNOTATORS
from nounflow.commandline import ImageSet, run_stage

_JUDGES = [kind for kind, entry in ANNOTATORS.items() if entry.judge]


def main(
    image_set: ImageSet,
    wordnet_manifest: Annotated[Path, "results/inputs/wordnet/manifest.json"],
    predictions: Annotated[list[Path], "predictions of all runs; tags.json, regions.json"],
    out: Annotated[Path, "results/annotations/{image_set}/{annotator}.json"],
    reasons: Annotated[Path, "where to write each judgement's reason, TSV"],
    counts: Annotated[Path, "where to record the counts"],
    annotator: Annotated[str, "who judges", {"choices": _JUDGES}] = "wordnet",
    labels: Annotated[
        Path | None, "TSV with columns file, gold[, sense, accepted, secondary]; of tags and regions their label file"
    ] = None,
    supplement: Annotated[Path | None, "nouns that WordNet lacks (TSV)"] = None,
    imports: Annotated[Sequence[Path], "manifests of further sources of nouns"] = (),
    top_k: Annotated[int, "how many nouns of an image are judged"] = 5,
) -> None:
    """Read, judge, write."""
    from nounflow.annotation.judging import Reason, judge_predictions, nouns_to_judge
    from nounflow.annotation.true_labels import true_labels
    from nounflow.escaping import escaped
    from nounflow.image_names import same_name
    from nounflow.inputs import input_folder
    from nounflow.nouns.imported import read_imports
    from nounflow.nouns.supplement import extended, read_supplement
    from nounflow.registry import resolve
    from nounflow.schemas.documents import read_document, write_document
    from nounflow.schemas.inputs import InputManifest
    from nounflow.schemas.labels import LabelTable, read_labels
    from nounflow.schemas.named import NamedSet, read_said
    from nounflow.spreadsheets import write_sheet
    from nounflow.wordnet import WordNet

    documents = [document for path in predictions for document in read_said(path, image_set)]
    nouns = nouns_to_judge(documents, top_k, image_set)
    sets = [document for document in documents if isinstance(document, NamedSet)]
    labelled = LabelTable() if labels is None else true_labels(sets, labels) if sets else read_labels(labels)
    named = set(map(same_name, nouns))
    if strays := [file for file in labelled if file not in named]:
        shown = ", ".join(map(escaped, strays[:10])) + (" ..." if len(strays) > 10 else "")
        print(f"labels that match no image: {shown} ({len(strays):,} in all)", flush=True)
    source = read_document(InputManifest, wordnet_manifest, "WordNet manifest")
    words = WordNet.load(input_folder(wordnet_manifest))
    additions = read_supplement(supplement, words) if supplement else ()
    additions += read_imports(imports, words, additions)
    judge = resolve(ANNOTATORS[annotator].judge)(extended(words, additions)[0])
    rule = f"{judge.rule}, {source.name} {source.version}"  # the same rule on another WordNet is another judge
    rule += f" and {len(additions):,} senses that it lacks" if additions else ""
    annotations, judged, record = judge_predictions(judge, image_set, nouns, labelled, rule)
    write_sheet(reasons, Reason._fields, judged)
    record.write(counts)
    write_document(out, annotations)


if __name__ == "__main__":
    run_stage(main, __doc__)
