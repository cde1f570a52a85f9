"""The three image sets of the NOVIC paper, as the README of the repository pallgeuer/novic links them."""

from functools import partial

from nounflow.inputs.download import fetch_zipped_images

_FOLDER = "https://www2.informatik.uni-hamburg.de/wtm/corpora/ovic_datasets"
_STATED = "CC BY-NC-SA 4.0 as its publisher states (the statement's link leads to CC BY-SA 4.0)"

fetch_world = partial(fetch_zipped_images, "novic_world", _STATED, url=f"{_FOLDER}/world_dataset.zip")
fetch_wiki = partial(
    fetch_zipped_images,
    "novic_wiki",
    f"{_STATED}; of each Wikipedia image its own, which is not told",
    url=f"{_FOLDER}/wiki_dataset.zip",
)
fetch_val3k = partial(
    fetch_zipped_images,
    "novic_val3k",
    f"{_STATED}; the images are ImageNet's, for research that is not commercial",
    url=f"{_FOLDER}/val3k_dataset.zip",
)
