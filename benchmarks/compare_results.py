"""Compare two results folders of the same config, made by two versions of the code: what differs beyond times?

    python benchmarks/compare_results.py BEFORE/results results --renamed decoders=models further=secondary

Prints a line for each file that is not the same, and how: bytes, columns of a table, keys of a document. Keys and
columns that only one side has are named and no difference; neither are times, what was reused, and digests of those.
Status 1 where content differs.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import zarr

PASSED_OVER = {"logs", "benchmarks", ".earlier"}
TIMES = {"milliseconds", "ms_per_image", "versions", "commit", "changed", "nounflow", "computed", "digest", "stage"}


def files_of(folder: Path, renamed: dict[str, str]) -> dict[str, Path]:
    """Files by their path below the folder, as the newer version names it; of an array its folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if (
            parts[0] in PASSED_OVER
            or path.name == ".snakemake_timestamp"
            or any(p.endswith(".zarr") for p in parts[:-1])
        ):
            continue
        if path.is_file() or path.suffix == ".zarr":
            found["/".join(renamed.get(part, part) for part in parts)] = path
    return found


def differences(before: Path, after: Path, renamed: dict[str, str]) -> Iterator[str]:
    """What differs in the content of one file; what starts with "only" is a note."""
    if before.suffix == ".zarr":
        groups = [zarr.open_group(path, mode="r") for path in (before, after)]
        for name in sorted(groups[0].array_keys()):
            first, second = (np.asarray(group[name]) for group in groups)
            if first.shape != second.shape:
                yield f"{name}: shape"
            elif rows := int((first != second).reshape(len(first), -1).any(axis=1).sum()):
                yield f"{name}: {rows} of {len(first)} rows"
    elif before.suffix == ".parquet":
        tables = [pl.read_parquet(path) for path in (before, after)]
        yield from _keys(set(tables[0].columns), set(tables[1].columns), "column")
        for column in set(tables[0].columns) & set(tables[1].columns):
            if not tables[0][column].equals(tables[1][column]):
                yield f"column {column}"
    elif before.suffix == ".json":
        yield from _documents(*(json.loads(path.read_text()) for path in (before, after)), renamed, "")
    elif before.suffix == ".tsv":
        rows = [[line.split("\t") for line in path.read_text().splitlines()] for path in (before, after)]
        yield from _keys(set(rows[0][0]), set(rows[1][0]), "column")
        for column in sorted(set(rows[0][0]) & set(rows[1][0]) - TIMES):
            places = [table[0].index(column) for table in rows]
            if [row[places[0]] for row in rows[0]] != [row[places[1]] for row in rows[1]]:
                yield f"column {column}"
    elif before.read_bytes() != after.read_bytes():
        yield "bytes"


def _documents(before: Any, after: Any, renamed: dict[str, str], where: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        before = {renamed.get(key, key): value for key, value in before.items()}
        yield from _keys(set(before) - TIMES, set(after) - TIMES, f"key {where}")
        for key in before.keys() & after.keys() - TIMES:
            yield from _documents(before[key], after[key], renamed, f"{where}.{key}" if where else key)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (first, second) in enumerate(zip(before, after, strict=True)):
            yield from _documents(first, second, renamed, f"{where}[{i}]")
    elif before != after and not _renamed_path(before, after, renamed):
        yield f"{where}: {str(before)[:60]!r} -> {str(after)[:60]!r}"


def _renamed_path(before: Any, after: Any, renamed: dict[str, str]) -> bool:
    if not isinstance(before, str):
        return False
    for old, new in renamed.items():
        before = before.replace(old, new)
    return bool(before == after)


def _keys(before: set[str], after: set[str], what: str) -> Iterator[str]:
    for side, names in (("before", before - after), ("after", after - before)):
        if names:
            yield f"only {side}: {what} {', '.join(sorted(names))}"


def main() -> int:
    """Compare and print; see the module docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--renamed", nargs="*", default=[], metavar="OLD=NEW")
    arguments = parser.parse_args()
    renamed = dict(pair.split("=") for pair in arguments.renamed)
    before, after = files_of(arguments.before, renamed), files_of(arguments.after, renamed)
    same = differing = 0
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            print(f"{name}: only {'before' if name in before else 'after'}")
            continue
        if name == "report.html":
            continue
        found = list(differences(before[name], after[name], renamed))
        if found:
            print(f"{name}: " + "; ".join(found[:6]) + (f"; and {len(found) - 6} more" if len(found) > 6 else ""))
        content = [line for line in found if not line.startswith("only")]
        differing += bool(content)
        same += not content
    print(f"{same} files have the same content, {differing} differ")
    return min(1, differing)


if __name__ == "__main__":
    raise SystemExit(main())
