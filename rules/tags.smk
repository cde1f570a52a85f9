"""Stage 10, tags: several nouns for an image, with a list of labels and without; no part of the main job.

input:   views of labelled images, runs of one embedder, their lexicon and texts
output:  results/tags.tsv and tags.json (what stands behind its rows), results/tags/{tag_set}/{method}/adapter.json
steps:   train adapters on seen labels or on texts alone; score every way beside the plain one (docs/tags.md)
"""

TAG_EMBEDDER = CONFIG.tags.embedder_of(CONFIG)
TAG_RUNS = CONFIG.tags.runs_of(CONFIG)
ADAPTER = "results/tags/{tag_set}/{method}/adapter.json"


def tag_views(
    tag_set,
):
    """The manifests of a set's views, whole first."""
    return expand(
        rules.embed_views.output.views, embedder=TAG_EMBEDDER, tag_set=tag_set
    )


def tag_truth(
    tag_set,
):
    """The label file of a set; scenes bring theirs."""
    part = CONFIG.tags.sets[tag_set]
    return local(part.labels) if part.labels else fetched(part.source)[0]


def adapter_inputs(
    wildcards,
):
    """Images with labels, or texts."""
    method, part = (
        CONFIG.tags.trained[wildcards.method],
        CONFIG.tags.sets[wildcards.tag_set],
    )
    if method.how != "text_only":
        seen = {"seen": local(part.seen)} if part.seen else {}
        whole, local = tag_views(wildcards.tag_set)
        return {
            "whole": whole,
            "local": local,
            "labels": tag_truth(wildcards.tag_set),
            **seen,
        }
    run = CONFIG.runs[CONFIG.tags.run_of(wildcards.method, CONFIG)]
    return {
        "training_set": expand(rules.merge_caches.output.manifest, **set_of(run)),
        "nouns": expand(rules.build_nouns.output.nouns, lexicon=run.lexicon),
    }


def adapter_options(
    wildcards,
    input,
):
    """The inputs as options, and the noise of the run whose texts are taken."""
    method = CONFIG.tags.trained[wildcards.method]
    options = [
        f"--{name.replace('_', '-')} {shlex.quote(str(path))}"
        for name, path in input.items()
    ]
    if method.how == "text_only":
        noise = CONFIG.runs[CONFIG.tags.run_of(wildcards.method, CONFIG)].noise
        options.append(f"--noise {shlex.quote(shaping(noise))}")
    return " ".join(options)


rule train_tags:
    input:
        unpack(adapter_inputs),
    output:
        manifest=ADAPTER,
        weights="results/tags/{tag_set}/{method}/adapter.safetensors",
        curves="results/tags/{tag_set}/{method}/metrics.parquet",
    log:
        "results/logs/tags/{tag_set}/{method}.log",
    benchmark:
        "results/benchmarks/tags/{tag_set}/{method}.tsv"
    wildcard_constraints:
        tag_set=any_of(CONFIG.tags.sets),
        method=any_of(CONFIG.tags.trained),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=lambda wildcards: GPU
        * (CONFIG.tags.trained[wildcards.method].how == "context"),
        mem_mb=4000,
        runtime=120,
    params:
        options=adapter_options,
        settings=lambda wildcards: shaping(CONFIG.tags.trained[wildcards.method]),
        templates=lambda wildcards: shell_words(CONFIG.tags.templates),
        embedder=shaping(CONFIG.embedders[TAG_EMBEDDER]),
        seed=CONFIG.tags.seed,
        device=lambda wildcards: (
            DEVICE if CONFIG.tags.trained[wildcards.method].how == "context" else ""
        ),
        threads=THREADS,
        code=code("train_tags", family_of(TAG_EMBEDDER).load),
    message:
        "Training {wildcards.method} for {wildcards.tag_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/train_tags.py'
        " --name {wildcards.method:q}"
        " {params.options}"
        " --settings {params.settings:q}"
        " --templates {params.templates}"
        " --embedder {params.embedder:q}"
        " --seed {params.seed}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


def tag_sets(
    wildcards,
):
    """The sets as options: name, views, labels, file of seen labels."""
    words = []
    for name, part in CONFIG.tags.sets.items():
        words += ["--set", name, *tag_views(name), tag_truth(name), part.seen or "-"]
    return " ".join(map(shlex.quote, words))


rule score_tags:
    input:
        views=[path for name in CONFIG.tags.sets for path in tag_views(name)],
        truth=[tag_truth(name) for name in CONFIG.tags.sets],
        seen=[local(part.seen) for part in CONFIG.tags.sets.values() if part.seen],
        models=expand(MODEL, run=TAG_RUNS),
        nouns=expand(
            rules.build_nouns.output.nouns, lexicon=CONFIG.runs[TAG_RUNS[0]].lexicon
        ),
        gates=expand(rules.fit_gate.output.gate, run=TAG_RUNS * CONFIG.tags.gated),
        adapters=expand(ADAPTER, tag_set=CONFIG.tags.sets, method=CONFIG.tags.trained),
    output:
        scores="results/tags.tsv",
        details="results/tags.json",
        counts="results/tags.counts.json",
    log:
        "results/logs/tags.log",
    benchmark:
        "results/benchmarks/tags.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=6000,
        runtime=120,
    params:
        sets=tag_sets,
        settings=shaping(CONFIG.tags),
        embedder=shaping(CONFIG.embedders[TAG_EMBEDDER]),
        device=DEVICE,
        code=code(
            "score_tags",
            family_of(TAG_EMBEDDER).load,
            *(PREDICTORS[CONFIG.runs[run].predictor].load for run in TAG_RUNS),
        ),
    message:
        "Scoring several nouns an image"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/score_tags.py'
        " --settings {params.settings:q}"
        " {params.sets}"
        " --models {input.models:q}"
        " --nouns {input.nouns:q}"
        " --gates {input.gates:q}"
        " --adapters {input.adapters:q}"
        " --embedder {params.embedder:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.scores:q}"
        " --details {output.details:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
