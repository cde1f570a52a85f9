"""Stage 4, training set: an index over shards.

input:   embedding shards, their captions, the lexicon
output:  results/training_sets/{embedder}/{lexicon}/{mixture}/manifest.json, and index.parquet beside it
         for noise that is matched to images, gap/{image_set}.json
steps:   check that all belong together, weigh the sources, hold some texts out; no vector is copied
         (docs/training_set.md)
"""


rule merge_caches:
    input:
        nouns="results/nouns/{lexicon}.parquet",
        captions=captions_of,
        shards=shards_of,
    output:
        manifest="results/training_sets/{embedder}/{lexicon}/{mixture}/manifest.json",
        index="results/training_sets/{embedder}/{lexicon}/{mixture}/index.parquet",
        counts="results/training_sets/{embedder}/{lexicon}/{mixture}/manifest.counts.json",
    log:
        "results/logs/training_sets/{embedder}/{lexicon}/{mixture}.log",
    benchmark:
        "results/benchmarks/training_sets/{embedder}/{lexicon}/{mixture}.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        shards=lambda wildcards: shell_words(shards_of(wildcards)),
        mixture=lambda wildcards: settings(CONFIG.mixtures[wildcards.mixture]),
        code=code("merge_caches"),
    message:
        "Merging the training set {wildcards.mixture} of {wildcards.lexicon} with {wildcards.embedder}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/merge_caches.py"
        " --nouns {input.nouns:q}"
        " --mixture {params.mixture:q}"
        " --captions-folder results/captions/{wildcards.lexicon:q}"
        " --shards {params.shards}"
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule measure_gap:
    input:
        training_set="results/training_sets/{embedder}/{lexicon}/{mixture}/manifest.json",
        images="results/image_embeddings/{embedder}/{image_set}.json",
    output:
        gap="results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.json",
        counts="results/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.counts.json",
    log:
        "results/logs/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.log",
    benchmark:
        "results/benchmarks/training_sets/{embedder}/{lexicon}/{mixture}/gap/{image_set}.tsv"
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        threads=CONFIG.threads,
        code=code("measure_gap"),
    message:
        "Measuring how far {wildcards.image_set} lies from the texts of {wildcards.mixture}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/measure_gap.py"
        " --training-set {input.training_set:q}"
        " --images {input.images:q}"
        " --image-set {wildcards.image_set:q}"
        " --threads {params.threads}"
        " --out {output.gap:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
