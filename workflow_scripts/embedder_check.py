"""Measure an embedder's zero-shot accuracy on a check set, beside the published value where there is one.

In:  results/check_sets/{check_set}.json, results/image_embeddings/{embedder}/{check_set}.json, published accuracies
Out: results/embedder_checks/{embedder}/{check_set}.json and .md, counts

    python workflow_scripts/embedder_check.py --check-set results/check_sets/mine.json \\
        --images results/image_embeddings/bundled/mine.json --settings '{"kind": "folder", "folder": "animals"}' \\
        --embedder-name bundled --embedder '{"spec": "bundled:minilm-conse"}' \\
        --published resources/embedder_checks/expected.tsv --out results/embedder_checks/bundled/mine.json \\
        --page results/embedder_checks/bundled/mine.md --counts results/embedder_checks/bundled/mine.counts.json
"""

from pathlib import Path
from typing import Annotated

from nounflow.commandline import Counts, Device, Threads, run_stage
from nounflow.config.check_set import CheckSetConfig
from nounflow.config.embedder import EmbedderConfig


def main(
    check_set: Annotated[Path, "images and classes"],
    images: Annotated[Path, "manifest of their embeddings"],
    settings: Annotated[CheckSetConfig, "the set's config, as JSON"],
    embedder_name: Annotated[str, "name of the embedder in the config"],
    embedder: Annotated[EmbedderConfig, "its settings, as JSON"],
    published: Annotated[Path, "table of published accuracies"],
    out: Annotated[Path, "the check as JSON"],
    page: Annotated[Path, "the check as Markdown"],
    counts: Counts,
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Check an embedder; see the module docstring."""
    import numpy as np

    from nounflow.counts import Counts
    from nounflow.embedder_checks.check import check_embedder, expected_of
    from nounflow.embedder_checks.expected import read_published
    from nounflow.embedder_checks.page import check_page, verdict_line
    from nounflow.embedders.load import load_embedder
    from nounflow.files import write_text
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import read_document, write_document
    from nounflow.schemas.embedder_checks import CheckSet
    from nounflow.store.shards import check_identity, read_shard

    listed = read_document(CheckSet, check_set, "list of a check set")
    manifest, vectors = read_shard(images)
    model = load_embedder(embedder, prepare_process(device, threads), images=False)
    check_identity(manifest.embedder, model.identity, images, f"the embedder {embedder_name}")
    check = check_embedder(model, listed, manifest.files, np.asarray(vectors), settings.prompts)
    known = read_published(published)
    check = expected_of(check, known, embedder.spec, settings.expected.get(embedder_name))

    record = Counts("embedder_checks")
    flow = record.flow(f"{listed.name}: images", len(listed.files), "images")
    flow.drop(len(listed.files) - check.top1.correct - check.unreadable, "another class lies nearer")
    flow.drop(check.unreadable, "unreadable or missing; counted as wrong")
    flow.out(check.top1.correct, "images whose own class lies nearest")
    write_text(page, check_page(check))
    write_document(out, check)
    record.write(counts)
    print(verdict_line(check), flush=True)


if __name__ == "__main__":
    run_stage(main, __doc__)
