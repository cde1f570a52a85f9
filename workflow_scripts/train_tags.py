"""Train an adapter for several nouns an image: on images with seen labels, or on texts alone.

    python workflow_scripts/train_tags.py --name adapter --settings '{"how": "adapter"}' \\
        --whole results/image_embeddings/bundled/scenes/whole.json \\
        --local results/image_embeddings/bundled/scenes/tiles.json --labels results/inputs/scenes/manifest.json \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/tags/scenes/adapter/adapter.json

With `"how": "text_only"` it takes --training-set, --nouns and --noise in the place of images. Writes
adapter.safetensors and, last, adapter.json; metrics.parquet while it trains. A training that was killed goes on from
checkpoint/ beside it.
"""

from pathlib import Path

from nounflow.commandline import add_settings, at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.tags import TagMethodConfig


def main(
    name: str,
    settings: TagMethodConfig,
    whole: Path | None,
    local: Path | None,
    labels: Path | None,
    seen: Path | None,
    training_set: Path | None,
    nouns: Path | None,
    noise: NoiseConfig,
    templates: list[str],
    embedder: EmbedderConfig,
    seed: int,
    device: str,
    threads: int,
    out: Path,
) -> None:
    """Train; see the module docstring."""
    from nounflow.embedders.load import load_embedder
    from nounflow.errors import NounflowError
    from nounflow.process import prepare_process
    from nounflow.schemas.tables import read_lexicon
    from nounflow.store.training_set import open_training_set
    from nounflow.tags.material import read_images
    from nounflow.tags.training import train_on_images, train_on_texts

    if settings.how != "context":
        device = "cpu"  # an adapter is a matrix product: a GPU would wait for the host
    device = prepare_process(device, threads)
    if settings.how == "text_only":
        if training_set is None or nouns is None:
            raise NounflowError("Training on texts needs --training-set and --nouns", fix="give both")
        table = read_lexicon(nouns)
        groups = [group or noun for group, noun in table.select("group", "noun").iter_rows()]
        manifest = train_on_texts(settings, open_training_set(training_set), groups, noise, name, out, seed)
    else:
        if whole is None or local is None or labels is None:
            raise NounflowError("Training on images needs --whole, --local and --labels", fix="give all three")
        model = load_embedder(embedder, device)
        images, _boxes = read_images(whole, local, labels, seen, model, tuple(templates))
        manifest = train_on_images(settings, images, model, tuple(templates), name, out, seed)
    print(f"{out}: {manifest.samples:,} samples, held out: {manifest.metrics}")


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--name", required=True, help="of the method")
    parser.add_argument("--settings", type=json_settings(TagMethodConfig), default="{}", help="how it is trained, JSON")
    parser.add_argument("--whole", type=Path, help="manifest of the view whole")
    parser.add_argument("--local", type=Path, help="manifest of a local view")
    parser.add_argument("--labels", type=Path, help="label file, or the manifest of scenes")
    parser.add_argument("--seen", type=Path, help="file with the labels that may be trained on")
    parser.add_argument("--training-set", type=Path, help="text_only: manifest of a training set")
    parser.add_argument("--nouns", type=Path, help="text_only: its lexicon")
    parser.add_argument("--noise", type=json_settings(NoiseConfig), default="{}", help="text_only: of the run, JSON")
    parser.add_argument("--templates", nargs="+", default=["a photo of a {}."], help="texts of a label")
    add_settings(parser, "--embedder", EmbedderConfig)
    parser.add_argument("--seed", type=int, default=1, help="of initialisation, order and noise")
    parser.add_argument("--device", default="auto", help="context: auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="the adapter's manifest")
    run_stage(main, parser.parse_args())
