"""The page of a lexicon."""

from __future__ import annotations

import json
import re

import polars as pl

from nounflow.nouns.page import lexicon_page

TABLE = pl.DataFrame(
    {
        "noun": ["dog", "TV set"], "canon": ["dog", "tv set"], "kind": ["animal", "artifact"], "weight": [9.0, 3.0],
        "gloss": ["a pet </script><b>", "a box"], "singulars": [["dog"], ["TV set"]], "plurals": [["dogs"], []],
        "aliases": [["Canis familiaris"], None],
    }
)  # fmt: skip
COUNTS = {"flows": [{"dropped": {"name of a single thing": 7}}]}


def test_the_page_holds_all_nouns_escaped_and_what_was_removed_with_examples() -> None:
    dropped = {f"thing {i:02d}": "too <rare>" for i in range(40)} | {"thing": "a synonym"}
    page = lexicon_page("mine & yours", TABLE, COUNTS, dropped)
    data = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert data
    assert json.loads(data[1]) == [
        ["dog", "animal", 9.0, "a pet </script><b>", "dog, dogs", "Canis familiaris"],
        ["TV set", "artifact", 3.0, "a box", "TV set", ""],
    ]
    assert "2 nouns in 3 forms" in page
    assert "mine &amp; yours" in page
    assert re.search(r"too &lt;rare&gt;<td class=.n.>40<td>thing 00, thing 04, .*thing 36<", page)
    assert "rank 1: 9.0, rank 2: 3.0" in page
    assert not re.search(r"(src|href)=", page)  # nothing from a network


def test_a_lexicon_of_one_noun_that_lost_none_has_a_page() -> None:
    assert "1 nouns in 2 forms" in lexicon_page("one", TABLE.head(1), COUNTS, {})
