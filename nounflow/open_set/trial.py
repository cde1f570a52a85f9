"""One test of the open set on one embedder: its images, what is known of them, and the scores of each draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from nounflow.config.open_set import OpenSetConfig, OpenSetTestConfig
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank, check_classes
from nounflow.open_set.draws import Draw, draw_known
from nounflow.open_set.evaluation import Compared, Scored
from nounflow.open_set.no_store import StoredNoModel
from nounflow.open_set.reference import Reference, background_rows, candidate_rows, reference
from nounflow.open_set_scores import SCORES
from nounflow.schemas.labels import Labels
from nounflow.senses import WordSenses
from nounflow.text import canon


@dataclass(frozen=True)
class Answered:
    """What a run said of an image set, and of the bank's patterns; lists run parallel to `files`."""

    run: str
    image_set: str
    embedder: str  # digest
    lexicon: Sequence[str]
    files: Sequence[str]
    nouns: Sequence[Sequence[str]]
    probability: Sequence[float]  # of the first noun
    right: np.ndarray  # bool
    wrong: np.ndarray  # bool; what nobody judged is neither
    points: np.ndarray  # float64
    pattern_nouns: Sequence[Sequence[str]]
    pattern_probability: Sequence[float]


@dataclass(frozen=True)
class Material:
    """All that was read."""

    settings: OpenSetConfig
    banks: Sequence[NounBank]
    images: Mapping[tuple[str, str], tuple[Sequence[str], np.ndarray]]  # set, embedder digest -> files, unit rows
    labels: Mapping[str, Mapping[str, Labels]]  # image set -> file -> labels
    classes: Mapping[str, Sequence[str]]  # test -> its class list
    senses: WordSenses
    pictured: Sequence[str]  # the classes of ImageNet-1k
    answered: Sequence[Answered] = ()
    no: Sequence[StoredNoModel] = ()


class Shown(NamedTuple):
    """An image of a test."""

    file: str
    vector: np.ndarray  # float32 [dim], unit
    image_set: str = ""  # empty: a synthetic pattern
    gold: str = ""
    sense: str = ""
    names: frozenset[str] = frozenset()  # normal spellings that are right, gold's own among them


@dataclass(frozen=True)
class Trial:
    """One test on one embedder; `no`: no-embeddings of the bank's nouns, by no-model."""

    material: Material
    bank: NounBank
    name: str
    no: Mapping[str, np.ndarray]

    @property
    def test(self) -> OpenSetTestConfig:
        """Its settings."""
        return (self.material.settings.tests or {})[self.name]

    @cached_property
    def images(self) -> list[Shown]:
        """Labelled images of the known set, all of the unknown ones, patterns last.

        Raises:
            NounflowError: no image of the known set has a label.
        """
        test, found = self.test, list[Shown]()
        for image_set in (test.known, *test.unknown):
            labels = self.material.labels.get(image_set, {})
            files, vectors = self.material.images[image_set, self.bank.manifest.embedder.digest]
            for file, vector in zip(files, vectors, strict=True):
                if (one := labels.get(file)) and one.gold:
                    names = frozenset(map(canon, (one.gold, *one.accepted)))
                    found.append(Shown(file, vector, image_set, one.gold, one.sense, names))
                elif image_set != test.known:
                    found.append(Shown(file, vector, image_set))
        if all(image.image_set != test.known for image in found):
            raise NounflowError(
                f"No image of {test.known} has a label, so nothing is known",
                where=f"open_set.tests.{self.name}.known",
                fix="check that the label file names files as seen from the image folder",
            )
        if test.patterns:
            found += map(Shown, self.bank.manifest.patterns, self.bank.patterns)
        return found

    @cached_property
    def draws(self) -> list[Draw]:
        """Which of the images, patterns apart, count as known.

        Raises:
            NounflowError: known and unknown sets overlap, or no known image is of a known class.
        """
        test, photos = self.test, [image for image in self.images if image.image_set]
        nouns = [image.gold for image in photos]
        if not test.unknown:
            synsets, wordnet = [self._meaning(image) for image in photos], self.material.senses.wordnet
            seeds = (self.material.settings.seed + i for i in range(test.draws))
            return [draw_known(nouns, synsets, wordnet, test.known_share, seed) for seed in seeds]
        sets = np.array([image.image_set for image in photos])
        classes = self.material.classes.get(self.name) or [
            noun for noun, image_set in zip(nouns, sets, strict=True) if image_set == test.known
        ]
        known = set(map(canon, classes))
        of_known = np.array([not image.names.isdisjoint(known) for image in photos])
        for image_set in test.unknown:
            if shared := sorted({nouns[row] for row in np.flatnonzero(of_known & (sets == image_set))}):
                raise NounflowError(
                    f"Known and unknown sets overlap: {len(shared)} nouns of {image_set} are known: "
                    f"{', '.join(shared[:5])}",
                    where=f"open_set.tests.{self.name}",
                    fix="take their images out of the unknown set, or the nouns out of `classes`",
                )
        of_known &= sets == test.known
        if not of_known.any():
            raise NounflowError(
                f"None of the known classes is right for any image of {test.known}",
                where=f"open_set.tests.{self.name}.classes",
                fix="name the classes as its label file does",
            )
        kinds: dict[str, np.ndarray] = {}
        for image_set, distance in test.unknown.items():
            kinds[image_set] = sets == image_set
            kinds[distance] = kinds.get(distance, np.zeros(len(sets), dtype=bool)) | kinds[image_set]
        return [Draw(tuple(dict.fromkeys(classes)), of_known, kinds)]

    def _meaning(self, image: Shown) -> str | None:
        senses = self.material.senses
        return senses.wordnet.sense_ids.get(image.sense) or next(iter(senses.synsets(image.gold)), None)

    def with_list(self) -> Compared:
        """Scores of each draw with its class list.

        Raises:
            NounflowError: the class list is of no use.
        """
        seed = self.material.settings.seed
        scored = [self._listed(draw, seed + i) for i, draw in enumerate(self.draws)]
        return Compared(self.name, "", self.bank.manifest.embedder.spec, scored, seed)

    def _listed(self, draw: Draw, seed: int) -> Scored:
        images, rows = self.images, self.bank.rows(draw.classes)
        known = self.bank.vectors[rows]
        label = (
            f"label images of more nouns in {self.test.known}, or name the tests that can be made under open_set.tests"
        )
        check_classes(draw.classes, known, f"open_set.tests.{self.name}", label)
        called = [draw.classes[i] for i in (_stacked(images) @ known.T).argmax(axis=1).tolist()]
        right = np.array([canon(name) in image.names for name, image in zip(called, images, strict=True)])
        pattern = np.array([not image.image_set for image in images])
        classes = set(map(canon, self.material.pictured))
        pictured = np.array([not image.names.isdisjoint(classes) for image in images])
        extra = np.zeros(int(pattern.sum()), dtype=bool)  # a draw is of photographs
        kinds = {kind: np.concatenate([photos, extra]) for kind, photos in draw.unknown.items()}
        unknown = np.logical_or.reduce(list(kinds.values()))
        kinds |= {
            "all": unknown,
            "ImageNet": unknown & pictured,
            "not ImageNet": unknown & ~pictured,
            "farthest": kinds.get("farthest", pattern) | pattern,
        }
        return _scored(
            images, self._scores(images, rows, seed), np.concatenate([draw.known, extra]), kinds, right, called
        )

    def of_runs(self) -> Iterator[Compared]:
        """Runs of this embedder on the known set, without a list: their nouns of each image, then background nouns."""
        settings, identity = self.material.settings, self.bank.manifest.embedder
        for said in self.material.answered:
            if (said.image_set, said.embedder) != (self.test.known, identity.digest):
                continue
            place = {file: i for i, file in enumerate(said.files)}
            photos = [image for image in self.images if image.image_set and image.file in place]
            rows = [place[image.file] for image in photos]
            patterns = [image for image in self.images if not image.image_set][: len(said.pattern_nouns)]
            images, extra = photos + patterns, np.zeros(len(patterns))
            nouns = [*(said.nouns[i] for i in rows), *said.pattern_nouns[: len(patterns)]]
            probability = [*(said.probability[i] for i in rows), *said.pattern_probability[: len(patterns)]]
            right, wrong = (np.concatenate([part[rows], extra.astype(bool)]) for part in (said.right, said.wrong))
            pattern = np.arange(len(images)) >= len(photos)
            candidates = candidate_rows(said.lexicon, nouns, background_rows(len(said.lexicon), settings))
            scores = self._scores(images, self.bank.rows(said.lexicon), settings.seed, candidates)
            scores = {"probability": np.array(probability), **scores}
            kinds = {"wrong": wrong, "farthest": pattern}
            called = [row[0] if row else "" for row in nouns]
            scored = _scored(images, scores, right, kinds, right, called)
            points = np.concatenate([said.points[rows], extra])
            yield Compared(self.name, said.run, identity.spec, [scored], settings.seed, points=points)

    def _scores(
        self, images: Sequence[Shown], known: np.ndarray, seed: int, candidates: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Scores where some rows of the bank are known; those of a no-model are called METHOD:NO_MODEL."""
        settings, vectors = self.material.settings, _stacked(images)
        held, _ = reference(self.bank, known, settings.negatives, seed)
        scores = held.scores(vectors, [method for method in settings.methods if held.can(method)], candidates)
        asked = [method for method in settings.methods if SCORES[method].needs == "no_model"]
        for name, no in self.no.items():
            found = Reference(held.known, held.temperature, no=no[known]).scores(vectors, asked, candidates)
            scores |= {f"{method}:{name}": values for method, values in found.items()}
        return scores


def _stacked(images: Sequence[Shown]) -> np.ndarray:
    return np.stack([image.vector for image in images])


def _scored(
    images: Sequence[Shown], scores: Mapping[str, np.ndarray], known: np.ndarray, kinds: Mapping[str, np.ndarray],
    right: np.ndarray, called: Sequence[str],
) -> Scored:  # fmt: skip
    files, gold = [image.file for image in images], [image.gold for image in images]
    return Scored(scores, known, kinds, right, files, gold, called)
