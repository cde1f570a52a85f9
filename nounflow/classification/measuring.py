"""Top-1 and top-5 of guided answers on a labelled set."""

from collections.abc import Mapping, Sequence

from nounflow.classification.class_nouns import ClassNouns
from nounflow.embedder_checks.accuracy import share
from nounflow.schemas.classification import ClassAnswers, Classification
from nounflow.schemas.embedder_checks import CheckSet
from nounflow.schemas.models import PredictorManifest

RANKS = 5


def classification(
    manifest: PredictorManifest,
    lexicon: str,
    check_set: CheckSet,
    nouns: ClassNouns,
    answers: Mapping[str, Sequence[str]],
) -> Classification:
    """What became of every image; one of an unmapped class, or that could not be read, is wrong.

    Args:
        answers: image -> its first nouns, best first; images that could not be read are not in it.
    """
    right = {1: 0, RANKS: 0}
    mapped = 0
    counts: dict[str, list[int]] = {key: [0, 0] for key in check_set.classes}
    for file, key in check_set.files.items():
        accepted = set(nouns.nouns.get(key, ()))
        mapped += bool(accepted)
        for ranks in right:
            right[ranks] += not accepted.isdisjoint(answers.get(file, ())[:ranks])
        counts[key][0] += not accepted.isdisjoint(answers.get(file, ())[:1])
        counts[key][1] += 1
    n = len(check_set.files)
    return Classification(
        run=manifest.run,
        predictor=manifest.predictor,
        lexicon=lexicon,
        embedder=manifest.embedder.spec,
        check_set=check_set.name,
        kind=check_set.kind,
        n=n,
        unreadable=n - len(answers),
        classes=len(check_set.classes),
        candidates=len(nouns.guide),
        top1=share(right[1], n),
        top5=share(right[RANKS], n),
        top1_mapped=share(right[1], mapped) if mapped else None,
        unmapped=nouns.unmapped,
        per_class=tuple(
            ClassAnswers(key=key, name=name, nouns=nouns.nouns.get(key, ()), correct=counts[key][0], n=counts[key][1])
            for key, name in check_set.classes.items()
        ),
    )
