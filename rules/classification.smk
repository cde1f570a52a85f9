"""Beside the main job, classification: top-1 and top-5 of runs that answer from the classes of a labelled set.

input:   check sets that you have, predictors, lexicons, image embeddings
output:  results/classification/{run}/{check_set}.json, results/classification.tsv
steps:   map class names to nouns, answer from these nouns only, count; published values beside ours
         (docs/classification.md)
"""

CLASSIFICATION = "results/classification/{run}/{check_set}.json"
CLASSIFIED_SETS = CONFIG.classification.sets or list(CONFIG.check_sets)
CLASSIFYING_RUNS = CONFIG.classification.runs or list(CONFIG.runs)


rule classify:
    input:
        predictor=MODEL,
        weights=weights_of,
        nouns=lambda wildcards: expand(
            rules.build_nouns.output.nouns, lexicon=CONFIG.runs[wildcards.run].lexicon
        ),
        check_set=rules.list_check_set.output.images,
        images=lambda wildcards: expand(
            IMAGE_EMBEDDINGS,
            embedder=CONFIG.runs[wildcards.run].embedder,
            image_set=wildcards.check_set,
        ),
    output:
        found=CLASSIFICATION,
        counts="results/classification/{run}/{check_set}.counts.json",
    log:
        "results/logs/classification/{run}/{check_set}.log",
    benchmark:
        "results/benchmarks/classification/{run}/{check_set}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        generation=lambda wildcards: generation_of(wildcards.run),
        device=DEVICE,
        code=lambda wildcards: code(
            "classify",
            *answering(wildcards),
            embedder_of(wildcards).family.tokenizer,  # a decoder spells the classes
        ),
    message:
        "Classifying the images of {wildcards.check_set} with {wildcards.run}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/classify.py'
        " --predictor {input.predictor:q}"
        " --nouns {input.nouns:q}"
        " --check-set {input.check_set:q}"
        " --images {input.images:q}"
        " --generation {params.generation:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.found:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule classification:
    input:
        found=expand(CLASSIFICATION, run=CLASSIFYING_RUNS, check_set=CLASSIFIED_SETS),
    output:
        table="results/classification.tsv",
    log:
        "results/logs/classification.log",
    benchmark:
        "results/benchmarks/classification.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("classification"),
    message:
        "Gathering the classifications"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/classification.py'
        " --found {input.found:q}"
        " --out {output.table:q}"
        " 2>&1 | tee {log:q}"
