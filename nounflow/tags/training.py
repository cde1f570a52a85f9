"""Training an adapter through the training loop: on images with seen labels, or on texts alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.config.noise import NoiseConfig
from nounflow.config.runs.run import TrainedRun
from nounflow.config.tags import TagMethodConfig
from nounflow.counts import Counts
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.files import sha256_json
from nounflow.schemas.embeddings import EmbedderIdentity, TrainingSetManifest
from nounflow.store.training_set import TrainingSet
from nounflow.streams import stream
from nounflow.tags.adapter import AdapterManifest, Learnt, TagAdapter, save_adapter
from nounflow.tags.context import LabelTokens, LearntContext
from nounflow.tags.evaluation import Images
from nounflow.tags.losses import Marks, asymmetric, hinge, ranking
from nounflow.training.checkpoint import Checkpoints
from nounflow.training.curves import Reporter
from nounflow.training.loop import TrainingRun
from nounflow.training.loss import LossParts
from nounflow.training.noun_embeddings import noun_embeddings
from nounflow.training.processes import Processes
from nounflow.training.validation import Samples, hold_out

_NEGATIVES = 1024  # nouns that each batch of texts is held against
_TOGETHER = 4  # texts of which a composed sample is made, at most


class TagTask:
    """The loss of what is learnt on training-set rows."""

    def __init__(
        self,
        module: Learnt,
        labels: torch.Tensor | LabelTokens,
        marks_of: Callable[[np.ndarray], tuple[np.ndarray, Marks]],
        config: TagMethodConfig,
        local: np.ndarray | None = None,
        compose: bool = False,
    ) -> None:
        """
        Args:
            labels: what `module.of_labels` takes, of all labels.
            marks_of: rows [n] -> the labels that take part (positions), and what is known, in their numbering.
            local: of each row its local views, unit [rows, units, dim].
            compose: rows are texts, of which `composed` makes samples.
        """
        self.module, self._marks_of, self._config = module, marks_of, config
        self._labels, self._local, self._compose = labels, local, compose

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """All rows [n] cost the same: int64 [n]."""
        return np.zeros(len(rows), dtype=np.int64)

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """Of embeddings [n, dim]; right is an image whose best label is present."""
        columns, marks = self._marks_of(rows)
        config, device = self._config, embeddings.device
        labels = self.module.of_labels(self._labels[columns])  # type: ignore[arg-type]  # each takes its own
        images = F.normalize(embeddings, dim=-1)
        local = None if self._local is None else torch.from_numpy(self._local[rows]).to(device)
        if self._compose:
            images, local = composed(images, rows)
        moved = self.module(images)
        whole = moved @ labels.T  # [n, labels]
        streams = [whole]
        if local is not None:
            units = self.module(local) @ labels.T  # [n, units, labels]
            streams.append(units.topk(min(config.best, units.shape[1]), dim=1).values.mean(1))
        if config.loss == "ranking":
            losses = ranking(torch.stack([F.normalize(each, dim=-1) for each in streams]).mean(0), marks)
        else:
            logits = torch.stack(streams).mean(0) / config.temperature
            losses = hinge(logits, marks, config.margin) if config.loss == "hinge" else asymmetric(logits, marks)
        kept = (moved - images).abs().mean(1)
        present = torch.zeros_like(whole, dtype=torch.bool)
        right = marks.present
        present[torch.from_numpy(marks.image[right]), torch.from_numpy(marks.label[right])] = True
        with torch.no_grad():
            best = torch.stack(streams).mean(0).argmax(-1)
            correct = present.gather(1, best[:, None]).sum()
        basis = torch.tensor(float(len(images)), device=device)
        return LossParts((losses + config.distil * kept).sum(), basis, correct.to(basis.dtype))


def composed(texts: torch.Tensor, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples of several texts, as a photograph shows several things: the direction of the sum of up to four in the
    place of the whole image [samples, dim], the texts themselves in the place of local views [samples, 4, dim].

    Args:
        texts: unit vectors [n, dim], with noise.
        rows: [n]; they say how many texts of a sample count (`members`), the others' places are taken by the whole.
    """
    counted = torch.from_numpy(members(rows)).to(texts.device)
    padding = counted.numel() - len(texts)
    units = torch.cat([texts, texts.new_zeros(padding, texts.shape[1])]).view(*counted.shape, -1)
    whole = F.normalize((units * counted[..., None]).sum(1), dim=-1)
    return whole, torch.where(counted[..., None], units, whole[:, None])


def members(rows: np.ndarray) -> np.ndarray:
    """Which of the texts of each sample count, bool [samples, 4]: the first, and one to three more by a hash."""
    places = np.arange(-(-len(rows) // _TOGETHER) * _TOGETHER).reshape(-1, _TOGETHER)
    there = places < len(rows)
    most = 1 + rows[places[:, 0]] % _TOGETHER
    return np.asarray(there & (np.arange(_TOGETHER) < most[:, None]))


def train_on_images(
    config: TagMethodConfig, images: Images, embedder: Embedder, templates: tuple[str, ...], name: str, out: Path,
    seed: int,
) -> AdapterManifest:  # fmt: skip
    """Train on the split train, watched on val; unseen labels take no part.

    Args:
        templates: of the labels; `how: context` learns their words.

    Raises:
        NounflowError: there is nothing to train on; or `how: context`, and the embedder's text tower is not open.
    """
    truth, seen = images.truth, images.truth.columns(seen=True)
    rows = np.concatenate([truth.rows("train"), truth.rows("val")])
    assert not {truth.labels[i] for i in seen} - truth.seen, "an unseen label would reach training"
    values = truth.values[np.ix_(rows, seen)]
    usable = (values > 0).any(axis=1) & (values < 0).any(axis=1)
    rows, values = rows[usable], values[usable]
    if not usable[: len(truth.rows("train"))].any():
        raise NounflowError(
            f"There is nothing to train {name} on: no image of the split train shows a label that may be seen",
            where=out,
            fix="give images the split train in the label file, check the set's `seen`, or take how: text_only",
        )
    heldout = np.array(truth.splits)[rows] == "val"
    texts = _as_training_set(embedder.identity, images.whole[rows], heldout)
    names, local = tuple(truth.labels[i] for i in seen), images.local[rows]
    fields: dict[str, Any] = {"method": name, "embedder": embedder.identity, "labels": names}
    module: Learnt
    labels: torch.Tensor | LabelTokens
    if config.how == "context":
        module = LearntContext(embedder, templates)
        fields["templates"], labels = templates, module.tokens(names)
    else:
        module, labels = _adapter(config, images.labels.shape[1], seed), torch.from_numpy(images.labels[seen])

    def marks_of(asked: np.ndarray) -> tuple[np.ndarray, Marks]:
        return np.arange(len(seen)), Marks.of(values[asked])

    samples = Samples(texts, {"heldout": np.flatnonzero(heldout)} if heldout.any() else {})
    task = TagTask(module, labels, marks_of, config, local)
    return _train(config, samples, task, NoiseConfig(scheme="none"), fields, out, seed, embedder.device)


def train_on_texts(
    config: TagMethodConfig, texts: TrainingSet, groups: list[str], noise: NoiseConfig, name: str, out: Path, seed: int
) -> AdapterManifest:
    """Train on captions under a run's noise, one to four together: what they name is present, drawn others are absent.

    Args:
        groups: of each noun what it means; nouns of one group are never held against each other.
    """
    counts = Counts("tags").flow("texts", len(texts.vectors), "texts")
    nouns = torch.from_numpy(noun_embeddings(texts, len(groups), counts))
    group_of = np.unique(np.array(groups), return_inverse=True)[1]

    def marks_of(asked: np.ndarray) -> tuple[np.ndarray, Marks]:
        targets, _weights, offsets = texts.targets_of(asked)
        drawn = stream(seed, "tags", "negatives", int(asked[0]), len(asked)).choice(
            len(groups), size=min(_NEGATIVES, len(groups)), replace=False
        )
        columns = np.union1d(drawn, targets)
        counted = members(asked)
        values = np.full((len(counted), len(columns)), -1, dtype=np.int8)
        for sample, own_texts in enumerate(counted):
            texts_of = sample * _TOGETHER + np.flatnonzero(own_texts)
            own = np.concatenate([targets[offsets[i] : offsets[i + 1]] for i in texts_of])
            values[sample, np.isin(group_of[columns], group_of[own])] = 0
            values[sample, np.searchsorted(columns, own)] = 1
        return columns, Marks.of(values)

    samples = hold_out(texts, config.training, groups)
    fields: dict[str, Any] = {"method": name, "embedder": texts.manifest.embedder, "labels": ()}
    module = _adapter(config, texts.vectors.shape[1], seed)
    return _train(
        config, samples, TagTask(module, nouns, marks_of, config, compose=True), noise, fields, out, seed, "cpu"
    )


def _adapter(config: TagMethodConfig, dim: int, seed: int) -> TagAdapter:
    torch.manual_seed(seed)
    return TagAdapter(dim, config.rank, config.how == "adapter_offset")


def _train(
    config: TagMethodConfig, samples: Samples, task: TagTask, noise: NoiseConfig, fields: dict[str, Any], out: Path,
    seed: int, device: str,
) -> AdapterManifest:  # fmt: skip
    """Train, and write what was learnt; a killed training goes on from the checkpoint beside it."""
    recipe = TrainedRun(
        predictor="tags", lexicon="", embedder="", mixture="", noise=noise, seed=seed, training=config.training
    )
    settings = {**config.shaping(), "noise": noise.shaping(), "seed": seed, "templates": fields.get("templates", ())}
    checkpoints = Checkpoints(
        out.parent / "checkpoint", {**settings, "samples": samples.training_set.manifest.digest}, {}
    )
    reporter = Reporter(fields["method"], out.parent, settings, ())
    curves = TrainingRun(task, samples, recipe, Processes(device), None, checkpoints).train(reporter)
    manifest = save_adapter(
        out, task.module, settings=settings, samples=curves.samples, metrics=curves.of_kept(), **fields
    )
    checkpoints.remove()
    return manifest


def _as_training_set(identity: EmbedderIdentity, vectors: np.ndarray, heldout: np.ndarray) -> TrainingSet:
    """Images as rows of a training set without texts."""
    rows = len(vectors)
    weights = np.where(heldout, 0, 1 / max(1, int((~heldout).sum()))).astype(np.float32)
    digest = sha256_json([identity.digest, rows, vectors.astype(np.float16).tobytes().hex()])
    manifest = TrainingSetManifest(
        embedder=identity, lexicon="", lexicon_path="", mixture={}, shards=(), samples=rows,
        heldout=int(heldout.sum()), index_sha256="", digest=digest,
    )  # fmt: skip
    return TrainingSet(
        manifest=manifest,
        vectors=vectors.astype(np.float16),
        targets=np.zeros(rows, np.uint32),
        target_weights=np.ones(rows, np.float32),
        offsets=np.arange(rows + 1),
        weights=weights,
        heldout=heldout,
        sources=np.zeros(rows, np.uint16),
    )
