"""Stage 7, annotations: each predicted noun of each image is judged.

input:   predictions of all runs, or tags and regions; the image set's labels and WordNet, the decision log of people, or a language model
output:  results/annotations/{image_set}/{annotator}.json, and the reasons, contradictions or votes beside it
steps:   class each noun as correct, close or incorrect, primary or secondary (docs/annotations.md)
"""

from nounflow.annotation.log import log_digest
from nounflow.annotator_kinds import ANNOTATORS
from nounflow.config.annotators import PeopleAnnotatorConfig

ANNOTATIONS = "results/annotations/{image_set}/{annotator}.json"  # whoever judges


def annotators_of(
    judging_rule,
):
    """Wildcard pattern of the annotators for whom this rule judges."""
    return any_of(
        name
        for name, part in CONFIG.annotators.items()
        if ANNOTATORS[part.kind].rule == judging_rule
    )


def truth_of(
    wildcards,
):
    """The label file that nouns are judged by; composed scenes bring theirs."""
    found = labels_of(wildcards.image_set)
    own = wildcards.image_set in CONFIG.image_sets
    return found if found or own else fetched_images(wildcards.image_set)


def predictions_on(
    wildcards,
):
    """What all runs said of an image set, or of the images of another stage."""
    if wildcards.image_set not in CONFIG.image_sets:
        return [f"results/{wildcards.image_set.partition('-')[0]}.json"]
    path = rules.predict.output.predictions
    return expand(path, run=CONFIG.runs, image_set=wildcards.image_set)


rule annotate:
    input:
        predictions=predictions_on,
        labels=truth_of,
        wordnet=fetched("wordnet"),
        supplement=resource("resources/nouns/modern.tsv"),
        imports=imports_of(*CONFIG.lexicons),
    output:
        annotations=ANNOTATIONS,
        reasons="results/annotations/{image_set}/{annotator}.reasons.tsv",
        counts="results/annotations/{image_set}/{annotator}.counts.json",
    log:
        "results/logs/annotations/{image_set}/{annotator}.log",
    benchmark:
        "results/benchmarks/annotations/{image_set}/{annotator}.tsv"
    wildcard_constraints:
        annotator=annotators_of("annotate"),
        image_set=any_of(JUDGED_SETS),
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        contents=lambda wildcards: contents(*labels_of(wildcards.image_set)),
        labels=lambda wildcards, input: (
            f"--labels {shlex.quote(str(input.labels))}" if input.labels else ""
        ),
        code=lambda wildcards: code(
            "annotate",
            ANNOTATORS[CONFIG.annotators[wildcards.annotator].kind].judge,
            *readers_of(*CONFIG.lexicons),
        ),
    message:
        "Judging the predictions on {wildcards.image_set} ({wildcards.annotator})"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/annotate.py'
        " --annotator {wildcards.annotator:q}"
        " {params.labels}"
        " --wordnet-manifest {input.wordnet:q}"
        " --supplement {input.supplement:q}"
        " --imports {input.imports:q}"
        " --image-set {wildcards.image_set:q}"
        " --predictions {input.predictions:q}"
        " --out {output.annotations:q}"
        " --reasons {output.reasons:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


rule collect_decisions:
    input:
        predictions=predictions_on,
        fetched=lambda wildcards: fetched_images(wildcards.image_set),
    output:
        annotations=ANNOTATIONS,
        contradictions="results/annotations/{image_set}/{annotator}.contradictions.tsv",
        counts="results/annotations/{image_set}/{annotator}.counts.json",
    log:
        "results/logs/annotations/{image_set}/{annotator}.log",
    benchmark:
        "results/benchmarks/annotations/{image_set}/{annotator}.tsv"
    wildcard_constraints:
        annotator=annotators_of("collect_decisions"),
        image_set=any_of(JUDGED_SETS),
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        images=lambda wildcards: image_folder(wildcards.image_set),
        settings=lambda wildcards: shaping(CONFIG.annotators[wildcards.annotator]),
        decisions=lambda wildcards: log_digest(
            CONFIG.annotators[wildcards.annotator].log
        ),
        listing=lambda wildcards: listing_of(JUDGED_SETS[wildcards.image_set].folder),
        code=code("collect_decisions"),
    message:
        "Collecting what {wildcards.annotator} decided on {wildcards.image_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/collect_decisions.py'
        " --annotator {wildcards.annotator:q}"
        " --image-set {wildcards.image_set:q}"
        " --settings {params.settings:q}"
        " --images {params.images:q}"
        " --predictions {input.predictions:q}"
        " --out {output.annotations:q}"
        " --contradictions {output.contradictions:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"


def people_of(
    annotator,
):
    """The people that a language model is compared with; the defaults where the config names none."""
    named = CONFIG.annotators.get(CONFIG.annotators[annotator].people)
    usual = PeopleAnnotatorConfig(kind="people")
    return named if isinstance(named, PeopleAnnotatorConfig) else usual


rule ask_judgements:
    input:
        predictions=predictions_on,
        fetched=lambda wildcards: fetched_images(wildcards.image_set),
    output:
        annotations=ANNOTATIONS,
        votes="results/annotations/{image_set}/{annotator}.votes.tsv",
        counts="results/annotations/{image_set}/{annotator}.counts.json",
    log:
        "results/logs/annotations/{image_set}/{annotator}.log",
    benchmark:
        "results/benchmarks/annotations/{image_set}/{annotator}.tsv"
    wildcard_constraints:
        annotator=annotators_of("ask_judgements"),
        image_set=any_of(JUDGED_SETS),
    localrule: True  # it waits for a server, which compute nodes often cannot reach
    conda:
        "../environment.yml"
    resources:
        mem_mb=2000,
        runtime=2880,
        ledgers=1,
    params:
        images=lambda wildcards: image_folder(wildcards.image_set),
        settings=lambda wildcards: shaping(CONFIG.annotators[wildcards.annotator]),
        people=lambda wildcards: shaping(people_of(wildcards.annotator)),
        decisions=lambda wildcards: log_digest(people_of(wildcards.annotator).log),
        listing=lambda wildcards: listing_of(JUDGED_SETS[wildcards.image_set].folder),
        code=code("ask_judgements"),
    message:
        "Asking a language model ({wildcards.annotator}) to judge the predictions on {wildcards.image_set}"
    shell:
        'python "${{NOUNFLOW_HOME:-.}}"/workflow_scripts/ask_judgements.py'
        " --annotator {wildcards.annotator:q}"
        " --image-set {wildcards.image_set:q}"
        ' --settings {params.settings:q} "${{NOUNFLOW_ANNOTATOR_{wildcards.annotator}:-}}"'
        " --people {params.people:q}"
        " --images {params.images:q}"
        " --predictions {input.predictions:q}"
        " --out {output.annotations:q}"
        " --votes {output.votes:q}"
        " --counts {output.counts:q}"
        " 2>&1 | tee {log:q}"
