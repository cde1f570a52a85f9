"""Golden texts: before a large job, the fast path must give what the plain one gives."""

import numpy as np

from nounflow.embedders.protocol import Embedder
from nounflow.errors import MismatchError

# Short and long, plain and odd; in the order of the recorded vectors.
GOLDEN_TEXTS = (
    "owl",
    "a photo of a cat.",
    "A photo of two dogs playing in the snow.",
    "a drawing of a fire truck, an apple and an x-ray.",
    "There is a wrench on the workbench.",
    "A hermit crab, a small crab that lives in the cast-off shells of other animals, on a beach.",
    "an aerial photograph of a harbour with many sailing boats",
    "The praying mantis is eating; it's hungry!",
    "ünïcode — café",
    "12 eggs, 3.5 litres of milk & a loaf of bread",
    "a close-up of a hand that holds an old pocket watch with a cracked glass and a long golden chain, lying on a "
    "wooden table beside a cup of coffee, some letters and a pair of spectacles",
    # More tokens than CLIP takes.
    "A market stall with " + ", ".join(f"{number} boxes of fruit of kind {number}" for number in range(1, 21)) + ".",
)
EXACT = 1e-5  # largest difference of any number of a unit vector, in fp32
COSINE = 0.9999  # in a lower precision


def check_golden(model: Embedder) -> None:
    """Embed the golden texts as a job would and hold them against the plain path.

    Raises:
        MismatchError: they differ, with both sides.
    """
    expected = model.golden_vectors()
    found = model.encode_texts(GOLDEN_TEXTS, progress=False)
    cosines = np.sum(found.astype(np.float64) * expected, axis=1)
    differences = np.abs(found - expected).max(axis=1)
    exact = model.identity.precision == "fp32"
    wrong = np.flatnonzero(~(differences <= EXACT)) if exact else np.flatnonzero(~(cosines >= COSINE))
    if not len(wrong):
        return
    limit = f"at most {EXACT}" if exact else f"a cosine of at least {COSINE}"
    lines = [
        f"{GOLDEN_TEXTS[row]!r}: cosine {cosines[row]:.6f}, largest difference {differences[row]:.1e}; "
        f"found {np.round(found[row, :4], 5).tolist()}..., expected {np.round(expected[row, :4], 5).tolist()}..."
        for row in wrong[:3]
    ]
    raise MismatchError(
        f"{len(wrong)} of {len(GOLDEN_TEXTS)} golden texts get other vectors than they should (allowed: {limit}):\n    "
        + "\n    ".join(lines),
        where=f"{model.identity.spec}, {model.identity.precision}",
        fix="write `precision: fp32` and `compile: false` for the embedder; if that fails too, install the locked "
        "versions of requirements.lock",
    )
