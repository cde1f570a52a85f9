"""What a run would cost, before it is started."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from nounflow.config.llm import LLMConfig
from nounflow.llm.ledger import Ledger
from nounflow.llm.outcomes import question_of
from nounflow.llm.prices import cost, price_of, prompt_tokens_estimate, worst_cost
from nounflow.llm.requests import Request

_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class CostEstimate:
    """Calls, tokens and USD that are still to come. `expected` is a guess, `worst_usd` a bound for a sending each."""

    requests: int
    known: int  # the ledger answers these for nothing
    calls: int
    prompt_tokens: int
    output_tokens: int
    expected_usd: float
    worst_usd: float
    spent_usd: float  # so far, over the whole ledger
    measured: bool  # the answers' length is the mean of those in the ledger, not a guess


def estimate(
    requests: Iterable[Request], config: LLMConfig, ledger: Ledger | None, *, output_tokens_guess: float
) -> CostEstimate:
    """Price the requests that the ledger (None: there is none yet) does not answer.

    Args:
        requests: gone through once, in chunks.
        config: whose price table must have the model.
        ledger: gives the replayed answers and, where it has any, the mean length of answers to the same prompt.
        output_tokens_guess: tokens of an answer while there is no such mean.

    Raises:
        UnknownPriceError: the config gives no price for the model.
    """
    price = price_of(config)
    count = known = prompt_tokens = 0
    output_tokens = worst = 0.0
    means: dict[str, float | None] = {}
    iterator = iter(requests)
    while chunk := list(itertools.islice(iterator, _CHUNK)):
        questions = [question_of(config, request) for request in chunk]
        entries = ledger.look_up([question.key for question in questions]) if ledger is not None else {}
        for question in questions:
            count += 1
            if (entry := entries.get(question.key)) is not None and entry.last is not None:
                known += 1
                continue
            version = question.request.prompt_version
            if version not in means:
                means[version] = ledger.mean_output_tokens(config.model, version) if ledger is not None else None
            prompt_tokens += prompt_tokens_estimate(question.request)
            output_tokens += means[version] or output_tokens_guess * question.request.choices
            worst += worst_cost(price, question.request, config.max_output_tokens)
    return CostEstimate(
        requests=count,
        known=known,
        calls=count - known,
        prompt_tokens=prompt_tokens,
        output_tokens=round(output_tokens),
        expected_usd=cost(price, prompt_tokens, output_tokens),
        worst_usd=worst,
        spent_usd=ledger.totals().spent_usd if ledger is not None else 0.0,
        measured=bool(means) and all(mean is not None for mean in means.values()),
    )
