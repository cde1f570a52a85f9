"""How probable a decoder holds given nouns: teacher forcing, several nouns of an embedding behind one prefix."""

import numpy as np
import torch
import torch.nn.functional as F

from nounflow.decoder.model import ObjectDecoder
from nounflow.decoder.packing import pack
from nounflow.decoder.vocabulary import TargetVocabulary

_LOGITS = 1 << 22  # worked on together


@torch.inference_mode()
def log_probabilities(
    model: ObjectDecoder, vocabulary: TargetVocabulary, embeddings: torch.Tensor, nouns: np.ndarray
) -> torch.Tensor:
    """Sum of each noun's token log-probabilities, the end token included: float32 [batch, c].

    Args:
        embeddings: [batch, dim].
        nouns: int64 [batch, c], ids of `vocabulary`; -1 where there is none, which gives -inf.
    """
    model.eval()
    given = nouns >= 0
    found = torch.full(nouns.shape, -torch.inf, device=embeddings.device)
    if not given.any():
        return found
    targets = nouns[given]
    offsets = np.concatenate([[0], np.cumsum(given.sum(axis=1))])
    weights = np.ones(len(targets), dtype=np.float32)
    packed = pack(vocabulary, model.config.prefix_length, targets, weights, offsets).to(embeddings.device)
    hidden = model(embeddings, packed.tokens, packed.positions, packed.mask)
    states = hidden.reshape(-1, hidden.shape[-1])
    rows = max(1, _LOGITS // vocabulary.size)
    steps = torch.cat(
        [
            F.log_softmax(model.logits(states[place]).float(), dim=-1).gather(1, token[:, None])[:, 0]
            for place, token in zip(packed.predict_from.split(rows), packed.predict.split(rows), strict=True)
        ]
    )
    # as `pack` lays predictions out: each target's first token, then what follows each token of each target
    which = np.arange(len(targets))
    target = torch.from_numpy(np.concatenate([which, np.repeat(which, vocabulary.lengths[targets])]))
    totals = torch.zeros(len(targets), device=steps.device).index_add_(0, target.to(steps.device), steps)
    found[torch.from_numpy(given).to(found.device)] = totals
    return found
