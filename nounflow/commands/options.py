"""What several commands take: files of the config, an image set. Light to import."""

from __future__ import annotations

import argparse
import itertools
import math
import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.commandline import add_machine as add_machine
from nounflow.errors import NounflowError
from nounflow.escaping import CONTROL, escaped, unquoted
from nounflow.files import text_encoding

if TYPE_CHECKING:
    from nounflow.classifier import NounClassifier
    from nounflow.config.experiment import Config

HOME = Path(__file__).resolve().parent.parent.parent  # where the library, the rules and their resources lie
CONFIG = Path("config/config.yaml")
_COMMENT = re.compile(r"(^|\s)#.*")
MODEL = Path("results/models/small")
STDIN = Path("-")
OWN_CONFIG = "config.yaml"  # of a folder made by `nounflow init`: laid over that of HOME


def path_or_name(text: str) -> Path | str:
    """An argparse type: a path, where there is such a file or folder, else the name of a run or of a model."""
    return Path(text) if text and Path(text).exists() else text


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add `--run`: the model that answers."""
    words = f"folder, name or hub id of a model (default {MODEL})"
    parser.add_argument("--run", type=path_or_name, default=MODEL, help=words)


def add_address(parser: argparse.ArgumentParser, port: int) -> None:
    """Add `--host` and `--port`."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine alone)")
    parser.add_argument("--port", type=int, default=port, help=f"port to listen at (default {port})")


def add_guide(parser: argparse.ArgumentParser, *further: str) -> None:
    """Add `--guide`, also called as `further` says."""
    words = "answer from this list only: one noun a line"
    parser.add_argument("--guide", *further, type=Path, metavar="TXT", help=words)


def add_command(commands: Any, name: str, *, examples: str, **texts: str) -> argparse.ArgumentParser:
    """Add a command whose help ends with examples; `texts`: its `help` and, where it differs, its `description`."""
    layout = argparse.RawDescriptionHelpFormatter
    parser: argparse.ArgumentParser = commands.add_parser(name, **texts, epilog=examples, formatter_class=layout)
    return parser


def box_text(box: Iterable[float]) -> str:
    """Corners of a box in whole pixels, as x0,y0 x1,y1."""
    return "{:.0f},{:.0f} {:.0f},{:.0f}".format(*box)


def end_with_status(what: str, files: int, failed: int, unwritten: int = 0) -> None:
    """Say how many files were read; status 1 if some could not be (or `unwritten` not written), 2 if none could."""
    print(f"{files - failed} {what}, {failed} unreadable", file=sys.stderr)
    if unwritten:
        print(f"{unwritten} keyword files not written", file=sys.stderr)
    if failed or unwritten:
        sys.exit(2 if failed == files else 1)


def share(text: str) -> float:
    """An argparse type for probabilities."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("a probability lies between 0 and 1")
    return value


def not_over(out: Path, *read: Path) -> None:
    """Refuse to write over what was read.

    Raises:
        NounflowError: `out` is one of these files.
    """
    if out.exists() and any(path.exists() and out.samefile(path) for path in read):
        raise NounflowError("This would replace the file that is read", where=out, fix="name another one with --out")


def finite(text: str) -> float:
    """An argparse type for numbers."""
    if not math.isfinite(value := float(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number that can be compared with")
    return value


def load_classifier(
    arguments: argparse.Namespace, model: Path | str, *, torch_threads: int | None = None, **loading: Any
) -> NounClassifier:
    """A model, on the device and with the threads and the list of nouns that the command line names.

    Args:
        torch_threads: that one batch is computed with; None: all that are named.
        loading: as `NounClassifier.load` takes it.
    """
    nouns = noun_list(arguments.guide) if getattr(arguments, "guide", None) else None

    from nounflow.classifier import NounClassifier
    from nounflow.model_folders import find_model
    from nounflow.onnx.opening import is_exported
    from nounflow.process import prepare_process

    path = find_model(model)
    exported = is_exported(path)  # it names where there is no PyTorch to prepare
    device = arguments.device if exported else prepare_process(arguments.device, torch_threads or arguments.threads)
    classifier = NounClassifier.load(path, device, arguments.threads, **loading)
    return classifier.guide(nouns) if nouns else classifier


def photo_files(paths: Iterable[Path], here: Path | None = None, *, may_be_none: bool = False) -> list[str]:
    """The images that are meant, each once: files, those of folders, and for "-" those that stdin names.

    Args:
        here: folder from which stdin's names are seen; None: the working one.
        may_be_none: a folder may hold none as yet.

    Raises:
        NounflowError: a path is not there, or stdin names none.
    """
    from nounflow.images import list_images

    files: list[str] = []
    for path in paths:
        if path == STDIN:
            named = sys.stdin.buffer.read()
            lines = named.split(b"\0") if b"\0" in named else named.replace(b"\r\n", b"\n").split(b"\n")
            listed = [os.fsdecode(line) for line in lines if line.strip()]
            if not listed:
                raise NounflowError("No path came from stdin", fix="write one a line, or as `find -print0` does")
            away = here is not None and here != Path.cwd()
            files += [os.path.relpath(here / name) if here and away else name for name in listed]
        elif path.is_dir():
            files += [str(path / name) for name in list_images(path, any_name=True, may_be_none=may_be_none)]
        elif path.is_file():
            files.append(str(path))
        else:
            raise NounflowError("There is no such file or folder", where=path, fix="check the path")
    return list(dict.fromkeys(files))


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

    return read_config([*config_files(), *arguments.configfile])


def config_files() -> list[Path]:
    """Files of the config of the working folder's project.

    Raises:
        NounflowError: it is no project.
    """
    if not (files := project_config(Path())):
        raise NounflowError(
            f"This is no folder of a project, nor is one above it: there is neither {CONFIG}, nor a Snakefile beside a "
            f"{OWN_CONFIG}",
            where=Path.cwd(),
            fix="call it in the project's folder, or name that with --project DIR",
        )
    return files


def project_config(folder: Path) -> list[Path]:
    """The config's files in a project's folder, that of this project or one made by `nounflow init`; else none."""
    if (folder / CONFIG).is_file():
        return [folder / CONFIG]
    own = folder / OWN_CONFIG
    return [HOME / CONFIG, own] if own.is_file() and (folder / "Snakefile").is_file() else []


def find_project(named: Path | None) -> Path:
    """The project's folder: the one that is named, else the working folder or the next above it that is one.

    Where none is found it is the working folder: not every command needs a project.

    Raises:
        NounflowError: the named one is no project.
    """
    here = Path.cwd()
    if named is None:
        return next((folder for folder in (here, *here.parents) if project_config(folder)), here)
    if not project_config(named):
        raise NounflowError(
            f"This is no folder of a project: it has neither {CONFIG}, nor a Snakefile beside a {OWN_CONFIG}",
            where=named,
            fix="name another with --project, or make one: nounflow init DIR",
        )
    return named.resolve()


def seen_from(folder: Path, value: Any, here: Path) -> Any:
    """Paths of a command line, which are meant as seen from `here`, as seen from another folder."""
    if isinstance(value, list):
        return [seen_from(folder, part, here) for part in value]
    if not isinstance(value, Path) or value.is_absolute() or value == STDIN or folder == here:
        return value
    return Path(os.path.relpath(here / value, folder))


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


def noun_list(path: Path) -> list[str]:
    """The nouns of a file, one a line; empty lines and comments behind a # are left out.

    Raises:
        NounflowError: it cannot be read, or holds none.
    """
    try:
        lines = path.read_text(encoding=text_encoding(path)).splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise NounflowError(
            f"The list of nouns cannot be read ({error})", where=path, fix="check the path; save it as UTF-8"
        ) from None
    plain = (unquoted(" ".join(_COMMENT.sub("", line).split())) for line in lines)
    nouns = [text for text in plain if text]
    if strange := [noun for noun in nouns if CONTROL.search(noun)]:
        raise NounflowError(
            f"A noun of the list holds a control code: {escaped(strange[0])}", where=path, fix="save it as plain text"
        )
    if not nouns:
        raise NounflowError("The list of nouns is empty", where=path, fix="write one noun a line")
    return nouns
