"""A whole check of an embedder on a listed set."""

from collections.abc import Mapping, Sequence

import numpy as np

from nounflow.config.check_set import Prompts
from nounflow.embedder_checks.accuracy import confusions, per_class, share, zero_shot
from nounflow.embedder_checks.expected import Published, expectation, find_published
from nounflow.embedders.prompts import class_embeddings, fill_prompts, prompts_name
from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError
from nounflow.schemas.embedder_checks import CheckSet, EmbedderCheck


def check_embedder(
    embedder: Embedder, check_set: CheckSet, files: Sequence[str], vectors: np.ndarray, prompts: Prompts
) -> EmbedderCheck:
    """Zero-shot accuracy on a check set, without what is expected.

    Args:
        files: images that could be embedded.
        vectors: [files, dim], their unit embeddings.

    Raises:
        MismatchError: an embedded image is not of the set.
    """
    if strange := [file for file in files if file not in check_set.files]:
        raise MismatchError(
            f"The embedded images are not those of the check set; {strange[0]} is not listed",
            where=f"check set {check_set.name}",
            fix="delete the image embeddings of this set and run again",
        )
    number = {key: i for i, key in enumerate(check_set.classes)}
    gold = np.array([number[check_set.files[file]] for file in files], dtype=np.int64)
    embedded = set(files)
    unreadable = [number[key] for file, key in check_set.files.items() if file not in embedded]
    answers = zero_shot(vectors, gold, class_embeddings(embedder, list(check_set.classes.values()), prompts))
    n = len(check_set.files)
    return EmbedderCheck(
        embedder=embedder.identity,
        check_set=check_set.name,
        kind=check_set.kind,
        n=n,
        unreadable=len(unreadable),
        prompts=prompts_name(prompts),
        prompts_per_class=len(fill_prompts(prompts, "")),
        top1=share(int((answers.ranks == 0).sum()), n),
        top5=share(int((answers.ranks < 5).sum()), n),
        per_class=per_class(gold, answers.ranks == 0, unreadable, check_set.classes),
        confusions=confusions(gold, answers.nearest, check_set.classes),
        expectation=None,
        no_expectation="",
    )


def expected_of(
    check: EmbedderCheck, published: Mapping[tuple[str, str], Published], spec: str, own: float | None
) -> EmbedderCheck:
    """The check with what is expected, or with why nothing is; `own` is the config's value in percent."""
    found, reason = find_published(published, spec, check.kind, len(check.per_class), own)
    expected = expectation(check.top1, found, check.prompts) if found else None
    return check.model_copy(update={"expectation": expected, "no_expectation": reason})
