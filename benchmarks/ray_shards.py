"""Embeds shards with Ray Data instead of one Snakemake job a shard, and compares the bytes.

An example of what takes over where shards are many (docs/scaling.md), not a dependency: install Ray beside the
project's environment (`pip install 'ray[data]'`). Each actor loads the embedder once and then takes shard after shard;
the other side is a process of workflow_scripts/embed_texts.py for each shard, as Snakemake starts them.

    python benchmarks/ray_shards.py --captions results/captions/small/m1.parquet --nouns results/nouns/small.parquet \\
        --shards 64 --take 8 --work DIR
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from nounflow.config.embedder import EmbedderConfig
from nounflow.files import sha256_file

SCRIPT = Path(__file__).resolve().parents[1] / "workflow_scripts/embed_texts.py"


class ShardEmbedder:
    """A Ray actor: one loaded embedder, one shard a row."""

    def __init__(self, captions: Path, nouns: Path, source: str, shards: int, folder: Path) -> None:
        from nounflow.embedders.load import load_embedder
        from nounflow.process import prepare_process

        self._config = EmbedderConfig(spec="bundled:minilm-conse")
        self._device = prepare_process("auto", 1)
        self._model = load_embedder(self._config, device=self._device, images=False)
        self._fixed: dict[str, Any] = {"captions": captions, "nouns": nouns, "source": source, "shards": shards}
        self._folder = folder

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Embed the shard of this number, unless its manifest says that it stands."""
        from nounflow.embedders.text_shards import embed_shard

        shard = int(row["id"])
        out = self._folder / f"{shard}.json"
        if not out.exists():
            counts = out.with_suffix(".counts.json")
            embed_shard(self._model, self._config.dtype, shard=shard, out=out, counts=counts, **self._fixed)
        return {"shard": shard, "manifest_sha256": sha256_file(out)}


def with_ray(arguments: argparse.Namespace, folder: Path) -> float:
    """Seconds for all shards with two actors, Ray's own start included."""
    import ray

    start = time.monotonic()
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    fixed = (arguments.captions, arguments.nouns, arguments.captions.stem, arguments.shards, folder)
    done = (
        ray.data.range(arguments.take, override_num_blocks=arguments.take)
        .map(ShardEmbedder, fn_constructor_args=fixed, compute=ray.data.ActorPoolStrategy(size=2), num_cpus=1)
        .take_all()
    )
    assert sorted(row["shard"] for row in done) == list(range(arguments.take))
    ray.shutdown()
    return time.monotonic() - start


def with_processes(arguments: argparse.Namespace, folder: Path) -> float:
    """Seconds for all shards with a process each, two at a time."""

    def embed(shard: int) -> None:
        command = [sys.executable, SCRIPT, "--captions", arguments.captions, "--nouns", arguments.nouns,
                   "--source", arguments.captions.stem, "--shard", shard, "--shards", arguments.shards, "--threads", 1,
                   "--embedder", '{"spec": "bundled:minilm-conse"}', "--out", folder / f"{shard}.json",
                   "--counts", folder / f"{shard}.counts.json"]  # fmt: skip
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    start = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(embed, range(arguments.take)))
    return time.monotonic() - start


def main(arguments: argparse.Namespace) -> None:
    """Both sides, then every byte of both."""
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)  # for Ray's workers
    arguments.captions, arguments.nouns = arguments.captions.resolve(), arguments.nouns.resolve()
    folders = {name: arguments.work.resolve() / name for name in ("processes", "ray")}
    seconds = {"processes": with_processes(arguments, folders["processes"]), "ray": with_ray(arguments, folders["ray"])}
    bytes_of = {
        name: {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
        for name, folder in folders.items()
    }
    assert bytes_of["ray"] == bytes_of["processes"], "the shards differ"
    megabytes = sum(map(len, bytes_of["ray"].values())) / 1e6
    files = len(bytes_of["ray"])
    print(f"{arguments.take} of {arguments.shards} shards, {files} files, {megabytes:.1f} MB: byte for byte equal")
    for name, value in seconds.items():
        print(f"{name}: {value:.1f} s, {value / arguments.take:.2f} s a shard")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--nouns", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=64, help="into how many the source is cut")
    parser.add_argument("--take", type=int, default=8, help="how many of them are embedded")
    parser.add_argument("--work", type=Path, required=True, help="a new folder")
    main(parser.parse_args())
