"""Find or fetch one input: WordNet, or a set of photographs.

In:  nothing but the machine: installed files, apt, npm, or the web (docs/inputs.md says which in what order)
Out: OUT/manifest.json, written last, and OUT/files/ unless an installed folder is used

    python workflow_scripts/fetch_inputs.py --name wordnet --out results/inputs/wordnet

Prints what is fetched and how many MB. The environment variable NOUNFLOW_WORDNET names a WordNet folder of your own.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from nounflow.commandline import run_stage
from nounflow.config.inputs import INPUTS
from nounflow.errors import NounflowError
from nounflow.registry import resolve


def main(
    name: Annotated[str, "which input", {"choices": list(INPUTS)}],
    out: Annotated[Path, "folder for the files and manifest.json"],
    cache: Annotated[Path | None, "package lists, may be shared (default: .apt beside OUT)"] = None,
    url: Annotated[str | None, "novic_*, english_wordnet: fetch this file instead of the published one"] = None,
) -> None:
    """Fetch, and say what is there now."""
    from nounflow.counts import Counts

    source = resolve(INPUTS[name])
    if url is not None and not takes_address(source):
        possible = ", ".join(name for name, place in INPUTS.items() if takes_address(resolve(place)))
        raise NounflowError(f"--url is for {possible}; {name} comes from a package", fix="leave --url out")
    manifest = source(out, cache or out.parent / ".apt", **({} if url is None else {"url": url}))
    print(
        f"{manifest.name} {manifest.version}: {len(manifest.files)} files, {manifest.megabytes:.1f} MB "
        f"in {manifest.folder if Path(manifest.folder).is_absolute() else out / manifest.folder}, "
        f"licence: {manifest.licence}"
    )
    record = Counts("inputs")
    flow = record.flow(name, len(manifest.files) + manifest.left_out, "files")
    flow.drop(manifest.left_out, "of the source, of no use here")
    flow.out(len(manifest.files))
    record.write(out / "manifest.counts.json")


def takes_address(source: Callable[..., Any]) -> bool:
    """Whether a source fetches from an address, which may be another one."""
    return "url" in inspect.signature(source).parameters


if __name__ == "__main__":
    run_stage(main, __doc__)
