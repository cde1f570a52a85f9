"""Stage 8, scores and report.

input:   predictions, annotations, predictors, lexicons, counts of all stages, images
output:  results/scores.tsv and scores.json (what stands behind its rows), results/report.html
steps:   points for judged nouns, bootstrap intervals, paired differences; one self-contained page (docs/scores.md)
"""


rule score:
    input:
        predictions=PREDICTIONS,
        annotations=ANNOTATIONS,
        models=expand("results/models/{run}/manifest.json", run=CONFIG.runs),
        nouns=LEXICONS,
        labels=LABEL_FILES,
        wordnet="results/inputs/wordnet/manifest.json",
        templates=TEMPLATES,
        specificity=SPECIFICITY,
    output:
        scores=report(
            "results/scores.tsv",
            caption="../docs/report/scores.rst",
            category="Scores",
        ),
        details="results/scores.json",
        counts="results/scores.counts.json",
    log:
        "results/logs/scores.log",
    benchmark:
        "results/benchmarks/scores.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        image_sets=IMAGE_SET_LABELS,
        coarse_from=CONFIG.scoring.coarse_from,
        specificity=(
            f"--specificity {shlex.quote(SPECIFICITY[0])}" if SPECIFICITY else ""
        ),
        code=code("score"),
    message:
        "Scoring all runs"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/score.py"
        " --predictions {input.predictions:q}"
        " --annotations {input.annotations:q}"
        " --models {input.models:q}"
        " --nouns {input.nouns:q}"
        " --image-sets {params.image_sets:q}"
        " --wordnet-manifest {input.wordnet:q}"
        " --templates {input.templates:q}"
        " --coarse-from {params.coarse_from}"
        " {params.specificity}"
        " --out {output.scores:q}"
        " --details {output.details:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule report:
    input:
        scores="results/scores.json",
        predictions=PREDICTIONS,
        annotations=ANNOTATIONS,
        models=expand("results/models/{run}/manifest.json", run=CONFIG.runs),
        nouns=LEXICONS,
        labels=LABEL_FILES,
        counts=COUNTS,
        fetched=FETCHED_IMAGES,
        templates=REPORT_TEMPLATES,
    output:
        page=report(
            "results/report.html",
            caption="../docs/report/report.rst",
            category="Report",
        ),
        counts="results/report.counts.json",
    log:
        "results/logs/report.log",
    benchmark:
        "results/benchmarks/report.tsv"
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        counts=lambda wildcards: shell_words(COUNTS),
        folders=IMAGE_FOLDERS,
        labels=LABELS,
        gallery=CONFIG.gallery,
        published="--published" if CONFIG.scoring.published else "",
        code=code("report"),
    message:
        "Writing the report"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/report.py"
        " --scores {input.scores:q}"
        " --predictions {input.predictions:q}"
        " --annotations {input.annotations:q}"
        " --models {input.models:q}"
        " --nouns {input.nouns:q}"
        " --counts {params.counts}"
        " --image-folders {params.folders:q}"
        " --labels {params.labels:q}"
        " --gallery {params.gallery}"
        " {params.published}"
        " --jobs-of results"
        " --out {output.page:q}"
        " --report-counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
