"""Embedder checks through the workflow: their config, their rules, what they leave."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from embedder_check_material import picture
from PIL import Image, ImageDraw
from tiny_workflow import Ended

from nounflow.config.experiment import Config, load_config
from nounflow.embedders.prompts import class_embeddings
from nounflow.embedders.protocol import Embedder
from nounflow.errors import NounflowError
from nounflow.images import open_image
from nounflow.schemas.documents import read_document
from nounflow.schemas.embedder_checks import EmbedderCheck, ModalityGap


def loaded(repository: Path, change: Callable[[dict[str, Any]], object]) -> Config:
    values = yaml.safe_load((repository / "config/config.yaml").read_text())
    change(values)
    return load_config(values)


@pytest.mark.parametrize(
    ("check_set", "message"),
    [
        ({"kind": "cifar", "folder": "x"}, "check_sets.s.kind: found 'cifar'"),
        ({"kind": "folder"}, "check_sets.s.folder: missing"),
        ({"kind": "folder", "folder": "x", "label": "y"}, "did you mean labels?"),
        ({"kind": "folder", "folder": "x", "labels": "y"}, "`labels` is for kind imagenet"),
        ({"kind": "folder", "folder": "x", "prompts": ["a photo"]}, "needs exactly one {}"),
        ({"kind": "folder", "folder": "x", "prompts": []}, "at least one prompt"),
        ({"kind": "folder", "folder": "x", "expected": {"siglip": 76.0}}, "found 'siglip', allowed: bundled"),
        ({"kind": "folder", "folder": "x", "expected": {"bundled": 176.0}}, "less than or equal to 100"),
    ],
)
def test_a_mistake_in_a_check_set_is_one_line_with_its_key(
    repository: Path, check_set: dict[str, Any], message: str
) -> None:
    with pytest.raises(NounflowError) as caught:
        loaded(repository, lambda values: values["check_sets"].update(s=check_set))
    assert message in str(caught.value)


def test_a_check_set_cannot_have_the_name_of_an_image_set(repository: Path) -> None:
    with pytest.raises(NounflowError, match=r"check_sets.photos: an image set has this name too"):
        loaded(repository, lambda values: values["check_sets"].update(photos={"kind": "folder", "folder": "x"}))


CHECK = "results/embedder_checks/clip/mine.json"
GAP = "results/modality_gap/clip/drawn.json"


class Workplace:
    """A working folder of its own for the real workflow."""

    first_output = ""

    def __init__(self, folder: Path, repository: Path) -> None:
        self.folder, self.repository = folder, repository

    def snakemake(self, *options: str, check: bool = True) -> Ended:
        command = [sys.executable, "-m", "snakemake", "-s", str(self.repository / "Snakefile"), *options]
        done = subprocess.run(
            [*command, "--cores", "2", "--configfile", "mine.yaml"],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.repository), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        if check:
            assert ended.returncode == 0, ended.output[-5000:]
        return ended

    def would_run(self, *targets: str) -> set[str]:
        output = self.snakemake("--dry-run", *targets).output
        if "Nothing to be done" in output:
            return set()
        names = re.findall(r"^(\w+)\s+\d+$", output.split("Job stats:")[1].split("\n\n")[0], flags=re.MULTILINE)
        return set(names) - {"total"}


@pytest.fixture(scope="module")
def workplace(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, open_clip_model: tuple[Any, Embedder, Path]
) -> Workplace:
    """A check set with a broken image, captioned pictures, an open_clip model; both targets are made once."""
    folder = tmp_path_factory.mktemp("checks")
    for number, colour in enumerate(("red", "green", "blue", "orange")):
        image = Image.new("RGB", (60, 60), "white")
        ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill=colour)
        for place in (f"animals/{'tabby_cat' if number % 2 else 'fire truck'}/{number}.png", f"drawn/{number}.png"):
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            image.save(folder / place)
        (folder / f"drawn/{number}.txt").write_text(f"A {colour} ball.\n")
    (folder / "animals/tabby_cat/broken.png").write_bytes(b"no image")
    (folder / "drawn.tsv").write_text("file\tgold\n0.png\tapple\n1.png\tlime\n2.png\tball\n")
    (folder / "mine.yaml").write_text(
        yaml.safe_dump(
            {
                "threads": 1,
                "device": "cpu",  # then jobs run side by side
                "embedders": {"clip": {"spec": f"openclip:local-dir:{open_clip_model[2]}", "precision": "fp32"}},
                "check_sets": {
                    "mine": {"kind": "folder", "folder": "animals", "prompts": "imagenet7"},
                    "gone": {"kind": "folder", "folder": "no/such/folder"},
                },
                "runs": {
                    "clip": {
                        "lexicon": "small",
                        "embedder": "clip",
                        "mixture": "prompts",
                        "noise": {"scheme": "gauss_elem", "norm": 0.4},
                    },
                },
                "image_sets": {
                    "photos": None,
                    "drawn": {"folder": "drawn", "labels": "drawn.tsv", "captions": "txt"},
                    "bare": {"folder": "drawn"},
                },
            }
        )
    )
    workplace = Workplace(folder, repository)
    workplace.first_output = workplace.snakemake(CHECK, GAP).output
    return workplace


def test_a_check_through_the_workflow_gives_what_the_embedder_gives(
    workplace: Workplace, open_clip_model: tuple[Any, Embedder, Path]
) -> None:
    check = read_document(EmbedderCheck, workplace.folder / CHECK, "check")
    model = open_clip_model[1]
    classes = class_embeddings(model, ["fire truck", "tabby cat"], "imagenet7")
    right = 0
    for number in range(4):
        image = open_image(workplace.folder / f"drawn/{number}.png")
        right += int((model.encode_images([model.preprocess(image)]) @ classes.T).argmax()) == number % 2
    assert (check.n, check.unreadable, check.top1.correct) == (5, 1, right)
    assert [found.name for found in check.per_class] == ["fire truck", "tabby cat"]
    page = (workplace.folder / CHECK).with_suffix(".md").read_text()
    assert "No expected value" in page
    assert "1 images could not be read and count as wrong" in page


def test_the_gap_through_the_workflow_knows_nouns_captions_and_the_noise_of_a_run(workplace: Workplace) -> None:
    gap = read_document(ModalityGap, workplace.folder / GAP, "gap")
    assert gap.captions is not None
    assert (gap.images, gap.nouns.texts, gap.captions.texts) == (3, 3, 3)
    assert gap.noise_scheme == "gauss_elem, norm 0.4"
    assert (workplace.folder / GAP).with_suffix(".svg").read_text().startswith("<?xml")


def test_the_counts_of_checks_tally(workplace: Workplace) -> None:
    records = [json.loads(path.read_text()) for path in (workplace.folder / "results").rglob("*.counts.json")]
    assert len(records) == 5
    for record in records:
        for flow in record["flows"]:
            assert flow["out"] == flow["in"] - sum(flow["dropped"].values()) + sum(flow["added"].values())


def test_checks_are_no_part_of_the_main_job_and_nothing_is_done_twice(workplace: Workplace) -> None:
    rules = {"list_check_set", "embedder_check", "modality_gap"}
    assert not workplace.would_run("results/scores.tsv") & rules
    assert workplace.would_run(CHECK, GAP) == set()


def test_a_new_image_is_listed_and_embedded(workplace: Workplace) -> None:
    picture(workplace.folder / "animals/tabby_cat/new.png")
    try:
        assert workplace.would_run(CHECK) == {"list_check_set", "embed_images", "embedder_check"}
    finally:
        (workplace.folder / "animals/tabby_cat/new.png").unlink()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("results/embedder_checks/clip/gone.json", "The folder of a check set does not exist"),
        ("results/modality_gap/clip/bare.json", "The image set bare has no labels"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_message(workplace: Workplace, target: str, message: str) -> None:
    done = workplace.snakemake(target, check=False)
    assert done.returncode != 0
    assert message in done.output
    assert "Traceback" not in done.output
    assert not (workplace.folder / target).exists()


def test_the_rules_pass_snakemakes_lint(repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--lint"],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
