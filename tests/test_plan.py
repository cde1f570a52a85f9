"""What a config will take, before anything runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import pytest

from nounflow.commands import speeds
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.experiment import Config, ImageSetConfig, read_config
from nounflow.errors import NounflowError
from nounflow.workflow.plan import Rate, dim_of, lexicon_sizes, plan, read_rates

BUNDLED = "bundled:minilm-conse"


@pytest.fixture
def config(repository: Path) -> Config:
    return read_config([repository / "config/config.yaml"])


@pytest.fixture
def rates(repository: Path) -> list[Rate]:
    """Those of the file, and of a machine as it might be measured."""
    here = [("texts", BUNDLED, 1800.0), ("images", BUNDLED, 34.0)]
    here += [("samples", "decoder:384x2", 2817.0), ("samples", "head:0", 25e3)]
    return [*read_rates(repository / "resources/rates.tsv"), *(Rate("here", *each, "measured") for each in here)]


def test_every_stage_of_the_default_has_a_line_with_room_and_time(config: Config, rates: list[Rate]) -> None:
    steps = plan(config, {"small": 1000}, rates, "here")
    by_name = {step.what: step for step in steps}
    m1 = by_name["embed m1 of small with bundled"]
    assert m1.amount == 1000 * 7 > 1000 * config.captions.multiset.texts_per_noun[0]  # every noun gets the core texts
    assert m1.bytes == m1.amount * 384 * 2
    assert m1.hours == pytest.approx(m1.amount / 1800 / 3600)
    assert {step.what for step in steps if step.unit == "samples"} == {"train small", "train small_head"}
    assert {"build the lexicon small", "write offline of small", "merge m3_captions of small with bundled",
            "embed photos with bundled"} <= set(by_name)  # fmt: skip
    assert all(step.hours and step.hours > 0 and step.source == "measured" for step in steps)


def test_a_step_without_a_rate_says_so_instead_of_guessing(config: Config, rates: list[Rate]) -> None:
    steps = plan(config, {"small": 1000}, rates, "a6000")
    assert {step.source for step in steps if step.what.startswith(("embed", "train"))} == {"no rate"}


def test_images_that_are_not_there_yet_are_not_counted(config: Config, rates: list[Rate], tmp_path: Path) -> None:
    later = {"photos": ImageSetConfig(folder=str(tmp_path / "later"))}
    config = config.model_copy(update={"image_sets": later})
    step = plan(config, {"small": 1000}, rates, "here")[-1]
    assert (step.amount, step.hours, step.source) == (None, None, "not counted yet")


def test_this_machine_is_measured_in_seconds(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speeds, "_SECONDS", 0.01)
    start = time.monotonic()
    found = speeds.measured_rates(config, {"small": 300}, "cpu")
    assert time.monotonic() - start < 60
    assert {(rate.task, rate.subject) for rate in found} == {
        ("texts", BUNDLED), ("images", BUNDLED), ("samples", "decoder:384x2"), ("samples", "head:0"),
    }  # fmt: skip
    assert all(rate.per_second > 0 and rate.machine == speeds.HERE for rate in found)
    assert "measuring the training of decoder:384x2 (1 of 2) ..." in capsys.readouterr().err


def test_a_rate_is_that_of_work_that_takes_long_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speeds, "_SECONDS", 0.2)
    assert speeds.rate_of(lambda n: time.sleep(n / 1000), 8) == pytest.approx(1000, rel=0.3)


def test_a_large_tower_is_measured_on_few_texts_and_images(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(speeds, "_SECONDS", 0.02)
    asked = Counter[str]()

    def slow(name: str, units: Sequence[object]) -> None:
        asked[name] += len(units)
        time.sleep(0.01 * len(units))

    tower = Mock(
        encode_texts=lambda each, progress: slow("texts", each), encode_images=lambda each: slow("images", each)
    )
    rates = speeds.embedder_rates(EmbedderConfig(spec=BUNDLED), tower)
    assert [round(rate.per_second, -2) for rate in rates] == [100, 100]
    assert max(asked.values()) <= 4
    assert f"measuring images of {BUNDLED}" in capsys.readouterr().err


def test_dimensions_of_known_towers_need_no_weights() -> None:
    assert dim_of(BUNDLED) == 384
    assert dim_of("openclip:timm/ViT-SO400M-14-SigLIP") == 1152
    assert dim_of("rehearsal:siglip-b16") == 768
    assert dim_of("openclip:PE-Core-L-14-336/meta") == 1024
    assert dim_of("openclip:nobody/nothing") is None


def test_an_unbuilt_lexicon_is_assumed_with_a_note(config: Config, tmp_path: Path) -> None:
    sizes, notes = lexicon_sizes(config, tmp_path)
    assert sizes == {"small": 7500}
    assert "assumed" in notes[0]


def test_a_rate_file_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rates.tsv"
    path.write_text("machine\ttask\nx\ttexts\n")
    with pytest.raises(NounflowError, match="per_second"):
        read_rates(path)
