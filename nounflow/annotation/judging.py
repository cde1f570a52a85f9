"""From labels and predictions to an annotations document: which images and nouns there are to judge, and all judged."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from nounflow.counts import Counts
from nounflow.errors import MismatchError, NounflowError
from nounflow.image_names import same_name
from nounflow.schemas.annotations import CATEGORIES, Annotations, ImageAnnotations
from nounflow.schemas.labels import Labels
from nounflow.schemas.named import Said, questions_of
from nounflow.schemas.predictions import Predictions


class Judgement(NamedTuple):
    """One of the five categories, and the reason in short words."""

    category: str
    reason: str


class Annotator(Protocol):
    """Anything that judges a noun by an image's labels."""

    name: str
    rule: str

    def judge(self, labels: Labels, noun: str) -> Judgement: ...


class Reason(NamedTuple):
    """Why a noun got its category: a row of `{annotator}.reasons.tsv`."""

    image: str
    noun: str
    category: str
    reason: str


def nouns_to_judge(predictions: Iterable[Said], top_k: int, image_set: str) -> dict[str, tuple[str, ...]]:
    """Image -> the distinct nouns among the first `top_k` of any run and decoding, both in alphabetical order.

    Raises:
        MismatchError: if a file predicts on another image set.
    """
    nouns: dict[str, set[str]] = {}
    for document in predictions:
        if document.image_set != image_set:
            raise MismatchError(
                f"The predictions of run {document.run} are on image set {document.image_set}, not on {image_set}",
                fix="pass the predictions of one image set only",
            )
        for image in (*document.samples, *document.unreadable) if isinstance(document, Predictions) else ():
            nouns.setdefault(image, set())
        for question in questions_of(document, top_k):
            nouns.setdefault(question.name, set()).update(question.nouns)
    return {image: tuple(sorted(nouns[image])) for image in sorted(nouns)}


def judge_predictions(
    annotator: Annotator,
    image_set: str,
    nouns: Mapping[str, Sequence[str]],
    labels: Mapping[str, Labels],
    rule: str | None = None,
) -> tuple[Annotations, list[Reason], Counts]:
    """Judge each noun of each image that has labels; an image without labels stays out, and is counted.

    Args:
        annotator: who judges.
        image_set: name of the image set.
        nouns: image -> distinct nouns, from `nouns_to_judge`.
        labels: image -> labels; empty for a set without a label file.
        rule: version to record, by default the annotator's.

    Raises:
        NounflowError: if an image's labels are wrong in themselves, naming the image.
    """
    images: dict[str, ImageAnnotations] = {}
    reasons: list[Reason] = []
    for image in (image for image in nouns if image in labels):
        try:
            judged = [Reason(image, noun, *annotator.judge(labels[image], noun)) for noun in nouns[image]]
        except NounflowError as error:
            raise NounflowError(error.what, where=f"the labels of {image}", fix=error.fix) from error
        lists = {c: tuple(v.noun for v in judged if v.category == c) for c in CATEGORIES}
        images[image] = ImageAnnotations(**lists)
        reasons.extend(judged)
    document = Annotations(annotator=annotator.name, rule=rule or annotator.rule, image_set=image_set, images=images)
    return document, reasons, _count(nouns, labels, reasons)


def _count(nouns: Mapping[str, Sequence[str]], labels: Mapping[str, Labels], reasons: Sequence[Reason]) -> Counts:
    counts = Counts("annotations")
    unlabelled = [image for image in nouns if image not in labels]
    why = "no labels for this image, so nothing to judge by" if labels else "the image set has no label file"
    flow = counts.flow("images", len(nouns), "images predicted on")
    flow.drop(len(unlabelled), why)
    flow.out(len(nouns) - len(unlabelled), "images judged")
    flow = counts.flow("labels", len(labels), "labelled images")
    named = set(map(same_name, nouns))
    flow.drop(sum(same_name(image) not in named for image in labels), "no run predicted on this image")
    flow.out(len(nouns) - len(unlabelled), "images judged")
    flow = counts.flow("nouns", sum(map(len, nouns.values())), "image-noun pairs")
    flow.drop(sum(len(nouns[image]) for image in unlabelled), why)
    flow.out(len(reasons), "pairs judged")
    flow = counts.flow("correct", len(reasons), "pairs judged")
    for category in CATEGORIES[2:]:
        flow.drop(sum(reason.category == category for reason in reasons), category.replace("_", " "))
    flow.out(sum(reason.category in CATEGORIES[:2] for reason in reasons), "pairs correct")
    return counts
