# Included first: the checked config, and what several stages share. Input functions of one rule stand above it, with
# an argument a line: so `snakemake --lint`, which wants functions in files of their own, lets them.

import json
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake.utils import update_config

from nounflow.atomic import remove_leftovers
from nounflow.config.embedder_views import view_of
from nounflow.config.experiment import load_config
from nounflow.config.inputs import INPUTS, NOUN_READERS
from nounflow.config.judged_sets import judged_sets
from nounflow.config.noise import SCHEMES
from nounflow.config.yaml_files import read_keys
from nounflow.earlier_results import EarlierResults
from nounflow.errors import NounflowError
from nounflow.files import sha256_file, sha256_json
from nounflow.fingerprint import code_fingerprint
from nounflow.images import list_images
from nounflow.predictor_kinds import PREDICTORS
from nounflow.schemas.labels import read_labels
from nounflow.workflow.job_setup import computes_on, job_setup, shell_words
from nounflow.workflow.model_files import own_files_digest
from nounflow.workflow.talk import LessTalk

# The folder of this project, also where it is a module of another workflow (whose config need only say what differs).
HOME = Path(str(workflow.current_basedir)).parent

try:
    SETTINGS = read_keys(HOME / "config/config.yaml")
    # of a key that stands twice, Snakemake would take the last
    for path in workflow.configfiles:
        read_keys(Path(path))
    update_config(SETTINGS, config)
    CONFIG = load_config(SETTINGS)
except NounflowError as error:
    raise WorkflowError(str(error))

# The python of the rules is the one that runs Snakemake, also where no environment is activated.
deployed = workflow.deployment_settings.deployment_method
python = None if deployed else str(Path(sys.executable).parent)
shell.prefix(job_setup(CONFIG, SETTINGS, os.path.relpath(HOME), python))

kept = Path("results/.earlier")
EARLIER_RESULTS = EarlierResults(Path("results"), Path(".snakemake/metadata"), kept)

logger.addFilter(LessTalk(quiet=bool(workflow.output_settings.quiet)))

IMAGE_EMBEDDINGS = "results/image_embeddings/{embedder}/{image_set}.json"
VIEWS = ["whole", CONFIG.tags.local]  # of sets with several labels, made by one job
GPU = 0 if CONFIG.device == "cpu" else 1
DEVICE = json.dumps({"device": computes_on(CONFIG.device)})
THREADS = json.dumps({"threads": CONFIG.threads})

# Snakemake's cache between workflows (docs/workflow.md)
CACHED = workflow.workflow_settings.cache is not None
if CACHED and not os.environ.get("SNAKEMAKE_OUTPUT_CACHE"):
    raise WorkflowError(
        "--cache needs to know where: export SNAKEMAKE_OUTPUT_CACHE=/a/folder/that/exists"
    )


def any_of(names):
    """Wildcard pattern of some names; a pattern that matches nothing where there are none."""
    return "|".join(names) or "(?!)"


wildcard_constraints:
    lexicon=any_of(CONFIG.lexicons),
    embedder=any_of(CONFIG.embedders),
    mixture=any_of(CONFIG.mixtures),
    image_set=any_of(CONFIG.image_sets),
    check_set=any_of(CONFIG.check_sets),
    run=any_of(CONFIG.runs),
    source=any_of(CONFIG.captions.sources),
    shard=r"\d+",


def code(script, *places):
    """Fingerprint of a stage's script, the registry entries that it uses, and the modules that these import."""
    return code_fingerprint(HOME / "workflow_scripts" / f"{script}.py", *places)


def embedding_code(script, embedder, *places):
    """The same of a stage that loads an embedder of the config, with the files of a model of one's own."""
    part = CONFIG.embedders[embedder]
    return code(script, part.family.load, *places) + own_files_digest(part)


def shaping(part):
    """What of a part of the config shapes results, as JSON; a change of the rest reruns nothing."""
    return json.dumps(part.shaping())


def resource(path):
    """A file that the config names: in the working folder, else beside the Snakefile; no prefix of a module moves it."""
    return local(path if Path(path).exists() else os.path.relpath(HOME / path))


def contents(*paths):
    """Digest of files that the config names: Snakemake passes over one that came with an older time (rsync -a, mv)."""
    found = [path if Path(path).exists() else HOME / path for path in paths]
    return " ".join(
        sha256_file(path)[:16] for path in map(Path, found) if path.is_file()
    )


def family_of(embedder):
    """Who loads an embedder of the config."""
    return CONFIG.embedders[embedder].family


def arrays_if_cached(path):
    """An output only where the cache must know of it: Snakemake deletes a declared folder when its job fails."""
    return {"arrays": directory(path)} if CACHED else {}


def not_benchmarked_if_cached():
    """Snakemake refuses rules that are both: there would be nothing to measure."""
    for defined in filter(lambda each: CACHED and each.cache.output, workflow.rules):
        defined._benchmark = None


def listing_of(folder):
    """Digest of names, sizes and times of a folder's images, so that a change is noticed; none of what is no folder."""
    if folder is None:
        return ""
    stats = [(name, (Path(folder) / name).stat()) for name in list_images(folder)]
    digest = sha256_json([[name, at.st_size, at.st_mtime_ns] for name, at in stats])
    return f"images {digest[:16]}"


def fetched(name):
    """Manifest of a fetched input."""
    return expand(rules.fetch_inputs.output.manifest, name=name)


JUDGED_SETS = judged_sets(CONFIG)


def imports_of(*lexicons):
    """Manifests of the sources that lexicons take further nouns from."""
    names = [name for lexicon in lexicons for name in CONFIG.lexicons[lexicon].imports]
    return fetched(list(dict.fromkeys(names)))


def readers_of(*lexicons):
    """Who reads them."""
    return [
        NOUN_READERS[name]
        for lexicon in lexicons
        for name in CONFIG.lexicons[lexicon].imports
    ]


def labels_of(image_set):
    """The label file of an image set, if it has one."""
    labels = JUDGED_SETS[image_set].labels
    return [resource(labels)] if labels else []


def image_folder(image_set):
    """Where an image set's files lie: a folder, or the manifest of a fetched source."""
    part = JUDGED_SETS[image_set]
    return part.folder or fetched(part.source)[0]


def fetched_images(image_set):
    """What has to be fetched before an image set's files are there."""
    return fetched(JUDGED_SETS[image_set].source or [])


try:  # what is wrong with a folder or a label file is said at once, also where old results hide it from Snakemake
    for part in CONFIG.image_sets.values():
        if part.folder is not None:
            list_images(part.folder)
        if part.labels is not None:
            read_labels(resource(part.labels))
except NounflowError as error:
    raise WorkflowError(str(error))
