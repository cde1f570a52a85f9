"""What lies above a model's nouns."""

import pydantic

from nounflow.schemas.documents import StoredDocument


class NounHypernyms(StoredDocument):
    """results/models/{run}/hypernyms.json: the part of WordNet that a model's answers need, so that it goes with it."""

    names: dict[str, str]  # of the synsets, by id
    chains: tuple[tuple[str, ...], ...]  # of each noun: its own synset and those above, nearest first
    groups: tuple[str, ...]  # nouns of one group are synonyms

    @pydantic.model_validator(mode="after")
    def _parallel(self) -> "NounHypernyms":
        if len(self.chains) != len(self.groups):
            raise ValueError("each noun needs a chain and a group")
        if unnamed := {synset for chain in self.chains for synset in chain} - self.names.keys():
            raise ValueError(f"{len(unnamed)} synsets have no name")
        return self


class AnswerCalibration(StoredDocument):
    """calibration.json or caption_calibration.json of a model: what makes probabilities shares of right answers."""

    weights_sha256: str  # of the model that it was fitted for
    weight: float  # of the log-probabilities: one over the temperature
    none: float  # log of what "none of the candidates" weighs
    candidates: int  # nouns of an image that share one probability
    images: int  # labelled ones that it was fitted to, or captions
    labels: str  # the file, or the training set's manifest
    fitted_on: str = "labelled images"
    error_before: float  # expected calibration error on these images
    error_after: float  # likewise, in cross-validation
    right: float  # share of the images whose first noun is right
