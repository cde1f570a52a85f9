"""Stage 5, decoder: training, and the baselines that it must beat.

input:   a training set, the lexicon
output:  results/models/{run}/manifest.json, with weights.safetensors (fused: rule.json) and the curves beside it
steps:   one rule for each kind of predictor; a run names which. A killed job goes on from
         results/models/{run}/checkpoint/, which no rule declares (docs/decoder.md)
"""


rule train_decoder:
    input:
        training_set=training_set_of,
        nouns=nouns_of,
        captions=captions_for_templates_of,
        gap=gap_of,
    output:
        manifest="results/models/{run}/manifest.json",
        weights="results/models/{run}/weights.safetensors",
        counts="results/models/{run}/manifest.counts.json",
        metrics="results/models/{run}/metrics.parquet",
        angles="results/models/{run}/angles.json",
    log:
        "results/logs/models/{run}.log",
    benchmark:
        "results/benchmarks/models/{run}.tsv"
    wildcard_constraints:
        run=runs_with("decoder"),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=8000,
        runtime=720,
    params:
        settings=lambda wildcards: run_parts(
            wildcards.run, "decoder", "noise", "training", "seed"
        ),
        embedder=lambda wildcards: embedder_of(wildcards.run),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("train_decoder"),
    message:
        "Training the decoder {wildcards.run}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/train_decoder.py"
        " --run {wildcards.run:q}"
        " --training-set {input.training_set:q}"
        " --nouns {input.nouns:q}"
        " --captions {input.captions:q}"
        " --gap {input.gap:q}"
        " --embedder {params.embedder:q}"
        " --settings {params.settings:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


rule train_head:
    input:
        training_set=training_set_of,
        nouns=nouns_of,
        captions=captions_for_templates_of,
        gap=gap_of,
    output:
        manifest="results/models/{run}/manifest.json",
        weights="results/models/{run}/weights.safetensors",
        counts="results/models/{run}/manifest.counts.json",
        metrics="results/models/{run}/metrics.parquet",
    log:
        "results/logs/models/{run}.log",
    benchmark:
        "results/benchmarks/models/{run}.tsv"
    wildcard_constraints:
        run=runs_with("head"),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=8000,
        runtime=240,
    params:
        settings=lambda wildcards: run_parts(
            wildcards.run, "head", "noise", "training", "seed"
        ),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("train_head"),
    message:
        "Training the head {wildcards.run}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/train_head.py"
        " --run {wildcards.run:q}"
        " --training-set {input.training_set:q}"
        " --nouns {input.nouns:q}"
        " --captions {input.captions:q}"
        " --gap {input.gap:q}"
        " --settings {params.settings:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


rule index_retrieval:
    input:
        training_set=training_set_of,
        nouns=nouns_of,
    output:
        manifest="results/models/{run}/manifest.json",
        weights="results/models/{run}/weights.safetensors",
        counts="results/models/{run}/manifest.counts.json",
    log:
        "results/logs/models/{run}.log",
    benchmark:
        "results/benchmarks/models/{run}.tsv"
    wildcard_constraints:
        run=runs_with("retrieval"),
    conda:
        "../environment.yml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=lambda wildcards: run_parts(
            wildcards.run, "retrieval", "noise", "seed"
        ),
        code=code("index_retrieval"),
    message:
        "Indexing the nouns for {wildcards.run}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/index_retrieval.py"
        " --run {wildcards.run:q}"
        " --training-set {input.training_set:q}"
        " --nouns {input.nouns:q}"
        " --settings {params.settings:q}"
        " --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"


rule fit_fused:
    input:
        parts=parts_of,
        training_set=training_set_of,
        nouns=nouns_of,
    output:
        manifest="results/models/{run}/manifest.json",
        rule="results/models/{run}/rule.json",
        counts="results/models/{run}/manifest.counts.json",
    log:
        "results/logs/models/{run}.log",
    benchmark:
        "results/benchmarks/models/{run}.tsv"
    wildcard_constraints:
        run=runs_with("fused"),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=8000,
        runtime=60,
    params:
        settings=lambda wildcards: run_parts(wildcards.run, "fused", "noise", "seed"),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("fit_fused"),
    message:
        "Fitting the rule of {wildcards.run}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/fit_fused.py"
        " --run {wildcards.run:q}"
        " --parts {input.parts:q}"
        " --training-set {input.training_set:q}"
        " --nouns {input.nouns:q}"
        " --settings {params.settings:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.manifest:q}"
        " 2>&1 | tee {log:q}"
