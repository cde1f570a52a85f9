"""Code as a parameter: a digest of a script and of all project modules that it imports.

Snakemake does not see a change in an imported module, and takes a mere `git checkout` for one in a script. So each
rule carries this digest as a param: syntax trees without docstrings, hence comments and layout rerun nothing.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def code_fingerprint(*roots: Path | str, within: Path | None = None) -> str:
    """Digest over code and, followed through imports, the modules of `nounflow` (16 hex digits).

    `nounflow/__init__.py` is not followed: it exports lazily and would tie every stage to all code.

    Args:
        roots: scripts, and places of registry entries that they use, "nounflow.module:name".
        within: only files below this folder count, if it is given.
    """
    named = [
        (os.path.relpath(path, PACKAGE.parent), _parsed(path, path.stat().st_mtime_ns)[0])
        for path in imported_files(*roots)
        if within is None or path.is_relative_to(within)
    ]
    return hashlib.sha256(repr(named).encode()).hexdigest()[:16]


def imported_files(*roots: Path | str) -> list[Path]:
    """Scripts, modules of places, and all project files that they import, directly or not, sorted."""
    seen: set[Path] = set()
    waiting = [root.resolve() for root in roots if isinstance(root, Path)]
    waiting += [path for root in roots if isinstance(root, str) for path in _module_files(root.partition(":")[0])]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting.extend(_parsed(path, path.stat().st_mtime_ns)[1])
    return sorted(seen)


@functools.cache
def _parsed(path: Path, _mtime: int) -> tuple[str, tuple[Path, ...]]:
    """Digest of one file's tree, and the project files that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports = tuple(dict.fromkeys(_imports(tree)))  # before docstrings go: order of appearance
    _strip_docstrings(tree)
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), imports


def _imports(tree: ast.Module) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from _module_files(node.module)
            for alias in node.names:
                yield from _module_files(f"{node.module}.{alias.name}")
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(alias.name)


def _module_files(module: str) -> Iterator[Path]:
    """Files of a dotted name within the package: the module, and the `__init__.py` of its parents but the top."""
    parts = module.split(".")
    if parts[0] != PACKAGE.name:
        return
    for depth in range(2, len(parts) + 1):
        base = PACKAGE.joinpath(*parts[1:depth])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                yield path


def _strip_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *following]:
                    node.body = following or [ast.Pass()]
