"""Score every way to several nouns an image on labelled sets: with a list of labels, and without one.

    python workflow_scripts/score_tags.py --settings '{}' --embedder '{"spec": "bundled:minilm-conse"}' \\
        --set scenes results/image_embeddings/bundled/scenes/whole.json \\
            results/image_embeddings/bundled/scenes/tiles.json results/inputs/scenes/manifest.json - \\
        --models results/models/small/manifest.json --nouns results/nouns/small.parquet \\
        --out results/tags.tsv --details results/tags.json --counts results/tags.counts.json

Of a set: name, two views, its label file (or the manifest of scenes), the file of seen labels or "-".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.tags import TagsConfig

_OF_A_SET = ("NAME", "WHOLE", "LOCAL", "LABELS", "SEEN")
USUAL = TagsConfig()


def main(
    set: Annotated[list[list[str]], "a labelled set", {"nargs": 5, "action": "append", "metavar": _OF_A_SET}],
    nouns: Annotated[Path, "the lexicon of the runs"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "results/tags.tsv"],
    details: Annotated[Path, "results/tags.json"],
    counts: Counts,
    settings: Annotated[TagsConfig, "the section `tags`, JSON"] = USUAL,
    models: Annotated[Sequence[Path], "manifests of runs of this embedder"] = (),
    gates: Annotated[Sequence[Path], "gate.json of some of the runs"] = (),
    adapters: Annotated[Sequence[Path], "SET/METHOD/adapter.json"] = (),
    device: Device = "auto",
    threads: Threads = 2,
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
    run_stage(main, __doc__)
