# Words in, a classifier that names what is in any photograph out.
#
#     snakemake --cores 8 results/scores.tsv
#
# The stages: nouns -> captions -> text embeddings -> training set -> decoder -> predictions
# -> annotations -> scores. Every stage has a file of this name in rules/ and a page in docs/.

from snakemake.utils import min_version

min_version("9.20")


configfile: f"{workflow.basedir}/config/config.yaml"


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/nouns.smk"
include: "rules/captions.smk"
include: "rules/embeddings.smk"
include: "rules/training_set.smk"
include: "rules/decoder.smk"
include: "rules/predictions.smk"
include: "rules/annotations.smk"
include: "rules/scores.smk"
include: "rules/embedder_checks.smk"
include: "rules/open_set.smk"
include: "rules/classification.smk"
include: "rules/tags.smk"
include: "rules/regions.smk"


onstart:
    remove_leftovers(Path("results"))
    EARLIER_RESULTS.keep()


onsuccess:
    from nounflow.workflow.job_costs import (
        write_job_costs,
    )  # polars is slow to import

    EARLIER_RESULTS.discard()
    write_job_costs(Path("results"))


onerror:
    for (
        path
    ) in (
        EARLIER_RESULTS.restore()
    ):  # what Snakemake deleted for jobs that then failed
        print(f"put back as it was before: {path}", file=sys.stderr)


rule all:
    default_target: True
    input:
        rules.score.output.scores,
        rules.report.output.page,


rule only_models:
    input:
        MODELS,
    message:
        "All runs are trained."
