"""What every command line of the project shares: a header in the log, errors without tracebacks, JSON settings."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pydantic

from nounflow.errors import NounflowError
from nounflow.files import disk_errors

Model = TypeVar("Model", bound=pydantic.BaseModel)


def stage_parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help is the script's docstring, with `--debug`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def run_stage(main: Callable[..., None], arguments: argparse.Namespace) -> None:
    """Call `main` with the parsed arguments; a `NounflowError` becomes one message and exit status 1."""
    values = vars(arguments)
    debug = values.pop("debug") or bool(os.environ.get("NOUNFLOW_DEBUG"))
    start = time.monotonic()
    print(f"{sys.argv[0]}: Python {platform.python_version()} on {platform.node()}", flush=True)
    with reported_errors(debug):
        main(**values)
    print(f"done in {time.monotonic() - start:.1f} s", flush=True)


class reported_errors:  # noqa: N801 - reads as a statement
    """Context manager: print a user's error as one message on stderr and leave with status 1, no traceback."""

    def __init__(self, debug: bool = False) -> None:
        self.debug = debug

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or self.debug:
            return
        if isinstance(error, OSError):  # outside an atomic write, or while reading
            error = _explained(error)
        if isinstance(error, KeyboardInterrupt):
            print("interrupted; nothing half-written was kept", file=sys.stderr)
            sys.exit(130)
        if isinstance(error, NounflowError):
            print(f"error: {error}", file=sys.stderr, flush=True)
            sys.exit(1)


def _explained(error: OSError) -> NounflowError:
    try:
        with disk_errors(Path(error.filename or "results")):
            raise error
    except NounflowError as explained:
        return explained
    except OSError:
        return NounflowError(
            error.strerror or str(error), where=error.filename, fix="check the path and its permissions"
        )


def at_least_one(text: str) -> int:
    """An argparse type for counts."""
    if not (text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of 1 or more")
    return int(text)


def json_settings(model: type[Model]) -> Callable[[str], Model]:
    """An argparse type that reads a JSON object into a config model, so the shell and the API share one schema."""

    def parse(text: str) -> Model:
        try:
            return model.model_validate(json.loads(text))
        except (json.JSONDecodeError, pydantic.ValidationError) as error:
            raise argparse.ArgumentTypeError(f"{model.__name__}: {error}") from error

    return parse
