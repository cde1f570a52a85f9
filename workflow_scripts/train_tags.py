"""Train an adapter for several nouns an image: on images with seen labels, or on texts alone.

    python workflow_scripts/train_tags.py --name adapter --settings '{"how": "adapter"}' \\
        --whole results/image_embeddings/bundled/scenes/whole.json \\
        --local results/image_embeddings/bundled/scenes/tiles.json --labels results/inputs/scenes/manifest.json \\
        --embedder '{"spec": "bundled:minilm-conse"}' --out results/tags/scenes/adapter/adapter.json

With `"how": "text_only"` it takes --training-set, --nouns and --noise in the place of images. Writes
adapter.safetensors and, last, adapter.json; metrics.parquet while it trains. A training that was killed goes on from
checkpoint/ beside it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import Threads, run_stage
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.noise import NoiseConfig
from nounflow.config.tags import TagMethodConfig

METHOD, NOISE = TagMethodConfig(), NoiseConfig()


def main(
    name: Annotated[str, "of the method"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the adapter's manifest"],
    settings: Annotated[TagMethodConfig, "how it is trained, JSON"] = METHOD,
    whole: Annotated[Path | None, "manifest of the view whole"] = None,
    local: Annotated[Path | None, "manifest of a local view"] = None,
    labels: Annotated[Path | None, "label file, or the manifest of scenes"] = None,
    seen: Annotated[Path | None, "file with the labels that may be trained on"] = None,
    training_set: Annotated[Path | None, "text_only: manifest of a training set"] = None,
    nouns: Annotated[Path | None, "text_only: its lexicon"] = None,
    noise: Annotated[NoiseConfig, "text_only: of the run, JSON"] = NOISE,
    templates: Annotated[Sequence[str], "texts of a label"] = ("a photo of a {}.",),
    seed: Annotated[int, "of initialisation, order and noise"] = 1,
    device: Annotated[str, "context: auto, cpu, cuda or mps"] = "auto",
    threads: Threads = 2,
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
    run_stage(main, __doc__)
