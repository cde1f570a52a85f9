"""The fixed words of all messages in the code."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_PLACES = {"check_sha256": 2}  # functions that raise a message they are given -> its place among the arguments


def fixed_words(folders: list[Path], root_class: str) -> Iterator[tuple[str, str]]:
    """(place in the code, longest literal part of the message) of each exception of a class or of its subclasses."""
    trees = {path: ast.parse(path.read_text()) for folder in folders for path in sorted(folder.rglob("*.py"))}
    classes = _with_subclasses(trees.values(), root_class)
    for path, tree in trees.items():
        values = defaultdict(list)
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                values[node.targets[0].id].append(node.value)
        for call in ast.walk(tree):
            place = _PLACES.get(_name(call.func), 0) if isinstance(call, ast.Call) else 0
            if isinstance(call, ast.Call) and _name(call.func) in {*classes, *_PLACES} and call.args[place:]:
                for message in _messages(call.args[place], values):
                    longest = max(_literals(message), key=len, default="")
                    if longest.strip():
                        yield f"{path}:{call.lineno}", longest.strip()


def _messages(message: ast.expr, values: Mapping[str, list[ast.expr]]) -> Iterator[ast.expr]:
    """What an argument may be: itself, either side of a choice, or what its name stands for anywhere in the file."""
    if isinstance(message, ast.IfExp):
        yield from _messages(message.body, values)
        yield from _messages(message.orelse, values)
    elif isinstance(message, ast.Name):
        for value in values.get(message.id, []):
            yield from _messages(value, {})
    else:
        yield message


def _with_subclasses(trees: Iterable[ast.Module], root_class: str) -> set[str]:
    defined = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    classes = {root_class}
    while found := {node.name for node in defined if classes & {*map(_name, node.bases)}} - classes:
        classes |= found
    return classes


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _literals(message: ast.expr) -> Iterator[str]:
    """Literal parts of a string, an f-string or a sum that begins with one, line by line."""
    if isinstance(message, ast.Constant) and isinstance(message.value, str):
        yield from message.value.splitlines()
    elif isinstance(message, ast.JoinedStr):
        for part in message.values:
            yield from _literals(part)
    elif isinstance(message, ast.BinOp):
        yield from _literals(message.left)
