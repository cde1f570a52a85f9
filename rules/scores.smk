"""Stage 8, scores and report.

input:   predictions, annotations, predictors, lexicons, counts of all stages, images
output:  results/scores.tsv and scores.json (what stands behind its rows), results/report.html; beside the main job
         results/named.tsv (tags and names of boxes)
steps:   points for judged nouns, bootstrap intervals, paired differences; one self-contained page (docs/scores.md)
"""

from nounflow.workflow.counted import counts_of_all_stages

PREDICTIONS = expand(
    rules.predict.output.predictions, image_set=CONFIG.image_sets, run=CONFIG.runs
)
JUDGED = expand(ANNOTATIONS, image_set=CONFIG.image_sets, annotator=CONFIG.annotators)
MODELS = expand(MODEL, run=CONFIG.runs)
LEXICONS = expand(
    rules.build_nouns.output.nouns,
    lexicon=sorted({run.lexicon for run in CONFIG.runs.values()}),
)
LABELS = {name: next(iter(labels_of(name)), None) for name in CONFIG.image_sets}
LABEL_FILES = list(filter(None, LABELS.values()))
SPECIFICITY = (
    [resource(CONFIG.scoring.specificity)] if CONFIG.scoring.specificity else []
)


rule score:
    input:
        predictions=PREDICTIONS,
        annotations=JUDGED,
        models=MODELS,
        nouns=LEXICONS,
        labels=LABEL_FILES,
        wordnet=fetched("wordnet"),
        templates=[
            resource(CONFIG.captions.singular_templates),
            resource(CONFIG.captions.plural_templates),
        ],
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
        contents=contents(*LABEL_FILES, *SPECIFICITY),
        labels=json.dumps(LABELS),
        coarse_from=CONFIG.scoring.coarse_from,
        specificity=(
            f"--specificity {shlex.quote(SPECIFICITY[0])}" if SPECIFICITY else ""
        ),
        sentences=(
            "--sentences"
            if {"sentence_similarity", "concept_similarity"}
            & {*CONFIG.scoring.measures}
            else ""
        ),
        code=code("score"),
    message:
        "Scoring all runs"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/score.py'
        " --predictions {input.predictions:q}"
        " --annotations {input.annotations:q}"
        " --models {input.models:q}"
        " --nouns {input.nouns:q}"
        " --labels {params.labels:q}"
        " --wordnet-manifest {input.wordnet:q}"
        " --templates {input.templates:q}"
        " --coarse-from {params.coarse_from}"
        " {params.specificity}"
        " {params.sentences}"
        " --out {output.scores:q}"
        " --details {output.details:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule score_named:
    input:
        named=[
            f"results/{stage}.json"
            for stage, sets in (
                ("tags", CONFIG.tags.sets),
                ("regions", CONFIG.regions.tests),
            )
            if sets
        ],
        annotations=[
            path
            for path in expand(
                ANNOTATIONS, image_set=JUDGED_SETS, annotator=CONFIG.annotators
            )
            if path.split("/")[2] not in CONFIG.image_sets
        ],
    output:
        scores="results/named.tsv",
    log:
        "results/logs/named.log",
    conda:
        "../environment.yml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("score_named"),
    message:
        "Scoring tags and names of boxes by what annotators said of them"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/score_named.py'
        " --named {input.named:q}"
        " --annotations {input.annotations:q}"
        " --out {output.scores:q}"
        " 2>&1 | tee {log:q}"


CAPTION_CALIBRATIONS = expand(CAPTION_CALIBRATION, run=CONFIG.runs)
# What stages beside the main job have left: the report shows it, and does not make it anew.
FURTHER = {
    option: path
    for option in ("open-set", "tags", "regions")
    if (path := RESULTS / f"{option.replace('-', '_')}.json").is_file()
}


rule report:
    input:
        scores=rules.score.output.details,
        predictions=PREDICTIONS,
        annotations=JUDGED,
        models=MODELS,
        nouns=LEXICONS,
        labels=LABEL_FILES,
        classification=(
            "results/classification.tsv" if CONFIG.classification.sets else []
        ),
        counts=counts_of_all_stages(CONFIG),
        fitted=[
            name for name in CAPTION_CALIBRATIONS if (RESULTS.parent / name).is_file()
        ],
        fetched=[path for name in CONFIG.image_sets for path in fetched_images(name)],
        templates=[
            local(os.path.relpath(path))
            for path in sorted((HOME / "nounflow/report/templates").iterdir())
        ],
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
        counts=lambda wildcards, input: shell_words(input.counts),
        folders=json.dumps({name: image_folder(name) for name in CONFIG.image_sets}),
        labels=json.dumps(LABELS),
        gallery=CONFIG.gallery,
        results=lambda wildcards, output: str(Path(output.page).parent),
        published="--published" if CONFIG.scoring.published else "",
        further=" ".join(f"--{option} {path}" for option, path in FURTHER.items()),
        further_digest=sha256_json([path.read_text() for path in FURTHER.values()])[:16],
        measures=(
            f"--measures {' '.join(CONFIG.scoring.measures)}"
            if CONFIG.scoring.measures
            else ""
        ),
        classification=(
            f"--classification {RESULTS / 'classification.tsv'}"
            if CONFIG.classification.sets
            else ""
        ),
        code=code("report"),
    message:
        "Writing the report"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/report.py'
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
        " {params.further}"
        " {params.measures}"
        " {params.classification}"
        " --jobs-of {params.results:q}"
        " --out {output.page:q}"
        " --report-counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
