"""`nounflow cache`: check, show, export and import embedding caches."""

import argparse
import os
import sys
import time
from pathlib import Path
from textwrap import indent
from typing import Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import share
from nounflow.commands.tables import add_json, show
from nounflow.errors import NounflowError


def add(commands: Any) -> None:
    """Add `cache` and what belongs to it to the parser's commands."""
    cache = commands.add_parser("cache", help="check, show, export and import embeddings")
    kinds = cache.add_subparsers(required=True, metavar="verify|show|export|import")

    check = kinds.add_parser(
        "verify", help="check every byte of shards, training sets, models and checkpoints; status 1 if any is bad"
    )
    check.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifests, or folders with them")
    check.add_argument("--threads", type=at_least_one, default=os.cpu_count() or 1, help="files read side by side")
    check.set_defaults(call=_verify)

    shown = kinds.add_parser("show", help="what shards hold")
    shown.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="manifests, or folders with them")
    shown.set_defaults(call=_show)
    add_json(check, shown)

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
    take.add_argument("--heldout", type=share, default=0.02, help="share of the records that is never trained on")
    take.set_defaults(call=_import)


def _verify(arguments: argparse.Namespace) -> None:
    from nounflow.store.inspection import verify

    start = time.monotonic()
    found = verify(arguments.paths, arguments.threads)
    seconds = time.monotonic() - start
    bad = [item for item in found if item.problem is not None]
    rows = [
        {"path": str(item.path), "bytes": item.bytes, "problem": None if item.problem is None else str(item.problem)}
        for item in found
    ]
    show("files", rows, lambda: [print(f"bad: {item.path}\n{indent(str(item.problem), '  ')}") for item in bad])
    size = sum(item.bytes for item in found)
    print(f"{len(found) - len(bad):,} of {len(found):,} whole; {size / 1e9:.3g} GB, {size / 1e9 / seconds:.2g} GB/s")
    if not found:
        raise NounflowError(
            "There is nothing to check", where=", ".join(map(str, arguments.paths)), fix="check the path"
        )
    if bad:
        sys.exit(1)


def _show(arguments: argparse.Namespace) -> None:
    from nounflow.store.inspection import find_shards, shard_bytes
    from nounflow.store.shards import read_manifest

    rows, sizes = [], []
    for path in find_shards(arguments.paths):
        manifest = read_manifest(path)
        taken = shard_bytes(path, manifest)
        sizes.append((manifest.rows, taken))
        embedder = f"{manifest.embedder.spec}, {manifest.embedder.precision}"
        rows.append(
            {
                **{"shard": str(path), "source": manifest.source, "embedder": embedder, "stored_as": manifest.dtype},
                **{"first_row": manifest.start, "rows": manifest.rows, "dim": manifest.dim},
                **{"bytes_each": taken / max(1, manifest.rows), "MB": taken / 1e6},
            }
        )
    show("shards", rows)
    n, size = sum(n for n, _ in sizes), sum(taken for _, taken in sizes)
    print(f"{n:,} rows, {size / 1e6:,.1f} MB, {size / max(1, n):,.1f} bytes each")


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
