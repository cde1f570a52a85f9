"""Stage 11, beside the main job: regions. Where is what, also where no box of a name was ever drawn?

input:   images with boxes in COCO's form, runs, the embedders that see for them
output:  results/regions/{test}/, results/regions.tsv and .json, results/regions.html
steps:   propose boxes, embed them at two scales, learn a probe for each name, detect and score (docs/regions.md)
"""

from nounflow.config.regions import PROPOSAL_SOURCES

REGIONS = CONFIG.regions
REGION_RUNS = list(REGIONS.runs) or list(CONFIG.runs)[:1]
REGION_EMBEDDERS = sorted({CONFIG.runs[run].embedder for run in REGION_RUNS})
REGION_VIEW = "results/image_embeddings/{embedder}/{region_test}/regions.json"


wildcard_constraints:
    region_test=any_of(REGIONS.tests),


def region_folder(
    test,
):
    """Where a test's images lie: a folder, or the manifest of the scenes."""
    return REGIONS.tests[test].folder or rules.compose_region_scenes.output.manifest


def region_inputs(
    wildcards,
):
    """What has to be there before a test's images are."""
    composed = REGIONS.tests[wildcards.region_test].source
    return [region_folder(wildcards.region_test)] if composed else []


def region_boxes(
    test,
):
    """A test's boxes."""
    composed = Path(rules.compose_region_scenes.output.manifest).parent
    return REGIONS.tests[test].boxes or str(composed / "files/instances.json")


def region_listing(
    wildcards,
):
    """Digest of a folder's images, and of the file with their boxes."""
    test = REGIONS.tests[wildcards.region_test]
    if test.source:
        return ""
    boxes = Path(test.boxes)
    stamp = boxes.stat().st_mtime_ns if boxes.exists() else 0
    return f"{listing_of(test.folder)} boxes {stamp}"


def region_settings(
    *left_out,
):
    """The settings of all tests, as JSON, without some keys."""
    settings = {**REGIONS.shaping(), "tests": {}}
    return json.dumps({key: settings[key] for key in settings if key not in left_out})


def region_test_settings(
    wildcards,
):
    """The settings of one test, as JSON."""
    return shaping(REGIONS.tests[wildcards.region_test])


rule compose_region_scenes:
    input:
        photos="results/inputs/tuxpaint/manifest.json",
        labels=resource(REGIONS.scenes.photos),
        wordnet="results/inputs/wordnet/manifest.json",
    output:
        manifest="results/inputs/region_scenes/manifest.json",
        counts="results/inputs/region_scenes/manifest.counts.json",
    log:
        "results/logs/inputs/region_scenes.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        scenes=REGIONS.scenes.count,
        seed=f"--seed {REGIONS.scenes.seed}",  # named: Snakemake compares parameters as a set
        code=code("compose_scenes"),
    message:
        "Composing {params.scenes} scenes with boxes"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/compose_scenes.py'
        " --photos {input.photos:q}"
        " --labels {input.labels:q}"
        " --wordnet {input.wordnet:q}"
        " --scenes {params.scenes}"
        " {params.seed}"
        ' --out "$(dirname {output.manifest:q})"'
        " 2>&1 | tee {log:q}"


rule propose_regions:
    input:
        region_inputs,
    output:
        proposals="results/regions/{region_test}/proposals.parquet",
        crops="results/regions/{region_test}/crops.parquet",
        counts="results/regions/{region_test}/proposals.counts.json",
    log:
        "results/logs/regions/{region_test}/proposals.log",
    benchmark:
        "results/benchmarks/regions/{region_test}/proposals.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        images=lambda wildcards: region_folder(wildcards.region_test),
        boxes=lambda wildcards: region_boxes(wildcards.region_test),
        listing=region_listing,
        settings=shaping(REGIONS.proposals),
        test=region_test_settings,
        seed=REGIONS.seed,
        device=DEVICE,
        code=code("propose_regions", PROPOSAL_SOURCES[REGIONS.proposals.source].load),
    message:
        "Proposing boxes in the images of {wildcards.region_test}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/propose_regions.py'
        " --image-set {wildcards.region_test:q}"
        " --folder {params.images:q}"
        " --boxes {params.boxes:q}"
        " --test-settings {params.test:q}"
        " --seed {params.seed}"
        " --settings {params.settings:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.proposals:q}"
        " --crops {output.crops:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule embed_regions:
    input:
        region_inputs,
        crops=rules.propose_regions.output.crops,
    output:
        manifest=REGION_VIEW,
        counts="results/image_embeddings/{embedder}/{region_test}/regions.counts.json",
    log:
        "results/logs/image_embeddings/{embedder}/{region_test}/regions.log",
    benchmark:
        "results/benchmarks/image_embeddings/{embedder}/{region_test}/regions.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=480,
    params:
        images=lambda wildcards: region_folder(wildcards.region_test),
        listing=region_listing,
        embedder=lambda wildcards: shaping(
            CONFIG.embedders[wildcards.embedder].of_images()
        ),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_views", wildcards.embedder),
    message:
        "Embedding the boxes of {wildcards.region_test} with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_views.py'
        " --image-set {wildcards.region_test:q}"
        " --folder {params.images:q}"
        " --views regions"
        " --proposals {input.crops:q}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        ' --out "$(dirname {output.manifest:q})"'
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule probe_regions:
    input:
        proposals=rules.propose_regions.output.proposals,
        view=rules.embed_regions.output.manifest,
    output:
        probe="results/regions/{region_test}/{embedder}/probe.json",
        weights="results/regions/{region_test}/{embedder}/probe.safetensors",
        pseudo_boxes="results/regions/{region_test}/{embedder}/pseudo_boxes.json",
    log:
        "results/logs/regions/{region_test}/{embedder}/probe.log",
    benchmark:
        "results/benchmarks/regions/{region_test}/{embedder}/probe.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        boxes=lambda wildcards: region_boxes(wildcards.region_test),
        settings=region_settings("scenes", "runs", "fusion"),
        test=region_test_settings,
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        threads_used=THREADS,
        code=lambda wildcards: embedding_code("probe_regions", wildcards.embedder),
    message:
        "Learning the names of {wildcards.region_test} as {wildcards.embedder} sees them"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/probe_regions.py'
        " --test {wildcards.region_test:q}"
        " --settings {params.settings:q}"
        " --test-settings {params.test:q}"
        " --boxes {params.boxes:q}"
        " --proposals {input.proposals:q}"
        " --view {input.view:q}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.probe:q}"
        " --pseudo-boxes {output.pseudo_boxes:q}"
        " 2>&1 | tee {log:q}"


def region_cases(
    _wildcards,
    input,
    output,
):
    """What is scored, as JSON: see `RegionCase`."""
    cases, models = [], dict(zip(REGION_RUNS, input.models))
    folder = Path(output.scores).with_suffix("")
    for test in REGIONS.tests:
        for run in REGION_RUNS:
            embedder = CONFIG.runs[run].embedder
            of = {"region_test": test, "embedder": embedder}
            cases.append(
                {
                    "test": test,
                    "run": run,
                    "probe": expand(rules.probe_regions.output.probe, **of)[0],
                    "view": expand(rules.embed_regions.output.manifest, **of)[0],
                    "proposals": expand(rules.propose_regions.output.proposals, **of)[
                        0
                    ],
                    "boxes": region_boxes(test),
                    "folder": region_folder(test),
                    "predictor": models[run],
                    "embedder": CONFIG.embedders[embedder].shaping(),
                    "detections": str(folder / test / "detections" / run),
                }
            )
    return json.dumps(cases)


rule score_regions:
    input:
        probes=expand(
            rules.probe_regions.output.probe,
            region_test=REGIONS.tests,
            embedder=REGION_EMBEDDERS,
        ),
        views=expand(REGION_VIEW, region_test=REGIONS.tests, embedder=REGION_EMBEDDERS),
        models=expand(MODEL, run=REGION_RUNS if REGIONS.tests else []),
        templates=[
            resource(f"nounflow/report/templates/{name}")
            for name in ("regions_page.html.j2", "regions.html.j2", "report.css")
        ],
    output:
        scores=report(
            "results/regions.tsv",
            caption="../docs/report/regions.rst",
            category="Regions",
        ),
        details="results/regions.json",
        page="results/regions.html",
    log:
        "results/logs/regions.log",
    benchmark:
        "results/benchmarks/regions.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        settings=region_settings("scenes", "runs"),
        cases=region_cases,
        device=DEVICE,
        code=code(
            "score_regions",
            *sorted(
                {
                    place
                    for run in REGION_RUNS
                    for place in (
                        PREDICTORS[CONFIG.runs[run].predictor].load,
                        family_of(CONFIG.runs[run].embedder).load,
                    )
                }
            ),
        ),
    message:
        "Scoring regions"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/score_regions.py'
        " --settings {params.settings:q}"
        " --cases {params.cases:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.scores:q}"
        " --details {output.details:q}"
        " --page {output.page:q}"
        " 2>&1 | tee {log:q}"
