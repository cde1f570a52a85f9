"""`nounflow init`: a folder of one's own, whose workflow uses this one's rules."""

import argparse
import shlex
from pathlib import Path
from typing import Any

_SNAKEFILE = """\
# The rules of nounflow, with the settings of config.yaml laid over its own.
#
#     snakemake --cores all results/scores.tsv

configfile: "config.yaml"


module nounflow:
    snakefile:
        "{home}/Snakefile"
    config:
        config


use rule * from nounflow
"""

_CONFIG = """\
# What differs from {home}/config/config.yaml; every key stands in {home}/config/README.md.
# Your photographs: a folder, and a table (tabs) with the columns file and gold for what they show.
#
# image_sets:
#   photos: null
#   mine: {{folder: photos, labels: labels.tsv}}

image_sets: {{}}   # nothing differs yet
"""


def add(commands: Any) -> None:
    """Add `init` to the parsers of `nounflow`."""
    init = commands.add_parser("init", help="make a folder with a config of your own and a workflow that uses this one")
    init.add_argument("folder", type=Path, metavar="DIR", help="new folder, or one without Snakefile and config.yaml")
    init.set_defaults(call=_init)


def _init(arguments: argparse.Namespace) -> None:
    import nounflow
    from nounflow.errors import NounflowError
    from nounflow.files import write_text

    home = Path(nounflow.__file__).resolve().parent.parent
    if not (home / "Snakefile").is_file():
        raise NounflowError(
            "The workflow's rules are not beside the library",
            where=home,
            fix="install nounflow from its project's folder: pip install -e .",
        )
    texts = {"Snakefile": _SNAKEFILE, "config.yaml": _CONFIG}
    if there := [name for name in texts if (arguments.folder / name).exists()]:
        raise NounflowError(
            f"There is a {' and a '.join(there)} already", where=arguments.folder, fix="name another folder"
        )
    for name, text in texts.items():
        write_text(arguments.folder / name, text.format(home=home))
    print(f"made {arguments.folder}: edit config.yaml there, then\n")
    print(f"    cd {shlex.quote(str(arguments.folder))} && snakemake --cores all results/scores.tsv")
