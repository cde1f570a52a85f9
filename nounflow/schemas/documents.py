"""The JSON files that pass between stages: one model each, checked when read."""

from pathlib import Path
from typing import TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from nounflow.errors import DamagedFileError
from nounflow.files import read_json, write_json

Document = TypeVar("Document", bound=BaseModel)


class StoredDocument(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def read_document(model: type[Document], path: Path, what: str) -> Document:
    """Read and check a JSON document; `what` names its role in messages."""
    try:
        return model.model_validate(read_json(path, what))
    except pydantic.ValidationError as error:
        raise DamagedFileError(
            f"The {what} does not have the expected form: {first_problem(error)}",
            where=path,
            fix="delete it and run its stage again",
        ) from error


def first_problem(error: pydantic.ValidationError) -> str:
    """The first of what a model refused: the place, if there is one, and what is wrong with it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))


def write_document(path: Path, document: BaseModel) -> None:
    """Write a document atomically."""
    write_json(path, document.model_dump(mode="json"))
