"""Any predictor from its folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pydantic

from nounflow.config.generation import GenerationConfig
from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.predictor_kinds import GENERATION, PREDICTORS
from nounflow.predictors.moved import MovedPredictor, projected, shifted
from nounflow.predictors.protocol import Predictor
from nounflow.registry import resolve
from nounflow.schemas.documents import read_document
from nounflow.schemas.embeddings import TrainingSetManifest
from nounflow.schemas.models import PredictorManifest
from nounflow.store.shards import check_identity
from nounflow.store.weights import IMAGE_SHIFT, MEMORY, read_predictor


def load_predictor(manifest_path: Path, device: str, generation: GenerationConfig | None = None) -> Predictor:
    """Load any predictor from its folder's manifest.

    Args:
        device: settled.
        generation: how a decoder is read; None: as its run says. The other kinds have no use for it.

    Raises:
        NounflowError: it is damaged, or of a kind that is not known.
    """
    path = Path(manifest_path)
    manifest, tensors = read_predictor(path)
    shift, memory = tensors.pop(IMAGE_SHIFT, None), tensors.pop(MEMORY, None)
    load = resolve(PREDICTORS[manifest.predictor].load)
    try:
        predictor: Predictor = load(manifest, tensors, device, generation or read_generation(path), path)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, pydantic.ValidationError) as error:
        raise DamagedFileError(
            f"A predictor's weights and manifest do not fit each other ({str(error).splitlines()[0]})",
            where=path,
            fix="train the run again, or fetch the whole folder again",
        ) from error
    if memory is not None:
        predictor = MovedPredictor(predictor, partial(projected, memory=memory.float()))
    return predictor if shift is None else MovedPredictor(predictor, partial(shifted, shift=shift.numpy()))


def read_generation(manifest_path: Path) -> GenerationConfig:
    """How a model is read: as it was written beside it, else the defaults."""
    path = manifest_path.parent / GENERATION
    return read_document(GenerationConfig, path, "generation settings") if path.exists() else GenerationConfig()


def load_parts(paths: Sequence[Path], device: str, candidates: int) -> list[Predictor]:
    """The parts of a fused predictor, from their manifests; a decoder's beam is as wide as it puts nouns forward.

    Raises:
        MismatchError: they do not go together.
        NounflowError: one of them is fused itself, or moves texts or images.
    """
    parts = [load_predictor(path, device, GenerationConfig(beam_width=candidates)) for path in paths]
    for part, path in zip(parts, paths, strict=True):
        check_origin(part.manifest, parts[0].manifest, path, paths[0])
        if PREDICTORS[part.manifest.predictor].combines:
            raise NounflowError("A fused predictor cannot be part of another", where=path, fix="name its own parts")
        if part.manifest.settings.get("noise", {}).get("shift", "none") != "none":
            raise NounflowError(
                "A run that moves texts or images (`noise.shift`) cannot be part of a fused one, "
                "whose rule is fitted to texts as they are",
                where=path,
                fix="take it out of `fused.parts`",
            )
    return parts


def check_origin(
    one: PredictorManifest | TrainingSetManifest, other: PredictorManifest, where: Path, other_where: Path
) -> None:
    """Refuse two things that are not of one embedder and one lexicon.

    Raises:
        MismatchError: naming both sides.
    """
    check_identity(one.embedder, other.embedder, where, other_where)
    if one.lexicon != other.lexicon:
        raise MismatchError(
            f"They are of two lexicons ({one.lexicon[:12]} against {other.lexicon[:12]})",
            where=f"{where} against {other_where}",
            fix="fuse runs of one lexicon; if it was built anew, run the models stage again",
        )
