"""A stage's options are the parameters of its `main`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import pytest

from nounflow.commandline import Count, Threads, stage_parser
from nounflow.config.check_set import Prompts
from nounflow.config.embedder import EmbedderConfig
from nounflow.config.runs.head import HeadRun
from nounflow.config.runs.run import AnyRun


class Files(NamedTuple):
    """Further options."""

    images: Annotated[list[Path], "manifests"]
    labels: Annotated[Path | None, "label file"] = None


def main(
    top_k: Annotated[Count, "nouns an image gets"],
    embedder: Annotated[EmbedderConfig, "settings"],
    run: Annotated[AnyRun, "settings of any kind"],
    mode: Annotated[Literal["fast", "slow"], "how"] = "slow",
    words: Annotated[Sequence[str], "said"] = (),
    usual: Annotated[Sequence[str], "said, else this"] = ("a",),
    prompts: Annotated[Prompts, "by name, or each"] = "imagenet7",
    dry: Annotated[bool, "say it only"] = False,
    threads: Threads = 2,
    **files: object,
) -> None:
    """A stage."""


SPEC = '{"spec": "bundled:minilm-conse", "image_batch": 8}'
RUN = '{"predictor": "head", "lexicon": "a", "embedder": "b", "mixture": "c"}'
PROMPTS = ["--prompts", '["a {}."]']
NEEDED = ["--top-k", "3", "--embedder", SPEC, '{"image_batch": 16}', "", "--run", RUN, "--images", "a.json", "b.json"]


def test_options_become_what_the_parameters_say() -> None:
    found = stage_parser(None, main, Files).parse_args(
        [*NEEDED, "--mode", "fast", "--dry", "--labels", "l.tsv", *PROMPTS]
    )
    assert vars(found) == {
        "top_k": 3,
        "embedder": EmbedderConfig(spec="bundled:minilm-conse", image_batch=16),
        "run": HeadRun(predictor="head", lexicon="a", embedder="b", mixture="c"),
        "images": [Path("a.json"), Path("b.json")],
        "labels": Path("l.tsv"),
        **{
            "mode": "fast",
            "words": (),
            "usual": ("a",),
            "prompts": ("a {}.",),
            "dry": True,
            "threads": 2,
            "debug": False,
        },
    }


def test_a_list_of_lists_is_words_each_time_that_its_option_stands() -> None:
    words = ["--pairs", "one", "two", "--pairs", "three", "-"]

    def main(pairs: Annotated[list[list[str]], "two words", {"nargs": 2, "action": "append"}]) -> None: ...

    assert stage_parser(None, main).parse_args(words).pairs == [["one", "two"], ["three", "-"]]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (NEEDED[2:], "required: --top-k"),
        (NEEDED[:-3], "required: --images"),
        ([*NEEDED, "--images"], "expected at least one argument"),
        ([*NEEDED, "--usual"], "expected at least one argument"),
        ([*NEEDED, "--top-k", "0"], "'0' is not a whole number from 1"),
        ([*NEEDED, "--mode", "new"], "invalid choice: 'new'"),
        ([*NEEDED, "--embedder", '{"spec": "none:of"}'], "families bundled, openclip"),
        ([*NEEDED, "--prompts", '["a"]'], "needs exactly one {}"),
        ([*NEEDED, "--embedder", "{"], "Expecting property name"),
    ],
)
def test_what_is_wrong_with_an_option_is_said(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        stage_parser(None, main, Files).parse_args(words)
    assert complaint in capsys.readouterr().err
