"""Stage 9, beside the main job: the open set. When is an answer not to be believed?

input:   lexicons, label files, image embeddings, predictions and their judgements; pairs of image and caption
output:  results/open_set/{embedder}/bank.json and .safetensors, pairs/{pairs}/manifest.json,
         no/{no_model}.safetensors, results/open_set.tsv and .json, results/models/{run}/gate.json
steps:   embed nouns and synthetic patterns, embed pairs, train no-models, choose negatives, compare scores of known and
         unknown images, fit the threshold of a run's gate (docs/open_set.md)
"""

OPEN_SET = CONFIG.open_set
OPEN_SET_RUNS = OPEN_SET.runs or list(CONFIG.runs)
OPEN_SET_EMBEDDERS = sorted({CONFIG.runs[run].embedder for run in OPEN_SET_RUNS})
OPEN_SET_SETS = sorted(
    {name for test in OPEN_SET.tests.values() for name in (test.known, *test.unknown)}
)
KNOWN_SETS = sorted(
    {test.known for test in OPEN_SET.tests.values() if test.known in CONFIG.image_sets}
)
# what is compared, and how, shapes no gate
OF_GATES = (
    "gate",
    "negatives",
    "prompts",
    "background",
    "seed",
)
BANK = "results/open_set/{embedder}/bank.json"
CLASS_LISTS = [test.classes for test in OPEN_SET.tests.values() if test.classes]
NO_MODELS = {
    name: f"results/open_set/{model.embedder}/no/{name}.safetensors"
    for name, model in OPEN_SET.no_models.items()
}


def open_set_labels(
    name,
):
    """The label file of an image set or a check set, if it has one."""
    if name in CONFIG.check_sets:
        return expand(rules.list_check_set.output.labels, check_set=name)
    return labels_of(name)


def bank_lexicons(
    wildcards,
):
    """Lexicons of the runs of an embedder, that of the negatives first."""
    own = sorted(
        {
            run.lexicon
            for run in CONFIG.runs.values()
            if run.embedder == wildcards.embedder
        }
    )
    chosen = OPEN_SET.negatives.lexicon
    return expand(
        rules.build_nouns.output.nouns,
        lexicon=[chosen, *own] if chosen else own,
    )


OPEN_SET_LABELS = {
    name: next(iter(open_set_labels(name)), None) for name in OPEN_SET_SETS
}


rule embed_open_set:
    input:
        nouns=bank_lexicons,
        labels=list(filter(None, OPEN_SET_LABELS.values())),
        classes=CLASS_LISTS,
        wordnet=fetched("wordnet"),
    output:
        bank=BANK,
        vectors="results/open_set/{embedder}/bank.safetensors",
    log:
        "results/logs/open_set/{embedder}/bank.log",
    benchmark:
        "results/benchmarks/open_set/{embedder}/bank.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        prompts=json.dumps(OPEN_SET.prompts),
        seed=OPEN_SET.seed,
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_open_set", wildcards.embedder),
    message:
        "Embedding nouns and patterns for the open set with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_open_set.py'
        " --candidates {input.nouns[0]:q}"
        " --nouns {input.nouns:q}"
        " --labels {input.labels:q}"
        " --classes {input.classes:q}"
        " --wordnet-manifest {input.wordnet:q}"
        " --prompts {params.prompts:q}"
        " --seed {params.seed}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.bank:q}"
        " 2>&1 | tee {log:q}"


def pairs_listing(
    wildcards,
):
    """Digest of names, sizes and times of all files of pairs, so that a change is noticed."""
    source = Path(OPEN_SET.pairs[wildcards.pairs])
    files = sorted(source.rglob("*")) if source.is_dir() else [source]
    found = [(str(path), path.stat()) for path in files if path.is_file()]
    return sha256_json(
        [[name, status.st_size, status.st_mtime_ns] for name, status in found]
    )[:16]


rule embed_pairs:
    output:
        manifest="results/open_set/{embedder}/pairs/{pairs}/manifest.json",
        index="results/open_set/{embedder}/pairs/{pairs}/index.parquet",
        counts="results/open_set/{embedder}/pairs/{pairs}/manifest.counts.json",
    log:
        "results/logs/open_set/{embedder}/pairs/{pairs}.log",
    benchmark:
        "results/benchmarks/open_set/{embedder}/pairs/{pairs}.tsv"
    wildcard_constraints:
        pairs=any_of(OPEN_SET.pairs),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=600,
    params:
        pairs=lambda wildcards: OPEN_SET.pairs[wildcards.pairs],
        listing=pairs_listing,
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_pairs", wildcards.embedder),
    message:
        "Embedding the pairs {wildcards.pairs} with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_pairs.py'
        " --pairs {params.pairs:q}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


def no_model_material(
    wildcards,
):
    """What a no-model is trained on: pairs, or texts and their lexicon."""
    model = OPEN_SET.no_models[wildcards.no_model]
    parts = {key: getattr(model, key) for key in ("embedder", "lexicon", "mixture")}
    if model.pairs:
        return {
            "material": expand(
                rules.embed_pairs.output.manifest,
                embedder=model.embedder,
                pairs=model.pairs,
            )
        }
    return {
        "material": expand(rules.merge_caches.output.manifest, **parts),
        "nouns": expand(rules.build_nouns.output.nouns, lexicon=model.lexicon),
    }


rule train_no_model:
    input:
        unpack(no_model_material),
        bank=BANK,
        vectors=rules.embed_open_set.output.vectors,
    output:
        no="results/open_set/{embedder}/no/{no_model}.safetensors",
    log:
        "results/logs/open_set/{embedder}/no/{no_model}.log",
    benchmark:
        "results/benchmarks/open_set/{embedder}/no/{no_model}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        settings=lambda wildcards: shaping(OPEN_SET.no_models[wildcards.no_model]),
        nouns=lambda wildcards, input: (
            f"--nouns {shell_words(input.nouns)}" if "nouns" in input.keys() else ""
        ),
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        device=DEVICE,
        threads=THREADS,
        code=lambda wildcards: embedding_code("train_no_model", wildcards.embedder),
    message:
        "Training the no-model {wildcards.no_model}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/train_no_model.py'
        " --name {wildcards.no_model:q}"
        " --settings {params.settings:q}"
        " --material {input.material:q}"
        " {params.nouns}"
        " --bank {input.bank:q}"
        ' --embedder {params.embedder:q} "${{NOUNFLOW_EMBEDDER_{wildcards.embedder}:-}}"'
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.no:q}"
        " 2>&1 | tee {log:q}"


rule score_open_set:
    input:
        banks=expand(BANK, embedder=OPEN_SET_EMBEDDERS),
        vectors=expand(rules.embed_open_set.output.vectors, embedder=OPEN_SET_EMBEDDERS),
        images=expand(
            IMAGE_EMBEDDINGS, embedder=OPEN_SET_EMBEDDERS, image_set=OPEN_SET_SETS
        ),
        labels=list(filter(None, OPEN_SET_LABELS.values())),
        classes=CLASS_LISTS,
        wordnet=fetched("wordnet"),
        nouns=expand(
            rules.build_nouns.output.nouns,
            lexicon=sorted({CONFIG.runs[run].lexicon for run in OPEN_SET_RUNS}),
        ),
        models=expand(MODEL, run=OPEN_SET_RUNS),
        predictions=expand(
            rules.predict.output.predictions, run=OPEN_SET_RUNS, image_set=KNOWN_SETS
        ),
        annotations=expand(
            ANNOTATIONS, image_set=KNOWN_SETS, annotator=list(CONFIG.annotators)[:1]
        ),
        no=list(NO_MODELS.values()),
    output:
        scores=report(
            "results/open_set.tsv",
            caption="../docs/report/open_set.rst",
            category="Open set",
        ),
        details="results/open_set.json",
    log:
        "results/logs/open_set.log",
    benchmark:
        "results/benchmarks/open_set.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        settings=shaping(OPEN_SET),
        labels=json.dumps(OPEN_SET_LABELS),
        code=code(
            "score_open_set",
            *(
                PREDICTORS[kind].load
                for kind in sorted(
                    {CONFIG.runs[run].predictor for run in OPEN_SET_RUNS}
                )
            ),
        ),
    message:
        "Comparing open-set scores"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/score_open_set.py'
        " --settings {params.settings:q}"
        " --banks {input.banks:q}"
        " --images {input.images:q}"
        " --labels {params.labels:q}"
        " --wordnet-manifest {input.wordnet:q}"
        " --nouns {input.nouns:q}"
        " --models {input.models:q}"
        " --predictions {input.predictions:q}"
        " --annotations {input.annotations:q}"
        " --no {input.no:q}"
        " --out {output.scores:q}"
        " --details {output.details:q}"
        " 2>&1 | tee {log:q}"


def gate_inputs(
    wildcards,
):
    """What the threshold of a run is fitted on, and the no-model of its score."""
    run, images = CONFIG.runs[wildcards.run], OPEN_SET.gate.images
    parts = {"embedder": run.embedder, "image_set": images} if images else set_of(run)
    pattern = IMAGE_EMBEDDINGS if images else rules.merge_caches.output.manifest
    found = {"known": expand(pattern, **parts)}
    return (
        found | {"no": [NO_MODELS[OPEN_SET.gate.no_model]]}
        if OPEN_SET.gate.no_model
        else found
    )


rule fit_gate:
    input:
        unpack(gate_inputs),
        model=MODEL,
        weights=weights_of,
        bank=lambda wildcards: expand(
            BANK, embedder=CONFIG.runs[wildcards.run].embedder
        ),
        vectors=lambda wildcards: expand(
            rules.embed_open_set.output.vectors,
            embedder=CONFIG.runs[wildcards.run].embedder,
        ),
    output:
        gate="results/models/{run}/gate.json",
    log:
        "results/logs/open_set/gates/{run}.log",
    benchmark:
        "results/benchmarks/open_set/gates/{run}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        settings=json.dumps({key: OPEN_SET.shaping()[key] for key in OF_GATES}),
        known="--images" if OPEN_SET.gate.images else "--training-set",
        no=lambda wildcards, input: (
            f"--no {shell_words(input.no)}" if OPEN_SET.gate.no_model else ""
        ),
        device=DEVICE,
        code=lambda wildcards: code(
            "fit_gate", PREDICTORS[CONFIG.runs[wildcards.run].predictor].load
        ),
    message:
        "Fitting the gate of {wildcards.run}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/fit_gate.py'
        " --model {input.model:q}"
        " --bank {input.bank:q}"
        " --settings {params.settings:q}"
        " {params.known} {input.known:q}"
        " {params.no}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.gate:q}"
        " 2>&1 | tee {log:q}"
