"""Files out of Debian packages, with fakes in place of apt, and once with the real one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from input_material import NOTICE, NOWHERE, ROOT, Programs

from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs import apt, input_folder, wordnet

pytestmark = pytest.mark.usefixtures("no_waiting_and_no_wordnet")


def fetch(folder: Path) -> str:
    """The notice that heads WordNet's files, out of its package."""
    apt.fetch("wordnet-base", folder / "cache", Path("/usr/share/wordnet"), "data.noun".__eq__, folder / "out")
    return (folder / "out/data.noun").read_text()


def test_package_lists_are_used_for_a_day(tmp_path: Path, programs: Programs, wordnet_deb: Path) -> None:
    programs.add_apt(wordnet_deb)
    for _ in range(2):
        fetch(tmp_path)
    assert programs.calls() == ["update", "download", "download"]
    yesterday = time.time() - 25 * 3600
    os.utime(tmp_path / "cache/lists.fetched", (yesterday, yesterday))
    fetch(tmp_path)
    assert programs.calls()[3:] == ["update", "download"]


def test_a_failed_download_is_tried_again_with_fresh_lists(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    there = tmp_path / "failed-once"
    copy = f'cp {wordnet_deb} "${{last}}_1%3a3.0-7_all.deb"'
    programs.add_apt(wordnet_deb, download=f"if [ -f {there} ]; then {copy}; else touch {there}; exit 100; fi")
    assert fetch(tmp_path) == NOTICE
    assert programs.calls() == ["update", "download", "update", "download"]


def test_a_broken_source_of_a_third_party_does_not_matter(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    programs.add_apt(wordnet_deb, update="echo 'E: Failed to fetch http://third.party'; exit 100")
    assert fetch(tmp_path) == NOTICE
    assert programs.calls() == ["update", "download"]


def test_a_package_that_no_source_has_is_asked_for_once(tmp_path: Path, programs: Programs, wordnet_deb: Path) -> None:
    programs.add_apt(wordnet_deb, known="false")
    with pytest.raises(NounflowError, match="no package wordnet-base"):
        fetch(tmp_path)
    assert programs.calls() == ["update"]


def test_a_broken_package_is_reported_with_what_dpkg_says(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    programs.add_apt(wordnet_deb)
    programs.add("dpkg-deb", "echo 'dpkg-deb: error: not a Debian archive' >&2; exit 2")
    with pytest.raises(DamagedFileError, match="not a Debian archive"):
        fetch(tmp_path)


def test_two_fetches_at_once_share_one_update(tmp_path: Path, programs: Programs, wordnet_deb: Path) -> None:
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


def test_a_killed_fetch_leaves_no_manifest_and_the_next_one_works(
    tmp_path: Path, programs: Programs, wordnet_deb: Path
) -> None:
    reached = tmp_path / "reached"
    programs.add_apt(wordnet_deb, download=f"touch {reached}; exec sleep 30")
    out, cache = tmp_path / "wordnet", tmp_path / "cache"
    command = [sys.executable, "-c", f"from nounflow.inputs.wordnet import *; fetch_wordnet(Path({str(out)!r}), Path("]
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
def test_an_ordinary_user_gets_the_real_wordnet_through_apt() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="inputs with spaces ") as name:
        Path(name).chmod(0o777)
        code = (
            "import os, sys; from pathlib import Path; import tenacity; from nounflow.inputs import apt\n"
            "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "os.environ.pop('HOME', None); folder = Path(sys.argv[1])\n"
            "apt.fetch('wordnet-base', folder / '.apt', Path('/usr/share/wordnet'), 'data.noun'.__eq__, folder)\n"
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
