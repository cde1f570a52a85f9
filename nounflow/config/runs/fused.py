"""Runs that combine others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from nounflow.config.base import Settings
from nounflow.config.runs.run import PREDICTOR, Run, one_of
from nounflow.predictor_kinds import PREDICTORS

if TYPE_CHECKING:
    from nounflow.config.experiment import Config


class FusedConfig(Settings):
    """The `fused` predictor: other runs combined by a rule that is fitted to held-out texts."""

    parts: tuple[str, ...] = Field((), description="runs that are combined; a single one is calibrated")
    candidates: int = Field(12, ge=1, description="nouns that each part puts forward")
    texts: int = Field(1000, ge=5, description="most held-out texts that the rule is fitted to")


class FusedRun(Run):
    """Other runs combined; its noise is that of the held-out texts to which the rule is fitted."""

    predictor: Literal["fused"] = Field(description=PREDICTOR)
    fused: FusedConfig = FusedConfig()

    def check(self, key: str, config: Config) -> None:
        """See `Run.check`."""
        if self.noise.needs_images:
            raise ValueError(
                f"{key}.noise.images: a rule is fitted to words alone, so its noise cannot be matched to images"
            )
        super().check(key, config)
        key = f"{key}.fused.parts"
        possible = sorted(
            name
            for name, run in config.runs.items()
            if not PREDICTORS[run.predictor].combines and (run.lexicon, run.embedder) == (self.lexicon, self.embedder)
        )
        only = " (runs of its lexicon and embedder that are not fused)"
        if not self.fused.parts:
            raise ValueError(f"{key}: a fused run needs some, allowed: {', '.join(possible) or 'none'}{only}")
        for part in self.fused.parts:
            one_of(key, part, possible, only)
            if config.runs[part].noise.shift != "none":
                raise ValueError(
                    f"{key}: {part!r} moves texts or images (`noise.shift`), and a rule is fitted to texts as they are"
                )
        if len(set(self.fused.parts)) < len(self.fused.parts):
            raise ValueError(f"{key}: one is named twice")
