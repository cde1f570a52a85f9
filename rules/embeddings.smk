"""Stage 3, text embeddings: each distinct text once, one job a shard.

input:   captions
output:  results/embeddings/{embedder}/{lexicon}/{source}/{shard}.json, and {shard}.zarr beside it
steps:   copy the vectors of texts that whole shards hold already, embed the others, write the arrays, then their
         manifest (docs/embeddings.md)
"""


rule embed_texts:
    input:
        captions=CAPTIONS,
        nouns=rules.build_nouns.output.nouns,
    output:
        **arrays_if_cached(
            "results/embeddings/{embedder}/{lexicon}/{source}/{shard}.zarr"
        ),
        manifest="results/embeddings/{embedder}/{lexicon}/{source}/{shard}.json",
        counts="results/embeddings/{embedder}/{lexicon}/{source}/{shard}.counts.json",
    log:
        "results/logs/embeddings/{embedder}/{lexicon}/{source}/{shard}.log",
    benchmark:
        "results/benchmarks/embeddings/{embedder}/{lexicon}/{source}/{shard}.tsv"
    cache: CACHED
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=240,
    params:
        part=lambda wildcards: f"{wildcards.source} {wildcards.shard}",  # the cache's key has no wildcards
        shards=lambda wildcards: CONFIG.captions.shards(wildcards.source),
        embedder=lambda wildcards: shaping(CONFIG.embedders[wildcards.embedder]),
        # texts that are embedded already; the second folder keeps what this run is replacing
        known=lambda wildcards, output: [
            str(Path(output.manifest).parents[3]),
            str(Path(output.manifest).parents[4] / ".earlier/files/embeddings"),
        ],
        device=DEVICE,
        code=lambda wildcards: embedding_code("embed_texts", wildcards.embedder),
    message:
        "Embedding {wildcards.source} of {wildcards.lexicon} with {wildcards.embedder}, shard {wildcards.shard}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/embed_texts.py'
        " --captions {input.captions:q}"
        " --nouns {input.nouns:q}"
        " --source {wildcards.source:q}"
        " --shard {wildcards.shard:q}"
        " --shards {params.shards}"
        " --known {params.known:q}"
        " --embedder {params.embedder:q}"
        ' --device "$NOUNFLOW_DEVICE"'
        ' --threads "$NOUNFLOW_THREADS"'
        " --out {output.manifest:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


not_benchmarked_if_cached()
