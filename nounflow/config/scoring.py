"""How predictions are scored."""

from pydantic import Field

from nounflow.config.base import HomePath, Settings


class ScoringConfig(Settings):
    """What the overall score takes for specific, and what stands beside the runs in the report."""

    coarse_from: int = Field(
        30, ge=1, description="a noun of which WordNet has so many kinds or more is coarse: half its points count"
    )
    specificity: HomePath | None = Field(
        None, description='flat JSON {"noun": factor from 0 to 1} that overrules `coarse_from`'
    )
    published: bool = Field(True, description="show the published scores of NOVIC, RAM and Tag2Text in the report")
