"""Snakemake's cache between workflows, for the embedding stages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tiny_workflow import Project, digests

TARGETS = ("results/training_sets/bundled/tiny/prompts/manifest.json", "results/image_embeddings/bundled/drawn.json")


def forget_embeddings(project: Project) -> None:
    for name in ("embeddings", "image_embeddings", "logs", "training_sets/bundled/tiny/prompts"):
        shutil.rmtree(project.folder / "results" / name)


@pytest.mark.extra
def test_what_one_workflow_embedded_another_one_takes_from_the_cache(
    project: Project, finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    other = Project(tmp_path / "other")
    shutil.copytree(project.folder, other.folder, copy_function=shutil.copy2)
    whole = digests(finished.folder / "results")
    for workflow in (project, other):
        forget_embeddings(workflow)
        workflow.snakemake(*TARGETS, "--cache")
        made = digests(workflow.folder / "results")
        assert {name for name, digest in made.items() if whole[name] != digest} == set()
        assert "embeddings/bundled/tiny/m1/1.zarr/vectors/c/0/0" in whole
        assert (workflow.folder / "results/embeddings/bundled/tiny/m1/1.zarr/vectors/c/0/0").is_file()
    logs = {
        workflow: sorted(
            path.name
            for path in (workflow.folder / "results/logs").rglob("*embeddings/**/*.log")
            if path.stat().st_size > 0  # Snakemake leaves an empty one of what it takes from the cache
        )
        for workflow in (project, other)
    }
    assert logs[project] == ["0.log", "1.log", "drawn.log"]
    assert logs[other] == []  # nothing was computed
    assert other.would_run(*TARGETS) == {}  # also without the cache


@pytest.mark.extra
def test_another_embedder_setting_is_not_taken_for_the_cached_one(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(cache))
    forget_embeddings(project)
    target = "results/embeddings/bundled/tiny/m1/1.json"
    project.snakemake(target, "--cache")
    kept = set(cache.iterdir())
    project.configure(lambda config: config.update(embedders={"bundled": {"batch_tokens": 256}}))
    project.snakemake(target, "--cache")
    assert len(set(cache.iterdir()) - kept) == len(kept) == 3
