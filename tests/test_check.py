"""`nounflow check`, and models that are not here, cut off, misspelt or without an image side: each named at once."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import NoReturn

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file

from nounflow.cli import main
from nounflow.commands import check
from nounflow.config.embedder import EmbedderConfig
from nounflow.embedders import hub
from nounflow.embedders.hub import HubFiles, check_whole, from_hub, unreachable
from nounflow.embedders.openclip_names import hub_files, hub_tokenizer_files, parse_name
from nounflow.errors import DamagedFileError, NounflowError

WANTED = HubFiles("org/model", (("config.json",), ("model.safetensors", "pytorch_model.bin")))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, which gives no answer."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "unreachable", lambda: "no network")
    return tmp_path / "models--org--model"


def fill(cache: Path, *names: str) -> Path:
    """Put files into the cache as a download would."""
    snapshot = cache / "snapshots/abc"
    snapshot.mkdir(parents=True, exist_ok=True)
    (cache / "refs").mkdir(exist_ok=True)
    (cache / "refs/main").write_text("abc")
    for name in names:
        if name.endswith(".safetensors"):
            save_file({"w": torch.zeros(4)}, snapshot / name)
        else:
            (snapshot / name).write_text("{}")
    return snapshot


def loading() -> NoReturn:
    raise AssertionError("nothing should be loaded")


def test_a_missing_file_is_named_with_its_folder_and_the_command(cache: Path) -> None:
    fill(cache, "config.json")
    with pytest.raises(NounflowError) as caught:
        from_hub("transformers:org/model", WANTED, loading)
    said = str(caught.value)
    assert said.startswith("model.safetensors of transformers:org/model is not here")
    assert str(cache) in said
    assert "hf download org/model --local-dir FOLDER" in said
    assert "transformers:FOLDER" in said


def test_half_a_download_is_told(cache: Path) -> None:
    fill(cache, "config.json")
    (cache / "blobs").mkdir()
    (cache / "blobs/123.incomplete").write_bytes(bytes(3_000_000))
    with pytest.raises(NounflowError, match="half a download of 3 MB"):
        from_hub("transformers:org/model", WANTED, loading)


def test_what_is_here_is_taken_without_a_network_and_leaves_the_process_as_it_was(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, "config.json", "model.safetensors")
    monkeypatch.setattr(hub, "unreachable", loading)
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    assert from_hub("x:org/model", WANTED, lambda: huggingface_hub.constants.HF_HUB_OFFLINE) is True
    assert before == huggingface_hub.constants.HF_HUB_OFFLINE


def test_a_file_that_was_not_foreseen_is_asked_for(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(cache, "config.json", "model.safetensors")
    monkeypatch.setattr(hub, "unreachable", lambda: None)
    calls = list[bool]()

    def load() -> str:
        calls.append(huggingface_hub.constants.HF_HUB_OFFLINE)
        if calls[-1]:
            raise OSError("tokenizer.json is not in the cache")
        return "model"

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    assert from_hub("x:org/model", WANTED, load) == "model"
    assert calls == [True, False]


def test_weights_that_are_cut_off_are_refused_by_name(cache: Path) -> None:
    snapshot = fill(cache, "config.json", "model.safetensors")
    whole = snapshot / "model.safetensors"
    check_whole(whole)
    whole.write_bytes(whole.read_bytes()[:-3])
    with pytest.raises(DamagedFileError, match="cut off"):
        from_hub("x:org/model", WANTED, loading)
    whole.write_bytes(b"\x10")
    with pytest.raises(DamagedFileError, match="cut off"):
        check_whole(whole)
    torch.save({"w": torch.zeros(1000)}, snapshot / "pytorch_model.bin")
    check_whole(snapshot / "pytorch_model.bin")
    cut = (snapshot / "pytorch_model.bin").read_bytes()[:-100]
    (snapshot / "pytorch_model.bin").write_bytes(cut)
    with pytest.raises(DamagedFileError, match="cut off"):
        check_whole(snapshot / "pytorch_model.bin")


def test_a_hub_that_never_answers_costs_no_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_PATIENCE_S", 0.3)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and says nothing
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        start = time.monotonic()
        assert "127.0.0.1" in str(unreachable())
        assert time.monotonic() - start < 5
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    assert unreachable() == "HF_HUB_OFFLINE is set"


def test_a_misspelt_built_in_name_is_no_hub_id() -> None:
    with pytest.raises(NounflowError, match="ViT-B-32"):
        parse_name("ViT-B32/laion2b_s34b_b79k")
    for hub_id in ("timm/ViT-B-16-SigLIP", "apple/DFN5B-CLIP-ViT-H-14", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"):
        assert parse_name(hub_id) == (f"hf-hub:{hub_id}", None)


def test_what_a_built_in_name_needs_of_a_hub() -> None:
    wanted, tokenizer = hub_files(*parse_name("ViT-B-32/laion2b_s34b_b79k")), hub_tokenizer_files("ViT-B-16-SigLIP")
    assert wanted is not None
    assert wanted.repository == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert hub_tokenizer_files("ViT-B-32") is None  # comes with open_clip
    assert tokenizer is not None
    assert tokenizer.repository == "timm/ViT-B-16-SigLIP"


@pytest.mark.parametrize(("key", "side"), [("vision_cfg", "image"), ("text_cfg", "text")])
def test_a_model_with_one_side_is_refused(tmp_path: Path, key: str, side: str) -> None:
    config = {"embed_dim": 8, "vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": {**config, key: None}}))
    with pytest.raises(NounflowError, match=f"no {side} side"):
        parse_name(str(tmp_path))


@pytest.mark.parametrize("config", ["[1]", '{"model_cfg": "ViT-B-32"}', '{"model_cfg": {"vision_cfg": "large"}}'])
def test_a_config_that_is_none_has_no_side(config: str, tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(NounflowError, match="no image side"):
        parse_name(str(tmp_path))


def test_a_model_of_ones_own_may_lie_at_home_and_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine@home.pt").write_bytes(b"PK\3\4 and no end")
    with pytest.raises(DamagedFileError, match="cut off"):
        parse_name("ViT-B-32@~/mine@home.pt")
    folder = tmp_path / "a@b"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(
        '{"model_cfg": {"vision_cfg": {"layers": 1}, "text_cfg": {"layers": 1}}}'
    )
    assert parse_name("~/a@b") == (f"local-dir:{folder}", None)
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"")
    with pytest.raises(DamagedFileError, match="cut off"):
        parse_name("local-dir:~/a@b")


def test_a_folder_is_a_spec_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check.embedder_config(str(tmp_path)).spec == f"transformers:{tmp_path}"
    (tmp_path / "open_clip_config.json").write_text("{}")
    assert check.embedder_config(str(tmp_path)).spec == f"openclip:{tmp_path}"
    monkeypatch.chdir(tmp_path.parent)  # what is to be pasted elsewhere is whole; within a project it stays as it is
    assert check.embedder_config(tmp_path.name).spec == f"openclip:{tmp_path}"
    Path("Snakefile").touch()
    assert check.embedder_config(tmp_path.name).spec == f"openclip:{tmp_path.name}"


def test_a_wrong_spec_gets_close_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", "bundled:minilm"])
    assert "did you mean bundled:minilm-conse" in capsys.readouterr().err


def test_what_would_be_downloaded_is_told_with_its_size(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "download_size", lambda _wanted: 600_000_000)
    said = check.whereabouts(EmbedderConfig(spec="transformers:org/model"))
    assert said == "config.json, model.safetensors of org/model to be downloaded, 0.60 GB"
    fill(cache, "config.json", "model.safetensors")
    assert check.whereabouts(EmbedderConfig(spec="transformers:org/model")) == f"here, in {cache}"
    assert "comes with the packages" in check.whereabouts(EmbedderConfig(spec="bundled:minilm-conse"))


def test_the_bundled_embedder_is_checked_measured_and_explained(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, repository: Path
) -> None:
    from PIL import Image

    from nounflow.commands import speeds

    for name in ("a", "b"):
        Image.new("RGB", (40, 30), "red" if name == "a" else "blue").save(tmp_path / f"{name}.png")
    monkeypatch.chdir(repository)
    monkeypatch.setattr(speeds, "_SECONDS", 0.01)
    monkeypatch.setattr(speeds, "sample_rate", lambda *_arguments: 1000.0)
    main(["check", "bundled:minilm-conse", "--images", str(tmp_path), "--threads", "1", "--device", "cpu"])
    said = capsys.readouterr().out
    for part in ("384 dimensions", "golden texts: all 12", "texts: ", "images: ", "(2 images)"):
        assert part in said
    for part in ('mine: {spec: "bundled:minilm-conse"}', "takes gauss_elem, norm 0.6", "GB of vectors and"):
        assert part in said
