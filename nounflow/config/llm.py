"""A language model behind an OpenAI-compatible server: where it is, what it costs, how far a run may go."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from nounflow.config.base import Settings


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

    base_url: str = Field(
        "https://api.openai.com/v1",
        pattern=r"^https?://\S+$",
        description="root of the server's API (OpenAI, vLLM, Ollama, llama.cpp ...), up to and with /v1",
    )
    model: str = Field(min_length=1, description="the model's name at that server")
    api_key_env: str | None = Field(
        None,
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="environment variable that holds the key; unset: OPENAI_API_KEY for api.openai.com, none elsewhere",
    )
    mode: Literal["chat", "batch"] = Field("chat", description="one call a request, or files of many (Batch API)")
    batch: BatchConfig = BatchConfig()
    temperature: float | None = Field(
        None, ge=0, le=2, description="sampling temperature; unset: the server's own (some models allow no other)"
    )
    max_output_tokens: int = Field(1000, ge=1, description="most tokens of an answer")
    max_retry_tokens: int = Field(
        4000, ge=1, description="most tokens when an answer that was cut off is asked for again, once"
    )
    concurrency: int = Field(16, ge=1, le=1000, description="most calls under way at a time (mode chat)")
    requests_per_minute: float | None = Field(
        None, gt=0, description="most calls a minute (mode chat); unset: no limit"
    )
    tokens_per_minute: float | None = Field(
        None, gt=0, description="most tokens a minute, prompt and room of the answer (mode chat); unset: no limit"
    )
    budget_usd: float = Field(0.0, ge=0, description="hard stop: most USD that all runs on one ledger may spend")
    prices: dict[str, PriceConfig] = Field(
        default_factory=dict, description="price of each model by name; a model without one is refused"
    )
    timeout_s: float = Field(120.0, gt=0, description="seconds until a request without a whole answer is given up")
    deadline_s: float = Field(
        86_400.0, gt=0, description="seconds after which a run sends nothing more and waits for no batch"
    )
    max_attempts: int = Field(5, ge=1, description="sendings of one request that may fail (429 does not count)")
    first_wait_s: float = Field(1.0, gt=0, description="wait after a first failure; doubles with each further one")
    max_wait_s: float = Field(
        300.0, gt=0, description="longest wait between sendings; a server that asks for more (Retry-After) ends the run"
    )
    failures_in_a_row: int = Field(
        20, ge=1, description="requests given up one after the other, none answered between, that end the run"
    )

    @field_validator("base_url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if "@" in url.split("://", 1)[1].split("/", 1)[0]:
            raise ValueError("a URL with a user name or password is refused; put the key into the environment")
        return url.rstrip("/")
