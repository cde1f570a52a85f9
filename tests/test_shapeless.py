"""Modules that are left out of fingerprints: with stand-ins in their places, the workflow leaves the same bytes."""

from __future__ import annotations

import pytest
from tiny_workflow import Project, digests

from nounflow.fingerprint import PACKAGE, SHAPELESS

STAND_INS = {
    "ahead.py": "def map_ahead(pool, function, items, ahead):\n    return pool.map(function, items)\n",
    "atomic.py": """
import contextlib, shutil
@contextlib.contextmanager
def atomic_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    yield path
@contextlib.contextmanager
def atomic_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    yield path
@contextlib.contextmanager
def disk_errors(target):
    yield
def remove_leftovers(folder, older_than_s=0):
    return []
""",
    "commandline.py": """
import argparse, inspect, json, pathlib, pydantic
from typing import Annotated, get_type_hints
def run_stage(main, doc, *further):
    parser = argparse.ArgumentParser()
    for function in (main, *further):
        hints = get_type_hints(function, include_extras=True)
        for name, parameter in inspect.signature(function).parameters.items():
            if name not in hints or parameter.kind is parameter.VAR_KEYWORD:
                continue
            adapter, option = pydantic.TypeAdapter(hints[name]), "--" + name.replace("_", "-")
            if hints[name].__origin__ is bool:
                parser.add_argument(option, action="store_true")
            else:
                parser.add_argument(option, nargs="*", default=parameter.default, action=reading(adapter))
    main(**vars(parser.parse_args()))
def reading(adapter):
    class First(argparse.Action):
        def __call__(self, parser, namespace, values, option=None):
            for words in ([json.loads(word) for word in values[:1] if word[:1] in '{["'], values):
                for value in (words, *words):
                    try:
                        return setattr(namespace, self.dest, adapter.validate_python(value))
                    except pydantic.ValidationError:
                        pass
            raise ValueError(option)
    return First
def print_any_text():
    pass
def run_async(work):
    import asyncio
    return asyncio.run(work)
def wait_briefly():
    pass
def at_least_one(text):
    return int(text)
Count = int
Device = ImageSet = Annotated[str, ""]
Threads = Annotated[int, ""]
Folder = Annotated[pathlib.Path, ""]
Counts = Annotated[pathlib.Path, ""]
""",
    "device_lease.py": "def lease_device(environment, devices):\n    return None\n",
    "errors.py": """
class NounflowError(Exception):
    def __init__(self, what, *, where=None, fix=None):
        self.what = self.where = self.fix = ""
    def __str__(self):
        return "something is wrong"
class DamagedFileError(NounflowError):
    pass
class MismatchError(NounflowError):
    pass
""",
    "job_log.py": "def header(*arguments):\n    return ''\ndef read_log(path):\n    return {}\n",
    "progress.py": """
class Progress:
    def __init__(self, *arguments, **keywords):
        pass
    def advance(self, n, note=""):
        pass
    def __enter__(self):
        return self
    def __exit__(self, *reasons):
        pass
def print_flows(flows):
    pass
""",
    "training/stopping.py": """
def diverged(*arguments):
    return RuntimeError()
class StopSignals:
    received = None
    def __enter__(self):
        return self
    def __exit__(self, *reasons):
        pass
def print_flows(flows):
    pass
""",
    "training/checkpoint.py": """
from collections import namedtuple
State = namedtuple("State", "step tensors best figures")
class Checkpoints:
    folder = step = None
    def __init__(self, *arguments, **keywords):
        pass
    def load(self, device):
        return None
    def remove(self):
        pass
    save = load
def put_back(*arguments):
    pass
def tensors_of(*arguments):
    return {}
""",
    "training/memory.py": """
def check_size(*arguments):
    pass
check_step = check_size
""",
    "training/noise_fit.py": "def tell_noise(*arguments):\n    pass\nnoise_warning = tell_noise\n",
    "training/tracking.py": """
Tracker = object
def check_trackers(names):
    pass
def open_trackers(*arguments):
    return []
""",
}


def test_every_module_that_is_left_out_has_a_stand_in() -> None:
    left_out = {path.relative_to(PACKAGE).as_posix() for path in SHAPELESS}
    assert left_out == {*STAND_INS, "fingerprint.py"}  # another fingerprint reruns everything anyway


@pytest.mark.extra
def test_no_byte_of_any_result_depends_on_the_modules_that_are_left_out(finished: Project, project: Project) -> None:
    for name, text in STAND_INS.items():
        (project.folder / "nounflow" / name).write_text(text)
    assert project.would_run() == {}
    output = project.snakemake("--forceall", "--quiet").output
    assert "nouns in" not in output  # no counts are printed: the stand-ins were in use
    before, after = digests(finished.folder / "results"), digests(project.folder / "results")
    assert len(before) > 40
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} == set()
