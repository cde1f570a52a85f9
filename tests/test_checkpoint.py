"""Killed and asked to stop, a training run goes on to the weights of an undisturbed one; and where its figures go."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_material import SMALL, Tiny, run_training, same_weights, training_command, write_project

from nounflow.errors import DamagedFileError, MismatchError, NounflowError
from nounflow.predictor_kinds import WEIGHTS
from nounflow.schemas.tables import METRICS, read_table
from nounflow.store.checkpoint_files import DOCUMENT
from nounflow.training.checkpoint import Checkpoints, State, differences
from nounflow.training.curves import Curves, Reporter

EVERYTHING = {"ema": 0.9, "keep": "best", "patience": 50, "micro_batch": 9, "samples": 1920, "evaluations": 30}


def everything(**training: Any) -> Tiny:
    """All that has a state: averages, the best weights, patience, dropout."""
    return Tiny.of(config=SMALL.model_copy(update={"dropout": 0.2}), **{**EVERYTHING, **training})


def store(tmp_path: Path, **recipe: object) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoint", {"seed": 1, **recipe}, {"threads": 1})


def stopping_at(rows: int) -> Callable[..., None]:
    """A listener that sends this process SIGTERM when the curves have so many rows."""

    def listen(curves: Curves) -> None:
        if len(curves.rows) >= rows:
            os.kill(os.getpid(), signal.SIGTERM)

    return listen


# --- going on ---


@pytest.mark.parametrize("rows", [1, 30, 149])
def test_a_run_that_was_asked_to_stop_goes_on_to_the_same_bytes(tmp_path: Path, rows: int) -> None:
    expected, curves = everything().train()
    with pytest.raises(NounflowError, match="stopped by SIGTERM"):
        everything().train(store(tmp_path), stopping_at(rows))
    found, again = everything().train(store(tmp_path))
    assert same_weights(found, expected)
    assert again.rows == curves.rows
    assert again.kept == curves.kept


def test_a_run_is_stopped_again_and_again_and_still_arrives(tmp_path: Path) -> None:
    expected, curves = everything().train()
    for rows in range(20, 150, 20):
        with pytest.raises(NounflowError, match="stopped by SIGTERM"):
            everything().train(store(tmp_path), stopping_at(rows))
    found, again = everything().train(store(tmp_path))
    assert same_weights(found, expected)
    assert again.rows == curves.rows


def test_a_run_whose_patience_ended_before_it_was_stopped_does_not_go_on(tmp_path: Path) -> None:
    tiny = Tiny.of(8, samples=64_000, learning_rate=0.3, warmup=0.9, evaluations=100, patience=3, checkpoint_steps=1)
    expected, curves = tiny.train(store(tmp_path))
    found, again = tiny.train(store(tmp_path))  # from its last checkpoint, written when patience had ended
    assert same_weights(found, expected)
    assert again.rows == curves.rows


def test_handlers_of_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    Tiny.of(samples=64).train()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def outcome(out: Path) -> tuple[bytes, bytes]:
    """Bytes of the weights, and the curves."""
    return (out / WEIGHTS).read_bytes(), (out / "metrics.parquet").read_bytes()


def steps_on_disk(out: Path) -> int:
    try:
        step: int = json.loads((out / "checkpoint" / DOCUMENT).read_text())["step"]
        return step
    except FileNotFoundError:
        return 0


def killed(command: list[str], out: Path, number: signal.Signals, steps: int, delay: float) -> tuple[int, str]:
    """Start a process and end it by a signal `delay` seconds after its checkpoint has `steps` steps more."""
    before = steps_on_disk(out)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    limit = time.monotonic() + 120
    while process.poll() is None and steps_on_disk(out) < before + steps and time.monotonic() < limit:
        time.sleep(0.002)
    time.sleep(delay)
    process.send_signal(number)
    said = process.communicate(timeout=60)[0]
    return process.returncode, said


@pytest.mark.extra
def test_a_process_killed_at_random_moments_arrives_at_the_bytes_of_an_undisturbed_one(tmp_path: Path) -> None:
    project = write_project(tmp_path)
    settings = {
        "decoder": {"width": 32, "heads": 2, "layers": 1, "dropout": 0.1},
        "training": {
            "samples": 9600, "batch_size": 32, "checkpoint_steps": 3, "evaluations": 20, "ema": 0.95, "keep": "best",
        },
    }  # fmt: skip
    undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
    done = run_training(project, undisturbed, settings)
    assert done.returncode == 0, done.stdout
    chance = random.Random(5)
    command = training_command(project, out, settings)
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        status, said = killed(command, out, number, chance.randint(1, 60), chance.random() / 20)
        assert status == (-signal.SIGKILL if number == signal.SIGKILL else 1), said
        assert not (out / "manifest.json").exists()
        if number == signal.SIGTERM:
            assert "stopped by SIGTERM" in said
            assert "Traceback" not in said
    last = run_training(project, out, settings)
    assert last.returncode == 0, last.stdout
    assert "going on from a checkpoint" in last.stdout
    assert outcome(out) == outcome(undisturbed)
    metrics = read_table(out / "metrics.parquet", METRICS, "metrics")
    assert not metrics.select("samples", "split", "metric").is_duplicated().any()
    assert not (out / "checkpoint").exists()


# --- what a checkpoint refuses ---


def test_a_checkpoint_of_another_recipe_is_refused_with_the_differing_keys(tmp_path: Path) -> None:
    with pytest.raises(NounflowError, match="stopped"):
        everything().train(store(tmp_path), stopping_at(3))
    other = store(tmp_path, seed=2, noise={"norm": 0.5})
    with pytest.raises(MismatchError) as caught:
        everything().train(other)
    assert "seed: 1 in the checkpoint, 2 now" in str(caught.value)
    assert "noise: nothing in the checkpoint, {'norm': 0.5} now" in str(caught.value)
    assert "--restart" in str(caught.value)


def test_the_script_names_what_differs_and_starts_anew_when_told(tmp_path: Path) -> None:
    project, out = write_project(tmp_path), tmp_path / "out"

    def settings(rate: float) -> dict[str, Any]:
        return {"training": {"samples": 3200, "batch_size": 32, "checkpoint_steps": 5, "learning_rate": rate}}

    killed(training_command(project, out, settings(0.001), kind="head"), out, signal.SIGKILL, 1, 0.0)
    if (out / "manifest.json").exists():
        pytest.fail("the run ended before it could be killed")
    refused = run_training(project, out, settings(0.002), kind="head")
    assert refused.returncode == 1
    assert "training.learning_rate: 0.001 in the checkpoint, 0.002 now" in refused.stdout
    anew = run_training(project, out, settings(0.002), "--restart", kind="head")
    assert anew.returncode == 0, anew.stdout
    assert "going on" not in anew.stdout
    assert not (out / "checkpoint").exists()


def test_differences_are_named_by_their_dotted_keys() -> None:
    first = {"a": {"b": 1, "c": {"d": [1, 2]}}, "gone": 1}
    second = {"a": {"b": 1, "c": {"d": [1, 3]}}, "new": None}
    assert differences(first, second) == [
        ("a.c.d", [1, 2], [1, 3]), ("gone", 1, "nothing"), ("new", "nothing", None),
    ]  # fmt: skip
    assert differences(first, first) == []


def test_another_number_of_threads_is_told_and_no_reason_to_refuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(NounflowError, match="stopped"):
        everything().train(store(tmp_path), stopping_at(3))
    everything().train(Checkpoints(tmp_path / "checkpoint", {"seed": 1}, {"threads": 7}))
    assert "going on with threads 7 where the checkpoint has 1" in capsys.readouterr().out


# --- files ---


def state(step: int, best: dict[str, torch.Tensor] | None = None) -> State:
    tensors = {"model.w": torch.full((3,), float(step))}
    return State(step, tensors, best, {"curves": [], "choice": {"samples": 0 if best is None else step}})


def test_a_checkpoint_replaces_the_one_before_and_forgets_its_files(tmp_path: Path) -> None:
    checkpoints = store(tmp_path)
    checkpoints.save(state(1, {"w": torch.ones(1)}))
    checkpoints.save(state(2, {"w": torch.zeros(1)}))
    (checkpoints.folder / ".step-3.safetensors.abc.partial").write_bytes(b"left by a killed write")
    checkpoints.save(state(3))
    names = {path.name for path in checkpoints.folder.iterdir()}
    assert names == {DOCUMENT, "step-000000003.safetensors", "best-000000000002.safetensors"}
    read = store(tmp_path).load("cpu")
    assert read is not None
    assert read.best is not None
    assert (read.step, read.tensors["model.w"].tolist(), read.best["w"].tolist()) == (3, [3.0] * 3, [0.0])


@pytest.mark.parametrize("write", range(3))
def test_a_write_that_breaks_off_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    """Break off at each of the three replacements of a file that a save makes."""
    checkpoints = store(tmp_path)
    checkpoints.save(state(1, {"w": torch.ones(1)}))
    replaced = []
    replace = Path.replace

    def break_off(path: Path, target: Path) -> Path:
        replaced.append(target)
        if len(replaced) > write:
            raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", break_off)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(state(2, {"w": torch.zeros(1)}))
    read = store(tmp_path).load("cpu")
    assert read is not None
    assert read.best is not None
    assert (read.step, read.tensors["model.w"].tolist(), read.best["w"].tolist()) == (1, [1.0] * 3, [1.0])


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_a_damaged_checkpoint_is_named_with_the_way_out(tmp_path: Path, damage: str) -> None:
    store(tmp_path).save(state(1))
    path = tmp_path / "checkpoint/step-000000001.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if damage == "flip":
        path.write_bytes(content)
    elif damage == "truncate":
        path.write_bytes(content[:-2])
    else:
        path.unlink()
    with pytest.raises(DamagedFileError, match="step-000000001") as caught:
        store(tmp_path).load("cpu")
    assert "--restart" in str(caught.value)


def test_no_checkpoint_of_weights_that_are_not_finite_is_written(tmp_path: Path) -> None:
    tiny = Tiny.of(samples=6400, checkpoint_steps=1, learning_rate=1e-3)
    assert isinstance(tiny.training_set.vectors, np.ndarray)
    tiny.training_set.vectors[13, 0] = float("inf")
    with pytest.raises(NounflowError, match="last good checkpoint") as caught:
        tiny.train(store(tmp_path))
    text = str(caught.value)
    read = store(tmp_path).load("cpu")
    if read is None:
        assert "none was written" in text
    else:
        assert f"{read.step:,} steps" in text
        assert all(tensor.isfinite().all() for tensor in read.tensors.values())
    written = json.loads((tmp_path / "checkpoint/diverged.json").read_text())
    assert 13 in written["rows"]
    assert set(written["not_finite"]) == {13}


# --- figures ---


def grown(curves: Curves, samples: int, loss: float) -> Curves:
    curves.add(samples, "train", loss=loss)
    curves.add(samples, "heldout", loss=loss + 1)
    return curves


def test_a_tracker_whose_package_is_missing_is_a_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wandb", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)  # what import does without the package
    for name in ("wandb", "tensorboard"):
        with pytest.raises(NounflowError, match="not installed") as caught:
            Reporter("tiny", tmp_path, {}, [name])
        assert "nounflow[tracking]" in str(caught.value)


def test_without_trackers_only_the_metrics_are_written(tmp_path: Path) -> None:
    reporter = Reporter("tiny", tmp_path, {}, ())
    reporter(grown(Curves(), 10, 2.0))
    reporter.close()
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.parquet"]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"), purge_orphaned_data=True)
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in sorted(events.Tags()["scalars"])
    }


def test_tensorboard_has_each_figure_once_also_after_a_kill(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    first = Reporter("tiny", tmp_path, {}, ["tensorboard"])
    curves = Curves()
    first(grown(curves, 10, 3.0))
    rows = list(curves.rows)
    first(grown(curves, 20, 2.0))  # then killed: the checkpoint has the rows up to 10
    again = Reporter("tiny", tmp_path, {}, ["tensorboard"])
    curves = Curves(rows)
    again(grown(curves, 20, 2.0))
    again(grown(curves, 30, 1.0))
    again.close()
    assert scalars(tmp_path) == {
        "heldout/loss": [(10, 4.0), (20, 3.0), (30, 2.0)], "train/loss": [(10, 3.0), (20, 2.0), (30, 1.0)],
    }  # fmt: skip
    anew = Reporter("tiny", tmp_path, {}, ["tensorboard"])
    anew(grown(Curves(), 10, 9.0))
    anew.close()
    assert scalars(tmp_path)["train/loss"] == [(10, 9.0)]


def test_weights_and_biases_takes_the_figures_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    reporter = Reporter("tiny", tmp_path, {"seed": 1}, ["wandb"])
    reporter(grown(Curves(), 10, 3.0))
    identity = (tmp_path / "wandb.id").read_text()
    reporter.close()
    assert not (tmp_path / "wandb.id").exists()
    files = list((tmp_path / "wandb").glob(f"offline-run-*-{identity}/run-{identity}.wandb"))
    assert len(files) == 1
    deadline = time.monotonic() + 60  # its own process writes, also a little after it was told to finish
    while b"heldout/loss" not in files[0].read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert b"heldout/loss" in files[0].read_bytes()
