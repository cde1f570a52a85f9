"""Stage 6, predictions: images embedded once for each embedder, then named by each run.

input:   image sets, predictors (of a fused run its parts, too)
output:  results/image_embeddings/{embedder}/{image_set}.json and .zarr, results/predictions/{run}/{image_set}.json
steps:   decode and embed images, keep the unreadable ones by name; write nouns (docs/predictions.md)
"""


rule embed_images:
    input:
        unpack(image_inputs),
    output:
        **arrays_if_cached("results/image_embeddings/{embedder}/{image_set}.zarr"),
        manifest="results/image_embeddings/{embedder}/{image_set}.json",
        counts="results/image_embeddings/{embedder}/{image_set}.counts.json",
    log:
        "results/logs/image_embeddings/{embedder}/{image_set}.log",
    benchmark:
        "results/benchmarks/image_embeddings/{embedder}/{image_set}.tsv"
    wildcard_constraints:
        image_set=any_of([*CONFIG.image_sets, *CONFIG.check_sets]),
    cache: CACHED
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        part=lambda wildcards: wildcards.image_set,  # the cache's key has no wildcards
        images=image_options,
        listing=folder_listing,
        embedder=lambda wildcards: settings(CONFIG.embedders[wildcards.embedder]),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("embed_images"),
    message:
        "Embedding the images of {wildcards.image_set} with {wildcards.embedder}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/embed_images.py"
        " --image-set {wildcards.image_set:q}"
        " {params.images}"
        " --embedder {params.embedder:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


not_benchmarked_if_cached()


rule predict:
    input:
        predictor="results/models/{run}/manifest.json",
        weights=weights_of,
        images=lambda wildcards: f"results/image_embeddings/{CONFIG.runs[wildcards.run].embedder}/{wildcards.image_set}.json",
    output:
        predictions="results/predictions/{run}/{image_set}.json",
        counts="results/predictions/{run}/{image_set}.counts.json",
    log:
        "results/logs/predictions/{run}/{image_set}.log",
    benchmark:
        "results/benchmarks/predictions/{run}/{image_set}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        generation=lambda wildcards: settings(CONFIG.runs[wildcards.run].generation),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("predict"),
    message:
        "Naming the images of {wildcards.image_set} with {wildcards.run}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/predict.py"
        " --predictor {input.predictor:q}"
        " --images {input.images:q}"
        " --image-set {wildcards.image_set:q}"
        " --generation {params.generation:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.predictions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
