"""What a job's command is given: its environment, the kind of device it computes on, many paths in one command."""

import itertools
import json
import os
import platform
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nounflow.config.base import Settings
from nounflow.config.experiment import Config
from nounflow.files import sha256_json, sha256_text, write_text

FOLDER = Path(".snakemake/nounflow")


def job_setup(config: Config, settings: Mapping[str, Any], home: str, python_folder: str | None) -> str:
    """A shell command for `shell.prefix`: it sources a file that this function writes below the working folder.

    A file, because Linux takes 128 KiB for a command or a variable, which the config of some hundred runs fills. It
    exports what a job needs and no rule may depend on, or it would run again for it: NOUNFLOW_HOME, where its script
    is; settings that shape no result (`OPERATIONAL`, and threads for stages whose results do not depend on them);
    NOUNFLOW_CONFIG, a file with the config for scores.json, and its digest for logs.

    Args:
        settings: the config as it was written.
        home: folder of the project, seen from the working folder.
        python_folder: of the python that runs Snakemake; None where jobs have environments of their own.
    """
    exports = {
        "NOUNFLOW_HOME": home,
        "NOUNFLOW_DEVICE": config.device,
        "NOUNFLOW_THREADS": str(config.threads),
        "NOUNFLOW_LLM": json.dumps(config.captions.llm.operational()),
        "NOUNFLOW_CONFIG": str(_written(json.dumps(settings), "config.json")),
        "NOUNFLOW_CONFIG_DIGEST": sha256_json(config.model_dump(mode="json"))[:16],
    }
    named: dict[str, Mapping[str, Settings]]
    named = {"RUN": config.runs, "EMBEDDER": config.embedders, "ANNOTATOR": config.annotators}
    for kind, parts in named.items():
        for name, part in parts.items():
            if operational := part.operational():
                exports[f"NOUNFLOW_{kind}_{name}"] = json.dumps(operational)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports.items()]
    if python_folder is not None:
        lines.append(f"export PATH={shlex.quote(python_folder)}:$PATH")
    lines.append('source "$NOUNFLOW_HOME/rules/job_setup.sh"\n')
    script = "\n".join(lines)
    return f"source {_written(script, 'setup.sh')}; "


def _written(text: str, name: str) -> Path:
    """A file with this text. Its name holds the digest, so another workflow in the same folder gets another file."""
    path = FOLDER / f"{sha256_text(text)[:16]}.{name}"
    if not path.exists():
        write_text(path, text)
    return path


_NUMBERED = re.compile(r"(.*/)(0|[1-9]\d*)(\.[^/]*)?", flags=re.DOTALL)


def shell_words(paths: Iterable[str]) -> str:
    """Paths as quoted words, in their order; a run of numbered ones (`a/0.json a/1.json ...`) as a brace expansion.

    Linux takes 128 KiB for the text of a command (one argument of `bash -c`), which 2,000 paths fill; what bash expands
    it to may have megabytes.
    """
    words: list[str] = []
    for around, group in itertools.groupby(paths, _around_number):
        members = list(group)
        numbers = [int(found[2]) for path in members if (found := _NUMBERED.fullmatch(path))]
        if around is None or len(members) == 1 or not _consecutive(numbers):
            words += map(shlex.quote, members)
        else:
            before, after = map(shlex.quote, around)
            words.append(f"{before}{{{numbers[0]}..{numbers[-1]}}}{after}")
    return " ".join(words)


def _around_number(path: str) -> tuple[str, str] | None:
    found = _NUMBERED.fullmatch(path)
    return (found[1], found[3] or "") if found else None


def _consecutive(numbers: Sequence[int]) -> bool:
    return all(b == a + 1 for a, b in itertools.pairwise(numbers))


def computes_on(device: str) -> str:
    """ "cpu", "gpu" or "auto": what decides about the last bits of results, so that a change of it is one to rerun for.

    `auto` on a machine without a GPU is `cpu`, unless jobs may go to other machines.
    """
    if device != "auto":
        return "cpu" if device == "cpu" else "gpu"
    if shutil.which("sbatch"):
        return "auto"
    return "gpu" if _has_gpu() else "cpu"


def _has_gpu() -> bool:
    if platform.system() == "Darwin":
        return platform.machine() == "arm64"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") == ""
    return not hidden and any(
        (*Path("/dev").glob("nvidia[0-9]*"), *Path("/dev").glob("kfd"), *Path("/dev").glob("dxg"))
    )
