"""Code as a parameter: a digest of a script and of all project modules that it imports.

Snakemake does not see a change in an imported module, and takes a mere `git checkout` for one in a script. So each
rule carries this digest as a param. Left out is what shapes no byte of any result: comments and layout, docstrings,
descriptions and help, what only type checkers read, operational settings, the modules of `SHAPELESS`, and the tables of
registries, of which a rule names the entries in use.
"""

import ast
import atexit
import contextlib
import functools
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parent

# What they do is seen in logs and on terminals only; tests/test_shapeless.py puts stand-ins in their places.
SHAPELESS = frozenset(
    PACKAGE / path
    for path in (
        "ahead.py",  # when threads compute, not what
        "atomic.py",
        "commandline.py",
        "device_lease.py",
        "errors.py",
        "fingerprint.py",  # another rule gives other digests anyway
        "job_log.py",
        "progress.py",
        "training/checkpoint.py",  # a run that goes on ends with the same bytes
        "training/memory.py",
        "training/noise_fit.py",
        "training/stopping.py",
        "training/tracking.py",
    )
)
_WORDS = frozenset({"description", "title", "help"})  # arguments that people read


def code_fingerprint(*roots: Path | str, within: Path | None = None) -> str:
    """Digest over code and, followed through imports, the modules of `nounflow` (16 hex digits).

    `nounflow/__init__.py` is not followed: it exports lazily and would tie every stage to all code.

    Args:
        roots: scripts, and places of registry entries that they use, "nounflow.module:name".
        within: only files below this folder count, if it is given.
    """
    named = [
        (os.path.relpath(path, PACKAGE.parent), _parsed(path, path.stat().st_mtime_ns).digest)
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
        if path not in seen and path not in SHAPELESS:
            parsed = _parsed(path, path.stat().st_mtime_ns)
            seen |= {path} if parsed.digest else set()
            waiting.extend(file for module in parsed.imports for file in _module_files(module))
    return sorted(seen)


class _Parsed(NamedTuple):
    digest: str  # of the file's tree; empty where nothing is in it
    imports: tuple[str, ...]  # dotted names within the package


@functools.cache
def _parsed(path: Path, _mtime: int) -> _Parsed:
    source = path.read_bytes()
    kept, key = _kept(), hashlib.sha256(source).hexdigest()
    if key not in kept:
        tree = ast.parse(source)
        _Shaping().visit(tree)
        empty = not tree.body or isinstance(tree.body[0], ast.Pass)
        digest = "" if empty else hashlib.sha256(ast.dump(tree).encode()).hexdigest()
        kept[key] = _Parsed(digest, () if empty else tuple(dict.fromkeys(_imports(tree))))
    return kept[key]


@functools.cache
def _kept() -> dict[str, _Parsed]:
    """What files were parsed to, by the digest of their bytes, from the user's cache: to parse anew takes a second."""
    kept: dict[str, _Parsed] = {}
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):  # not there, or not what we wrote
        read = json.loads(_kept_at().read_bytes())
        kept |= {key: _Parsed(digest, tuple(names)) for key, (digest, names) in read.items()}
    atexit.register(_keep, kept, len(kept))
    return kept


def _kept_at() -> Path:
    """Another rule or another Python gives other digests. (`Path.home` fails for a user without a home.)"""
    rule = hashlib.sha256(Path(__file__).read_bytes() + sys.version.encode()).hexdigest()[:16]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111
    return Path(cache) / "nounflow" / f"code-{rule}.json"


def _keep(kept: dict[str, _Parsed], before: int) -> None:
    path = _kept_at()
    if len(kept) > before:
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
                json.dump(kept, file)
            Path(file.name).replace(path)


class _Shaping(ast.NodeTransformer):
    """Takes out of a tree what shapes no result."""

    def visit(self, node: ast.AST) -> ast.AST:
        """Docstrings."""
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(value=ast.Constant(value=str())), *following]:
                    node.body = following or [ast.Pass()]
        visited: ast.AST = super().visit(node)
        return visited

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Descriptions and help."""
        node.keywords = [keyword for keyword in node.keywords if keyword.arg not in _WORDS]
        return self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """Help of options: `Annotated[Path, "help"]`."""
        if isinstance(node.value, ast.Name) and node.value.id == "Annotated" and isinstance(node.slice, ast.Tuple):
            kind, *marks = node.slice.elts
            node.slice.elts = [kind, *(mark for mark in marks if not isinstance(mark, ast.Constant))]
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        """Imports for type checkers."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Tables of registries, and settings that say how a job goes."""
        match node.annotation:
            case ast.Subscript(value=ast.Name(id="Registry")):
                node.value = None
            case ast.Subscript(slice=ast.Tuple(elts=[_, ast.Name(id="OPERATIONAL")])):
                return ast.Pass()
        return self.generic_visit(node)


def _imports(tree: ast.AST) -> Iterator[str]:
    """Names within the package that the tree imports and still uses, or hands on (`__all__`, `import x as x`)."""
    nodes = list(ast.walk(tree))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    used |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [alias.name for alias in node.names if alias.asname or alias.name in used]
            found = [f"{node.module}.{name}" for name in names]
        elif isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        else:
            continue
        yield from (name for name in found if name.partition(".")[0] == PACKAGE.name)


def _module_files(module: str) -> tuple[Path, ...]:
    return _files_within(PACKAGE, module)


@functools.cache
def _files_within(package: Path, module: str) -> tuple[Path, ...]:
    """Files of a dotted name within the package: the module, and the `__init__.py` of its parents but the top."""
    parts = module.split(".")
    bases = [package.joinpath(*parts[1:depth]) for depth in range(2, len(parts) + 1)]
    files = [path for base in bases for path in (base.with_suffix(".py"), base / "__init__.py")]
    return tuple(path for path in files if path.is_file())
