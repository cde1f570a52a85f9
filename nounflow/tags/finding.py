"""The part of a classifier that names several things. Light to import: what is heavy comes when it is asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.image_sources import ImageSource, as_image, check_counts, images_of, is_image, title_of
from nounflow.images import ImageError
from nounflow.tags.texts import LabelList, NounVectors

if TYPE_CHECKING:
    from nounflow.embedders.protocol import Embedder
    from nounflow.open_set.gate import Gate
    from nounflow.predictors.protocol import Predictor
    from nounflow.schemas.hypernyms import NounHypernyms
    from nounflow.tags.naming import Tagging


class FindsTags:
    """Of `NounClassifier`."""

    _predictor: Predictor
    _embedder: Embedder
    _manifest: Path
    _gate: Gate | None
    _vectors_of: NounVectors
    _hypernyms: NounHypernyms | None
    _same: dict[str, str]  # noun -> what it shares with its synonyms

    def tags(
        self,
        images: ImageSource | Iterable[ImageSource],
        labels: Iterable[str] | None = None,
        *,
        most: int = 5,
        threshold: float | None = None,
    ) -> list[Tagging]:
        """Several nouns of each image, best first, each with its box (docs/tags.md); images as of a call.

        Args:
            labels: nouns to look for, of any lexicon; None: those that the model says of the image and its tiles, where
                the classifier's gate, if it has one, believes it.
            threshold: least score of all but the first; None: that of `results/tags.json` beside the model, if any.

        Raises:
            NounflowError: the list is empty.
            TypeError: something in it is no text, or `most` is no whole number from 1 up.
            UserWarning: labels that stand there twice, or mean the same.
        """
        check_counts(most=most)
        from nounflow.tags.naming import Tagger, Tagging, calibrated_threshold

        manifest = self._predictor.manifest
        listed = None if labels is None else LabelList.of(labels, manifest.nouns, self._hypernyms)
        if listed and not listed.labels:
            raise NounflowError("The list of labels is empty", fix="give nouns, or leave it out")
        if listed and listed.problems:
            warnings.warn(f"labels that mean the same: {escaped(', '.join(listed.problems[:10]))}", stacklevel=2)
        if threshold is None:
            which = (manifest.embedder.spec, listed is not None, self._gate is not None)
            threshold = calibrated_threshold(self._manifest, *which)
        alike = listed.problems if listed else ()
        tagger = Tagger(self._predictor, self._embedder, self._vectors_of, self._same, self._gate)
        found = []
        for source in [images] if is_image(images) else images_of(images):
            try:
                tags = tagger(as_image(source), listed, most, threshold)
                found.append(Tagging(title_of(source), tags, alike=alike))
            except ImageError as problem:
                found.append(Tagging(title_of(source), (), str(problem)))
        return found
