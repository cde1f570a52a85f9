"""All methods on one set: what needs nothing, runs, trained adapters, and nouns without a list."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from nounflow.config.tags import TagsConfig
from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.open_set.gate import Gate
from nounflow.predictors.protocol import Predictor
from nounflow.schemas.tags import BASELINE, FREE, GATED, NamedImage, TagRow
from nounflow.tags.adapter import Learnt
from nounflow.tags.evaluation import SOFTMAX, Images, Score, free_row, table, ways
from nounflow.tags.list_free import Tag, candidates, cut, ranked
from nounflow.tags.scores import dual_stream
from nounflow.tags.texts import NounVectors, columns_of, meaning, meanings

_CONCEPTS = 2000  # nouns of the lexicon, the weightiest, that SpLiCE's labels compete with
_LIST_ONLY = ("head", "retrieval")  # kinds that give every noun a probability at the price of one product


def compare(
    name: str, images: Images, boxes: np.ndarray, settings: TagsConfig, runs: Mapping[str, Predictor],
    gates: Mapping[str, Gate], adapters: Mapping[str, Learnt], lexicon: pl.DataFrame, embedder: Embedder, local: str,
) -> tuple[list[TagRow], list[NamedImage]]:  # fmt: skip
    """Rows of a set, and the nouns that its images of the split test get without a list.

    Args:
        boxes: of the local units, [files, units, 4].
        gates: of runs, where their answers are to be compared behind one, too.

    Raises:
        NounflowError: no image is of the split test.
    """
    truth, same = images.truth, meanings(lexicon)
    if not len(truth.rows("test")):
        raise NounflowError(
            "No image is of the split test, so there is nothing to score",
            where=f"tags.sets.{name}",
            fix="give some images the split test in the label file, or leave the column out: a fifth is then val, the "
            "rest test",
        )
    concepts = lexicon.sort("weight", descending=True, maintain_order=True)["noun"].to_list()[:_CONCEPTS]
    known = columns_of(truth.labels, same)
    others = [noun for noun in concepts if meaning(noun, same) not in known]
    vectors = class_embeddings(embedder, others, settings.templates[:1], progress=False)
    plain = ways(images, settings.best, settings.temperature, settings.penalty, vectors)
    methods: dict[str, tuple[str, Score]] = {method: ("nothing", score) for method, score in plain.items()}
    for run, predictor in runs.items():
        if predictor.manifest.predictor in _LIST_ONLY:
            methods[run] = ("texts", _of_run(images, predictor, same, settings.best))
    for method, adapter in adapters.items():
        moved = ways(images.moved(adapter), settings.best, settings.temperature, settings.penalty, vectors)
        needs = "texts" if settings.trained[method].how == "text_only" else "seen labels"
        methods[method] = (needs, moved[BASELINE])
        methods[f"{method}, {SOFTMAX}"] = (needs, moved[SOFTMAX])
    rows = table(truth, methods, settings.seed)
    baseline = next(row for row in rows if row.method == BASELINE)
    test = truth.rows("test")
    scores = plain[BASELINE](test, np.arange(len(truth.labels)))
    shown: list[NamedImage] = []
    vectors_of = NounVectors(embedder, settings.templates)
    for run, predictor in runs.items():
        named = {f"{run}: first noun": candidates(predictor, images.whole, images.local[:, :0], 1)}
        for gate, what in ((None, FREE), *((gates[run], GATED) for _ in range(run in gates))):
            found = candidates(predictor, images.whole, images.local, settings.nouns, same, gate)
            named[f"{run}: {what}"] = ranked(found, images.whole, images.local, settings.best, vectors_of)
        for method, tags in named.items():
            rows.append(
                free_row(truth, method, tags, lambda noun: known.get(meaning(noun, same), []), baseline, scores,
                         settings.seed)
            )  # fmt: skip
        kept = cut(tags, rows[-1].figures.get("threshold", -1.0))
        shown += [_named(name, run, truth.files[i], kept[i], boxes[i]) for i in test]
    return [TagRow(set=name, embedder=embedder.identity.spec, local=local, **vars(row)) for row in rows], shown


def _of_run(images: Images, predictor: Predictor, same: Mapping[str, str], best: int) -> Score:
    """A run's log-probabilities of the labels, dual stream; -inf for labels that its lexicon lacks."""
    number = {meaning(noun, same): i for i, noun in reversed(list(enumerate(predictor.manifest.nouns)))}
    ids = np.array([number.get(meaning(label, same), -1) for label in images.truth.labels])

    def score(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        given = ids[columns]
        views = np.concatenate([images.whole[rows][:, None], images.local[rows]], axis=1)
        flat = views.reshape(-1, views.shape[2])
        found = predictor.log_probabilities(flat, np.tile(given, (len(flat), 1))).reshape(*views.shape[:2], -1)
        found = np.where(given >= 0, found, -1e9)
        return np.where(given >= 0, dual_stream(found[:, 0], found[:, 1:], best, "none"), -np.inf)

    return score


def _named(name: str, run: str, file: str, tags: list[Tag], boxes: np.ndarray) -> NamedImage:
    rows = [
        {"noun": tag.noun, "score": round(tag.score, 4), "box": boxes[tag.box - 1].tolist() if tag.box else None}
        for tag in tags
    ]
    return NamedImage.model_validate({"set": name, "run": run, "file": file, "tags": rows})
