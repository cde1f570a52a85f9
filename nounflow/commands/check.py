"""`nounflow check EMBEDDER`: is it here, right and fast, how far do its images lie, what would a run take?"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import CONFIG, HOME

if TYPE_CHECKING:
    import numpy as np

    from nounflow.config.embedder import EmbedderConfig
    from nounflow.embedders.protocol import Embedder
    from nounflow.workflow.plan import Rate

_PHOTOS = Path("results/inputs/tuxpaint")
_LABELS = HOME / "resources/image_sets/photos.tsv"
_MOST_IMAGES = 48


def add(commands: Any) -> None:
    """Add `check` to the parsers of `nounflow`."""
    check = commands.add_parser("check", help="load an embedder, check it, measure it, and print the config for it")
    check.add_argument(
        "embedder", metavar="EMBEDDER", help="a spec (openclip:MODEL/TAG, openclip:ORG/NAME) or a folder"
    )
    check.add_argument("--images", type=Path, help="folder of images to measure the gap on (default: the photographs)")
    check.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    check.add_argument("--threads", type=at_least_one, help="CPU threads (default: physical cores, at most 8)")
    check.set_defaults(call=_check)


def _check(arguments: argparse.Namespace) -> None:
    from nounflow.commands.speeds import HERE, embedder_rates, say
    from nounflow.config.threads import physical_cores
    from nounflow.embedders.golden import GOLDEN_TEXTS, check_golden
    from nounflow.embedders.load import load_embedder
    from nounflow.process import prepare_process

    config = embedder_config(arguments.embedder)
    device = prepare_process(arguments.device, arguments.threads or physical_cores())
    print(f"{config.spec}: {whereabouts(config)}", flush=True)
    start = time.perf_counter()
    model = load_embedder(config, device)
    own = model.identity
    scale = f", logit scale {own.logit_scale:.1f}" if own.logit_scale else ""
    print(f"loaded in {time.perf_counter() - start:.0f} s: {own.dim} dimensions, {own.precision} on {device}{scale}")
    print(f"  {own.preprocessing}", flush=True)
    say(f"embedding {len(GOLDEN_TEXTS)} golden texts in two ways ...")
    check_golden(model)
    spelled = model.target_decode(model.target_tokens(["fire truck"])[0])
    print(
        f"golden texts: all {len(GOLDEN_TEXTS)} as the plain way gives them; a noun is spelled {spelled!r}", flush=True
    )
    rates = embedder_rates(config, model)
    for rate in rates:
        print(f"{rate.task}: {rate.per_second:,.0f} a second on {HERE}", flush=True)
    for line in gap_lines(model, arguments.images, rates):
        print(line, flush=True)
    _print_config(config)
    _print_plan(config, own.dim, rates, device)


def embedder_config(text: str) -> EmbedderConfig:
    """The settings of a spec or a folder.

    Raises:
        NounflowError: there is no such family or model; close names are offered.
    """
    import difflib

    import pydantic

    from nounflow.config.base import at_home
    from nounflow.config.embedder import FAMILIES, EmbedderConfig
    from nounflow.errors import NounflowError

    folder = Path(at_home(text))
    if text and ":" not in text and folder.is_dir():
        if not Path("Snakefile").is_file():  # the lines to paste will be read in another folder than this one
            folder = folder.resolve()
        text = f"{'openclip' if (folder / 'open_clip_config.json').is_file() else 'transformers'}:{folder}"
    try:
        return EmbedderConfig(spec=text)
    except pydantic.ValidationError as error:
        known = [f"{name}:{model}" for name, family in FAMILIES.items() for model in family.models or ("MODEL",)]
        close = difflib.get_close_matches(text, known, n=3, cutoff=0.5)
        raise NounflowError(
            str(error.errors()[0]["msg"]).removeprefix("Value error, "),
            where=text,
            fix=f"did you mean {' or '.join(close)}?" if close else "docs/embeddings.md lists the kinds of specs",
        ) from None


def whereabouts(config: EmbedderConfig) -> str:
    """Where a model's files are, or what would be downloaded and how large."""
    from nounflow.embedders.hub import HubFiles, download_size
    from nounflow.embedders.transformers_files import source

    family, name = config.spec.partition(":")[0], config.model
    wanted: HubFiles | None = None
    if family == "openclip":
        from nounflow.embedders.openclip_names import hub_files, parse_name

        wanted = hub_files(*parse_name(name))
    elif family == "transformers" and not Path(named := source(name)).is_dir():
        wanted = HubFiles(named, (("config.json",), ("model.safetensors",)))
    if wanted is None:
        there = family in ("openclip", "transformers")
        return "a local copy" if there else "comes with the packages; nothing is downloaded"
    if not (missing := wanted.missing()):
        return f"here, in {wanted.folder()}"
    size = download_size(wanted)
    return f"{', '.join(missing)} of {wanted.repository} to be downloaded" + (f", {size / 1e9:.2f} GB" if size else "")


def gap_lines(model: Embedder, images: Path | None, rates: list[Rate]) -> list[str]:
    """How far images lie from texts, beside what is known of the embedder; before it, how long that takes."""
    from nounflow.commands.speeds import say
    from nounflow.config.modality_gaps import known_gap
    from nounflow.embedder_checks.gap import modality_gap
    from nounflow.embedders.bundled import class_names
    from nounflow.embedders.image_files import embed_image_files
    from nounflow.embedders.prompts import fill_prompts
    from nounflow.image_folders import list_images
    from nounflow.inputs import input_folder
    from nounflow.schemas.labels import read_labels

    known, lines = known_gap(model.identity.spec), list[str]()
    if known:
        lines.append(
            f"gap, {known.source}: an image lies {known.matched:.1f} degrees from its own class, "
            f"{known.all:.1f} from any"
        )
    labelled = images is None and (_PHOTOS / "manifest.json").is_file() and _LABELS.is_file()
    if images is None and not labelled:
        return [
            *lines,
            "gap: no photographs here; `snakemake --cores 1 results/inputs/tuxpaint/manifest.json` or --images FOLDER",
        ]
    folder = images or input_folder(_PHOTOS / "manifest.json")
    gold = read_labels(_LABELS) if labelled else {}
    files = [file for file in list_images(folder) if file in gold or not labelled]
    files = files[:: max(1, -(-len(files) // _MOST_IMAGES))]
    texts = len({gold[file].gold for file in files}) * len(fill_prompts("imagenet7", "")) if labelled else 1000
    speed = {rate.task: rate.per_second for rate in rates}
    seconds = len(files) / speed["images"] + texts / speed["texts"]
    say(f"measuring the gap on {len(files)} images and {texts:,} texts: about {seconds:,.0f} s ...")
    found = embed_image_files(model, folder, files, batch=16, threads=2)
    if not found.files:
        return [*lines, f"gap: no image of {folder} could be read"]
    if labelled:
        nouns = [gold[file].gold for file in found.files]
        gap = modality_gap(model, "photos", found.vectors, nouns, {}, "imagenet7", None).nouns
        here = f"{gap.matched.mean:.1f} degrees from its own noun, {gap.all_pairs.mean:.1f} from any"
    else:
        here = (
            f"{_nearest_angle(model, found.vectors, class_names()):.1f} degrees from the nearest of 1,000 nouns at most"
        )
    return [*lines, f"gap, measured: an image lies {here} ({len(found.files)} images)"]


def _nearest_angle(model: Embedder, images: np.ndarray, nouns: list[str]) -> float:
    import numpy as np

    texts = model.encode_texts([f"a photo of a {noun}." for noun in nouns])
    return float(np.rad2deg(np.arccos(np.clip((images @ texts.T).max(1), -1, 1))).mean())


def _print_config(config: EmbedderConfig) -> None:
    from nounflow.config.auto import choice_for, settled_noise
    from nounflow.config.noise import NoiseConfig

    print(
        f"""
Lay this over the config (mine.yaml), then: snakemake --cores all --configfile mine.yaml

embedders:
  mine: {{spec: "{config.spec}"}}
runs:
  mine: {{lexicon: small, embedder: mine, mixture: m3_captions}}
  mine_retrieval: {{lexicon: small, embedder: mine, mixture: prompts, predictor: retrieval}}

`noise: auto` takes {settled_noise(NoiseConfig(), config.spec).described}: {choice_for(config.spec).why}
"""
    )


def _print_plan(config: EmbedderConfig, dim: int, rates: list[Rate], device: str) -> None:
    from nounflow.commands.speeds import HERE, sample_rate, say
    from nounflow.config.experiment import read_config
    from nounflow.config.runs.run import TrainedRun
    from nounflow.workflow.plan import Rate, lexicon_sizes, plan, read_rates

    whole = read_config([HOME / CONFIG])
    parts = {"mine": whole.runs["small"], "mine_retrieval": whole.runs["small_retrieval"]}
    runs = {name: run.model_copy(update={"embedder": "mine"}) for name, run in parts.items()}
    whole = whole.model_copy(update={"embedders": {"mine": config}, "runs": runs})
    sizes, notes = lexicon_sizes(whole, Path("results/nouns"))
    trained = [run for run in runs.values() if isinstance(run, TrainedRun)]
    say(f"measuring the training of {', '.join(run.size for run in trained)} ...")
    samples = [Rate(HERE, "samples", run.size, sample_rate(run, dim, sizes[run.lexicon], device)) for run in trained]
    known = read_rates(HOME / "resources/rates.tsv") + rates + samples
    steps = plan(whole, sizes, known, HERE, {config.spec: dim})
    minutes = sum(step.hours or 0.0 for step in steps) * 60
    texts = sum(step.amount or 0 for step in steps if step.what.startswith("embed") and step.unit == "texts")
    vectors = sum(step.bytes or 0 for step in steps)
    print(f"such a run takes {texts:,} texts, {vectors / 1e9:.2f} GB of vectors and {minutes:,.0f} minutes on {HERE}")
    print(*notes, sep="\n")
