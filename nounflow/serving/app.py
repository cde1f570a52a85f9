"""Naming over HTTP: one image a request, many requests a batch. No address is ever fetched for a client."""

from __future__ import annotations

import asyncio
import io
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from nounflow.classifier import NounClassifier
from nounflow.errors import NounflowError
from nounflow.images import ImageError
from nounflow.namings import Naming
from nounflow.open_set.gate import Verdict
from nounflow.serving.batching import Batcher

if TYPE_CHECKING:
    from nounflow.regions.photographs import FoundRegions
    from nounflow.tags.naming import Tagging

_NOT_SERVED = ("file", "problem")
_AN_IMAGE = {
    "requestBody": {"required": True, "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "No key, or a wrong one"},
    413: {"description": "The image has too many bytes"},
    415: {"description": "The body is a form, JSON or compressed, not an image's own bytes"},
    503: {"description": "Too many images wait; try again after as many seconds as `Retry-After` says"},
}
_LISTS = frozenset({"noun"})  # what may be asked several times
_BODY_SECONDS = 30.0  # for a client to send its image


@dataclass(frozen=True)
class Limits:
    """What one client may ask for."""

    max_bytes: int = 20_000_000
    max_pixels: int = 50_000_000
    max_waiting: int = 512  # requests
    batch: int = 32
    at_once: int = 1  # batches


class Name(BaseModel):
    """A noun, or what lies above it."""

    noun: str
    probability: float


class Noun(Name):
    """One of an image's nouns."""

    in_lexicon: bool  # of the model: it was trained on this noun


class Named(BaseModel):
    """The answer for one image, likeliest noun first; as `nounflow name --json`."""

    model: str
    nouns: list[Noun]
    chain: list[Name] = []  # ever broader and likelier names, each with the sum of all below
    sure: str | None = None  # the most specific of them that is as probable as was asked; empty: none is
    sure_probability: float | None = None
    calibrated_on: str | None = None  # what probabilities were fitted to, where they were
    verdict: Verdict | None = None  # of the model's gate, where it has one
    left_out: list[str] | None = None  # of the nouns that were sent: those that the model cannot say


@dataclass(frozen=True)
class _Asked:
    image: np.ndarray  # preprocessed
    top: int
    candidates: tuple[str, ...]


def naming_app(
    classifier: NounClassifier,
    model: str,
    limits: Limits,
    api_key: str | None,
    hosts: set[str],
    confidence: float | None = None,
) -> FastAPI:
    """The server's routes.

    Args:
        model: what answers call it.
        api_key: asked of every client, as `Authorization: Bearer KEY`; None: of none.
        hosts: names under which the server answers; empty: any.
        confidence: that the sure name has to reach, where a request does not say; None: no name is called sure.
    """
    guided = lru_cache(maxsize=64)(lambda nouns: classifier.guide(nouns))
    registry = CollectorRegistry()
    requests = Counter("nounflow_requests", "Answers by status", ["status"], registry=registry)
    seconds = Histogram("nounflow_request_seconds", "Time to an answer", registry=registry)
    sizes = Histogram(
        "nounflow_batch_size", "Images named together", buckets=(1, 2, 4, 8, 16, 32, 64), registry=registry
    )

    def work(batch: Sequence[_Asked]) -> list[Naming]:
        sizes.observe(len(batch))
        vectors = classifier.encode_prepared([asked.image for asked in batch])
        found: dict[int, Naming] = {}
        # an answer must not depend on its company: the more nouns are asked for, the wider is the search
        for candidates, top in {(asked.candidates, asked.top) for asked in batch}:
            rows = [i for i, asked in enumerate(batch) if (asked.candidates, asked.top) == (candidates, top)]
            chosen = guided(candidates) if candidates else classifier
            found |= dict(zip(rows, chosen.classify_embeddings(vectors[rows], top), strict=True))
        return [found[i] for i in range(len(batch))]

    batcher = Batcher(work, limits.batch, limits.max_waiting, limits.at_once)
    Gauge("nounflow_waiting", "Images that wait", registry=registry).set_function(lambda: batcher.waiting)
    decoding = asyncio.Semaphore(classifier.threads)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with batcher.running():
            yield

    app = FastAPI(title="nounflow", description="Names what is in a photograph.", lifespan=lifespan)

    @app.middleware("http")
    async def guard(request: Request, following: Callable[[Request], Awaitable[Response]]) -> Response:
        start = time.monotonic()
        refusal = _refusal(request, api_key, hosts)
        answer = refusal or await following(request)
        if request.method == "POST":
            requests.labels(str(answer.status_code)).inc()
            seconds.observe(time.monotonic() - start)
        return answer

    an_image: dict[str, Any] = {
        "dependencies": [Depends(_check_query)], "openapi_extra": _AN_IMAGE, "responses": _REFUSALS
    }  # fmt: skip

    def left_out_of(candidates: tuple[str, ...]) -> list[str]:
        if not candidates:
            return []
        known = set(guided(candidates).nouns)
        return [text for text in candidates if text not in known]

    @app.post("/name", response_model_exclude_none=True, **an_image)
    async def name(
        request: Request,
        top: Annotated[int, Query(ge=1, le=50, description="nouns to answer with")] = 3,
        noun: Annotated[list[str], Query(max_length=1000, description="answer from these nouns only")] = [],  # noqa: B006
        confidence: Annotated[
            float | None, Query(ge=0, le=1, description="also say the most specific name that is so probable")
        ] = confidence,
    ) -> Named:
        """Name the image that is the request's body (JPEG, PNG, WebP, HEIC ...)."""
        candidates = _listed(noun)
        try:
            left_out = await asyncio.to_thread(left_out_of, candidates)
            content = await _body(request, limits.max_bytes)
            async with decoding:
                image = await asyncio.to_thread(_prepared, classifier, content, limits.max_pixels)
            found = await batcher(_Asked(image, top, candidates))
        except ImageError as problem:
            raise HTTPException(422, f"The image cannot be read: {problem}") from None
        except NounflowError as error:
            raise HTTPException(422, str(error).splitlines()[0]) from None
        except asyncio.QueueFull:
            raise HTTPException(503, "Too many images wait; try again soon.", {"Retry-After": "1"}) from None
        return _answer(found, model, confidence, classifier.calibrated_on, left_out)

    looking = asyncio.Semaphore(1)  # a photograph's boxes are a batch of their own

    async def with_boxes(request: Request, look: Callable[[bytes], Tagging | FoundRegions]) -> dict[str, object]:
        """What is found in the image that is the request's body, as JSON."""
        content = await _body(request, limits.max_bytes)

        def work() -> Tagging | FoundRegions:
            _check_size(content, limits.max_pixels)
            return look(content)

        try:
            async with looking:
                found = await asyncio.to_thread(work)
        except (ImageError, NounflowError) as error:
            raise HTTPException(422, str(error).splitlines()[0]) from None
        if found.problem:
            raise HTTPException(422, f"The image cannot be read: {found.problem}")
        return {"model": model, **{key: value for key, value in found.as_dict().items() if key not in _NOT_SERVED}}

    @app.post("/tags", **an_image)
    async def tags(
        request: Request,
        most: Annotated[int, Query(ge=1, le=50, description="nouns to answer with")] = 5,
        min_score: Annotated[
            float | None, Query(allow_inf_nan=False, description="of all but the first; left out: as calibrated")
        ] = None,
        noun: Annotated[list[str], Query(max_length=1000, description="look for these, of any lexicon")] = [],  # noqa: B006
    ) -> dict[str, object]:
        """Several nouns of the image that is the request's body, each with its box x0, y0, x1, y1 in pixels."""
        labels = [text for text in noun if text.strip()] or None  # as sent: what stands there twice is told
        return await with_boxes(
            request, lambda content: classifier.tags(content, labels, most=most, threshold=min_score)[0]
        )

    @app.post("/regions", **an_image)
    async def regions(
        request: Request,
        boxes: Annotated[int, Query(ge=1, le=100, description="proposals that are looked at")] = 40,
        most: Annotated[int, Query(ge=1, le=50, description="boxes to answer with")] = 10,
        min_probability: Annotated[float, Query(ge=0, le=1, description="of a noun")] = 0.3,
        noun: Annotated[list[str], Query(max_length=1000, description="answer from these nouns only")] = [],  # noqa: B006
    ) -> dict[str, object]:
        """What is where in the image that is the request's body: boxes x0, y0, x1, y1 in pixels, each with a noun."""
        candidates = _listed(noun)

        def look(content: bytes) -> FoundRegions:
            chosen = guided(candidates) if candidates else classifier
            return next(chosen.regions([content], boxes=boxes, most=most, min_probability=min_probability))

        found = await with_boxes(request, look)
        left_out = await asyncio.to_thread(left_out_of, candidates)
        return found | ({"left_out": left_out} if left_out else {})

    @app.head("/healthz", include_in_schema=False)
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Whether the server is up."""
        return {"status": "ok", "model": model}

    @app.get("/metrics")
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    return app


def _answer(found: Naming, model: str, confidence: float | None, calibrated_on: str, left_out: list[str]) -> Named:
    pairs = zip(found.nouns, found.probabilities, strict=True)
    name, probability = (None, None) if confidence is None else found.sure(confidence) or ("", 0.0)
    return Named(
        model=model,
        nouns=[Noun(noun=text, probability=share, in_lexicon=text not in found.unknown) for text, share in pairs],
        chain=[Name(noun=text, probability=share) for text, share in found.chain],
        sure=name,
        sure_probability=probability,
        calibrated_on=calibrated_on or None,
        verdict=found.verdict,
        left_out=left_out or None,
    )


def _listed(nouns: list[str]) -> tuple[str, ...]:
    """A list of nouns as it was sent, each once."""
    return tuple(dict.fromkeys(text.strip() for text in nouns if text.strip()))


def _prepared(classifier: NounClassifier, content: bytes, max_pixels: int) -> np.ndarray:
    _check_size(content, max_pixels)
    return classifier.prepare(content)


def _check_size(content: bytes, max_pixels: int) -> None:
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
    except Exception:  # `prepare` says why
        width = height = 0
    if width * height > max_pixels:
        raise ImageError(f"too large: {width} x {height} pixels, at most {max_pixels:,} in all")


def _check_query(request: Request) -> None:
    """Refuse parameters that nothing reads: one that is misspelt would change nothing in silence."""
    known = [field.alias for field in request.scope["route"].dependant.query_params]
    for name in request.query_params:
        if name not in known:
            raise HTTPException(422, f"There is no parameter {name[:40]!r}; there are: {', '.join(known)}.")
        if name not in _LISTS and len(request.query_params.getlist(name)) > 1:
            raise HTTPException(422, f"The parameter {name!r} stands there several times.")


async def _body(request: Request, most: int) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/json", "multipart/form-data", "application/x-www-form-urlencoded"):
        raise HTTPException(415, "Send the image's own bytes as the body, with its type, such as image/jpeg.")
    if (packed := request.headers.get("content-encoding", "identity").strip().lower()) not in ("identity", ""):
        raise HTTPException(415, f"Send the image's bytes as they are, without the encoding {packed[:20]!r}.")
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise HTTPException(413, f"The image is larger than {most:,} bytes.")
    content = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                content += part
                if len(content) > most:
                    raise HTTPException(413, f"The image is larger than {most:,} bytes.")
    except TimeoutError:
        raise HTTPException(408, "The image did not come in time.") from None
    except ClientDisconnect:
        raise HTTPException(400, "The image did not come whole.") from None
    return bytes(content)


def _refusal(request: Request, api_key: str | None, hosts: set[str]) -> Response | None:
    """Answers to strangers: another site's page, another host's name, a client without the key."""
    try:
        name = (request.url.hostname or "").lower()
    except ValueError:  # "[::1", say
        name = ""
    if hosts and name not in hosts:
        return _refused(421, "This server does not answer under this name; --allow-host adds it.")
    origin = request.headers.get("origin")
    if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
        return _refused(403, "Pages of other sites may not ask this server.")
    if api_key is None or request.url.path == "/healthz":
        return None
    scheme, _, given = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and secrets.compare_digest(given.strip().encode(), api_key.encode()):
        return None
    return _refused(401, "Send the key as `Authorization: Bearer KEY`.", {"WWW-Authenticate": "Bearer"})


def _refused(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """As all other refusals look."""
    return JSONResponse({"detail": detail}, status, headers)
