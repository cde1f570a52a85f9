"""How fast scenes are composed, and their views embedded: whole image and 13 tiles, each image decoded once.

nice -n 0 python benchmarks/scenes_speed.py --photos results/inputs/tuxpaint/manifest.json --scenes 2000 --threads 2
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders.load import load_embedder
from nounflow.embedders.views import embed_views
from nounflow.images import list_images, open_image
from nounflow.inputs import input_folder
from nounflow.inputs.scene_files import write_scenes
from nounflow.schemas.labels import read_labels


def timed(what: str, count: int, unit: str, work: Callable[[], Any]) -> Any:
    """Do it, and say its rate by the clock and by the CPU time of all threads."""
    start, worked = time.perf_counter(), time.process_time()
    found = work()
    seconds, worked = time.perf_counter() - start, time.process_time() - worked
    print(
        f"{what:10} {seconds:7.1f} s, {count / seconds:6.1f} {unit}/s; {worked:7.1f} s of CPU, "
        f"{count / worked:6.1f} {unit} a CPU second",
        flush=True,
    )
    return found


def main() -> None:
    """Compose, embed, count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="manifest of the fetched cut-outs")
    parser.add_argument("--labels", type=Path, default=Path("resources/image_sets/photos.tsv"))
    parser.add_argument("--scenes", type=int, default=2000)
    parser.add_argument("--embedder", default="bundled:minilm-conse")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    embedder = load_embedder(EmbedderConfig(spec=arguments.embedder), "cpu")
    decoded: Counter[Path] = Counter()

    def opened(path: Path) -> Image.Image:
        decoded[path] += 1
        return open_image(path)

    with tempfile.TemporaryDirectory() as temporary:
        out, count = Path(temporary) / "scenes", arguments.scenes
        photos, labels = input_folder(arguments.photos), read_labels(arguments.labels)
        timed("composing", count, "scenes", lambda: write_scenes(out, photos, labels, None, count, 1))
        files = list_images(out / "files")
        embedder.encode_images([embedder.preprocess(Image.new("RGB", (64, 48)))])  # what is loaded at first use
        views = timed(
            "embedding",
            14 * len(files),
            "crops",
            lambda: embed_views(
                embedder, out / "files", files, ("whole", "tiles"), arguments.threads, opened=opened, quiet=True
            ),
        )
    crops = sum(len(view.vectors) for view in views.values())
    most = max(decoded.values())
    print(f"{len(files):,} images, {crops:,} crops; decoded {sum(decoded.values()):,} times, none more than {most}")
    assert (crops, set(decoded.values())) == (14 * len(files), {1})


if __name__ == "__main__":
    main()
