"""The part of a classifier that says what is where. Light to import: what is heavy comes when it is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nounflow.config.regions import FusionConfig, ProposalsConfig
from nounflow.image_sources import ImageSource, as_image, check_counts, images_of, is_image, title_of
from nounflow.images import ImageError

if TYPE_CHECKING:
    from nounflow.embedders.protocol import Embedder
    from nounflow.open_set.gate import Gate
    from nounflow.predictors.protocol import Predictor
    from nounflow.regions.photographs import FoundRegions


class FindsRegions:
    """Of `NounClassifier`."""

    _predictor: Predictor
    _embedder: Embedder
    _gate: Gate | None
    _same: dict[str, str]  # noun -> what it shares with its synonyms

    def regions(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        boxes: int = 40,
        most: int = 10,
        min_probability: float = 0.3,
        proposals: ProposalsConfig | None = None,
    ) -> Iterator[FoundRegions]:
        """What is where in photographs: boxes with a noun each, the likeliest first, one photograph after the other.

        One that cannot be read has its reason in `problem`. Of overlapping boxes with one noun, or synonyms, the best
        is kept. A class list (`guide`) and a gate are kept to.

        Args:
            boxes: proposals of a photograph that are looked at; each is embedded twice.
            most: boxes that are kept.
            min_probability: of a noun that is kept.
            proposals: where boxes come from; None: selective search.

        Raises:
            NounflowError: what proposes boxes is not installed.
            TypeError: `boxes` or `most` is no whole number from 1 up.
        """
        check_counts(boxes=boxes, most=most)
        from nounflow.regions.free_names import answer_of, name_boxes
        from nounflow.regions.photographs import FoundRegions, image_regions
        from nounflow.regions.proposals import load_source

        asked, fusion = proposals or ProposalsConfig(), FusionConfig(most=most)
        asked = asked.model_copy(update={"embedded": boxes, "per_image": max(boxes, asked.per_image)})
        propose, answer = load_source(asked, self._embedder.device), answer_of(self._predictor, self._gate)
        for source in [images] if is_image(images) else images_of(images):
            title = title_of(source)
            try:
                image = as_image(source)
            except ImageError as problem:
                yield FoundRegions(title, problem=str(problem))
                continue
            seen = image_regions(image, title, propose, asked, self._embedder)
            found = name_boxes(seen, answer, self._same, fusion, min_probability) if seen else []
            yield FoundRegions(title, image.width, image.height, tuple(found))
