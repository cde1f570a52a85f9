"""Training the object decoder: from arguments to weights."""

from __future__ import annotations

from nounflow.config.runs.decoder import DecoderRun
from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.training_task import DecoderTask
from nounflow.decoder.vocabulary import TargetVocabulary
from nounflow.embedders.targets import load_target_tokenizer
from nounflow.predictor_kinds import GENERATION
from nounflow.schemas.documents import write_document
from nounflow.training.angles import angle_histograms
from nounflow.training.arguments import TrainingArguments
from nounflow.training.job import TrainingMaterial, train_predictor


def train(asked: TrainingArguments[DecoderRun]) -> None:
    """Train a decoder; see `PredictorKind.train`. Its folder also gets angles.json."""
    material, settings = TrainingMaterial.read(asked), asked.settings
    texts, names = material.texts, material.names
    vocabulary = TargetVocabulary.build(names, load_target_tokenizer(asked.embedder).target_tokens(names))

    def build() -> ObjectDecoder:
        return ObjectDecoder(texts.manifest.embedder.dim, vocabulary.size, vocabulary.max_tokens, settings.decoder)

    def task_of(decoder: ObjectDecoder) -> DecoderTask:
        print(f"{decoder.parameter_count:,} parameters, {vocabulary.size:,} tokens, {len(names):,} nouns", flush=True)
        return DecoderTask(decoder, vocabulary, texts, settings.training.label_smoothing)

    def beside() -> None:
        histograms = angle_histograms(texts, settings.noise, material.shape, settings.seed)
        write_document(asked.out.parent / "angles.json", histograms)
        write_document(asked.out.parent / GENERATION, settings.generation)

    train_predictor(asked, material, build, task_of, beside=beside, tokens=vocabulary.as_dict())
