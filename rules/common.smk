# Everything that is Python: the checked config, code fingerprints and input functions.
# Rules in the other files hold none.

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

import yaml
from snakemake.utils import update_config

from nounflow.annotation.log import log_digest
from nounflow.config.annotators import PeopleAnnotatorConfig
from nounflow.config.experiment import load_config
from nounflow.config.inputs import INPUTS
from nounflow.embedder_checks.layouts import images_folder
from nounflow.earlier_results import EarlierResults
from nounflow.errors import NounflowError
from nounflow.fingerprint import code_fingerprint
from nounflow.images import list_images
from nounflow.files import remove_leftovers, sha256_json
from nounflow.schemas.labels import read_labels
from nounflow.workflow.shell_words import shell_words

# The folder of this project, also where it is a module of another workflow (whose config need only say what differs).
HOME = Path(str(workflow.current_basedir)).parent
SETTINGS = yaml.safe_load((HOME / "config/config.yaml").read_text(encoding="utf-8"))
update_config(SETTINGS, config)

try:
    CONFIG = load_config(SETTINGS)
except NounflowError as error:
    raise WorkflowError(str(error))

# The python of the rules is the one that runs Snakemake, also where no environment is activated. A prefix
# replaces bash's strict mode, hence `set`. NOUNFLOW_HOME lets a rule find its script under --directory; NOUNFLOW_LLM
# and NOUNFLOW_ANNOTATOR_... hold settings of which most are no reason to run a rule again; NOUNFLOW_CONFIG goes into
# scores.json, its digest into the header of each log. The header stays out of Snakemake's own output. A scheduler's
# SIGTERM goes to all processes of a job: the shell and `tee` must outlive the stage that says goodbye.
SETUP = (
    f"set -euo pipefail; export NOUNFLOW_HOME={shlex.quote(os.path.relpath(HOME))}; "
    f"export NOUNFLOW_LLM={shlex.quote(CONFIG.captions.llm.model_dump_json())}; "
    f"export NOUNFLOW_CONFIG={shlex.quote(json.dumps(SETTINGS))}; "
    f"export NOUNFLOW_CONFIG_DIGEST={sha256_json(CONFIG.model_dump(mode='json'))[:16]}; "
    "trap : TERM; tee() { trap '' TERM; command tee \"$@\" | sed -u '\\|^# |d'; }; "
)
for name, part in CONFIG.annotators.items():
    if part.kind == "openai":
        SETUP += (
            f"export NOUNFLOW_ANNOTATOR_{name}={shlex.quote(part.model_dump_json())}; "
        )
if not workflow.deployment_settings.deployment_method:
    SETUP += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(SETUP.replace("{", "{{").replace("}", "}}"))

EARLIER_RESULTS = EarlierResults(
    Path("results"), Path(".snakemake/metadata"), Path("results/.earlier")
)

# Snakemake leaves these out with --quiet all only, which hides errors too.
SCHEDULER_TALK = ("Select jobs to execute", "Execute ")
if workflow.output_settings.quiet:
    logger.addFilter(lambda record: not record.getMessage().startswith(SCHEDULER_TALK))

# Where a job looks for texts that are embedded already; the second folder keeps what this run is replacing.
KNOWN_EMBEDDINGS = ["results/embeddings", "results/.earlier/files/embeddings"]

GPU = 0 if CONFIG.device == "cpu" else 1

# Snakemake's cache between workflows (docs/workflow.md).
CACHED = workflow.workflow_settings.cache is not None
if CACHED and not os.environ.get("SNAKEMAKE_OUTPUT_CACHE"):
    raise WorkflowError(
        "--cache needs to know where: export SNAKEMAKE_OUTPUT_CACHE=/a/folder/that/exists"
    )


wildcard_constraints:
    lexicon="|".join(CONFIG.lexicons),
    embedder="|".join(CONFIG.embedders),
    mixture="|".join(CONFIG.mixtures),
    image_set="|".join(CONFIG.image_sets),
    source=r"m\d|offline|llm",
    shard=r"\d+",


def code(script, *places):
    """Fingerprint of a stage's script, the registry entries that it uses, and the modules that these import."""
    return code_fingerprint(HOME / "workflow_scripts" / f"{script}.py", *places)


def settings(part):
    """A part of the config as JSON, keys in a fixed order."""
    return part.model_dump_json()


def resource(path):
    """A file that the config names: in the working folder, else beside the Snakefile."""
    if Path(path).exists():
        return path
    return os.path.relpath(HOME / path)


def runs_with(predictor):
    """Wildcard pattern of the runs with a predictor; a pattern that matches nothing where there is none."""
    return any_of(
        name for name, run in CONFIG.runs.items() if run.predictor == predictor
    )


def parts_of(wildcards):
    """Manifests of the runs that a fused run combines."""
    return [
        f"results/models/{part}/manifest.json"
        for part in CONFIG.runs[wildcards.run].fused.parts
    ]


def weights_of(wildcards):
    """What a run's answers are computed from, beside its manifest."""
    if CONFIG.runs[wildcards.run].predictor != "fused":
        return [f"results/models/{wildcards.run}/weights.safetensors"]
    parts = CONFIG.runs[wildcards.run].fused.parts
    return [
        f"results/models/{wildcards.run}/rule.json",
        *parts_of(wildcards),
        *(f"results/models/{part}/weights.safetensors" for part in parts),
    ]


def annotators_of(kind):
    """Wildcard pattern of the annotators of a kind; a pattern that matches nothing where there is none."""
    found = (name for name, part in CONFIG.annotators.items() if part.kind == kind)
    return "|".join(found) or "(?!)"


def people_of(annotator):
    """The people that a language model is compared with; the defaults where the config names none."""
    named = CONFIG.annotators.get(CONFIG.annotators[annotator].people)
    if named is not None and named.kind == "people":
        return named
    return PeopleAnnotatorConfig(kind="people")


def run_parts(run, *parts):
    """Some parts of a run's config as JSON."""
    return CONFIG.runs[run].model_dump_json(include=set(parts))


def training_set_of(wildcards):
    run = CONFIG.runs[wildcards.run]
    return f"results/training_sets/{run.embedder}/{run.lexicon}/{run.mixture}/manifest.json"


def nouns_of(wildcards):
    return f"results/nouns/{CONFIG.runs[wildcards.run].lexicon}.parquet"


def embedder_of(run):
    return settings(CONFIG.embedders[CONFIG.runs[run].embedder])


def shards_of(wildcards):
    """Manifests of all embedding shards of a mixture."""
    return [
        f"results/embeddings/{wildcards.embedder}/{wildcards.lexicon}/{source}/{shard}.json"
        for source in CONFIG.mixtures[wildcards.mixture].weights
        for shard in range(CONFIG.captions.shards(source))
    ]


def captions_of(wildcards):
    return [
        f"results/captions/{wildcards.lexicon}/{source}.parquet"
        for source in CONFIG.mixtures[wildcards.mixture].weights
    ]


def arrays_if_cached(path):
    """An output only where the cache must know of it: Snakemake deletes a declared folder when its job fails."""
    return {"arrays": directory(path)} if CACHED else {}


def not_benchmarked_if_cached():
    """Snakemake refuses rules that are both: there would be nothing to measure."""
    for defined in workflow.rules if CACHED else ():
        if defined.cache.output:
            defined._benchmark = None


def any_of(names):
    """Wildcard pattern of some names; a pattern that matches nothing where there are none."""
    return "|".join(names) or "(?!)"


def check_set_images(name):
    """Where the images of a check set lie; some sets are unpacked below results/ first."""
    return str(
        images_folder(CONFIG.check_sets[name], Path(f"results/check_sets/{name}"))
    )


def check_set_listing(wildcards):
    """Digest of a check set's image files, so that a change is noticed; the script says what is wrong with a folder."""
    folder = check_set_images(wildcards.check_set)
    return listing_of(folder) if Path(folder).is_dir() else ""


def gap_inputs(wildcards):
    """Labels and embeddings of an image set or a check set; nothing to wait for where the script will refuse it."""
    name = wildcards.image_set
    if name in CONFIG.check_sets:
        labels = [f"results/check_sets/{name}.tsv"]
    else:
        labels = labels_of(name)
    images = f"results/image_embeddings/{wildcards.embedder}/{name}.json"
    return {"labels": labels, "images": [images] if labels else []}


def gap_options(wildcards, input):
    """The command-line options of modality_gap that not every image set has."""
    options = [f"--labels {shlex.quote(path)}" for path in input.labels]
    check_set = CONFIG.check_sets.get(wildcards.image_set)
    if check_set is not None:
        options.append(f"--prompts {shlex.quote(json.dumps(check_set.prompts))}")
    elif CONFIG.image_sets[wildcards.image_set].captions:
        options.append(
            f"--captions-in {shlex.quote(image_folder(wildcards.image_set))}"
        )
    trained = [
        run
        for run in CONFIG.runs.values()
        if run.embedder == wildcards.embedder and run.predictor != "retrieval"
    ]
    measured = ("none", "gap", "covariance")
    if trained and trained[0].noise.scheme not in measured:
        options.append(f"--noise {shlex.quote(settings(trained[0].noise))}")
    return " ".join(options)


def captions_for_templates_of(wildcards):
    """The captions of a run that holds templates out: only they say which text is of which template."""
    run = CONFIG.runs[wildcards.run]
    if not run.training.heldout_templates:
        return []
    return [
        f"results/captions/{run.lexicon}/{source}.parquet"
        for source in CONFIG.mixtures[run.mixture].weights
    ]


def gap_of(wildcards):
    """The measured gap, for a run whose noise is matched to images."""
    run = CONFIG.runs[wildcards.run]
    if not run.noise.needs_images:
        return []
    folder = f"results/training_sets/{run.embedder}/{run.lexicon}/{run.mixture}"
    return [f"{folder}/gap/{run.noise.images}.json"]


def image_inputs(wildcards):
    """What an image set is made of, as input files: a fetched source's manifest, a label file."""
    if wildcards.image_set in CONFIG.check_sets:
        return {"labels": f"results/check_sets/{wildcards.image_set}.tsv"}
    image_set = CONFIG.image_sets[wildcards.image_set]
    inputs = {}
    if image_set.source:
        inputs["fetched"] = f"results/inputs/{image_set.source}/manifest.json"
    if image_set.labels:
        inputs["labels"] = resource(image_set.labels)
    return inputs


def image_options(wildcards, input):
    """The command-line options that say where an image set's files and labels are."""
    if wildcards.image_set in CONFIG.check_sets:
        folder = check_set_images(wildcards.image_set)
        return f"--folder {shlex.quote(folder)} --labels {shlex.quote(input.labels)} --only-labelled"
    image_set = CONFIG.image_sets[wildcards.image_set]
    folder = input.fetched if image_set.source else image_set.folder
    option = "--input-manifest" if image_set.source else "--folder"
    options = [f"{option} {shlex.quote(folder)}"]
    if image_set.labels:
        options.append(f"--labels {shlex.quote(input.labels)}")
    if image_set.only_labelled:
        options.append("--only-labelled")
    return " ".join(options)


def fetched_images(wildcards):
    source = CONFIG.image_sets[wildcards.image_set].source
    return [f"results/inputs/{source}/manifest.json"] if source else []


def folder_listing(wildcards):
    """Digest of the images of an image set's folder, so that a new image is noticed."""
    if wildcards.image_set in CONFIG.check_sets:  # its list of images is an input
        return ""
    folder = CONFIG.image_sets[wildcards.image_set].folder
    return "" if folder is None else listing_of(folder)


def listing_of(folder):
    """Digest of names, sizes and times of a folder's images."""
    stats = [(name, (Path(folder) / name).stat()) for name in list_images(folder)]
    digest = sha256_json(
        [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    )
    return f"images {digest[:16]}"


def put_back_earlier_results():
    """Undo what Snakemake deleted for jobs that then failed."""
    for path in EARLIER_RESULTS.restore():
        print(f"put back as it was before: {path}", file=sys.stderr)


def gather_job_costs():
    """All benchmark files in one table, results/benchmarks/all_jobs.tsv."""
    from nounflow.workflow.job_costs import write_job_costs  # polars is slow to import

    write_job_costs(Path("results"))


def check_image_sets():
    """Say at once what is wrong with a folder or a label file, also where old results hide it from Snakemake."""
    for image_set in CONFIG.image_sets.values():
        if image_set.folder is not None:
            list_images(image_set.folder)
        if image_set.labels is not None:
            read_labels(resource(image_set.labels))


def labels_of(image_set):
    labels = CONFIG.image_sets[image_set].labels
    return [resource(labels)] if labels else []


def predictions_on(image_set):
    return expand(
        "results/predictions/{run}/{image_set}.json",
        run=CONFIG.runs,
        image_set=image_set,
    )


def image_folder(image_set):
    """Where an image set's files lie: a folder, or the manifest of a fetched source."""
    part = CONFIG.image_sets[image_set]
    return part.folder or f"results/inputs/{part.source}/manifest.json"


def counts_of_all_stages():
    """The counts of everything behind the runs, in the order of the stages, whatever the config's order."""
    runs = CONFIG.runs.values()
    sets = sorted({(run.embedder, run.lexicon, run.mixture) for run in runs})
    shards = sorted(
        {
            (embedder, lexicon, source, shard)
            for embedder, lexicon, mixture in sets
            for source in CONFIG.mixtures[mixture].weights
            for shard in range(CONFIG.captions.shards(source))
        }
    )
    lexicons = sorted({run.lexicon for run in runs})
    sources = sorted({(lexicon, source) for _, lexicon, source, _ in shards})
    fetched = {
        "wordnet",
        *(part.source for part in CONFIG.image_sets.values() if part.source),
    }
    return [
        *(f"results/inputs/{name}/manifest.counts.json" for name in sorted(fetched)),
        *(f"results/nouns/{lexicon}.counts.json" for lexicon in lexicons),
        *(
            f"results/captions/{lexicon}/{source}.counts.json"
            for lexicon, source in sources
        ),
        *(
            f"results/embeddings/{'/'.join(map(str, shard))}.counts.json"
            for shard in shards
        ),
        *(
            f"results/training_sets/{'/'.join(part)}/manifest.counts.json"
            for part in sets
        ),
        *(f"results/models/{run}/manifest.counts.json" for run in sorted(CONFIG.runs)),
        *(
            f"results/image_embeddings/{embedder}/{image_set}.counts.json"
            for embedder in sorted({run.embedder for run in runs})
            for image_set in sorted(CONFIG.image_sets)
        ),
        *(
            path.replace(".json", ".counts.json")
            for path in [*sorted(PREDICTIONS), *sorted(ANNOTATIONS)]
        ),
        "results/scores.counts.json",
    ]


PREDICTIONS = [
    path for image_set in CONFIG.image_sets for path in predictions_on(image_set)
]
ANNOTATIONS = expand(
    "results/annotations/{image_set}/{annotator}.json",
    image_set=CONFIG.image_sets,
    annotator=CONFIG.annotators,
)
LEXICONS = sorted(
    {f"results/nouns/{run.lexicon}.parquet" for run in CONFIG.runs.values()}
)
LABELS = json.dumps(
    {name: (labels_of(name) or [None])[0] for name in CONFIG.image_sets}
)
IMAGE_SET_LABELS = json.dumps(
    {name: {"labels": (labels_of(name) or [None])[0]} for name in CONFIG.image_sets}
)
IMAGE_FOLDERS = json.dumps({name: image_folder(name) for name in CONFIG.image_sets})
LABEL_FILES = [path for name in CONFIG.image_sets for path in labels_of(name)]
FETCHED_IMAGES = [
    image_folder(name) for name, part in CONFIG.image_sets.items() if part.source
]
TEMPLATES = [
    resource(CONFIG.captions.singular_templates),
    resource(CONFIG.captions.plural_templates),
]
SPECIFICITY = (
    [resource(CONFIG.scoring.specificity)] if CONFIG.scoring.specificity else []
)
COUNTS = counts_of_all_stages()
REPORT_TEMPLATES = [
    os.path.relpath(path)
    for path in sorted((HOME / "nounflow/report/templates").iterdir())
]

try:
    check_image_sets()
except NounflowError as error:
    raise WorkflowError(str(error))
