"""The public way in: a run from its folder, without a trace in the process that opens it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from tiny_workflow import Project

from nounflow import GenerationConfig, Naming, NounClassifier, NounflowError
from nounflow.config.experiment import load_config
from nounflow.device import choose_precision, settle_device
from nounflow.predictors.loading import read_generation


@pytest.fixture
def runs(finished: Project) -> Path:
    return finished.folder / "results/models"


def test_loading_and_naming_leave_the_process_as_it_was_and_say_nothing(
    finished: Project, runs: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        NounClassifier.load(runs / "tiny", threads=1).name(["a.png", "broken.jpg"], finished.folder / "drawn")
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.set_num_threads(threads)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert capfd.readouterr() == ("", "")


def test_the_answers_are_those_of_the_workflow(finished: Project, runs: Path) -> None:
    document = json.loads((finished.folder / "results/predictions/tiny/drawn.json").read_text())
    predicted = next(iter(document["predictions"].values()))
    named = NounClassifier.load(runs / "tiny").name(document["samples"], finished.folder / "drawn")
    assert [list(one.nouns) for one in named] == [nouns[:3] for nouns in predicted["pred"]]
    assert named[0].probabilities == pytest.approx(predicted["probability"][0][:3], abs=1e-4)


def test_settings_of_decoding_are_kept_with_a_run(project: Project) -> None:
    project.configure(lambda config: config["runs"]["tiny"].update(generation={"beam_width": 1, "temperature": 3.0}))
    project.snakemake("results/predictions/tiny/drawn.json")
    run = project.folder / "results/models/tiny"
    assert read_generation(run / "manifest.json") == GenerationConfig(beam_width=1, temperature=3.0)
    classifier = NounClassifier.load(run)
    assert len(classifier.name(["a.png"], project.folder / "drawn")[0].nouns) == 1


@pytest.mark.parametrize("run", ["tiny", "tiny_head", "tiny_retrieval", "tiny_fused"])
def test_as_many_nouns_come_as_are_asked_for(finished: Project, runs: Path, run: str) -> None:
    named = NounClassifier.load(runs / run).name(["a.png"], finished.folder / "drawn", top_k=20)[0]
    assert len(set(named.nouns) - {""}) == 20
    assert list(named.probabilities) == sorted(named.probabilities, reverse=True)


def test_an_unreadable_file_has_its_reason_and_no_noun(finished: Project, runs: Path) -> None:
    found = NounClassifier.load(runs / "tiny_head").name(["empty.png"], finished.folder / "drawn")
    assert found == [Naming("empty.png", (), (), "the file is empty")]


def test_of_an_unknown_run_the_runs_there_are_named(runs: Path) -> None:
    with pytest.raises(NounflowError) as caught:
        NounClassifier.load(runs / "tinny")
    assert str(runs / "tiny_head") in str(caught.value)


def test_where_nothing_is_trained_the_way_to_train_is_named(tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="no trained run") as caught:
        NounClassifier.load(tmp_path / "small")
    assert "make scores" in str(caught.value)


# --- devices ---


def test_a_mac_computes_on_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as it can be shown without one: what is chosen."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda *_version: True)
    assert settle_device("auto") == settle_device("mps") == "mps"
    assert choose_precision("auto", "mps", "training") == "bf16"


def test_cuda_goes_before_mps_and_both_before_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert settle_device("auto") == "cuda"
    assert settle_device("cpu") == "cpu"


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(NounflowError, match=device):
        settle_device(device)


def test_the_config_takes_mps(repository: Path) -> None:
    import yaml

    settings = yaml.safe_load((repository / "config/config.yaml").read_text())
    assert load_config(settings | {"device": "mps"}).device == "mps"
