"""What every command line of the project shares: a header in the log, errors without tracebacks, JSON settings."""

import argparse
import asyncio
import contextlib
import errno
import inspect
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import pydantic

from nounflow.atomic import disk_errors
from nounflow.config.base import merged
from nounflow.errors import NounflowError
from nounflow.escaping import escaped
from nounflow.extras import EXTRAS, missing_error
from nounflow.job_log import footer, header

Result = TypeVar("Result")


def run_stage(main: Callable[..., None], doc: str | None, *further: Callable[..., Any]) -> None:
    """Call `main` with what the command line says, between a header and a footer for the log.

    A `NounflowError` becomes one message and exit status 1. SIGTERM, which a scheduler sends some time before it kills,
    unwinds like a key press, so that half-written files are removed.

    Args:
        doc: of the script; the text of its help.
        further: have parameters that `main` takes, too, as its `**keywords`.
    """
    values = vars(stage_parser(doc, main, *further).parse_args())
    debug = values.pop("debug") or bool(os.environ.get("NOUNFLOW_DEBUG"))
    start = time.monotonic()
    wait_briefly()
    signal.signal(signal.SIGTERM, _terminate)
    print_any_text()
    print(header(values.get("device")), flush=True)
    with reported_errors(debug):
        main(**values)
    print(footer(time.monotonic() - start), flush=True)


def stage_parser(doc: str | None, *functions: Callable[..., Any]) -> argparse.ArgumentParser:
    """A parser whose options are the parameters of some functions, with `--debug`.

    `top_k: Annotated[int, "nouns an image gets"] = 10` is the option `--top-k` with its help; one without a default is
    required. A list is several words, a bool a switch, a `Literal` a choice; text, numbers and paths are themselves.
    All else is JSON, objects each laid over those before it: what shapes the result, and what does not. Further words
    for argparse may follow the help, in a dict.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    for function in functions:
        hints = get_type_hints(function, include_extras=True)
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind is not parameter.VAR_KEYWORD:
                words = _option(hints[name], parameter.default)
                parser.add_argument(f"--{name.replace('_', '-')}", **words)
    return parser


def _option(annotation: Any, default: Any) -> dict[str, Any]:
    """What argparse is told of a parameter."""
    kind, *marks = get_args(annotation)
    words, needed = next(mark for mark in marks if isinstance(mark, str)), default is inspect.Parameter.empty
    if kind is bool:
        return {"help": words, "action": "store_true"}
    said = {"help": words, "required": True} if needed else {"help": words, "default": default}
    if isinstance(kind, UnionType):
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    while get_origin(kind) in (list, Sequence):  # a list of lists where the option may stand several times
        said["nargs"] = "+" if needed or default else "*"
        (kind,) = get_args(kind)
    if get_origin(kind) is Literal:
        said["choices"] = get_args(kind)
    elif kind in (str, int, float, Path):
        said["type"] = kind
    else:
        return said | {"nargs": "+", "action": _laid(pydantic.TypeAdapter(annotation)), "metavar": "JSON"}
    return said | {name: value for mark in marks if isinstance(mark, dict) for name, value in mark.items()}


def _laid(adapter: pydantic.TypeAdapter[Any]) -> type[argparse.Action]:
    """Reads JSON into a config model, so that the shell and the library share one schema."""

    class Laid(argparse.Action):
        def __call__(self, _parser: object, namespace: object, values: Any, _option: str | None = None) -> None:
            whole: Any = {}
            try:
                for part in map(json.loads, filter(None, values)):
                    whole = merged(whole, part) if isinstance(part, dict) else part
                setattr(namespace, self.dest, adapter.validate_python(whole))
            except (json.JSONDecodeError, pydantic.ValidationError) as error:
                raise argparse.ArgumentError(self, str(error)) from error

    return Laid


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


Count = Annotated[int, {"type": at_least_one}]
# Options that many stages have: what they compute on, and which images they look at.
Device = Annotated[str, "auto, cpu, cuda or mps"]
Threads = Annotated[int, "CPU threads", {"type": at_least_one}]
ImageSet = Annotated[str, "name of the image set"]
Folder = Annotated[Path, "folder of images, or manifest of a fetched set"]
Counts = Annotated[Path, "where the counts go"]


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add what a command computes on: --device and --threads."""
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
