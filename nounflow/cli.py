"""The `nounflow` command."""

import argparse
import contextlib
import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from nounflow.commandline import print_any_text, reported_errors, wait_briefly
from nounflow.commands import (
    annotate,
    cache,
    calibrate,
    captions,
    check,
    decisions,
    demo,
    explore,
    init,
    judging,
    labelstudio,
    naming,
    nouns,
    novic,
    onnx,
    predictions,
    regions,
    schema,
    scores,
    serve,
    workflow,
)
from nounflow.commands.options import find_project, path_or_name, seen_from, spread_configfiles
from nounflow.commands.tables import as_json
from nounflow.version import nounflow_version

# in the order of the help
_COMMANDS = (
    *(init, naming, regions, calibrate, check, serve, demo, scores, explore, annotate, decisions, labelstudio),
    *(judging, captions, cache, nouns, workflow, novic, onnx, predictions, schema),
)


def parser() -> argparse.ArgumentParser:
    """The parser of the command and its sub-commands."""
    command = argparse.ArgumentParser(prog="nounflow", description="Name what is in photographs.")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error (also behind a command)")
    command.add_argument(
        "--project", type=Path, metavar="DIR", help="the project's folder (default: this one, or the next above it)"
    )
    command.add_argument("--version", action="version", version=f"nounflow {nounflow_version()}")
    commands = command.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add(commands)
    _complete(command)
    return command


def _complete(command: argparse.ArgumentParser) -> None:
    """Add `--print-completion`; where a path is meant, files are offered."""
    import shtab

    shtab.add_argument_to(command, help="print what completes this command in a shell, and leave")
    for action in _actions(command):
        if action.type in (Path, path_or_name) and not action.choices:
            action.complete = shtab.FILE  # type: ignore[attr-defined]


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The words of a command line; `--debug` and `--project DIR` may stand anywhere."""
    own, others = list[str](), list[str]()
    waiting = iter(words)
    for word in waiting:
        if word == "--debug" or word.startswith("--project="):
            own.append(word)
        elif word == "--project":
            own += [word, *itertools.islice(waiting, 1)]
        else:
            others.append(word)
    command = parser()
    parsed = command.parse_args([*own, *spread_configfiles(others)])
    parsed.defaults = {id(action.default): action.default for action in _actions(command)}
    return parsed


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `nounflow` command."""
    parsed = parse(sys.argv[1:] if arguments is None else arguments)
    wait_briefly()
    print_any_text()
    with reported_errors(parsed.debug):
        try:
            parsed.here, folder = Path.cwd(), find_project(parsed.project)
            if folder != parsed.here:
                print(f"project: {folder}", file=sys.stderr)
                _look_from(folder, parsed)
            with contextlib.chdir(folder), as_json(getattr(parsed, "json", False)):
                parsed.call(parsed)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough: `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end
            sys.exit(141)  # as the shell says of who is ended by SIGPIPE


def _look_from(folder: Path, parsed: argparse.Namespace) -> None:
    """Keep the meaning of given paths when another folder becomes the working one; defaults lie in the project."""
    for name, value in list(vars(parsed).items()):
        if id(value) not in parsed.defaults:
            setattr(parsed, name, seen_from(folder, value, parsed.here))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Of a parser and its sub-commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _actions(below)
