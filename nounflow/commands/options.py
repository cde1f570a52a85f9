"""What several commands take: files of the config, an image set. Light to import."""

from __future__ import annotations

import argparse
import importlib.util
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nounflow.errors import NounflowError

if TYPE_CHECKING:
    from nounflow.config.experiment import Config

CONFIG = Path("config/config.yaml")


def add_configfile(parser: argparse.ArgumentParser) -> None:
    """Add `--configfile`."""
    parser.add_argument(
        "--configfile",
        action="append",
        type=Path,
        default=[],
        metavar="YAML",
        help="file, or several, laid over config/config.yaml",
    )


def spread_configfiles(words: Sequence[str]) -> list[str]:
    """`--configfile a.yaml b.yaml NAME` as `--configfile a.yaml --configfile b.yaml NAME`: several may follow, as with
    Snakemake, and a name behind them is none of them.
    """
    spread, behind_a_file = list[str](), False
    for before, word in itertools.pairwise(["", *words]):
        if behind_a_file and word.endswith((".yaml", ".yml", ".json")):
            spread += ["--configfile", word]
        else:
            spread.append(word)
            behind_a_file = before == "--configfile"
    return spread


def add_image_set(parser: argparse.ArgumentParser) -> None:
    """Add `--image-set` and `--images`, and `--configfile`, which says where the pictures of a set are."""
    parser.add_argument("--image-set", help="name under `image_sets`")
    parser.add_argument("--images", type=Path, help="image folder or manifest (default: the config's)")
    add_configfile(parser)


def config_of(arguments: argparse.Namespace) -> Config:
    """The project's config with the files of `--configfile` laid over it."""
    from nounflow.config.experiment import read_config

    if not CONFIG.is_file():
        raise NounflowError(
            f"This is no folder of a project: there is no {CONFIG}",
            where=Path.cwd(),
            fix="call it in the project's folder",
        )
    return read_config([CONFIG, *arguments.configfile])


def image_place_of(arguments: argparse.Namespace, image_set: str | None) -> Path:
    """Image folder or manifest: of `--images`, else of the config's image set.

    Raises:
        NounflowError: neither is named, or the config has no such set.
    """
    from nounflow.annotation.work import image_place

    if arguments.images:
        return Path(arguments.images)
    if not image_set:
        raise NounflowError("Which pictures are these?", fix="pass --image-set NAME or --images FOLDER")
    return image_place(config_of(arguments), image_set)


def need(*modules: str) -> None:
    """Refuse to go on without modules that a plain installation lacks.

    Raises:
        NounflowError: one is missing.
    """
    if missing := [module for module in modules if importlib.util.find_spec(module) is None]:
        raise NounflowError(
            f"This command needs {', '.join(missing)}", fix="pip install -e '.[web]' in the project's folder"
        )
