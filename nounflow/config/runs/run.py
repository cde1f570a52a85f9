"""What all runs have, and how one is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, PlainValidator

from nounflow.config.auto import settled_noise
from nounflow.config.base import Settings
from nounflow.config.noise import Noise, NoiseConfig
from nounflow.config.training import TrainingConfig
from nounflow.predictor_kinds import PREDICTORS
from nounflow.registry import resolve

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


PREDICTOR = f"what answers: {', '.join(PREDICTORS)}; a run that names none is of the first"


class Run(Settings):
    """What all runs have."""

    predictor: str
    lexicon: str = Field(description="name under `lexicons`")
    embedder: str = Field(description="name under `embedders`")
    mixture: str = Field(description="name under `mixtures`")
    noise: Noise = NoiseConfig()
    seed: int = Field(1, ge=0, description="seed of initialisation, sample order and noise")

    def settled(self, spec: str) -> Self:
        """With what follows the embedder, where the config does not say it (`nounflow.config.auto`).

        Raises:
            ValueError: what was said does not go with what is chosen.
        """
        return self.model_copy(update={"noise": settled_noise(self.noise, spec)})

    def recipe(self) -> dict[str, Any]:
        """What the model depends on besides its training set, as JSON: what its manifest keeps."""
        names = ("predictor", "lexicon", "embedder", "mixture")
        return {key: value for key, value in self.shaping().items() if key not in names}

    def check(self, key: str, config: Config) -> None:
        """Hold the run against the whole config.

        Args:
            key: the run's own: "runs.small".

        Raises:
            ValueError: it names something that is not there; the message begins with the key.
        """
        for part in ("lexicon", "embedder", "mixture"):
            one_of(f"{key}.{part}", getattr(self, part), getattr(config, f"{part}s"))
        if self.noise.needs_images:
            one_of(f"{key}.noise.images", self.noise.images, config.image_sets)


class TrainedRun(Run):
    """A run that goes through the training loop."""

    training: TrainingConfig = TrainingConfig()
    memory: int = Field(
        0, ge=0, description="training texts onto whose mixtures images are projected when they are named; 0: off"
    )

    @property
    def size(self) -> str:
        """What the speed of its training depends on, as resources/rates.tsv calls it."""
        raise NotImplementedError


def one_of(key: str, name: str | None, known: Iterable[str], why: str = "") -> None:
    """Refuse a name that is not known.

    Raises:
        ValueError: with all that are.
    """
    if name not in (names := sorted(known)):
        raise ValueError(f"{key}: found {name!r}, allowed: {', '.join(names) or 'none'}{why}")


def decoder_unless_said(run: Any) -> Any:
    """The settings of a run with its predictor."""
    return {"predictor": "decoder", **run} if isinstance(run, dict) else run


def _read(run: Any) -> Run:
    """Without the settings classes of other predictors: what is not imported is no part of a fingerprint."""
    settings = decoder_unless_said(run)
    one_of("predictor", settings["predictor"], PREDICTORS)
    read: Run = resolve(PREDICTORS[settings["predictor"]].settings).model_validate(settings)
    return read


AnyRun = Annotated[Run, PlainValidator(_read)]
