"""README and docs: commands that parse, configs that are valid, links that lead somewhere, messages explained."""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import re
import runpy
import tomllib
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from doc_messages import fixed_words
from doc_pages import Page

from nounflow.cli import parser
from nounflow.commandline import stage_parser
from nounflow.commands.options import spread_configfiles
from nounflow.config.base import merged
from nounflow.config.experiment import load_config

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = (
    *("nounflow", "workflow_scripts", "rules", "tests", "benchmarks", "config", "resources", "profiles"),
    *("docs", "containers"),
)


@pytest.fixture(params=PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Page:
    return Page.read(request.param)


@cache
def page_at(path: Path) -> Page:
    return Page.read(path)


def test_links_and_anchors_lead_somewhere(page: Page) -> None:
    broken = []
    for link in page.links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.path.parent / path).resolve() if path else page.path
        if not target.exists() or (anchor and anchor not in page_at(target).anchors):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        path = waiting.pop()
        if path not in reached:
            reached.add(path)
            links = (link.partition("#")[0] for link in page_at(path).links)
            targets = ((path.parent / link).resolve() for link in links if link.endswith(".md") and ":" not in link)
            waiting += [target for target in targets if target in PAGES]
    assert reached == set(PAGES)


def test_the_pages_of_docs_say_where_to_go_next() -> None:
    pages = [path for path in PAGES if path.parent == ROOT / "docs"]
    without = [path.name for path in pages if "**Where to go next:**" not in path.read_text(encoding="utf-8")]
    assert without == ["README.md"]  # which is a list of links


def test_files_that_are_named_exist(page: Page) -> None:
    named = [span for span in page.spans if re.fullmatch(rf"({'|'.join(PLACES)})/[\w./-]*\w", span)]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_tests_that_are_named_exist(page: Page) -> None:
    there = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))
    named = [span.removesuffix("...") for span in page.spans if re.fullmatch(r"test_\w+(\.\.\.)?", span)]
    assert [name for name in named if f"def {name}" not in there] == []


def test_configs_are_valid_over_the_default_one(page: Page) -> None:
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for config in page.configs():
        load_config(merged(default, yaml.safe_load(config)))


def test_nounflow_commands_parse(page: Page) -> None:
    for words in page.commands():
        if words[0] == "nounflow":
            parsed(parser(), ["nounflow", *spread_configfiles(words[1:])])


def test_nounflow_commands_within_sentences_exist(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    for span in page.spans:
        words = span.split()
        if words[0] == "nounflow" and words[1:]:
            named = [word for word in words[1:3] if re.fullmatch("[a-z][a-z-]+", word)]
            parsed(parser(), ["nounflow", *named, "--help"])
    capsys.readouterr()


def parsed(its_parser: ArgumentParser, words: list[str]) -> Namespace:
    """The words behind the first, parsed; what the parser complains of is the failure's message."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return its_parser.parse_args(words[1:])
    except SystemExit as end:
        if end.code != 0:  # 0: `--version` and `--help`, which say it and end
            pytest.fail(f"{' '.join(words)}\n{complaint.getvalue()}")
        return Namespace()


def test_snakemake_commands_parse_and_say_on_how_many_cores(page: Page) -> None:
    from snakemake.cli import get_argument_parser

    for words in page.commands():
        if words[0] != "snakemake":
            continue
        options = parsed(get_argument_parser(), words)
        line = " ".join(words)
        assert options.cores or options.profile or options.unlock, f"{line}: no --cores"
        assert all(path.suffix == ".yaml" for path in options.configfile or ()), f"{line}: --configfile takes a target"
        assert all("=" in resource for resource in values_behind("--resources", words)), f"{line}: takes a target"
        recipes = [path for path in options.configfile or () if len(path.parts) > 1]
        assert all((ROOT / path).is_file() for path in recipes), line


@pytest.mark.parametrize("path", ["README.md", "docs/troubleshooting.md"])
def test_what_snakemake_says_of_a_swallowed_target_is_explained(path: str) -> None:
    from snakemake.cli import get_argument_parser

    with pytest.raises(ValueError, match="dictionary update") as said:
        get_argument_parser().parse_args(["--resources", "gpu=1", "results/scores.tsv"])
    assert f"ValueError: {said.value}" in (ROOT / path).read_text()


def values_behind(option: str, words: list[str]) -> Iterator[str]:
    """The words between an option and the next one."""
    if option not in words:
        return
    for word in words[words.index(option) + 1 :]:
        if word.startswith("-"):
            return
        yield word


def test_commands_within_sentences_name_cores_or_a_profile(page: Page) -> None:
    whole = [span for span in page.spans if re.match(r"snakemake .*(results/|\.yaml)", span)]
    assert [span for span in whole if not re.search(r"--(cores|profile|rulegraph|lint|unlock|report)", span)] == []


@functools.cache
def options_of(script: str) -> frozenset[str]:
    """Of a stage's script, as its command line has them; of another one the texts that look like options."""
    if not script.startswith("workflow_scripts/"):
        return frozenset(re.findall(r'"(--[\w-]+)"', (ROOT / script).read_text()))
    found = runpy.run_path(str(ROOT / script))
    return frozenset(stage_parser(None, found["main"], *filter(None, [found.get("Sources")]))._option_string_actions)


def test_scripts_that_are_called_exist_and_have_these_options(page: Page) -> None:
    for words in page.commands():
        if words[0] == "python" and len(words) > 1 and not words[1].startswith("-"):
            assert {word for word in words if word.startswith("--")} <= options_of(words[1]), words


def test_targets_of_make_and_extras_exist(page: Page) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for words in page.commands():
        if words[0] == "make":
            assert set(words[1:]) <= set(targets), words
    named = re.findall(r"\.\[([\w,]+)\]", page.path.read_text())
    assert {extra for group in named for extra in group.split(",")} <= set(extras)


def test_examples_in_python_are_python(page: Page) -> None:
    for block in page.python:
        ast.parse(block)


def test_commands_are_written_as_if_the_environment_were_active(page: Page) -> None:
    assert not re.search(r"\.venv/bin/(?!activate)", page.path.read_text())


def test_the_first_screen_has_two_commands() -> None:
    first = page_at(ROOT / "README.md").blocks[0]
    assert [line.split("#")[0].strip() for line in first.splitlines() if line] == ["make scores", "make test"]


def test_each_message_of_the_code_is_explained() -> None:
    page = " ".join((ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8").split())
    messages = [*fixed_words([ROOT / "nounflow", ROOT / "workflow_scripts"], "NounflowError")]
    assert len(messages) > 200
    missing = [f"{place}: {words}" for place, words in messages if " ".join(words.split()) not in page]
    assert missing == [], "a line for each of these is wanted in docs/troubleshooting.md"


def test_the_api_page_is_what_the_docstrings_say() -> None:
    printed = "\n".join(runpy.run_path(str(ROOT / "docs/make_api.py"))["pages"]())
    committed = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert committed == printed + "\n", "python docs/make_api.py > docs/api.md"
