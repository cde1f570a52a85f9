"""Training the object decoder: from arguments to weights, and as the loop sees it."""

import numpy as np
import torch

from nounflow.config.runs.decoder import DecoderRun
from nounflow.counts import Counts
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import PackedTargets, pack
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.tokenizer import load_target_tokenizer
from nounflow.predictor_kinds import GENERATION, TrainingArguments
from nounflow.schemas.documents import write_document
from nounflow.store.training_set import TrainingSet
from nounflow.store.weights import BANK
from nounflow.training.angles import angle_histograms
from nounflow.training.job import TrainingMaterial, train_predictor
from nounflow.training.loss import LossParts, weighted_cross_entropy
from nounflow.training.noun_embeddings import noun_embeddings


def train(asked: TrainingArguments[DecoderRun]) -> None:
    """Train a decoder; see `PredictorKind.train`. Its folder also gets angles.json."""
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts, names = material.texts, material.names
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(asked.embedder).target_tokens(names))

    bank = np.zeros((0, 0), dtype=np.float32)
    if settings.decoder.neighbours:
        flow = Counts("models").flow(f"{asked.run}: texts", len(texts.vectors), "texts")
        bank = noun_embeddings(texts, len(names), flow)

    def build() -> ObjectDecoder:
        dim, shape = texts.manifest.embedder.dim, settings.decoder
        decoder = ObjectDecoder(dim, vocabulary.size, vocabulary.max_tokens, shape, len(bank))
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
        found: np.ndarray = self._cost[rows]
        return found

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
