"""What a config will take, before anything runs."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nounflow.config.experiment import Config, ImageSetConfig, read_config
from nounflow.errors import NounflowError
from nounflow.workflow.plan import lexicon_sizes, machine_for, plan, read_rates


@pytest.fixture
def config(repository: Path) -> Config:
    return read_config([repository / "config/config.yaml"])


@pytest.fixture
def rates(repository: Path) -> pl.DataFrame:
    return read_rates(repository / "resources/rates.tsv")


def test_every_stage_of_the_default_has_a_line_with_room_and_time(config: Config, rates: pl.DataFrame) -> None:
    steps = plan(config, {"small": 1000}, rates, "two-cores")
    by_name = {step.what: step for step in steps}
    m1 = by_name["embed m1 of small with bundled"]
    assert m1.amount == 1000 * config.captions.multiset.texts_per_noun[0]
    assert m1.bytes == m1.amount * 384 * 2
    assert m1.hours == pytest.approx(m1.amount / 1800 / 3600)
    assert {step.what for step in steps if step.unit == "samples"} == {"train small", "train small_head"}
    assert {"build the lexicon small", "write offline of small", "merge m3_captions of small with bundled",
            "embed photos with bundled"} <= set(by_name)  # fmt: skip
    assert all(step.hours and step.hours > 0 and step.source == "measured" for step in steps)


def test_a_step_without_a_rate_says_so_instead_of_guessing(config: Config, rates: pl.DataFrame) -> None:
    steps = plan(config, {"small": 1000}, rates, "a6000")
    assert {step.source for step in steps if step.what.startswith(("embed", "train"))} == {"no rate"}


def test_images_that_are_not_there_yet_are_not_counted(config: Config, rates: pl.DataFrame, tmp_path: Path) -> None:
    later = {"photos": ImageSetConfig(folder=str(tmp_path / "later"))}
    config = config.model_copy(update={"image_sets": later})
    step = plan(config, {"small": 1000}, rates, "two-cores")[-1]
    assert (step.amount, step.hours, step.source) == (None, None, "not counted yet")


def test_the_machine_is_that_with_most_rates_for_the_recipe(
    repository: Path, config: Config, rates: pl.DataFrame
) -> None:
    assert machine_for(config, {"small": 1000}, rates) == "two-cores"
    recipe = read_config([repository / "config/config.yaml", repository / "config/recipes/novic_ft0.yaml"])
    assert machine_for(recipe, {"novic_ft0": 1000}, rates) == "a6000"


def test_an_unbuilt_lexicon_is_assumed_with_a_note(config: Config, tmp_path: Path) -> None:
    sizes, notes = lexicon_sizes(config, tmp_path)
    assert sizes == {"small": 4636}
    assert "assumed" in notes[0]


def test_a_rate_file_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rates.tsv"
    path.write_text("machine\ttask\nx\ttexts\n")
    with pytest.raises(NounflowError, match="per_second"):
        read_rates(path)
