"""Learn what boxes of each name look like: retrieve pseudo boxes for novel names, take true ones for base names.

    python workflow_scripts/probe_regions.py --test scenes --settings '{}' --test-settings '{"images": "scenes"}' \\
        --boxes results/inputs/scenes/boxes.json --proposals results/regions/scenes/proposals.parquet \\
        --view results/image_embeddings/bundled/scenes/regions.json --embedder '{"spec": "bundled:minilm-conse"}' \\
        --out results/regions/scenes/bundled/probe.json --pseudo-boxes results/regions/scenes/bundled/pseudo_boxes.json

With `--add NAME` further names join the probe that stands at --out; the others are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from nounflow.commandline import Device, Threads, run_stage
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.regions import RegionsConfig, RegionsTestConfig


def main(
    test: Annotated[str, "name of the test"],
    settings: Annotated[RegionsConfig, "settings, as JSON"],
    test_settings: Annotated[RegionsTestConfig, "settings, as JSON"],
    boxes: Annotated[Path, "COCO JSON with the boxes of the image set"],
    proposals: Annotated[Path, "table of proposals"],
    view: Annotated[Path, "manifest of the view regions"],
    embedder: Annotated[EmbedderConfig, "settings, as JSON"],
    out: Annotated[Path, "the probe's manifest"],
    pseudo_boxes: Annotated[Path, "the retrieved boxes, COCO JSON"],
    add: Annotated[Sequence[str], "join these novel names to the probe", {"metavar": "NAME"}] = (),
    device: Device = "auto",
    threads: Threads = 2,
) -> None:
    """Learn a probe; see the module docstring."""
    import time

    from nounflow.embedders.load import load_embedder
    from nounflow.embedders.prompts import class_embeddings
    from nounflow.files import read_json, write_json
    from nounflow.process import prepare_process
    from nounflow.regions.coco import read_boxes
    from nounflow.regions.learning import add_names, learn_probe
    from nounflow.regions.probe_files import pseudo_boxes as in_coco_form
    from nounflow.regions.probe_files import read_probes, write_probes
    from nounflow.regions.splits import base_boxes, split
    from nounflow.regions.view import RegionView
    from nounflow.store.shards import check_identity

    start = time.monotonic()
    model = load_embedder(embedder, prepare_process(device, threads), images=False)
    seen = RegionView(view, proposals)
    truth = read_boxes(boxes, seen.manifest.files)
    check_identity(seen.manifest.embedder, model.identity, view, "the config")
    for reason, number in truth.dropped.items():
        print(f"left out of {boxes}: {number} boxes: {reason}", flush=True)
    parts = split(truth, test_settings, settings.seed)
    for name in parts.absent:
        print(f"not in {boxes}: {name}", flush=True)

    retrieved, stand_ins = dict[str, int](), list[dict[str, Any]]()
    if add:
        manifest, probes = read_probes(out)
        check_identity(manifest.embedder, model.identity, out, "the config")
        known = {*manifest.base, *manifest.novel}
        if not (names := [name for name in dict.fromkeys(add) if name not in known]):
            print(f"all of these names are in the probe already: {', '.join(add)}", flush=True)
            return
        images = list(seen.images(manifest.learnt_from))
        vectors = class_embeddings(model, names, settings.prompts, progress=False)
        found = {name: add_names(probe, lambda: images, names, vectors, settings) for name, probe in probes.items()}
        retrieved |= manifest.retrieved
        stand_ins += read_json(pseudo_boxes, "file of pseudo boxes")
    else:
        base = base_boxes(truth, parts.base, parts.base_images)
        vectors = class_embeddings(model, (*parts.base, *parts.novel), settings.prompts, progress=False)
        variants = {"probe": (settings, False), "one_scale": (settings, True)}
        if base and settings.probe.quality:
            probe = settings.probe.model_copy(update={"quality": False})
            variants["no_quality"] = (settings.model_copy(update={"probe": probe}), False)
        found = {
            name: learn_probe(lambda: seen.images(parts.learnt_from), base, parts.novel, vectors, variant, one_scale)
            for name, (variant, one_scale) in variants.items()
        }
    first = found["probe"]
    retrieved |= {name: len(pseudo) for name, pseudo in first.pseudo.items()}
    for name, number in retrieved.items():
        if not number:
            print(f"no box is likely enough for {name}: it is found by similarity alone", flush=True)
    write_json(pseudo_boxes, stand_ins + in_coco_form(first, truth))
    write_probes(
        out,
        {name: learnt.probe for name, learnt in found.items()},
        test=test,
        embedder=model.identity,
        retrieved=retrieved,
        learnt_from=parts.learnt_from,
        scored=parts.scored,
        transductive=test_settings.transductive,
        min_objectness=settings.settled_retrieval().min_objectness,
        source=settings.proposals.source,
        settings=settings.model_dump(mode="json", exclude={"tests", "runs", "scenes", "proposals", "fusion"}),
        seconds=round(time.monotonic() - start, 1),
    )
    print(f"{sum(retrieved.values())} pseudo boxes for {len(retrieved)} novel names; {len(parts.base)} base names")


if __name__ == "__main__":
    run_stage(main, __doc__)
