"""Score every way to several nouns an image on labelled sets: with a list of labels, and without one.

    python workflow_scripts/score_tags.py --settings '{}' --embedder '{"spec": "bundled:minilm-conse"}' \\
        --set scenes results/image_embeddings/bundled/scenes/whole.json \\
            results/image_embeddings/bundled/scenes/tiles.json results/inputs/scenes/manifest.json - \\
        --models results/models/small/manifest.json --nouns results/nouns/small.parquet \\
        --out results/tags.tsv --details results/tags.json --counts results/tags.counts.json

Of a set: name, two views, its label file (or the manifest of scenes), the file of seen labels or "-".
"""

from __future__ import annotations

from pathlib import Path

from nounflow.commandline import add_settings, at_least_one, json_settings, run_stage, stage_parser
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.tags import TagsConfig


def main(
    settings: TagsConfig,
    set: list[list[str]],
    models: list[Path],
    nouns: Path,
    gates: list[Path],
    adapters: list[Path],
    embedder: EmbedderConfig,
    device: str,
    threads: int,
    out: Path,
    details: Path,
    counts: Path,
) -> None:
    """Score; see the module docstring."""
    from nounflow.counts import Counts
    from nounflow.embedders.load import load_embedder
    from nounflow.open_set.gate import StoredGate
    from nounflow.predictors.loading import load_predictor
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.tables import read_lexicon
    from nounflow.schemas.tags import TagRow, TagScores
    from nounflow.tags.adapter import load_adapter
    from nounflow.tags.comparison import compare
    from nounflow.tags.material import read_images

    device = prepare_process(device, threads)
    model = load_embedder(embedder, device)
    lexicon = read_lexicon(nouns)
    runs = {path.parent.name: load_predictor(path, device) for path in models}
    behind = {}
    for path in gates:
        run = runs[path.parent.name].manifest
        behind[path.parent.name] = StoredGate.load(path, run.embedder, run.lexicon, run.nouns).own()
    trained = {path.parent.name: load_adapter(path, model)[1] for path in adapters if path.parent.parent.name}
    record, rows, problems, seen = Counts("tags"), list[TagRow](), dict[str, tuple[str, ...]](), dict[str, int]()
    examples = []
    for name, whole, local, truth, listed in set:
        images, boxes = read_images(
            Path(whole), Path(local), Path(truth), None if listed == "-" else Path(listed), model, settings.templates
        )
        own = {path.parent.name: trained[path.parent.name] for path in adapters if path.parent.parent.name == name}
        found, shown = compare(name, images, boxes, settings, runs, behind, own, lexicon, model, Path(local).stem)
        rows += found
        examples += shown
        problems[name], seen[name] = images.truth.problems, len(images.truth.columns(seen=True))
        for problem in images.truth.problems:
            print(f"{name}: {problem}", flush=True)
        flow = record.flow(f"{name}: images with labels", len(images.truth.files), "images")
        flow.drop(len(images.truth.files) - len(images.truth.rows("test")), "of the splits train and val")
        flow.out(len(images.truth.rows("test")), "images scored")
    scores = TagScores(rows=tuple(rows), problems=problems, seen=seen, examples=tuple(examples))
    write_tsv(out, scores)
    write_document(details, scores)
    record.write(counts)


def write_tsv(path: Path, scores: object) -> None:
    """The rows without what each label has."""
    from nounflow.schemas.tags import FIGURES, TagScores
    from nounflow.spreadsheets import write_sheet

    assert isinstance(scores, TagScores)
    first = ("set", "embedder", "local", "method", "needs", "protocol", "images", "labels")
    rows = [[*(getattr(row, name) for name in first), *(row.figures.get(name, "") for name in FIGURES)]
            for row in scores.rows]  # fmt: skip
    write_sheet(path, [*first, *FIGURES], rows)


if __name__ == "__main__":
    parser = stage_parser(__doc__)
    parser.add_argument("--settings", type=json_settings(TagsConfig), default="{}", help="the section `tags`, JSON")
    parser.add_argument(
        "--set",
        nargs=5,
        action="append",
        required=True,
        metavar=("NAME", "WHOLE", "LOCAL", "LABELS", "SEEN"),
        help="a labelled set",
    )
    parser.add_argument("--models", nargs="*", type=Path, default=[], help="manifests of runs of this embedder")
    parser.add_argument("--nouns", type=Path, required=True, help="the lexicon of the runs")
    parser.add_argument("--gates", nargs="*", type=Path, default=[], help="gate.json of some of the runs")
    parser.add_argument("--adapters", nargs="*", type=Path, default=[], help="SET/METHOD/adapter.json")
    add_settings(parser, "--embedder", EmbedderConfig)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=at_least_one, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, required=True, help="results/tags.tsv")
    parser.add_argument("--details", type=Path, required=True, help="results/tags.json")
    parser.add_argument("--counts", type=Path, required=True, help="where the counts go")
    run_stage(main, parser.parse_args())
