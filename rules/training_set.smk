"""Stage 4, training set: an index over shards.

input:   embedding shards, their captions, the lexicon
output:  results/training_sets/{embedder}/{lexicon}/{mixture}/manifest.json, and index.parquet beside it
         for noise that is matched to images, gap/{image_set}.json
steps:   check that all belong together, weigh the sources, hold some texts out; no vector is copied
         (docs/training_set.md)
"""

TRAINING_SET = "results/training_sets/{embedder}/{lexicon}/{mixture}"


def shards_of(
    wildcards,
):
    """Manifests of all embedding shards of a mixture."""
    return [
        path
        for source in CONFIG.mixtures[wildcards.mixture].weights
        for path in expand(
            rules.embed_texts.output.manifest,
            embedder=wildcards.embedder,
            lexicon=wildcards.lexicon,
            source=source,
            shard=range(CONFIG.captions.shards(source)),
        )
    ]


rule merge_caches:
    input:
        nouns=rules.build_nouns.output.nouns,
        captions=lambda wildcards: expand(
            CAPTIONS,
            lexicon=wildcards.lexicon,
            source=CONFIG.mixtures[wildcards.mixture].weights,
        ),
        shards=shards_of,
    output:
        manifest=f"{TRAINING_SET}/manifest.json",
        index=f"{TRAINING_SET}/index.parquet",
        counts=f"{TRAINING_SET}/manifest.counts.json",
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
        shards=lambda wildcards, input: shell_words(input.shards),
        folder=lambda wildcards, input: Path(input.captions[0]).parent.as_posix(),
        mixture=lambda wildcards: shaping(CONFIG.mixtures[wildcards.mixture]),
        code=code("merge_caches"),
    message:
        "Merging the training set {wildcards.mixture} of {wildcards.lexicon} with {wildcards.embedder}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/merge_caches.py'
        " --nouns {input.nouns:q}"
        " --mixture {params.mixture:q}"
        " --captions-folder {params.folder:q}"
        " --shards {params.shards}"
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule measure_gap:
    input:
        training_set=rules.merge_caches.output.manifest,
        images=IMAGE_EMBEDDINGS,
    output:
        gap=f"{TRAINING_SET}/gap/{{image_set}}.json",
        counts=f"{TRAINING_SET}/gap/{{image_set}}.counts.json",
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
        threads=THREADS,  # the last bits of principal axes depend on them
        code=code("measure_gap"),
    message:
        "Measuring how far {wildcards.image_set} lies from the texts of {wildcards.mixture}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/measure_gap.py'
        " --training-set {input.training_set:q}"
        " --images {input.images:q}"
        " --image-set {wildcards.image_set:q}"
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.gap:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
