# Everything that is Python: the checked config, code fingerprints and input functions.
# Rules in the other files hold none.

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from nounflow.config.experiment import load_config
from nounflow.earlier_results import EarlierResults
from nounflow.errors import NounflowError
from nounflow.fingerprint import code_fingerprint
from nounflow.images import list_images
from nounflow.files import sha256_json
from nounflow.schemas.labels import read_labels

HOME = Path(workflow.basedir)

try:
    CONFIG = load_config(config)
except NounflowError as error:
    raise WorkflowError(str(error))

# The python of the rules is the one that runs Snakemake, also where no environment is activated. A prefix
# replaces bash's strict mode, hence `set`. NOUNFLOW_HOME lets a rule find its script under --directory, and
# NOUNFLOW_LLM holds settings of which most are no reason to run a rule again.
SETUP = (
    f"set -euo pipefail; export NOUNFLOW_HOME={shlex.quote(os.path.relpath(HOME))}; "
    f"export NOUNFLOW_LLM={shlex.quote(CONFIG.captions.llm.model_dump_json())}; "
)
if not workflow.deployment_settings.deployment_method:
    SETUP += f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
shell.prefix(SETUP.replace("{", "{{").replace("}", "}}"))

EARLIER_RESULTS = EarlierResults(
    Path("results"), Path(".snakemake/metadata"), Path("results/.earlier")
)

GPU = 0 if CONFIG.device == "cpu" else 1


wildcard_constraints:
    lexicon="|".join(CONFIG.lexicons),
    embedder="|".join(CONFIG.embedders),
    mixture="|".join(CONFIG.mixtures),
    image_set="|".join(CONFIG.image_sets),
    source=r"m\d|offline|llm",
    shard=r"\d+",


def code(script):
    """Fingerprint of a stage's script and of the library modules that it imports."""
    return code_fingerprint(HOME / "workflow_scripts" / f"{script}.py")


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
    return (
        "|".join(
            name for name, run in CONFIG.runs.items() if run.predictor == predictor
        )
        or "(?!)"
    )


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


def image_inputs(wildcards):
    """What an image set is made of, as input files: a fetched source's manifest, a label file."""
    image_set = CONFIG.image_sets[wildcards.image_set]
    inputs = {}
    if image_set.source:
        inputs["fetched"] = f"results/inputs/{image_set.source}/manifest.json"
    if image_set.labels:
        inputs["labels"] = resource(image_set.labels)
    return inputs


def image_options(wildcards, input):
    """The command-line options that say where an image set's files and labels are."""
    image_set = CONFIG.image_sets[wildcards.image_set]
    folder = input.fetched if image_set.source else image_set.folder
    option = "--input-manifest" if image_set.source else "--folder"
    options = [f"{option} {shlex.quote(folder)}"]
    if image_set.labels:
        options.append(f"--labels {shlex.quote(input.labels)}")
    if image_set.only_labelled:
        options.append("--only-labelled")
    return " ".join(options)


def folder_listing(wildcards):
    """Digest of names, sizes and times of a folder's images, so that a new image is noticed."""
    folder = CONFIG.image_sets[wildcards.image_set].folder
    if folder is None:
        return ""
    stats = [(name, (Path(folder) / name).stat()) for name in list_images(folder)]
    return sha256_json(
        [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    )[:16]


def put_back_earlier_results():
    """Undo what Snakemake deleted for jobs that then failed."""
    for path in EARLIER_RESULTS.restore():
        print(f"put back as it was before: {path}", file=sys.stderr)


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
    """The counts of everything behind the runs, in the order of the stages."""
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
        *(f"results/decoders/{run}/manifest.counts.json" for run in CONFIG.runs),
        *(
            f"results/image_embeddings/{embedder}/{image_set}.counts.json"
            for embedder in sorted({run.embedder for run in runs})
            for image_set in CONFIG.image_sets
        ),
        *(path.replace(".json", ".counts.json") for path in PREDICTIONS + ANNOTATIONS),
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
COUNTS = counts_of_all_stages()
REPORT_TEMPLATES = [
    os.path.relpath(path)
    for path in sorted((HOME / "nounflow/scoring/templates").iterdir())
]

try:
    check_image_sets()
except NounflowError as error:
    raise WorkflowError(str(error))
