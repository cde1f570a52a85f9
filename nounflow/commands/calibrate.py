"""`nounflow calibrate`: make a model's probabilities mean what they say, on labelled photographs of one's own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from nounflow.commandline import at_least_one
from nounflow.commands.options import add_machine, add_run
from nounflow.errors import NounflowError

_LEAST = 50


def add(commands: Any) -> None:
    """Add `calibrate` to the parsers of `nounflow`."""
    parser = commands.add_parser(
        "calibrate",
        help="fit a model's probabilities to labelled photographs",
        description="Fit a model's probabilities to labelled photographs, so that of those named with 70 % about 70 "
        "in 100 are right. Writes calibration.json beside the model, which naming then uses (`nounflow name "
        "--uncalibrated` does not), before what the workflow fitted to captions. The order of the nouns stays. What is "
        "scored by the workflow is not touched.",
    )
    parser.add_argument("folder", type=Path, help="the photographs")
    parser.add_argument("--labels", type=Path, required=True, help="label file: columns file, gold, accepted")
    parser.add_argument("--candidates", type=at_least_one, default=10, help="nouns of an image that are weighed")
    parser.add_argument("--remove", action="store_true", help="remove the model's calibration instead")
    add_run(parser)
    add_machine(parser)
    parser.set_defaults(call=_calibrate)


def _calibrate(arguments: argparse.Namespace) -> None:
    import numpy as np

    from nounflow.classifier import NounClassifier
    from nounflow.escaping import escaped
    from nounflow.image_names import same_name
    from nounflow.images import list_images
    from nounflow.predictors.calibrating import CALIBRATION, fit_calibration
    from nounflow.process import prepare_process
    from nounflow.schemas.documents import write_document
    from nounflow.schemas.hypernyms import AnswerCalibration
    from nounflow.schemas.labels import read_labels
    from nounflow.scoring.calibration import calibration, calibration_interval
    from nounflow.streams import stream
    from nounflow.text import canon

    labels = read_labels(arguments.labels)
    device = prepare_process(arguments.device, arguments.threads)
    classifier = NounClassifier.load(arguments.run, device, arguments.threads, calibrated=False)
    target = classifier.manifest_path.parent / CALIBRATION
    if arguments.remove:
        target.unlink(missing_ok=True)
        print(f"removed {target}")
        return
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
    fitted = fit_calibration(probabilities, right)
    before, _ = calibration(probabilities[:, 0], right[:, 0])
    after, _ = calibration(fitted.first, right[:, 0])
    write_document(
        target,
        AnswerCalibration(
            weights_sha256=classifier.weights_sha256,
            weight=fitted.rule.weights[0],
            none=fitted.rule.none,
            candidates=arguments.candidates,
            images=len(probabilities),
            labels=arguments.labels.as_posix(),
            error_before=before,
            error_after=after,
            right=float(right[:, 0].mean()),
        ),
    )
    low, high = calibration_interval(fitted.first, right[:, 0], stream(0, "calibrate"))
    print(f"{len(probabilities):,} images, the first noun is right for {right[:, 0].mean():.1%}")
    print(f"calibration error {before:.3f}, now {after:.3f} [{low:.3f}, {high:.3f}] in cross-validation")
    print(f"written to {target}; `nounflow name` uses it from now on")


def _refuse_few(images: int, folder: Path) -> None:
    if images < _LEAST:
        raise NounflowError(
            f"{images} labelled images are there, and {_LEAST} are needed at least",
            where=folder,
            fix="label more, or check that `file` in the label file is relative to this folder",
        )
