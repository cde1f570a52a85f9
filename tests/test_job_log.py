"""What a job's log says first and last, and the table that is gathered from logs and benchmark files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from tiny_workflow import Project

from nounflow.job_log import header, read_log
from nounflow.workflow.job_costs import SCHEMA, TABLE, by_rule, job_costs

STAGE = """
import sys, time
from pathlib import Path
from typing import Annotated
from nounflow.commandline import run_stage
from nounflow.atomic import atomic_file

def main(
    out: Annotated[str, "the file"],
    device: Annotated[str, "what it runs on"] = "cpu",
    megabytes: Annotated[int, "held"] = 1,
):
    with atomic_file(Path(out)) as path:
        path.write_bytes(b"half")
        print("writing", flush=True)
        sys.stdin.read()
        held = bytearray(megabytes << 20)

run_stage(main, None)
"""


@pytest.fixture
def start(tmp_path: Path, repository: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a stage that writes a file once its input ends; under a limit of address space, if one is given."""
    script = tmp_path / "write_half.py"
    script.write_text(STAGE)
    running = []

    def start(*options: str, limit_kb: int | None = None) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), "--out", str(tmp_path / "made/out.bin"), *options]
        if limit_kb:
            command = ["bash", "-c", f'ulimit -v {limit_kb}; exec "$@"', "bash", *command]
        running.append(
            subprocess.Popen(
                command, env={**os.environ, "PYTHONPATH": str(repository), "NOUNFLOW_CONFIG_DIGEST": "0123abcd"},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_a_log_opens_with_host_device_versions_config_and_command_and_closes_with_time_and_memory(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    log = tmp_path / "logs/a.log"
    log.parent.mkdir()
    out, _ = start("--device", "auto", "--megabytes", "400").communicate()
    log.write_text(out)
    fields = read_log(log)
    assert {"host", "device", "versions", "config", "started", "process", "command"} <= set(fields)
    assert fields["config"] == "0123abcd"
    assert fields["device"].startswith("auto asked for")
    assert re.search(r"Python 3\.\d+.*torch \d", fields["versions"])
    assert fields["command"].endswith("--device auto --megabytes 400")
    assert fields["rule"] == "write_half"
    (memory,) = re.findall(r"^done in \d+\.\d s, ([\d,]+) MB of memory$", out, flags=re.MULTILINE)
    assert 400 < int(memory.replace(",", "")) < 800
    assert "gpu_mb" not in fields


def test_a_header_names_the_slurm_job_and_the_visible_gpus() -> None:
    text = header("cuda", {"SLURM_JOB_ID": "42", "CUDA_VISIBLE_DEVICES": "3"})
    assert "SLURM job 42" in text
    assert "# device: cuda asked for, CUDA_VISIBLE_DEVICES 3" in text
    assert "# config: none, called by hand" in text


def test_sigterm_unwinds_a_stage_so_that_nothing_half_written_is_left(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = start()
    assert process.stdout is not None
    assert "writing" in iter(process.stdout.readline, "writing\n") or list((tmp_path / "made").iterdir())
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 143
    assert said == "stopped by SIGTERM; nothing half-written was kept\n"
    assert list((tmp_path / "made").iterdir()) == []


def test_too_little_memory_is_one_message_with_a_way_out(
    start: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    _, said = start("--megabytes", "4000", limit_kb=2_000_000).communicate()
    assert said.startswith("error: Out of memory")
    assert "mem_mb" in said
    assert "Traceback" not in said
    assert list((tmp_path / "made").iterdir()) == []


# --- the table ---


def write_job(results: Path, job: str, seconds: float, memory: int | str, log: str = "") -> None:
    path = results / f"benchmarks/{job}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\tmax_vms\tcpu_time\n{seconds}\t0:00:01\t{memory}\t1\t{memory}\n")
    if log:
        path = results / f"logs/{job}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)


def test_benchmark_files_and_logs_become_one_table_with_the_gpu_where_there_was_one(tmp_path: Path) -> None:
    said = (
        "# host: node1\n# device: cuda asked for\n# command: python ../workflow_scripts/embed_texts.py --out 0.json\n"
    )
    write_job(
        tmp_path, "embeddings/b/s/m1/0", 10.0, 500, said + "done in 9.9 s, 500 MB of memory, 1,234 MB on the GPU A\n"
    )
    write_job(tmp_path, "embeddings/b/s/m1/1", 30.5, 700, said)
    write_job(tmp_path, "captions/s/offline.check", 0.3, "NA")
    (tmp_path / "benchmarks" / TABLE).write_text("not a benchmark file")
    costs = job_costs(tmp_path)
    assert dict(costs.schema) == SCHEMA
    assert costs["job"].to_list() == ["captions/s/offline.check", "embeddings/b/s/m1/0", "embeddings/b/s/m1/1"]
    assert costs["rule"].to_list() == ["captions", "embed_texts", "embed_texts"]
    assert costs["gpu_mb"].to_list() == [None, 1234.0, None]
    assert costs["memory_mb"].to_list() == [None, 500.0, 700.0]
    summary = by_rule(costs).row(0, named=True)
    assert summary | {"rule": "embed_texts", "jobs": 2, "seconds": 40.5, "longest_s": 30.5, "memory_mb": 700} == summary


def test_without_a_run_the_table_is_empty(tmp_path: Path) -> None:
    assert job_costs(tmp_path).is_empty()


def test_the_table_of_a_finished_workflow_names_every_job_with_its_rule_and_time(finished: Project) -> None:
    results = finished.folder / "results"
    table = pl.read_csv(results / "benchmarks" / TABLE, separator="\t", schema_overrides=SCHEMA)
    assert table.equals(job_costs(results).with_columns(pl.col(pl.Float64).round(2)))
    counted = dict(table["rule"].value_counts().iter_rows())
    assert counted["embed_texts"] == 5
    assert {"build_nouns", "merge_caches", "train_decoder", "train_head", "predict", "score", "report"} <= set(counted)
    assert (table["seconds"] > 0).all()
    assert table["device"].drop_nulls().len() == len(table)  # each has a log with a header
    page = (results / "report.html").read_text()
    assert f"{len(table) - 1} jobs took" in page  # all but the report itself
