"""Beside the main job, embedder checks: is an embedder what it should be?

input:   check sets that you have, labelled image sets, published accuracies
output:  results/embedder_checks/{embedder}/{check_set}.json and .md, results/modality_gap/{embedder}/{image_set}.json
         and .svg
steps:   list a check set's images, embed them (embed_images), compare with class names and published values; measure
         how far images lie from the texts that belong to them (docs/embedder_checks.md)
"""


rule list_check_set:
    output:
        images="results/check_sets/{check_set}.json",
        labels="results/check_sets/{check_set}.tsv",
        counts="results/check_sets/{check_set}.counts.json",
    log:
        "results/logs/check_sets/{check_set}.log",
    benchmark:
        "results/benchmarks/check_sets/{check_set}.tsv"
    wildcard_constraints:
        check_set=any_of(CONFIG.check_sets),
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=lambda wildcards: settings(CONFIG.check_sets[wildcards.check_set]),
        listing=check_set_listing,
        code=code("list_check_set"),
    message:
        "Listing the images of {wildcards.check_set}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/list_check_set.py"
        " --check-set {wildcards.check_set:q}"
        " --settings {params.settings:q}"
        " --out {output.images:q}"
        " --labels {output.labels:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule embedder_check:
    input:
        check_set="results/check_sets/{check_set}.json",
        images="results/image_embeddings/{embedder}/{check_set}.json",
        published=resource("resources/embedder_checks/expected.tsv"),
    output:
        check="results/embedder_checks/{embedder}/{check_set}.json",
        page="results/embedder_checks/{embedder}/{check_set}.md",
        counts="results/embedder_checks/{embedder}/{check_set}.counts.json",
    log:
        "results/logs/embedder_checks/{embedder}/{check_set}.log",
    benchmark:
        "results/benchmarks/embedder_checks/{embedder}/{check_set}.tsv"
    wildcard_constraints:
        check_set=any_of(CONFIG.check_sets),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=120,
    params:
        settings=lambda wildcards: settings(CONFIG.check_sets[wildcards.check_set]),
        embedder=lambda wildcards: settings(CONFIG.embedders[wildcards.embedder]),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("embedder_check"),
    message:
        "Checking {wildcards.embedder} on {wildcards.check_set}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/embedder_check.py"
        " --check-set {input.check_set:q}"
        " --images {input.images:q}"
        " --settings {params.settings:q}"
        " --embedder-name {wildcards.embedder:q}"
        " --embedder {params.embedder:q}"
        " --published {input.published:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.check:q}"
        " --page {output.page:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule modality_gap:
    input:
        unpack(gap_inputs),
    output:
        gap="results/modality_gap/{embedder}/{image_set}.json",
        picture="results/modality_gap/{embedder}/{image_set}.svg",
        counts="results/modality_gap/{embedder}/{image_set}.counts.json",
    log:
        "results/logs/modality_gap/{embedder}/{image_set}.log",
    benchmark:
        "results/benchmarks/modality_gap/{embedder}/{image_set}.tsv"
    wildcard_constraints:
        image_set=any_of([*CONFIG.image_sets, *CONFIG.check_sets]),
    conda:
        "../environment.yml"
    threads: CONFIG.threads
    resources:
        gpu=GPU,
        mem_mb=4000,
        runtime=60,
    params:
        options=gap_options,
        embedder=lambda wildcards: settings(CONFIG.embedders[wildcards.embedder]),
        device=CONFIG.device,
        threads=CONFIG.threads,
        code=code("modality_gap"),
    message:
        "Measuring the modality gap of {wildcards.embedder} on {wildcards.image_set}"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/modality_gap.py"
        " --image-set {wildcards.image_set:q}"
        " {params.options}"
        " --images results/image_embeddings/{wildcards.embedder:q}/{wildcards.image_set:q}.json"
        " --embedder {params.embedder:q}"
        " --device {params.device:q}"
        " --threads {params.threads}"
        " --out {output.gap:q}"
        " --picture {output.picture:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
