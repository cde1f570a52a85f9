"""Labels of images, and what judges say of nouns."""

import pydantic

from nounflow.image_names import plain_name
from nounflow.schemas.documents import StoredDocument

CATEGORIES = ("correct_primary", "correct_secondary", "close_primary", "close_secondary", "incorrect")


class ImageAnnotations(StoredDocument):
    """Judged nouns of one image, the published five lists."""

    correct_primary: tuple[str, ...] = ()
    correct_secondary: tuple[str, ...] = ()
    close_primary: tuple[str, ...] = ()
    close_secondary: tuple[str, ...] = ()
    incorrect: tuple[str, ...] = ()


class PeopleAgreement(StoredDocument):
    """How far an annotator says what people say, on the pairs that both judged."""

    people: tuple[str, ...]  # names
    pairs: int
    share: float  # of the pairs: the same of the five categories
    kappa: float | None  # Cohen's, five categories; None where both used one and the same category only
    kappa_coarse: float | None  # correct, close and incorrect
    kappa_voting: float | None  # of the voting rule on the same pairs, were nothing calibrated
    held_out: bool  # each pair was judged by a calibration that was fitted without its picture
    confusion: dict[str, dict[str, int]]  # people's category -> the annotator's -> pairs


class Annotations(StoredDocument):
    """results/annotations/{image_set}/{annotator}.json."""

    annotator: str
    rule: str  # version of the rule or model that judged
    image_set: str
    images: dict[str, ImageAnnotations]
    agreement: PeopleAgreement | None = None  # of a judge that was compared with people

    @property
    def by_language_model(self) -> bool:
        """Did a language model judge?"""
        return self.rule.startswith("openai-")

    @pydantic.field_validator("images")
    @classmethod
    def _each_image_once(cls, images: dict[str, ImageAnnotations]) -> dict[str, ImageAnnotations]:
        """Images under their plain names; the lists of what stands under several are joined."""
        once: dict[str, ImageAnnotations] = {}
        for file, lists in images.items():
            before = once.get(name := plain_name(file), ImageAnnotations())
            joined = {c: tuple(dict.fromkeys(getattr(before, c) + getattr(lists, c))) for c in CATEGORIES}
            once[name] = ImageAnnotations(**joined) if name in once else lists
        return once
