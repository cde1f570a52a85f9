"""All tests of a config, compared: from what was read to the rows of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from nounflow.config.open_set import OpenSetConfig, OpenSetTestConfig
from nounflow.errors import NounflowError
from nounflow.open_set.bank import NounBank
from nounflow.open_set.draws import Draw, draw_known
from nounflow.open_set.evaluation import Compared, Scored
from nounflow.open_set.negatives import left_out
from nounflow.open_set.no_store import StoredNoModel
from nounflow.open_set.reference import temperature_of
from nounflow.open_set.trial import LabelledImages, free, listed, reference
from nounflow.schemas.labels import Labels
from nounflow.schemas.open_set import OpenSetResults, OpenSetRow
from nounflow.senses import WordSenses
from nounflow.text import canon


@dataclass(frozen=True)
class ImageVectors:
    """An image set as an embedder sees it."""

    image_set: str
    embedder: str  # digest
    files: Sequence[str]
    vectors: np.ndarray  # float32 [images, dim], unit rows


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
    points: np.ndarray  # float64
    pattern_nouns: Sequence[Sequence[str]]
    pattern_probability: Sequence[float]


@dataclass(frozen=True)
class Material:
    """All that was read."""

    settings: OpenSetConfig
    banks: Sequence[NounBank]
    images: Sequence[ImageVectors]
    labels: Mapping[str, Mapping[str, Labels]]  # image set -> file -> labels
    classes: Mapping[str, Sequence[str]]  # test -> its class list
    senses: WordSenses
    pictured: Sequence[str]  # the classes of ImageNet-1k
    answered: Sequence[Answered] = ()
    no: Sequence[StoredNoModel] = ()


def compare(material: Material) -> OpenSetResults:
    """Compare all scores on all tests, for each embedder.

    Raises:
        NounflowError: a test's sets overlap, or its class list is of no use.
    """
    rows: list[OpenSetRow] = []
    compared: list[Compared] = []
    notes: list[str] = []
    for bank in material.banks:
        no = {model.path.stem: model.no for model in material.no if model.bank == bank.manifest.weights_sha256}
        for name, test in (material.settings.tests or {}).items():
            images, draws = _images(material, bank, name, test)
            one = _with_list(material, bank, name, test, images, draws, no)
            compared.append(one)
            rows += one.rows()
            notes += _notes(material, bank, name, draws)
            of_runs = list(_of_runs(material, bank, name, test, images, no))
            plain = [other.plain_points() for other in of_runs]
            best = max(plain, key=lambda found: float(found[0]), default=None)
            for other in of_runs:
                compared.append(other)
                kept = dict(other.kept(best))
                for row in other.rows():
                    more = kept[row.method] if row.unknown == "wrong" else {}
                    rows.append(row.model_copy(update={"measures": row.measures | more}))
    return OpenSetResults(
        rows=tuple(rows),
        histograms=tuple(chain.from_iterable(one.histograms() for one in compared)),
        fooled=tuple(chain.from_iterable(one.fooled() for one in compared)),
        notes=tuple(notes),
    )


def _images(
    material: Material, bank: NounBank, name: str, test: OpenSetTestConfig
) -> tuple[LabelledImages, list[Draw]]:
    """All images of a test, and which of them count as known in each draw."""
    sets = {
        held.image_set: held for held in material.images if held.embedder == bank.manifest.embedder.digest
    }  # of this embedder
    wanted = [test.known, *test.unknown]
    if not any(file in material.labels.get(test.known, {}) for file in sets[test.known].files):
        raise NounflowError(
            f"No image of {test.known} has a label, so nothing is known",
            where=f"open_set.tests.{name}.known",
            fix="check that the label file names files as seen from the image folder",
        )
    labels = [[material.labels.get(s, {}).get(file) for file in sets[s].files] for s in wanted]
    gold = [[one.gold if one else "" for one in found] for found in labels]
    kept = [[bool(noun) or s != test.known for noun in found] for s, found in zip(wanted, gold, strict=True)]
    flat = [
        one for found, ours in zip(labels, kept, strict=True) for one, here in zip(found, ours, strict=True) if here
    ]
    accepted = [frozenset(map(canon, (one.gold, *one.accepted))) if one else frozenset() for one in flat]
    pictured = {canon(noun) for noun in material.pictured}
    files = [
        file for s, ours in zip(wanted, kept, strict=True) for file, k in zip(sets[s].files, ours, strict=True) if k
    ]
    vectors = [sets[s].vectors[ours] for s, ours in zip(wanted, kept, strict=True)]
    nouns = [one.gold if one else "" for one in flat]
    patterns, photos = bank.manifest.patterns if test.patterns else (), len(files)
    images = LabelledImages(
        files=[*files, *patterns],
        gold=[*nouns, *("" for _ in patterns)],
        accepted=[*accepted, *(frozenset[str]() for _ in patterns)],
        vectors=np.concatenate([*vectors, bank.patterns[: len(patterns)]]),
        pictured=np.array([*(not names.isdisjoint(pictured) for names in accepted), *(False for _ in patterns)]),
        pattern=np.arange(photos + len(patterns)) >= photos,
    )
    place = np.repeat(np.arange(len(wanted)), [sum(ours) for ours in kept])
    if not test.unknown:
        synsets = [_meaning(one, material.senses) for one in flat]
        return images, [
            draw_known(nouns, synsets, material.senses.wordnet, test.known_share, material.settings.seed + i)
            for i in range(test.draws)
        ]
    classes = material.classes.get(name) or list(dict.fromkeys(gold[0]))
    known = {canon(noun) for noun in classes}
    of_known = np.array([not names.isdisjoint(known) for names in accepted])
    for i, image_set in enumerate(wanted[1:], 1):
        if shared := sorted({nouns[row] for row in np.flatnonzero(of_known & (place == i))}):
            raise NounflowError(
                f"Known and unknown sets overlap: {len(shared)} nouns of {image_set} are known: "
                f"{', '.join(shared[:5])}",
                where=f"open_set.tests.{name}",
                fix="take their images out of the unknown set, or the nouns out of `classes`",
            )
    if not of_known[place == 0].any():
        raise NounflowError(
            f"None of the known classes is right for any image of {test.known}",
            where=f"open_set.tests.{name}.classes",
            fix="name the classes as its label file does",
        )
    kinds: dict[str, np.ndarray] = {}
    for i, (image_set, distance) in enumerate(test.unknown.items(), 1):
        kinds[image_set] = place == i
        kinds[distance] = kinds.get(distance, np.zeros(len(place), dtype=bool)) | (place == i)
    return images, [Draw(tuple(classes), of_known & (place == 0), kinds)]


def _meaning(labels: Labels | None, senses: WordSenses) -> str | None:
    if labels is None:
        return None
    keyed = senses.wordnet.sense_ids.get(labels.sense)
    return keyed or next(iter(senses.synsets(labels.gold)), None)


def _with_list(
    material: Material,
    bank: NounBank,
    name: str,
    test: OpenSetTestConfig,
    images: LabelledImages,
    draws: Sequence[Draw],
    no: Mapping[str, np.ndarray],
) -> Compared:
    settings, temperature = material.settings, temperature_of(bank.manifest.embedder)
    scored = [
        listed(bank, images, draw, settings.methods, temperature, settings, settings.seed + i, no)
        for i, draw in enumerate(draws)
    ]
    return Compared(name, "", bank.manifest.embedder.spec, scored, settings.seed)


def _of_runs(
    material: Material,
    bank: NounBank,
    name: str,
    test: OpenSetTestConfig,
    images: LabelledImages,
    no: Mapping[str, np.ndarray],
) -> Iterator[Compared]:
    """Runs of this embedder on the known set, without a list."""
    settings, temperature = material.settings, temperature_of(bank.manifest.embedder)
    for said in material.answered:
        if said.image_set != test.known or said.embedder != bank.manifest.embedder.digest:
            continue
        place = {file: i for i, file in enumerate(said.files)}
        photos = np.flatnonzero(~images.pattern).tolist()
        mine = [i for i in photos if images.files[i] in place]
        rows = [place[images.files[i]] for i in mine]
        ours = images.take([*mine, *(np.flatnonzero(images.pattern).tolist() if said.pattern_nouns else ())])
        patterns = int(ours.pattern.sum())
        nouns = [*(said.nouns[i] for i in rows), *said.pattern_nouns[:patterns]]
        probability = np.array([*(said.probability[i] for i in rows), *said.pattern_probability[:patterns]])
        right, points = (
            np.concatenate([part[rows], np.zeros(patterns, part.dtype)]) for part in (said.right, said.points)
        )
        scored: Scored = free(
            bank, ours, nouns, probability, right, said.lexicon, settings.methods, temperature, settings, no
        )
        yield Compared(name, said.run, bank.manifest.embedder.spec, [scored], settings.seed, points=points)


def _notes(material: Material, bank: NounBank, name: str, draws: Sequence[Draw]) -> Iterator[str]:
    settings, draw = material.settings, draws[0]
    if draw.neither:
        related = "theirs is a kind of a known noun, or a known noun is a kind of theirs"
        named = (material.settings.tests or {})[name].unknown
        why = "none of the known classes is right for them" if named else related
        yield f"{name}: in the first draw {draw.neither} images take no part: {why}"
    known = bank.rows(draw.classes)
    held, negatives = reference(bank, known, temperature_of(bank.manifest.embedder), settings.negatives, settings.seed)
    parts = left_out(bank.manifest.kinds, negatives.tolist())
    kinds = ", ".join(f"{kind} {chosen:,} of {count:,}" for kind, count, chosen in parts)
    yield f"{name}: {len(negatives):,} negatives of {bank.manifest.candidates:,} nouns in the first draw: {kinds}"
    if held.kept is not None:
        out = int((~held.kept).sum())
        yield f"{name}: negrefine leaves out {out:,} of them: names of single things and kinds of known nouns"
