"""The annotation page's server: hands out pictures, takes decisions, and answers when they are on the disk."""

import asyncio
import functools
import sqlite3
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Response
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from nounflow.annotation.agreement import agreement, shared_judgements
from nounflow.annotation.cards import Dictionary
from nounflow.annotation.log import DecisionLog
from nounflow.annotation.pictures import read_picture
from nounflow.annotation.scheme import for_page
from nounflow.escaping import mended
from nounflow.images import ImageError
from nounflow.schemas.decisions import AnnotatorName, DecisionDraft, Draft, MarkDraft, Place
from nounflow.schemas.documents import first_problem
from nounflow.web.task_queue import TaskQueue

TOOL = "nounflow annotate 3"  # raise it when what people are asked, or how, changes
PAGES = Path(__file__).with_name("pages")
_DRAFT: TypeAdapter[DecisionDraft | MarkDraft] = TypeAdapter(Draft)
_SIZES = {"screen": 1600, "full": 4096}  # longest side of a picture, pixels
_PICTURES = 64  # JPEGs in memory: a few MB
_QUALITY = 90  # of JPEG
_DIFFERING = 50  # contradictions that the page lists
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Sending(BaseModel):
    """What a page sends: its waiting records, oldest first."""

    model_config = ConfigDict(extra="forbid")

    records: Annotated[list[dict[str, Any]], Field(max_length=200)]


Who = Annotated[AnnotatorName, Query()]


def annotation_app(queue: TaskQueue, log: DecisionLog, folder: Path, dictionary: Dictionary, image_set: str) -> FastAPI:
    """The server's routes; `nounflow.web.security.Guard` stands before them. The pictures lie in `folder`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_exception_handler(RequestValidationError, _invalid)
    add_pages(app, PAGES)
    images = {task.image: task.files[0] for task in queue.tasks}

    def with_meanings(task: dict[str, Any]) -> dict[str, Any]:
        nouns = [
            {**noun, "meanings": [m._asdict() for m in dictionary.meanings(noun["noun"])]} for noun in task["nouns"]
        ]
        return {**task, "nouns": nouns}

    @app.get("/api/session")
    async def session(annotator: Who) -> dict[str, Any]:
        if queue.review and not queue.counts(annotator):
            raise HTTPException(403, f"{annotator} is none of the config's `members`: no review of theirs would count")
        return {
            "image_set": image_set,
            "tool": TOOL,
            "review": queue.review,
            "scheme": for_page(queue.people.scheme),
            "images": len(queue.tasks),
            "progress": queue.progress(annotator),
            **queue.history(annotator),
        }

    @app.get("/api/tasks")
    async def tasks(
        annotator: Who,
        after: Annotated[int, Query(ge=0)] = 0,
        have: str = "",
        n: Annotated[int, Query(ge=1, le=10)] = 3,
        skipped: bool = False,
    ) -> dict[str, Any]:
        found = queue.next_tasks(annotator, after, frozenset(have.split(",")), n, skipped)
        return {"tasks": [with_meanings(task) for task in found], "progress": queue.progress(annotator)}

    @app.get("/api/tasks/{image}")
    async def task(image: Annotated[Place, InPath()], annotator: Who) -> dict[str, Any]:
        found = queue.task(image, annotator)
        if found is None:
            raise HTTPException(404, "this picture is not asked about")
        return with_meanings(found)

    @app.get("/api/names/{image}")
    async def names(image: Annotated[Place, InPath()], noun: str) -> dict[str, Any]:
        if not queue.review:  # who judges stays blind
            raise HTTPException(404, "only in review")
        return {"said": queue.said((image, noun), names=True)}

    @app.post("/api/records")
    async def records(sending: Sending, response: Response) -> dict[str, Any]:
        drafts, refused = _drafts(sending.records)
        if refused and not drafts:
            response.status_code = 422
        try:
            receipts = await asyncio.wrap_future(log.append(drafts))
        except (OSError, sqlite3.Error) as error:  # a full disk, say: the page keeps them and tries again
            raise HTTPException(507, f"the decision log cannot be written ({error})") from None
        for receipt in receipts:
            if receipt.new and receipt.record:
                queue.add(receipt.record)
        annotator = drafts[-1].annotator if drafts else ""
        return {
            "accepted": [receipt.id for receipt in receipts if not receipt.refused],
            "refused": refused | {receipt.id: receipt.refused for receipt in receipts if receipt.refused},
            "progress": queue.progress(annotator),
        }

    @app.get("/api/agreement")
    async def agree(annotator: Who) -> dict[str, Any]:
        shared = shared_judgements(queue.decisions, images=images)
        found = await asyncio.to_thread(agreement, list(shared.values()))
        differing = [
            {"image": image, "noun": noun, "said": said}
            for (image, noun), said in shared.items()
            if annotator in said
            and len(set(said.values())) > 1  # who has not judged a pair stays blind
            and not queue.review
        ]
        twos = [two._asdict() for two in found.twos]
        return {**found._asdict(), "twos": twos, "differing": differing[:_DIFFERING], "differ": len(differing)}

    @functools.lru_cache(maxsize=_PICTURES)
    def jpeg(image: str, size: str) -> bytes:
        return read_picture(folder, images[image], image, _SIZES[size], _QUALITY)

    @app.get("/pictures/{image}")
    def picture(image: Annotated[Place, InPath()], size: str = "screen") -> Response:
        if image not in images or size not in _SIZES:
            raise HTTPException(404, "there is no such picture")
        try:
            content = jpeg(image, size)
        except ImageError as problem:
            raise HTTPException(410, str(problem)) from None
        return Response(content, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600, immutable"})

    return app


def _drafts(records: list[dict[str, Any]]) -> tuple[list[DecisionDraft | MarkDraft], dict[str, str]]:
    """The records that can be kept, and why the others cannot, by their ids: one of them holds none of the rest up."""
    drafts, refused = list[DecisionDraft | MarkDraft](), dict[str, str]()
    for place, record in enumerate(records):
        values = {key: mended(value) if isinstance(value, str) else value for key, value in record.items()}
        try:
            drafts.append(_DRAFT.validate_python(values))
        except ValidationError as error:
            refused[str(values.get("id", place))] = first_problem(error)
    return drafts, refused


def add_pages(app: FastAPI, pages: Path) -> None:
    """A route for each file of a page's folder; no path of a request ever becomes a path on the disk."""
    for file in sorted(pages.iterdir()):
        if kind := _KINDS.get(file.suffix):
            route = "/" if file.name == "index.html" else f"/{file.name}"
            app.add_route(route, functools.partial(_page, file.read_bytes(), kind))


async def _invalid(_request: Request, error: Exception) -> Response:
    """What is wrong with a request, without the request: it may hold what cannot be written."""
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
    return JSONResponse({"detail": [mended(line) for line in wrong]}, 422)


async def _page(content: bytes, kind: str, _request: Request) -> Response:
    return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})
