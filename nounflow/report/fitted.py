"""What runs would claim under probabilities that were fitted to captions, and whether they are right. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from nounflow.predictors.calibrating import calibrated
from nounflow.schemas.hypernyms import AnswerCalibration
from nounflow.scoring.answers import judge, judgements, only_decoding
from nounflow.scoring.calibration import Bin, calibration, calibration_interval
from nounflow.scoring.load import ScoringMaterial
from nounflow.scoring.values import first_correct
from nounflow.streams import stream


class FittedClaims(NamedTuple):
    """Of a run on an image set under an annotator."""

    judged: int  # first nouns
    bins: tuple[Bin, ...]
    error: float
    low: float  # 95 % interval
    high: float


def fitted_claims(
    material: ScoringMaterial, rules: Mapping[str, AnswerCalibration]
) -> dict[tuple[str, str, str], FittedClaims]:
    """By run, image set and annotator, for the runs of `rules`."""
    found = {}
    for document in material.predictions:
        if (rule := rules.get(document.run)) is None:
            continue
        decoding = only_decoding(document)
        own = np.zeros((len(decoding.probability), rule.candidates))
        for row, said in zip(own, decoding.probability, strict=True):
            row[: len(said)] = said[: rule.candidates]
        first = dict(zip(document.samples, calibrated(own, rule.weight, rule.none)[:, 0], strict=True))
        for one in material.annotations:
            if one.image_set != document.image_set:
                continue
            judged = judge(document, judgements(one))
            known = judged.first_judged
            if not known.any():
                continue
            claimed = np.array([first.get(image, 0.0) for image in judged.images])[known]
            right = first_correct(judged)[known]
            error, bins = calibration(claimed, right)
            interval = calibration_interval(claimed, right, stream(1, document.run, one.image_set, one.annotator))
            key = (document.run, one.image_set, one.annotator)
            found[key] = FittedClaims(int(known.sum()), bins, error, *interval)
    return found
