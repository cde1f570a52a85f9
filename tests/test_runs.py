"""A run's `predictor` says which keys it has; keys of the first release are named by their new names."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from nounflow.config.experiment import load_config
from nounflow.config.runs.run import AnyRun
from nounflow.errors import NounflowError
from nounflow.predictor_kinds import PREDICTORS
from nounflow.registry import resolve


@pytest.fixture
def settings(repository: Path) -> dict[str, Any]:
    values: dict[str, Any] = yaml.safe_load((repository / "config/config.yaml").read_text())
    return values


def message(settings: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> str:
    changed = copy.deepcopy(settings)
    change(changed)
    with pytest.raises(NounflowError) as caught:
        load_config(changed)
    return str(caught.value)


@pytest.mark.parametrize(
    ("run", "key", "value"),
    [
        ("small_head", "decoder", {"width": 96}),
        ("small_head", "generation", {"beam_width": 4}),
        ("small", "fused", {"parts": ["nonsense"]}),
        ("small", "head", {"hidden": 8}),
        ("small_retrieval", "training", {"samples": 7}),
        ("small_fused", "training", {"samples": 7}),
    ],
)
def test_a_key_of_another_predictor_is_refused_by_name(
    settings: dict[str, Any], run: str, key: str, value: dict[str, Any]
) -> None:
    said = message(settings, lambda config: config["runs"][run].update({key: value}))
    predictor = settings["runs"][run].get("predictor", "decoder")
    assert f"runs.{run}.{key}: unknown key of predictor {predictor}" in said
    assert "seed" in said.split("allowed: ")[1]


def test_an_unknown_predictor_is_answered_with_those_there_are(settings: dict[str, Any]) -> None:
    said = message(settings, lambda config: config["runs"]["small"].update(predictor="oracle"))
    assert f"runs.small.predictor: found 'oracle', allowed: {', '.join(PREDICTORS)}" in said


def test_a_mistake_within_a_part_is_named_by_its_keys_alone(settings: dict[str, Any]) -> None:
    said = message(settings, lambda config: config["runs"]["small"].update(decoder={"width": "wide"}))
    assert "runs.small.decoder.width: found 'wide'" in said


@pytest.mark.parametrize(
    ("old", "new"),
    [("longest_wait_s", "max_wait_s"), ("longest_output_tokens", "max_retry_tokens"), ("most_bytes", None)],
)
def test_a_key_of_the_first_release_is_answered_with_its_new_name(
    settings: dict[str, Any], old: str, new: str | None
) -> None:
    said = message(settings, lambda config: config["captions"].update(llm={"server": {"model": "m", old: 3}}))
    expected = f"is called {new} now" if new else "unknown key"
    assert f"captions.llm.server.{old}: {expected}" in said


@pytest.mark.parametrize("predictor", PREDICTORS)
def test_every_kind_of_predictor_has_its_settings_its_training_and_its_answers(predictor: str) -> None:
    kind = PREDICTORS[predictor]
    assert TypeAdapter(AnyRun).validate_python(
        {"predictor": predictor, **dict.fromkeys(("lexicon", "embedder", "mixture"), "x")}
    )
    assert callable(resolve(kind.train))
    assert callable(resolve(kind.load))


def test_names_that_differ_in_case_only_are_refused(settings: dict[str, Any]) -> None:
    said = message(settings, lambda config: config["runs"].update(SMALL=config["runs"]["small"]))
    assert "small and SMALL would share a folder" in said
