"""Stage 7, annotations: each predicted noun of each image is judged.

input:   predictions of all runs, the image set's labels, WordNet
output:  results/annotations/{image_set}/{annotator}.json, and the reasons beside it
steps:   class each noun as correct, close or incorrect, primary or secondary (docs/annotations.md)
"""


rule annotate:
    input:
        predictions=lambda wildcards: predictions_on(wildcards.image_set),
        labels=lambda wildcards: labels_of(wildcards.image_set),
        wordnet="results/inputs/wordnet/manifest.json",
    output:
        annotations="results/annotations/{image_set}/{annotator}.json",
        reasons="results/annotations/{image_set}/{annotator}.reasons.tsv",
        counts="results/annotations/{image_set}/{annotator}.counts.json",
    log:
        "results/logs/annotations/{image_set}/{annotator}.log",
    benchmark:
        "results/benchmarks/annotations/{image_set}/{annotator}.tsv"
    wildcard_constraints:
        annotator="|".join(CONFIG.annotators),
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        labels=lambda wildcards, input: (
            f"--labels {shlex.quote(str(input.labels))}" if input.labels else ""
        ),
        code=code("annotate"),
    message:
        "Judging the predictions on {wildcards.image_set} ({wildcards.annotator})"
    shell:
        "python ${{NOUNFLOW_HOME:-.}}/workflow_scripts/annotate.py"
        " --annotator {wildcards.annotator:q}"
        " {params.labels}"
        " --wordnet-manifest {input.wordnet:q}"
        " --image-set {wildcards.image_set:q}"
        " --predictions {input.predictions:q}"
        " --out {output.annotations:q}"
        " --reasons {output.reasons:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
