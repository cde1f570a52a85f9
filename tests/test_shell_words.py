"""Lists of paths that are longer than a shell command may be."""

from __future__ import annotations

import subprocess

from hypothesis import example, given, settings
from hypothesis import strategies as st

from nounflow.workflow.job_setup import shell_words

NAMES = st.text(st.sampled_from("ab 0{1,}'.$*"), min_size=1, max_size=4)
PATHS = st.builds("{}/{}{}".format, NAMES, st.integers(0, 12), st.sampled_from(["", ".json", ".counts.json", ".a b"]))


@settings(max_examples=60, deadline=None)
@given(st.lists(PATHS | NAMES, max_size=12))
@example([f"it's {{a}}/{n}.json" for n in range(8, 12)])
@example(["a/1.json", "a/01.json", "a/3.json", "a/2.json", "a/2.json"])
def test_bash_reads_the_same_paths_in_the_same_order(paths: list[str]) -> None:
    shown = subprocess.run(
        ["bash", "-c", f'printf "%s\\n" x {shell_words(paths)}'], capture_output=True, text=True, check=True
    ).stdout
    assert shown.splitlines() == ["x", *paths]


def test_thousands_of_shards_are_a_short_text() -> None:
    paths = [f"results/embeddings/dfn5b/full/m1/{shard}.counts.json" for shard in range(100_000)]
    assert len(shell_words([*paths, "results/scores.json"])) < 100
