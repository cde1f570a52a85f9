"""Prices of tokens, and upper bounds of what a request can cost."""

import json
import math

from nounflow.config.llm import LLMConfig, PriceConfig
from nounflow.errors import NounflowError
from nounflow.llm.requests import Request, TokenUsage

_MESSAGE_TOKENS = 16  # role, separators and the start of the answer, generously
_CHARACTERS_PER_TOKEN = 4.0  # of English text; only for estimates


class UnknownPriceError(NounflowError):
    """The config gives no price for a model, so no budget could hold."""


def price_of(config: LLMConfig) -> PriceConfig:
    """The price of the config's model in the config's mode.

    Raises:
        UnknownPriceError: the price table has no such model.
    """
    if (price := config.prices.get(config.model)) is not None:
        factor = price.batch_factor if config.mode == "batch" else 1.0
        return price.model_copy(update={"input": price.input * factor, "output": price.output * factor})
    known = ", ".join(sorted(config.prices)) or "none"
    raise UnknownPriceError(
        f"The price of the model {config.model!r} is not known, so a budget could not be kept (known: {known})",
        where="the `prices` of the language model's settings",
        fix=f"add `prices: {{{json.dumps(config.model)}: {{input: ..., output: ...}}}}` in USD per million tokens; "
        "0 and 0 for a server of your own",
    )


def cost(price: PriceConfig, prompt_tokens: float, output_tokens: float) -> float:
    """USD of so many tokens."""
    return (prompt_tokens * price.input + output_tokens * price.output) / 1e6


def prompt_tokens_bound(request: Request) -> int:
    """More prompt tokens than a request can have: a token of a byte-level vocabulary is one byte at least."""
    # The schema counts twice: a server that cannot enforce it gets it as a message as well.
    schema = len(json.dumps(request.schema).encode()) + 200 if request.schema else 0
    return _text_bytes(request) + _MESSAGE_TOKENS * (len(request.messages) + 1) + schema + request.image_tokens


def prompt_tokens_estimate(request: Request) -> int:
    """About how many prompt tokens a request has, from its length in characters."""
    schema = len(json.dumps(request.schema)) if request.schema else 0
    words = math.ceil((_text_bytes(request) + schema) / _CHARACTERS_PER_TOKEN) + 4 * len(request.messages)
    return words + request.image_tokens


def worst_cost(price: PriceConfig, request: Request, max_output_tokens: int) -> float:
    """The most USD that one sending of a request can cost."""
    return cost(price, prompt_tokens_bound(request), max_output_tokens * request.choices)


def settled_cost(price: PriceConfig, usage: TokenUsage, worst: float) -> float:
    """USD of an answer: by the server's count of tokens, or the worst case where it gave none."""
    if usage.prompt_tokens is None or usage.output_tokens is None:
        return worst
    return cost(price, usage.prompt_tokens, usage.output_tokens)


def _text_bytes(request: Request) -> int:
    return sum(_content_bytes(message.get("content")) for message in request.messages)


def _content_bytes(content: object) -> int:
    if isinstance(content, str):
        return len(content.encode())
    if isinstance(content, list):  # in parts; images are counted by `image_tokens`
        return sum(_content_bytes(part.get("text", "")) for part in content)
    return len(json.dumps(content, ensure_ascii=False).encode())
