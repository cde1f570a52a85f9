"""Find or fetch one input: WordNet, or a set of photographs.

In:  nothing but the machine: installed files, apt, npm, or the web (docs/inputs.md says which in what order)
Out: OUT/manifest.json, written last, and OUT/files/ unless an installed folder is used

    python workflow_scripts/fetch_inputs.py --name wordnet --out results/inputs/wordnet

Prints what is fetched and how many MB. The environment variable NOUNFLOW_WORDNET names a WordNet folder of your own.
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import run_stage, stage_parser


def main(name: str, out: Path, cache: Path | None, url: str | None) -> None:
    """Fetch, and say what is there now."""
    from nounflow.counts import Counts
    from nounflow.inputs.sources import fetch

    manifest = fetch(name, out, cache or out.parent / ".apt", url)
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


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    names = ["wordnet", "tuxpaint", "novic_world", "novic_wiki", "novic_val3k"]
    parser.add_argument("--name", choices=names, required=True, help="which input")
    parser.add_argument("--out", type=Path, required=True, help="folder for the files and manifest.json")
    parser.add_argument("--cache", type=Path, help="package lists, may be shared (default: .apt beside OUT)")
    parser.add_argument("--url", help="novic_*: fetch this zip file instead of the published one")
    run_stage(main, parser.parse_args())
