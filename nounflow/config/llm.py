"""A language model behind an OpenAI-compatible server: where it is, what it costs, how far a run may go."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from nounflow.config.base import OPERATIONAL, Settings

# Stood in all keys before there were further parameters, set or not; keys and judges must stay what they were.
_ALWAYS = {"temperature": None}


@dataclass(frozen=True, slots=True)
class Sent:
    """Marks a field (`Annotated[float | None, Sent("top_p")]`) that every request carries, by its name in the body.

    It shapes the answers, so it is part of a request's key and of which judge it is, and a change of it reruns.
    """

    name: str


class PriceConfig(Settings):
    """What a model's tokens cost."""

    input: float = Field(ge=0, description="USD per million prompt tokens")
    output: float = Field(ge=0, description="USD per million output tokens")
    batch_factor: float = Field(
        0.5,
        ge=0,
        le=1,
        description="price of a token in a batch, as a share of the above; check your server's price list",
    )


class BatchConfig(Settings):
    """The Batch API: files of many requests that the server answers within a day, for less money."""

    max_requests: int = Field(50_000, ge=1, le=50_000, description="most requests of one batch")
    max_bytes: int = Field(100_000_000, ge=1000, description="most bytes of one batch's input file")
    max_queued_tokens: int | None = Field(
        2_000_000,
        ge=1,
        description="most prompt tokens (estimated) in all batches under way; see the limits of your account",
    )
    max_open_batches: int = Field(8, ge=1, description="most batches under way at a time")
    poll_s: float = Field(30.0, gt=0, description="seconds between two looks at the batches")
    max_wait_s: float = Field(
        90_000.0, gt=0, description="seconds after which a batch is cancelled, and what it has answered is read"
    )
    transfer_timeout_s: float = Field(1800.0, gt=0, description="seconds until an upload or download is given up")


class LLMConfig(Settings):
    """One model at one server. The key is never here: it is read from the environment."""

    base_url: Annotated[str, OPERATIONAL] = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://\S+$",
        description="root of the server's API (OpenAI, vLLM, Ollama, llama.cpp ...), up to and with /v1",
    )
    model: Annotated[str, Sent("model")] = Field(min_length=1, description="the model's name at that server")
    api_key_env: Annotated[str | None, OPERATIONAL] = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable that holds the key; unset: OPENAI_API_KEY for api.openai.com, none elsewhere",
    )
    mode: Annotated[Literal["chat", "batch"], OPERATIONAL] = Field(
        "chat", description="one call a request, or files of many (Batch API)"
    )
    batch: Annotated[BatchConfig, OPERATIONAL] = BatchConfig()
    temperature: Annotated[float | None, Sent("temperature")] = Field(
        None, ge=0, le=2, description="sampling temperature; unset: the server's own (some models allow no other)"
    )
    top_p: Annotated[float | None, Sent("top_p")] = Field(
        None, gt=0, le=1, description="share of probability that tokens are drawn from; unset: the server's own"
    )
    sampling_seed: Annotated[int | None, Sent("seed")] = Field(
        None, ge=0, description="seed of the server's draws, one more with each further attempt; unset: none"
    )
    max_output_tokens: Annotated[int, Sent("max_tokens")] = Field(1000, ge=1, description="most tokens of an answer")
    max_retry_tokens: int = Field(
        4000, ge=1, description="most tokens when an answer that was cut off is asked for again, once"
    )
    concurrency: Annotated[int, OPERATIONAL] = Field(
        16, ge=1, le=1000, description="most calls under way at a time (mode chat)"
    )
    requests_per_minute: Annotated[float | None, OPERATIONAL] = Field(
        None, gt=0, description="most calls a minute (mode chat); unset: no limit"
    )
    tokens_per_minute: Annotated[float | None, OPERATIONAL] = Field(
        None, gt=0, description="most tokens a minute, prompt and room of the answer (mode chat); unset: no limit"
    )
    budget_usd: Annotated[float, OPERATIONAL] = Field(
        0.0, ge=0, description="hard stop: most USD that all runs on one ledger may spend"
    )
    prices: Annotated[dict[str, PriceConfig], OPERATIONAL] = Field(
        default_factory=dict, description="price of each model by name; a model without one is refused"
    )
    timeout_s: Annotated[float, OPERATIONAL] = Field(
        120.0, gt=0, description="seconds until a request without a whole answer is given up"
    )
    deadline_s: Annotated[float, OPERATIONAL] = Field(
        86_400.0, gt=0, description="seconds after which a run sends nothing more and waits for no batch"
    )
    max_attempts: Annotated[int, OPERATIONAL] = Field(
        5, ge=1, description="sendings of one request that may fail (429 does not count)"
    )
    first_wait_s: Annotated[float, OPERATIONAL] = Field(
        1.0, gt=0, description="wait after a first failure; doubles with each further one"
    )
    max_wait_s: Annotated[float, OPERATIONAL] = Field(
        300.0, gt=0, description="longest wait between sendings; a server that asks for more (Retry-After) ends the run"
    )
    failures_in_a_row: Annotated[int, OPERATIONAL] = Field(
        20, ge=1, description="requests given up one after the other, none answered between, that end the run"
    )

    @field_validator("base_url")
    @classmethod
    def _usable(cls, url: str) -> str:
        if "@" in url.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("a URL with a user name or password is refused; put the key into the environment")
        if "?" in url or "#" in url:
            raise ValueError("a URL with ? or # is refused, paths are put behind it; put a key into the environment")
        try:
            parts = urlsplit(url)
            if not (parts.hostname or "").encode("idna") or parts.port == 0:
                raise ValueError("no host, or port 0")
        except ValueError as error:
            raise ValueError(f"found {url!r}, which is no address of a server ({error})") from None
        return url.rstrip("/")

    @classmethod
    def sent_names(cls) -> dict[str, str]:
        """Field -> name in the body of a request, of the fields that are `Sent`."""
        marks = {name: mark for name, field in cls.model_fields.items() for mark in field.metadata}
        return {name: mark.name for name, mark in marks.items() if isinstance(mark, Sent)}

    def sent(self) -> dict[str, Any]:
        """Field -> value of what every request carries; what is unset is left to the server."""
        values = {name: getattr(self, name) for name in self.sent_names()}
        return {name: value for name, value in values.items() if value is not None}

    def key_parameters(self) -> dict[str, Any]:
        """What of `sent`, beside the model, is part of a request's key."""
        return _ALWAYS | {name: value for name, value in self.sent().items() if name != "model"}

    def identity(self) -> dict[str, Any]:
        """Who answers: the model, and of `sent` what is not as usual."""
        fields = type(self).model_fields
        return _ALWAYS | {name: value for name, value in self.sent().items() if value != fields[name].default}
