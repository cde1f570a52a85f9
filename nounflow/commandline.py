"""What every command line of the project shares: a header in the log, errors without tracebacks, JSON settings."""

import argparse
import asyncio
import contextlib
import errno
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pydantic

from nounflow.atomic import disk_errors
from nounflow.config.base import merged
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.extras import EXTRAS, missing_error
from nounflow.job_log import footer, header

Model = TypeVar("Model", bound=pydantic.BaseModel)
Result = TypeVar("Result")


def stage_parser(doc: str | None) -> argparse.ArgumentParser:
    """An argument parser whose help is the script's docstring, with `--debug`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser


def run_stage(main: Callable[..., None], arguments: argparse.Namespace) -> None:
    """Call `main` with the parsed arguments, between a header and a footer for the log.

    A `NounflowError` becomes one message and exit status 1. SIGTERM, which a scheduler sends some time before it kills,
    unwinds like a key press, so that half-written files are removed.
    """
    values = vars(arguments)
    debug = values.pop("debug") or bool(os.environ.get("NOUNFLOW_DEBUG"))
    start = time.monotonic()
    wait_briefly()
    signal.signal(signal.SIGTERM, _terminate)
    print_any_text()
    print(header(values.get("device")), flush=True)
    with reported_errors(debug):
        main(**values)
    print(footer(time.monotonic() - start), flush=True)


def print_any_text() -> None:
    """Let signs that the terminal cannot show be printed as escapes, instead of ending in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def wait_briefly() -> None:
    """Let OpenMP's threads spin for a moment at barriers, then sleep. To be called before torch is imported.

    Spinning on costs four fifths of the speed of training on a busy machine, sleeping at once a sixth on a quiet one;
    this costs neither (benchmarks/results/training_speed.md). The first name is GNU's, which PyPI's torch brings, the
    second LLVM's, which has no such middle: its threads sleep at once.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
        os.environ.setdefault("KMP_BLOCKTIME", "0")


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end. SIGTERM cancels it, so that it unwinds, and then ends the stage as elsewhere."""

    async def cancellable() -> Result:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        raise Terminated from None


class Terminated(KeyboardInterrupt):
    """SIGTERM has come."""


def _terminate(_number: int, _frame: object) -> NoReturn:
    raise Terminated


@contextlib.contextmanager
def reported_errors(debug: bool = False) -> Iterator[None]:
    """Print a user's error as one message on stderr and leave with status 1, no traceback."""
    try:
        yield
    except BaseException as raised:
        if debug:
            raise
        error = _explained(raised) if isinstance(raised, OSError) else raised  # outside an atomic write, while reading
        if _is_out_of_memory(error):
            error = NounflowError(
                f"Out of memory ({str(error).splitlines()[0] if str(error) else 'no details'})",
                fix="give the job more (mem_mb of its rule, `set-resources` in the profile), run fewer at once, or cut "
                "smaller parts: captions.*.shards, training.micro_batch, an embedder's batch_tokens",
            )
        if isinstance(error, ModuleNotFoundError) and (module := (error.name or "").partition(".")[0]) in EXTRAS:
            error = missing_error([module])
        if isinstance(error, KeyboardInterrupt):
            how, status = ("stopped by SIGTERM", 143) if isinstance(error, Terminated) else ("interrupted", 130)
            print(f"{how}; nothing half-written was kept", file=sys.stderr, flush=True)
            sys.exit(status)
        if isinstance(error, NounflowError):
            lines = map(escaped, f"error: {error}".split("\n"))  # names of files and texts may hold control codes
            print(*lines, sep="\n", file=sys.stderr, flush=True)
            sys.exit(1)
        raise


def _is_out_of_memory(error: BaseException) -> bool:
    """Python's and NumPy's own error, or torch's, which is a RuntimeError; of torch nothing is imported here."""
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)
        and (type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator: can't allocate" in str(error))
    )


def _explained(error: OSError) -> NounflowError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        try:
            with disk_errors(Path(error.filename or "results")):
                raise error
        except NounflowError as explained:
            return explained
    return NounflowError(error.strerror or str(error), where=error.filename, fix="check the path and its permissions")


def at_least_one(text: str) -> int:
    """An argparse type for counts."""
    if not (text.isdecimal() and len(text) < 10 and int(text) > 0):  # longer ones fit no library's counters
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 999,999,999")
    return int(text)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add what a stage computes on: --device and --threads."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add which images a stage looks at: --image-set, and --folder or --input-manifest."""
    parser.add_argument("--image-set", required=True, help="name of the image set")
    parser.add_argument("--folder", type=Path, help="folder of images")
    parser.add_argument("--input-manifest", type=Path, help="manifest of a fetched set, instead of --folder")


def add_settings(
    parser: argparse.ArgumentParser, option: str, model: type[Model] | pydantic.TypeAdapter[Model]
) -> None:
    """Add a required option that takes JSON objects, each laid over those before it: what shapes the result, and what
    does not.
    """
    adapter = model if isinstance(model, pydantic.TypeAdapter) else pydantic.TypeAdapter(model)

    class Laid(argparse.Action):
        def __call__(self, _parser: object, namespace: object, values: Any, _option: str | None = None) -> None:
            whole: dict[str, Any] = {}
            try:
                for text in filter(None, values):
                    whole = merged(whole, json.loads(text))
                setattr(namespace, self.dest, adapter.validate_python(whole, strict=None))
            except (json.JSONDecodeError, pydantic.ValidationError) as error:
                raise argparse.ArgumentError(self, str(error)) from error

    parser.add_argument(option, nargs="+", action=Laid, required=True, metavar="JSON", help="settings, as JSON")


def json_settings(model: type[Model]) -> Callable[[str], Model]:
    """An argparse type that reads a JSON object into a config model, so the shell and the API share one schema."""

    def parse(text: str) -> Model:
        try:
            return model.model_validate(json.loads(text))
        except (json.JSONDecodeError, pydantic.ValidationError) as error:
            raise argparse.ArgumentTypeError(f"{model.__name__}: {error}") from error

    return parse
