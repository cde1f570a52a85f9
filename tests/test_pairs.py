"""Pairs of image and caption: three forms, what is left out by name, and embedding them once."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedder_check_material import picture

from nounflow.config.embedder import EmbedderConfig
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.open_set import pair_store
from nounflow.open_set.pair_store import Pairs, embed_pairs, open_pairs
from nounflow.open_set.pairs import LeftOut, read_pairs
from nounflow.store.shard_writing import write_shard

CAPTIONS = {f"{i}.png": f"a thing,  number {i}" for i in range(6)}


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A folder of pairs."""
    for i, (name, caption) in enumerate(CAPTIONS.items()):
        picture(tmp_path / "mine" / name, i)
        (tmp_path / "mine" / name).with_suffix(".txt").write_text(caption + "\n")
    return tmp_path / "mine"


def shard(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


def read(source: Path) -> tuple[list[tuple[str, bytes, str]], LeftOut]:
    left_out = LeftOut()
    found = [
        (name, image.read_bytes() if isinstance(image, Path) else image, caption)
        for name, image, caption in read_pairs(source, left_out)
    ]
    return found, left_out


def test_three_forms_give_the_same_pairs(mine: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.tsv"
    table.write_text("path\tcaption\n" + "".join(f"mine/{name}\t{text}\n" for name, text in CAPTIONS.items()))
    content = {path.name: path.read_bytes() for path in sorted(mine.iterdir())}
    first = {name: part for name, part in content.items() if name[0] in "012"}
    shard(tmp_path / "shards/0.tar", first)
    shard(tmp_path / "shards/1.tar", {name: part for name, part in content.items() if name not in first})
    expected = [((mine / name).read_bytes(), text.replace("  ", " ")) for name, text in CAPTIONS.items()]
    for source in (mine, table, tmp_path / "shards"):
        found, left_out = read(source)
        assert [pair[1:] for pair in found] == expected
        assert not left_out
    assert [pair[1:] for pair in read(tmp_path / "shards/0.tar")[0]] == expected[:3]


def test_what_is_of_no_use_is_left_out_by_name_and_counted(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (mine / "0.txt").unlink()
    (mine / "1.txt").write_text(" \n")
    (mine / "2.txt").write_bytes(b"caf\xe9")
    found, left_out = read(mine)
    assert [name for name, *_ in found] == ["3.png", "4.png", "5.png"]
    assert left_out == {"it has no caption": 1, "its caption is empty": 1, "its caption is not UTF-8": 1}
    assert "left out: 2.png: its caption is not UTF-8" in capsys.readouterr().out
    table = tmp_path / "pairs.tsv"
    table.write_bytes(b"mine/3.png\tone\nmine/gone.png\ttwo\njust a line\nmine/4.png\t\nmine/5.png\tcaf\xe9\n")
    found, left_out = read(table)
    assert [caption for *_, caption in found] == ["one"]
    assert left_out.total() == 4
    said = capsys.readouterr().out
    assert "left out: mine/gone.png: the image does not exist" in said
    assert "left out: line 3: it is not a path, a tab and a caption" in said
    with pytest.raises(NounflowError, match="no pairs of image and caption"):
        read(tmp_path / "nowhere")


def test_a_broken_shard_is_named_and_the_next_one_read(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = (mine / "0.png").read_bytes()
    whole = {f"{i}.{end}": part for i in range(3) for end, part in (("png", image), ("txt", b"a thing"))}
    path = shard(tmp_path / "shards/0.tar", {**whole, "lonely.txt": b"no image"})
    shard(tmp_path / "shards/1.tar", whole)
    assert len(read(path)[0]) == 3
    path.write_bytes(path.read_bytes()[: 3 * (512 + 2048) + 100])
    (tmp_path / "shards/2.tar").write_bytes(b"no tar at all" * 100)
    found, left_out = read(tmp_path / "shards")
    assert sum(name.startswith("1.tar/") for name, *_ in found) == 3
    assert sum("broken from here on" in reason for reason in left_out.elements()) == 2
    said = capsys.readouterr().out
    assert "left out: 0.tar: the shard is broken" in said
    assert "left out: 0.tar/lonely: it has no image" in said


# The store


def embed(source: Path, model: Any, out: Path) -> tuple[Pairs, dict[str, Any]]:
    counts = embed_pairs(source, model, EmbedderConfig(spec=model.identity.spec), 1, out / "manifest.json")
    return open_pairs(out / "manifest.json"), counts.as_dict()["flows"][0]


def test_pairs_are_embedded_once_and_go_on_where_a_job_was_killed(
    mine: Path, tmp_path: Path, open_clip_model: tuple[Any, Any, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_store, "_BLOCK", 2)
    (mine / "3.png").write_bytes(b"no image")
    (mine / "5.txt").write_text("a thing, number 4")  # two images of one caption
    model = open_clip_model[1]
    done: list[int] = []

    def counting(dies: int) -> Callable[..., Any]:
        def write(*arguments: Any, **keywords: Any) -> Any:
            done.append(1)
            if len(done) == dies:
                raise RuntimeError("killed")
            return write_shard(*arguments, **keywords)

        return write

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(pair_store, "write_shard", counting(4))  # before the images of the second block
        embed(mine, model, tmp_path / "killed")
    with monkeypatch.context() as patch:
        done.clear()
        patch.setattr(pair_store, "write_shard", counting(0))
        again, counts = embed(mine, model, tmp_path / "killed")
        assert len(done) == 4  # of two blocks; the first was whole
        embed(mine, model, tmp_path / "killed")
        assert len(done) == 4
    whole, _ = embed(mine, model, tmp_path / "whole")
    assert again.images.manifest == whole.images.manifest
    assert counts["dropped"] == {"unreadable (not an image, or of a format that is not read (convert it to JPEG))": 1}
    assert counts["out"] == 5
    assert again.captions == (*(f"a thing, number {i}" for i in (0, 1, 2, 4)), "a thing, number 4")
    assert again.images.targets.tolist() == [0, 1, 2, 3, 3]
    texts = model.encode_texts(list(again.captions), progress=False)
    assert np.abs(again.texts[np.arange(5)] - texts).max() < 1e-3
    assert np.array_equal(again.texts[np.array([3])], again.texts[np.array([4])])
    assert again.images.vectors.shape == (5, 16)
    payload = tmp_path / "whole/images/0.zarr/vectors/c/0/0"
    payload.write_bytes(payload.read_bytes()[::-1])
    with pytest.raises(DamagedFileError):
        open_pairs(tmp_path / "whole/manifest.json")
    assert embed(mine, model, tmp_path / "whole")[0].captions == whole.captions  # made anew


def test_a_source_without_any_pair_of_use_is_refused(
    mine: Path, tmp_path: Path, open_clip_model: tuple[Any, Any, Path]
) -> None:
    for path in mine.glob("*.txt"):
        path.write_text("")
    with pytest.raises(NounflowError, match="No pair of image and caption is of use"):
        embed(mine, open_clip_model[1], tmp_path / "none")
