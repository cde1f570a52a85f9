"""Training the object decoder: from arguments to weights, and as the loop sees it."""

import numpy as np
import torch

from nounflow.config.noise import NoiseConfig
from nounflow.config.runs.decoder import DecoderRun
from nounflow.counts import Counts
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import PackedTargets, pack
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.decoder.warm_start import start_from, token_directions
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.predictor_kinds import GENERATION, TrainingArguments
from nounflow.schemas.documents import write_document
from nounflow.schemas.models import Angles
from nounflow.store.training_set import TrainingSet
from nounflow.store.weights import BANK
from nounflow.streams import stream
from nounflow.training.batches import torch_seed
from nounflow.training.job import TrainingMaterial, train_predictor
from nounflow.training.loss import LossParts, weighted_cross_entropy
from nounflow.training.noise import apply_noise, noise_scale
from nounflow.training.noise_shape import NoiseShape
from nounflow.training.noun_embeddings import mean_embeddings, noun_embeddings

_BINS_DEG = np.arange(0, 121, 2)
_PAIRS = 4000


def train(asked: TrainingArguments[DecoderRun]) -> None:
    """Train a decoder; see `PredictorKind.train`. Its folder also gets angles.json."""
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts, names = material.texts, material.names
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(asked.embedder).target_tokens(names))

    dim, shape = texts.manifest.embedder.dim, settings.decoder
    flow = Counts("models").flow(f"{asked.run}: texts", len(texts.vectors), "texts")
    bank = noun_embeddings(texts, len(names), flow) if shape.neighbours else np.zeros((0, dim), dtype=np.float32)
    directions = None
    if shape.init == "nouns":
        directions = token_directions(vocabulary, bank if len(bank) else mean_embeddings(texts, len(names), flow))

    def build() -> ObjectDecoder:
        decoder = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, shape, len(bank))
        if directions is not None:
            start_from(decoder, directions)
        if len(bank):
            decoder.get_buffer(BANK).copy_(torch.from_numpy(bank))
        return decoder

    def task_of(decoder: ObjectDecoder) -> DecoderTask:
        print(f"{decoder.parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(names):,} nouns", flush=True)
        return DecoderTask(decoder, vocabulary, texts, settings.training.label_smoothing)

    def beside() -> None:
        histograms = angle_histograms(texts, settings.noise, material.shape, settings.seed)
        write_document(asked.out.parent / "angles.json", histograms)
        write_document(asked.out.parent / GENERATION, settings.generation)

    train_predictor(asked, material, build, task_of, beside=beside, tokens=vocabulary.as_dict())


class DecoderTask:
    """Packs the targets of training-set rows for an ObjectDecoder."""

    def __init__(
        self,
        module: ObjectDecoder,
        vocabulary: TargetVocabulary,
        training_set: TrainingSet,
        label_smoothing: float = 0.0,
    ) -> None:
        self.module = module
        self._vocabulary, self._set, self._smoothing = vocabulary, training_set, label_smoothing
        token_counts = vocabulary.lengths[training_set.targets]
        tokens = np.add.reduceat(token_counts, training_set.offsets[:-1])  # of each row's targets
        self._cost = module.config.prefix_length + tokens

    def cost(self, rows: np.ndarray) -> np.ndarray:
        """Prefix vectors and tokens of each row [n], int64 [n]."""
        return np.asarray(self._cost[rows])

    def loss(self, embeddings: torch.Tensor, rows: np.ndarray) -> LossParts:
        """See `TrainingTask.loss`."""
        return decoder_loss(self.module, embeddings, self.packed(rows).to(embeddings.device), self._smoothing)

    def packed(self, rows: np.ndarray) -> PackedTargets:
        """The targets of some rows [n], laid out as a batch of n."""
        return pack(self._vocabulary, self.module.config.prefix_length, *self._set.targets_of(rows))


def decoder_loss(
    model: ObjectDecoder, embeddings: torch.Tensor, packed: PackedTargets, label_smoothing: float = 0.0
) -> LossParts:
    """Loss parts of embeddings [batch, dim] and their packed targets; logits are made at predicting positions only.

    sum over targets a and their tokens t of w_a * cross_entropy(a, t); basis sum of w_a over the same tokens.
    """
    hidden = model(embeddings, packed.tokens, packed.positions, packed.mask)  # [batch, prefix + new, width]
    picked = hidden.reshape(-1, hidden.shape[-1]).index_select(0, packed.predict_from)  # [predictions, width]
    return weighted_cross_entropy(model.logits(picked), packed.predict, packed.weights, label_smoothing)


def angle_histograms(training_set: TrainingSet, noise: NoiseConfig, shape: NoiseShape, seed: int) -> Angles:
    """Counts over 2-degree bins of three angles: text to its noisy self, two texts of one noun, of two nouns.

    The noise is that of the last step.
    """
    generator = stream(seed, "angles")
    single = np.flatnonzero(np.diff(training_set.offsets) == 1)
    rows = generator.choice(single, size=min(_PAIRS, len(single)), replace=False)
    texts = torch.from_numpy(training_set.vectors[rows].astype(np.float32))
    own = torch.Generator().manual_seed(torch_seed(seed, "angles"))
    noisy = apply_noise(shape.shifted(texts), noise, own, shape, noise_scale(noise, 1.0))
    labels = training_set.targets[training_set.offsets[single]]
    order = single[np.argsort(labels, kind="stable")]
    sorted_labels = np.sort(labels, kind="stable")
    same = np.flatnonzero(sorted_labels[1:] == sorted_labels[:-1])
    same = generator.choice(same, size=min(_PAIRS, len(same)), replace=False)
    other = generator.permutation(rows)
    apart = training_set.targets[training_set.offsets[rows]] != training_set.targets[training_set.offsets[other]]
    return Angles(
        bins_deg=tuple(_BINS_DEG.tolist()),
        noise=_histogram(texts.numpy(), noisy.numpy()),
        same_noun=_histogram(training_set.vectors[order[same]], training_set.vectors[order[same + 1]]),
        different_noun=_histogram(training_set.vectors[rows[apart]], training_set.vectors[other[apart]]),
    )


def _histogram(first: np.ndarray, second: np.ndarray) -> tuple[int, ...]:
    """Counts of the angles between parallel unit rows."""
    cosines = (first.astype(np.float64) * second.astype(np.float64)).sum(1)
    degrees = np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))
    return tuple(np.histogram(degrees, bins=_BINS_DEG)[0].tolist())
