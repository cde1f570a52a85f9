"""What the config leaves to what the embedder and the source of the boxes are."""

from nounflow.config.auto import choice_for
from nounflow.config.regions import PROPOSAL_SOURCES, FusionConfig, RegionsConfig
from nounflow.schemas.embeddings import EmbedderIdentity

_PUBLISHED = 0.01  # temperature of a tower that names none


def temperature_of(config: FusionConfig, embedder: EmbedderIdentity) -> float:
    """By which cosines are divided before the softmax over names."""
    if config.temperature != "auto":
        return config.temperature
    chosen = choice_for(embedder.spec).temperature
    if chosen != "tower":
        return float(chosen)
    return 1 / embedder.logit_scale if embedder.logit_scale else _PUBLISHED


def cut_of(config: RegionsConfig) -> float:
    """Least objectness of a box that is retrieved."""
    said = config.retrieval.min_objectness
    return PROPOSAL_SOURCES[config.proposals.source].min_objectness if said is None else said
