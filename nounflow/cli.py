"""The `nounflow` command."""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from nounflow.commandline import print_any_text, reported_errors, wait_passively
from nounflow.commands import (
    annotate,
    cache,
    captions,
    decisions,
    init,
    judging,
    naming,
    nouns,
    novic,
    schema,
    scores,
    workflow,
)
from nounflow.commands.options import spread_configfiles

# in the order of the help
_COMMANDS = (init, naming, scores, annotate, decisions, judging, captions, cache, nouns, workflow, novic, schema)


def parser() -> argparse.ArgumentParser:
    """The parser of the command and its sub-commands."""
    command = argparse.ArgumentParser(prog="nounflow", description="Name what is in photographs.")
    command.add_argument("--debug", action="store_true", help="show the traceback of an error (also behind a command)")
    command.add_argument("--version", action="version", version=f"nounflow {metadata.version('nounflow')}")
    commands = command.add_subparsers(required=True, metavar="COMMAND")
    for module in _COMMANDS:
        module.add(commands)
    return command


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The words of a command line, `--debug` left out."""
    return parser().parse_args(spread_configfiles([word for word in words if word != "--debug"]))


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the `nounflow` command."""
    words = sys.argv[1:] if arguments is None else arguments
    parsed = parse(words)
    wait_passively()
    print_any_text()
    with reported_errors("--debug" in words):
        try:
            parsed.call(parsed)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader has seen enough: `| head`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains at its end
            sys.exit(141)  # as the shell says of who is ended by SIGPIPE
