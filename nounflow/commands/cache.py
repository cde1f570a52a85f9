"""`nounflow cache`: check, show, export and import embedding caches."""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one
from nounflow.errors import NounflowError


def add(commands: Any) -> None:
    """Add `cache` and what belongs to it to the parser's commands."""
    cache = commands.add_parser("cache", help="check, show, export and import embeddings")
    kinds = cache.add_subparsers(required=True, metavar="verify|show|export|import")

    check = kinds.add_parser("verify", help="check every byte of shards and training sets; status 1 if any is bad")
    check.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifests, or folders with them")
    check.add_argument("--threads", type=at_least_one, default=os.cpu_count() or 1, help="files read side by side")
    check.set_defaults(call=_verify)

    show = kinds.add_parser("show", help="what shards hold")
    show.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifests, or folders with them")
    show.set_defaults(call=_show)

    export = kinds.add_parser("export", help="write vectors as one .npy matrix or .parquet table")
    export.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifests, or folders with them")
    export.add_argument("--out", type=Path, required=True, help="file to write, .npy or .parquet")
    export.add_argument("--captions", type=Path, help="captions file of the source: adds the texts to the table")
    export.set_defaults(call=_export)

    take = kinds.add_parser("import", help="read a flat cache of the NOVIC authors' programs as a training set")
    take.add_argument("file", type=Path, help="the flat cache")
    take.add_argument("--out", type=Path, required=True, help="folder for lexicon, shards and training set")
    take.add_argument(
        "--like", type=Path, help="a shard's manifest, whose embedder made these vectors: you vouch for it"
    )
    take.add_argument("--heldout", type=float, default=0.02, help="share of the records that is never trained on")
    take.set_defaults(call=_import)


def _verify(arguments: argparse.Namespace) -> None:
    from nounflow.store.inspection import verify

    start = time.monotonic()
    found = verify(arguments.paths, arguments.threads)
    seconds = time.monotonic() - start
    bad = [item for item in found if item.problem is not None]
    for item in bad:
        print(f"bad: {item.path}\n  {str(item.problem).replace(chr(10), chr(10) + '  ')}")
    size = sum(item.bytes for item in found)
    print(f"{len(found) - len(bad):,} of {len(found):,} whole; {size / 1e9:.3g} GB, {size / 1e9 / seconds:.2g} GB/s")
    if not found:
        raise NounflowError(
            "There is nothing to check", where=", ".join(map(str, arguments.paths)), fix="check the path"
        )
    if bad:
        sys.exit(1)


def _show(arguments: argparse.Namespace) -> None:
    from rich.console import Console
    from rich.table import Table

    from nounflow.store.inspection import find_shards, shard_bytes
    from nounflow.store.shards import read_manifest

    table = Table("shard", "source", "embedder", "stored as")
    for name in ("first row", "rows", "dim", "bytes each", "MB"):
        table.add_column(name, justify="right")
    rows = size = 0
    for path in find_shards(arguments.paths):
        manifest = read_manifest(path)
        taken = shard_bytes(path, manifest)
        table.add_row(
            str(path), manifest.source, f"{manifest.embedder.spec}, {manifest.embedder.precision}", manifest.dtype,
            f"{manifest.start:,}", f"{manifest.rows:,}", str(manifest.dim), f"{taken / max(1, manifest.rows):,.1f}",
            f"{taken / 1e6:,.1f}",
        )  # fmt: skip
        rows, size = rows + manifest.rows, size + taken
    console = Console() if sys.stdout.isatty() else Console(width=160)
    console.print(table)
    console.print(f"{rows:,} rows, {size / 1e6:,.1f} MB, {size / max(1, rows):,.1f} bytes each", highlight=False)


def _export(arguments: argparse.Namespace) -> None:
    from nounflow.store.export import export
    from nounflow.store.inspection import find_shards

    shards = find_shards(arguments.paths)
    rows, dim = export(shards, arguments.out, arguments.captions)
    print(f"{rows:,} rows of {dim} numbers, shards: {len(shards)}; written to {arguments.out}")


def _import(arguments: argparse.Namespace) -> None:
    from nounflow.embedders.identity import make_identity
    from nounflow.store.flat_cache import import_flat_cache, read_flat_cache
    from nounflow.store.shards import read_manifest

    cache = read_flat_cache(arguments.file)
    if arguments.like:
        embedder = read_manifest(arguments.like).embedder
    else:
        embedder = make_identity(
            spec="imported",
            dim=cache.vectors.shape[1],
            weights="unknown",
            tokenizer="unknown",
            preprocessing=f"unknown; embedder settings with SHA-256 {cache.embedder_config}",
            precision="unknown",
        )
        print("The embedder is not known, so a decoder trained on this names no images; --like says which one it was")
    import_flat_cache(cache, arguments.out, embedder, arguments.heldout).write(arguments.out / "import.counts.json")
    print(f"train on it: --training-set {arguments.out}/manifest.json --nouns {arguments.out}/nouns.parquet")
