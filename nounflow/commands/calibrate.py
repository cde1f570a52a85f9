"""`nounflow calibrate`: make a model's probabilities mean what they say, on labelled photographs of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import add_machine, add_run, load_classifier
from nounflow.errors import NounflowError

_LEAST = 50


def add(commands: Any) -> None:
    """Add `calibrate` to the parsers of `nounflow`."""
    parser = commands.add_parser(
        "calibrate",
        help="fit a model's probabilities to labelled photographs",
        description="Fit a model's probabilities to labelled photographs, so that of those named with 70 %% about 70 "
        "in 100 are right. Writes calibration.json beside the model, which naming then uses (`nounflow name "
        "--uncalibrated` does not), before what the workflow fitted to captions. The order of the nouns stays. What is "
        "scored by the workflow is not touched.",
    )
    parser.add_argument("folder", nargs="?", type=Path, help="the photographs")
    parser.add_argument("--labels", type=Path, help="label file: columns file, gold, accepted")
    parser.add_argument("--candidates", type=at_least_one, default=10, help="nouns of an image that are weighed")
    parser.add_argument("--remove", action="store_true", help="remove the model's calibration instead")
    add_run(parser)
    add_machine(parser)
    parser.set_defaults(call=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> None:
    import numpy as np

    from nounflow.escaping import escaped
    from nounflow.image_names import same_name
    from nounflow.images import list_images
    from nounflow.model_folders import find_model
    from nounflow.predictors.calibrating import CALIBRATION, fit_document
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.labels import read_labels
    from nounflow.scoring.calibration import calibration, calibration_interval
    from nounflow.streams import stream
    from nounflow.text import canon

    target = find_model(arguments.run).parent / CALIBRATION
    if arguments.remove:
        print(f"{'removed' if target.exists() else 'there is no'} {target}")
        return target.unlink(missing_ok=True)
    if not (arguments.folder and arguments.labels):
        raise NounflowError("Which photographs, and what do they show?", fix="pass their folder and --labels TSV")
    labels = read_labels(arguments.labels)
    classifier = load_classifier(arguments, arguments.run, calibrated=False)
    files = [file for file in list_images(arguments.folder) if file in labels]
    found = set(map(same_name, files))
    if missing := [file for file in labels if file not in found]:
        print(f"labels that match no image: {len(missing):,}, such as {escaped(missing[0])}", file=sys.stderr)
    _refuse_few(len(files), arguments.folder)
    named = classifier.name(files, arguments.folder, arguments.candidates)
    probabilities = np.zeros((len(files), arguments.candidates))
    right = np.zeros(probabilities.shape, dtype=bool)
    for i, (file, naming) in enumerate(zip(files, named, strict=True)):
        names = classifier.synonyms((labels[file].gold, *labels[file].accepted))
        probabilities[i, : len(naming.nouns)] = naming.probabilities
        right[i, : len(naming.nouns)] = [canon(noun) in names for noun in naming.nouns]
    read = np.array([not naming.problem for naming in named])
    if unread := [naming for naming in named if naming.problem]:
        first = f"{escaped(unread[0].file)}: {unread[0].problem}"
        print(f"unreadable images: {len(unread):,}, such as {first}", file=sys.stderr)
    probabilities, right = probabilities[read], right[read]
    _refuse_few(len(right), arguments.folder)
    fitted, claims = fit_document(
        probabilities,
        right,
        lambda claimed, truth: calibration(claimed, truth)[0],
        weights_sha256=classifier.weights_sha256,
        candidates=arguments.candidates,
        labels=arguments.labels.as_posix(),
    )
    write_document(target, fitted)
    low, high = calibration_interval(claims, right[:, 0], stream(0, "calibrate"))
    error = f"{fitted.error_before:.3f}, now {fitted.error_after:.3f} [{low:.3f}, {high:.3f}]"
    print(f"{fitted.images:,} images, the first noun is right for {fitted.right:.1%}")
    print(f"calibration error {error} in cross-validation")
    print(f"written to {target}; `nounflow name` uses it from now on")


def _refuse_few(images: int, folder: Path) -> None:
    if images < _LEAST:
        raise NounflowError(
            f"{images} labelled images are there, and {_LEAST} are needed at least",
            where=folder,
            fix="label more, or check that `file` in the label file is relative to this folder",
        )
