"""Captions: templates, multisets and the offline captioner."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nounflow.captions import multisets, writing
from nounflow.captions.captioners import CAPTIONERS
from nounflow.captions.companions import Companions
from nounflow.captions.forms import CaptionLexicon
from nounflow.captions.glosses import GlossReader
from nounflow.captions.multisets import BLOCK, Multiset, compose, multiset_rows
from nounflow.captions.offline import FEWEST, LONGEST, SHORTEST, OfflineCaptioner, draft_captions
from nounflow.captions.quotas import quotas
from nounflow.captions.scenes import SceneBook
from nounflow.captions.spool import Spool
from nounflow.captions.table import CaptionDraft, Rows, merge_equal_texts
from nounflow.captions.templates import Templates, read_templates
from nounflow.captions.writing import merged, write_draft
from nounflow.config.captions import MultisetConfig, OfflineConfig, SourceConfig
from nounflow.errors import MismatchError, NounflowError
from nounflow.schemas import tables
from nounflow.schemas.tables import CAPTIONS, NOUNS, read_table, write_table

# noun, kind, parents, gloss, weight, singulars, plurals (a plural has a third of its noun's use, unless it is alone)
ENTRIES = [
    ("robin", "animal", "thrush<bird<animal", "small Old World songbird with a reddish breast", 5, "robin", "robins"),
    ("owl", "animal", "bird of prey<bird<animal", "nocturnal bird of prey with hawk-like beak", 6, "owl", "owls"),
    ("mouse", "animal", "rodent<mammal<animal", "any of numerous small rodents typically resembling diminutive rats "
     "having pointed snouts and small ears", 7, "mouse", "mice"),
    ("sheep", "animal", "bovid<ruminant<mammal", "woolly usually horned ruminant mammal", 6, "sheep", "sheep"),
    ("dog", "animal", "canine<carnivore<mammal", "a domesticated animal that barks", 9, "dog", "dogs"),
    ("carp", "animal", "cypriniform fish<fish", "any of various freshwater fish of the family Cyprinidae", 4, "carp",
     "carps"),
    ("bee", "animal", "insect<arthropod", "any of numerous hairy-bodied insects", 6, "bee", "bees"),
    ("oak", "plant", "tree<woody plant<plant", "a deciduous tree of the genus Quercus; has acorns", 6, "oak", "oaks"),
    ("rose", "plant", "shrub<woody plant<plant", "any of many shrubs of the genus Rosa that bear roses", 7, "rose",
     "roses"),
    ("herb", "plant", "vascular plant<plant", "a plant lacking a permanent woody stem", 5, "herb", "herbs"),
    ("fern", "plant", "vascular plant<plant", "", 4, "fern", "ferns"),
    ("apple", "food", "edible fruit<produce<food", "fruit with red or yellow or green skin", 8, "apple", "apples"),
    ("rice", "food", "grain<foodstuff<food", "grains used as food either unpolished or more often polished", 6, "rice",
     ""),
    ("tea", "food", "beverage<food", "a beverage made by steeping tea leaves in water", 7, "tea", ""),
    ("ice cream", "food", "frozen dessert<dessert<food", "frozen dessert containing cream and sugar", 6, "ice cream",
     "ice creams"),
    ("hammer", "artifact", "hand tool<tool", "a hand tool with a heavy rigid head and a handle", 6, "hammer",
     "hammers"),
    ("X-ray", "artifact", "photograph<picture", "a radiogram made by exposing photographic film", 5, "X-ray",
     "X-rays"),
    ("umbrella", "artifact", "canopy<shelter", "a lightweight handheld collapsible canopy", 6, "umbrella",
     "umbrellas"),
    ("hourglass", "artifact", "timepiece<instrument", "a sandglass that runs for sixty minutes", 4, "hourglass",
     "hourglasses"),
    ("scissors", "artifact", "edge tool<tool", "an edge tool having two crossed pivoting blades", 6, "", "scissors"),
    ("sofa", "artifact", "seat<furniture", "an upholstered seat for more than one person", 6, "sofa", "sofas"),
    ("couch", "artifact", "seat<furniture", "an upholstered seat for more than one person", 5, "couch", "couches"),
    ("car", "artifact", "motor vehicle<vehicle", "a motor vehicle with four wheels", 9, "car", "cars"),
    ("boat", "artifact", "vessel<craft<vehicle", "a small vessel for travel on water", 7, "boat", "boats"),
    ("ax", "artifact", "edge tool<tool", "an edge tool with a heavy bladed head", 5, "ax;axe", "axes"),
    ("axis", "artifact", "line<artifact", "a straight line through a body", 3, "axis", "axes"),
    ("hotel", "artifact", "building<structure", "a building where travelers can pay for lodging", 7, "hotel", "hotels"),
    ("unicycle", "artifact", "wheeled vehicle<vehicle", "a vehicle with a single wheel", 3, "unicycle", "unicycles"),
    ("heirloom", "artifact", "property<artifact", "", 3, "heirloom", "heirlooms"),
    ("shirt", "artifact", "garment<clothing", "a garment worn on the upper half of the body", 7, "shirt", "shirts"),
]  # fmt: skip
VOWELS = ("owl", "oak", "apple", "ice cream", "umbrella", "ax", "axe", "axis", "X-ray", "hourglass", "heirloom")


def forms_of(singulars, plurals):
    """Forms and shares that sum to 1."""
    ones, many = [[form for form in text.split(";") if form] for text in (singulars, plurals)]
    share = {(True, True): (2 / 3, 1 / 3)}.get((bool(ones), bool(many)), (1.0, 1.0))
    return ones, [share[0] / len(ones) for _ in ones], many, [share[1] / len(many) for _ in many]


def lexicon_of(entries):
    rows = []
    for i, (noun, kind, parents, gloss, weight, singulars, plurals) in enumerate(entries):
        ones, one_shares, many, many_shares = forms_of(singulars, plurals)
        rows.append(
            {
                "id": i,
                "key": f"key-{noun}",
                "noun": noun,
                "canon": noun.lower().replace("-", " "),
                "kind": kind,
                "synsets": [f"{noun}%1:00:00::"],
                "gloss": gloss,
                "hypernyms": parents.split("<"),
                "singulars": ones,
                "singular_shares": one_shares,
                "plurals": many,
                "plural_shares": many_shares,
                "frequency": 1e-5,
                "weight": float(weight),
            }
        )
    return pl.DataFrame(rows)


@pytest.fixture(scope="module")
def nouns(tmp_path_factory):
    path = tmp_path_factory.mktemp("lexicon") / "nouns.parquet"
    write_table(path, lexicon_of(ENTRIES), NOUNS)
    return read_table(path, NOUNS, "lexicon")


@pytest.fixture(scope="module")
def files(repository):
    return [repository / f"resources/templates/{number}.tsv" for number in ("singular", "plural")]


@pytest.fixture(scope="module")
def templates(files):
    return Templates.read(*files)


@pytest.fixture(scope="module")
def book(repository):
    return SceneBook.read(repository / "resources/captions")


def multiset(nouns, templates, m, texts_per_noun=12, seed=1):
    return Multiset(CaptionLexicon.of(nouns), templates, m, texts_per_noun, seed)


def written(draft):
    """The table that a draft becomes, and its counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "captions.parquet"
        counts = write_draft(path, draft)
        return read_table(path, CAPTIONS, "captions"), counts


def write_captions(*arguments):
    return written(draft_captions(*arguments))


def whole_words(text, form):
    return re.findall(rf"(?<!\w){re.escape(form)}(?!\w)", text, re.IGNORECASE)


# --- templates ---


def test_the_shipped_files_hold_85_singular_and_68_plural_templates_of_which_seven_are_core(templates):
    assert [len(templates.singular), len(templates.plural)] == [85, 68]
    for of_number in (templates.singular, templates.plural):
        assert len({template.text for template in of_number}) == len(of_number)
        assert sum(template.core for template in of_number) == 7


def test_a_template_puts_the_article_that_is_spoken_before_each_noun(templates):
    photo = next(t for t in templates.singular if t.text == "a photo of {a_noun}.")
    lexicon = CaptionLexicon.of(lexicon_of(ENTRIES))
    for form, phrase in zip(lexicon.singular.texts, lexicon.singular.with_articles, strict=True):
        article = "an" if form in VOWELS else "a"
        assert photo.fill([form], [phrase]) == f"a photo of {article} {form}."
    assert photo.fill(["owl", "dog"], ["an owl", "a dog"]) == "a photo of an owl and a dog."
    assert photo.fill(["owl", "dog", "ax"], ["an owl", "a dog", "an ax"]) == "a photo of an owl, a dog and an ax."


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("x\t1\ta photo.\t0", "exactly one"),
        ("x\t1\ta {noun} and {noun}.\t0", "exactly one"),
        ("x\t1\ta photo of {article_noun}.\t0", "exactly one"),
        ("x\t1\ta photo of {noun.\t0", "exactly one"),
        ("x\t1\ta photo of a {noun}.\t0", "before the noun is known"),
        ("x\t1\tan {noun}.\t0", "before the noun is known"),
        ("x\t1\ta photo of {a_noun}\t0", "full stop"),
        ("x\t1\ta  photo of {a_noun}.\t0", "single spaces"),
        ("x\tmany\ta photo of {a_noun}.\t0", "weight 'many'"),
        ("x\t0\ta photo of {a_noun}.\t0", "weight '0'"),
        ("x\tnan\ta photo of {a_noun}.\t0", "weight 'nan'"),
        ("x\t1\ta photo of {a_noun}.\t1", "core '1'"),
        ("core-x\t1\ta photo of {a_noun}.\t0", "core '0'"),
        ("X y\t1\ta photo of {a_noun}.\t0", "id 'X y'"),
        ("core-a\t1\tthe {noun}.\t1", "stands already in row 2"),
        ("y\t1\tthis is {a_noun}.\t0", "stands already in row 2"),
        ("x\t1\ta photo of {a_noun}.", "4 cells expected, 3 found"),
    ],
)
def test_a_mistake_in_a_template_file_is_named_with_file_and_row(tmp_path, row, message):
    path = tmp_path / "singular.tsv"
    path.write_text(f"id\tweight\ttemplate\tcore\ncore-a\t1\tthis is {{a_noun}}.\t1\n{row}\n", encoding="utf-8")
    with pytest.raises(NounflowError) as error:
        read_templates(path, "singular")
    assert message in str(error.value)
    assert f"{path}, row 3" in str(error.value)


def test_a_template_file_of_another_editor_is_read(tmp_path):
    path = tmp_path / "singular.tsv"
    path.write_bytes(b"\xef\xbb\xbfid\tweight\ttemplate\tcore\r\ncore-a\t1\tthis is {a_noun}.\t1\r\n")
    assert [template.text for template in read_templates(path, "singular")] == ["this is {a_noun}."]


def test_a_plural_template_with_an_article_is_refused(tmp_path):
    path = tmp_path / "plural.tsv"
    path.write_text("id\tweight\ttemplate\tcore\ncore-a\t1\tthese are {a_noun}.\t1\n", encoding="utf-8")
    with pytest.raises(NounflowError, match="plurals have no article"):
        read_templates(path, "plural")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "There is no singular template file"), (b"", "found: nothing"), (b"id,weight\n", "tab-separated"),
     (b"\xff\xfe", "UTF-8"), (b"id\tweight\ttemplate\tcore\nx\t1\tthe {noun}.\t0\n", "core = 1")],
)  # fmt: skip
def test_a_template_file_that_is_missing_empty_foreign_or_without_core_is_refused(tmp_path, content, message):
    path = tmp_path / "singular.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NounflowError, match=message) as error:
        read_templates(path, "singular")
    assert str(path) in str(error.value)


# --- quotas and merging ---


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(1, 20), min_size=1, max_size=50),
    mean=st.integers(1, 30), low=st.integers(1, 10), span=st.integers(0, 40),
)  # fmt: skip
def test_quotas_keep_their_bounds_and_their_mean(weights, mean, low, span):
    numbers = quotas(np.array(weights), mean, low, low + span)
    assert numbers.min() >= low
    assert numbers.max() <= low + span
    assert numbers.sum() == len(weights) * min(max(mean, low), low + span)


def test_quotas_grow_with_the_weight():
    assert quotas(np.array([1.0, 2.0, 3.0, 4.0]), 10, 5, 16).tolist() == [5, 8, 12, 15]


def test_equal_texts_become_one_with_the_targets_of_both_by_their_weights():
    rows = Rows()
    rows.add("two axes.", (3,), 1.0, "a")
    rows.add("a dog.", (1,), 2.0, "b")
    rows.add("two axes.", (7,), 3.0, "c")
    rows.add("two axes.", (3,), 1.0, "c")
    merged = merge_equal_texts(rows.frame())
    assert merged.rows() == [("two axes.", [3, 7], pytest.approx([0.4, 0.6]), 5.0, "a"), ("a dog.", [1], [1.0], 2, "b")]
    assert list(merged.schema.items()) == list(rows.frame().schema.items())


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
                  st.floats(0.5, 9)), min_size=1, max_size=30)
)  # fmt: skip
def test_merging_keeps_each_targets_share_of_the_draws(entries):
    rows = Rows()
    for text, targets, weight in entries:
        rows.add(text, targets, weight, "t")
    table = rows.frame()
    merged = merge_equal_texts(table)
    assert merged["text"].to_list() == list(dict.fromkeys(text for text, _, _ in entries))
    for row in merged.iter_rows(named=True):
        assert sum(row["target_weights"]) == pytest.approx(1, abs=1e-5)
        assert len(set(row["targets"])) == len(row["targets"])
    assert mass(merged) == pytest.approx(mass(table), rel=1e-4)


ANY_ROWS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.lists(st.integers(0, 5), min_size=1, max_size=3, unique=True),
              st.floats(0.5, 9, width=32)), min_size=1, max_size=40
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(ANY_ROWS, st.integers(1, 45), st.integers(1, 20))
def test_merging_window_by_window_on_disk_gives_what_merging_at_once_gives(entries, window, batch):
    rows = Rows()
    for i, (text, targets, weight) in enumerate(entries):
        rows.add(text, targets, weight, f"t{i}")
    table = rows.frame()
    batches = [table[start : start + batch] for start in range(0, len(table), batch)]
    with tempfile.TemporaryDirectory() as folder:
        assert pl.concat(merged(batches, Path(folder), window)).equals(merge_equal_texts(table))
        assert not list(Path(folder).iterdir())


def test_two_texts_with_one_hash_stay_two(monkeypatch, tmp_path):
    rows = Rows()
    for text in "abacabdaeb":
        rows.add(text, (ord(text),), 1.0, "t")
    table = rows.frame()
    monkeypatch.setattr(writing, "_hashes", lambda frame: np.zeros(len(frame), dtype=np.uint64))
    found = pl.concat(merged([table], tmp_path, 3))
    assert found.sort("text").equals(merge_equal_texts(table).sort("text"))


def test_a_table_of_several_row_groups_holds_the_same_rows(nouns, templates, tmp_path, monkeypatch):
    wanted = MultisetConfig(texts_per_noun=(40, 6, 4))
    whole, counts = written(compose(nouns, templates, "m1", wanted, 1))
    monkeypatch.setattr(tables, "ROW_GROUP", 100)
    monkeypatch.setattr(multisets, "ROW_GROUP", 100)
    monkeypatch.setattr(writing.merged, "__defaults__", (100,))
    path = tmp_path / "m1.parquet"
    assert write_draft(path, compose(nouns, templates, "m1", wanted, 1)).as_dict() == counts.as_dict()
    assert read_table(path, CAPTIONS, "captions").equals(whole)
    assert pq.ParquetFile(path).num_row_groups == -(-len(whole) // 100) > 5
    assert pl.concat(tables.read_batches(path, CAPTIONS, "captions", 70)).equals(whole)


def test_a_draft_that_fails_leaves_no_file(nouns, templates, tmp_path):
    draft = compose(nouns, templates, "m1", MultisetConfig().of("m1"), 1)

    def failing():
        yield from draft.batches
        raise NounflowError("as scripted")

    with pytest.raises(NounflowError, match="as scripted"):
        write_draft(tmp_path / "m1.parquet", CaptionDraft(failing(), draft.count))
    assert list(tmp_path.iterdir()) == []


def test_a_spool_gives_back_each_chain_in_order_and_leaves_nothing(tmp_path):
    with Spool(tmp_path) as spool:
        for i in range(50):
            spool.append(i % 7, bytes([i]) * i)
            if i % 10 == 0:
                assert list(spool.pieces(0)) == [bytes([j]) * j for j in range(0, i + 1, 7)]
        for chain in range(7):
            assert list(spool.pieces(chain)) == [bytes([j]) * j for j in range(chain, 50, 7)]
        assert list(spool.pieces("unknown")) == []
        assert list(tmp_path.iterdir()) == []


def mass(table):
    """Target id -> expected sampling weight."""
    total = Counter()
    for row in table.iter_rows(named=True):
        for target, share in zip(row["targets"], row["target_weights"], strict=True):
            total[target] += share * row["weight"]
    return dict(total)


# --- multisets ---


@pytest.mark.parametrize("m", [1, 2, 3])
def test_any_range_of_rows_equals_the_same_rows_of_the_whole(nouns, templates, m):
    whole = multiset(nouns, templates, m, 12 if m == 1 else 300)
    rows = multiset_rows(whole)
    assert len(rows) == whole.rows
    middle = len(rows) // 2
    cuts = [0, 1, 5, middle, middle + 1, len(rows) - 1, len(rows), len(rows) + 10]
    for start, stop in pairwise(cuts):
        assert multiset_rows(multiset(nouns, templates, m, whole.texts_per_noun), start, stop).equals(rows[start:stop])
    if m > 1:
        assert len(rows) > 2 * BLOCK
        assert multiset_rows(whole, BLOCK - 3, BLOCK + 3).equals(rows[BLOCK - 3 : BLOCK + 3])


@pytest.mark.parametrize("m", [1, 2])
def test_the_seed_decides_the_rows(nouns, templates, m):
    first, again = (multiset_rows(multiset(nouns, templates, m, seed=1)) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(multiset_rows(multiset(nouns, templates, m, seed=2)))


def test_m1_gives_every_noun_its_core_templates_and_its_lexicon_weight(nouns, templates):
    rows = multiset_rows(multiset(nouns, templates, 1))
    core = {template.id for template in templates.singular if template.core}
    for row in nouns.iter_rows(named=True):
        own = rows.filter(pl.col("targets").list.first() == row["id"])
        assert core <= set(own["template"])
        assert own["weight"].sum() == pytest.approx(row["weight"], rel=1e-5)
        main = (row["singulars"] or row["plurals"])[0]
        assert all(whole_words(text, main) for text in own.filter(pl.col("template").is_in(core))["text"][:7])
    assert len(rows) == 12 * len(nouns)


def test_m1_gives_heavier_nouns_more_texts_and_both_numbers_by_their_shares(nouns, templates):
    rows = multiset_rows(multiset(nouns, templates, 1, 40)).explode("targets", "target_weights")
    counts = dict(rows.group_by("targets").len().iter_rows())
    by_noun = dict(zip(nouns["noun"], nouns["id"], strict=True))
    assert counts[by_noun["dog"]] > counts[by_noun["robin"]] > counts[by_noun["unicycle"]] >= 20
    dogs = rows.filter(pl.col("targets") == by_noun["dog"])["text"].to_list()
    plurals = sum(bool(whole_words(text, "dogs")) for text in dogs)
    assert plurals + sum(bool(whole_words(text, "dog")) for text in dogs) == len(dogs)
    assert plurals == pytest.approx(len(dogs) / 3, abs=1)


def test_m1_uses_only_plural_templates_for_a_noun_without_singular(nouns, templates):
    scissors = nouns["noun"].to_list().index("scissors")
    texts = multiset_rows(multiset(nouns, templates, 1)).filter(pl.col("targets").list.first() == scissors)
    assert {"these are scissors.", "a photo of scissors."} <= set(texts["text"])
    assert not any("a scissors" in text for text in texts["text"])


def test_m1_counts_the_texts_that_a_noun_with_few_forms_cannot_have(nouns, templates):
    table, counts = written(compose(nouns, templates, "m1", SourceConfig(texts_per_noun=120), 1))
    flow = counts.as_dict()["flows"][0]
    assert flow["in"] == 120 * len(nouns)
    assert flow["dropped"]["not made: the noun has too few forms, templates or different sentences"] > 0
    assert flow["out"] == len(table)


@pytest.mark.parametrize("m", [2, 3])
def test_no_tuple_names_a_noun_twice_or_two_synonyms(nouns, templates, m):
    rows = multiset_rows(multiset(nouns, templates, m, 200))
    sofa, couch = (nouns["noun"].to_list().index(noun) for noun in ("sofa", "couch"))
    for targets in rows["targets"].to_list():
        assert len(set(targets)) == m
        assert not {sofa, couch} <= set(targets)
    assert rows["targets"].explode().is_in([sofa, couch]).any()


@pytest.mark.parametrize("m", [2, 3])
def test_each_noun_appears_in_tuples_near_its_share(nouns, templates, m):
    per_noun = 400
    rows = multiset_rows(multiset(nouns, templates, m, per_noun))
    counts = np.bincount(rows["targets"].explode().to_numpy(), minlength=len(nouns))
    weights = nouns["weight"].to_numpy()
    expected = weights / weights.sum() * per_noun * len(nouns) * m
    assert np.abs(counts - expected).max() < 20  # draws at random miss by about 80
    assert rows["weight"].unique().to_list() == [1.0]


@pytest.mark.parametrize("m", [2, 3])
def test_a_tuples_nouns_have_one_number_and_stand_in_the_order_of_the_targets(nouns, templates, m):
    forms = {i: (row["singulars"], row["plurals"]) for i, row in enumerate(nouns.iter_rows(named=True))}
    articled = Counter()
    for text, targets in multiset_rows(multiset(nouns, templates, m, 20)).select("text", "targets").iter_rows():
        positions = []
        for number in (0, 1):
            found = [
                [hit.start() for form in forms[target][number] for hit in re.finditer(rf"\b{form}\b", text)]
                for target in targets
            ]
            if all(found):
                positions.append([hits[0] for hits in found])
        assert positions, text
        assert any(order == sorted(order) for order in positions), text
        articled[len(re.findall(r"\ban? (?:owl|oak|dog|car)\b", text)) > 1] += 1
        assert not re.search(r"\ba (?:owl|oak|apple|umbrella|X-ray|hourglass|heirloom|axe?|axis)\b", text)
        assert not re.search(r"\ban (?:dog|car|robin|unicycle|sheep|hammer|hotel|boat)\b", text)
    assert articled[True]  # each noun has an article of its own


@pytest.mark.parametrize("source", ["m1", "m2", "m3"])
def test_a_multiset_is_a_table_of_distinct_texts_whose_counts_tally(nouns, templates, tmp_path, source):
    table, counts = written(compose(nouns, templates, source, MultisetConfig().of(source), 3))
    assert table["text"].n_unique() == len(table)
    sums = table["target_weights"].list.sum()
    assert (sums - 1).abs().max() < 1e-5
    assert (table["targets"].list.len() == table["target_weights"].list.len()).all()
    assert table["text"].str.ends_with(".").all()
    assert not table["text"].str.contains(r"[{}]").any()
    flows = {flow["name"]: flow for flow in counts.as_dict()["flows"]}
    assert flows[source]["in"] == len(nouns) * {"m1": 12, "m2": 6, "m3": 4}[source]
    assert flows[source]["out"] == len(table)
    assert flows["nouns"]["out"] == table["targets"].explode().n_unique()


def test_two_nouns_with_the_same_plural_share_the_text(nouns, templates):
    table, _ = written(compose(nouns, templates, "m1", SourceConfig(texts_per_noun=120), 1))
    ax, axis = (nouns["noun"].to_list().index(noun) for noun in ("ax", "axis"))
    shared = table.filter(pl.col("targets").list.len() == 2)
    assert len(shared)
    assert {tuple(sorted(targets)) for targets in shared["targets"].to_list()} == {tuple(sorted((ax, axis)))}


# --- nouns that go together ---

TOGETHER = [
    ("cup", "artifact", "crockery<tableware", "a vessel that stands on a saucer and holds tea", 8, "cup", "cups"),
    ("saucer", "artifact", "crockery<tableware", "a small shallow dish", 5, "saucer", "saucers"),
    ("tea", "food", "beverage<food", "a drink made from leaves", 7, "tea", ""),
    ("leash", "artifact", "restraint<device", "a line that holds a dog or another creature", 4, "leash", "leashes"),
    ("animal", "animal", "organism", "a living thing", 9, "animal", "animals"),
    ("sheepdog", "animal", "dog<animal", "a dog that herds sheep", 5, "sheepdog", "sheepdogs"),
    *(entry for entry in ENTRIES if entry[0] in ("dog", "sheep", "sofa", "couch", "hammer", "car", "boat", "oak")),
]


def companion_pairs(entries):
    """By brute force over words: nouns of one gloss, its own entry among them."""
    owner = {
        form: i for i, entry in enumerate(entries) for form in (*entry[5].split(";"), *entry[6].split(";")) if form
    }
    parents = {i: entry[2].split("<") for i, entry in enumerate(entries)}
    pairs = set()
    for i, entry in enumerate(entries):
        words = [owner[word] for word in re.findall(r"\w+", entry[3]) if word in owner]
        named = {i, *(word for word in words if entries[word][0] not in parents[i])}
        pairs |= {(a, b) for a in named for b in named if a != b and entries[a][0] not in parents[b] and
                  entries[b][0] not in parents[a]}  # fmt: skip
    return pairs


def test_companions_are_the_nouns_of_one_gloss_without_parents_and_synonyms():
    entries = lexicon_of(TOGETHER)
    companions = Companions(entries, CaptionLexicon.of(entries))
    found = {(noun, other) for noun in range(len(entries)) for other in companions.of(noun)}
    assert found == companion_pairs(TOGETHER)
    names = [entry[0] for entry in TOGETHER]
    assert {(names[a], names[b]) for a, b in found if a < b} == {
        ("cup", "saucer"), ("cup", "tea"), ("saucer", "tea"), ("leash", "dog"), ("sheepdog", "sheep"),
        ("animal", "dog"),
    }  # fmt: skip


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_share_of_tuples_holds_companions_and_no_noun_twice(templates, m, share):
    entries = lexicon_of(TOGETHER)
    lexicon = CaptionLexicon.of(entries)
    together = Multiset(lexicon, templates, m, 200, 1, share, Companions(entries, lexicon))
    rows = multiset_rows(together)
    pairs = companion_pairs(TOGETHER)
    sure = {a for a, b in pairs if all(TOGETHER[b][5:7])}  # they have a companion in both numbers
    apart = multiset_rows(Multiset(lexicon, templates, m, 200, 1))
    changed = 0
    for targets, before in zip(rows["targets"].to_list(), apart["targets"].to_list(), strict=True):
        assert len(set(targets)) == m
        assert {"sofa", "couch"} - {TOGETHER[noun][0] for noun in targets}
        assert targets[0] == before[0]
        changed += targets != before
        if share == 1.0 and targets[0] in sure:
            assert any((targets[0], other) in pairs for other in targets[1:])
    assert 0.5 * share * len(rows) < changed < 1.1 * share * len(rows)
    assert rows["template"].equals(apart["template"])


def test_any_range_of_rows_with_companions_equals_the_same_rows_of_the_whole(templates):
    entries = lexicon_of(TOGETHER)
    lexicon = CaptionLexicon.of(entries)
    whole = Multiset(lexicon, templates, 3, 100, 1, 0.5, Companions(entries, lexicon))
    rows = multiset_rows(whole)
    for start, stop in ((0, 7), (7, BLOCK + 3), (BLOCK - 3, len(rows))):
        again = Multiset(lexicon, templates, 3, 100, 1, 0.5, Companions(entries, lexicon))
        assert multiset_rows(again, start, stop).equals(rows[start:stop])


def test_without_a_share_the_rows_are_those_of_no_companions(nouns, templates):
    plain = multiset_rows(multiset(nouns, templates, 2))
    assert multiset_rows(
        Multiset(CaptionLexicon.of(nouns), templates, 2, 12, 1, 0.0, Companions(nouns, CaptionLexicon.of(nouns)))
    ).equals(plain)


def test_a_source_that_is_no_multiset_is_refused(nouns, templates):
    with pytest.raises(NounflowError, match="no multiset 'x4'"):
        compose(nouns, templates, "x4", SourceConfig(texts_per_noun=1), 1)


def test_a_lexicon_of_synonyms_is_too_small_for_tuples(templates):
    synonyms = lexicon_of([entry for entry in ENTRIES if entry[0] in ("sofa", "couch")])
    with pytest.raises(NounflowError, match="M2 needs 2 nouns of different meaning"):
        multiset_rows(multiset(synonyms, templates, 2))


def test_tuples_of_a_lexicon_of_three_nouns_are_sound(templates):
    rows = multiset_rows(multiset(lexicon_of(ENTRIES[:3]), templates, 3, 50))
    assert {tuple(sorted(targets)) for targets in rows["targets"].to_list()} == {(0, 1, 2)}


def test_a_lexicon_with_a_noun_without_forms_is_refused(templates):
    with pytest.raises(MismatchError, match="the first is 'dog'"):
        CaptionLexicon.of(lexicon_of([ENTRIES[0], ("dog", "animal", "canine", "", 3, "", "")]))


# --- glosses ---


@pytest.fixture(scope="module")
def reader(nouns, book):
    words = [*nouns["singulars"].explode().drop_nulls(), *nouns["hypernyms"].explode()]
    words += ["songbird", "breast", "trouser", "shop", "rat", "dough", "flour", "friedcake", "cat", "bird", "engine"]
    return GlossReader(words, book.words("trait"), book.words("uncountable"))


@pytest.mark.parametrize(
    ("gloss", "singular", "plural", "detail"),
    [
        ("small Old World songbird with a reddish breast",
         ("a small Old World songbird with a reddish breast", "a small Old World songbird"),
         ("each a small Old World songbird with a reddish breast", "small Old World songbirds"),
         ("with a reddish breast",)),
        ("any of various large birds of the family Accipitridae having keen sight",
         ("one of the large birds having keen sight", "one of the large birds"),
         ("large birds having keen sight", "large birds"), ("having keen sight",)),
        ("a kind of cat", (), (), ()),
        ("(literary) an old boat (usually wooden); a term of endearment", ("an old boat",), ("old boats",), ()),
        ("made from flour", (), (), ("made from flour",)),
        ("clothing worn on the body", ("clothing worn on the body",), ("clothing worn on the body",),
         ("worn on the body",)),
        ("a `big' car", (), (), ()),
        ("the young of a bird", ("the young of a bird",), (), ()),
        ("small ring-shaped friedcake", ("a small ring-shaped friedcake",), ("small ring-shaped friedcakes",), ()),
        ("a vehicle driven by an engine", ("a vehicle driven by an engine",), ("each a vehicle driven by an engine",),
         ("driven by an engine",)),
        ("shop selling dough", ("a shop selling dough",), ("each a shop selling dough",), ()),
        ("xyzzy of unknown sort", (), (), ()),
        ("", (), (), ()),
    ],
)  # fmt: skip
def test_a_gloss_is_cut_into_phrases(reader, gloss, singular, plural, detail):
    phrases = reader.read(gloss, ["zebu"])
    assert (phrases.singular, phrases.plural, phrases.singular_detail) == (singular, plural, detail)


def test_a_part_of_a_gloss_that_contains_the_noun_itself_is_left_out(reader):
    assert reader.read("a large robin; a bird with a red breast", ["robin", "robins"]).singular == (
        "a bird with a red breast",
    )


def test_a_detail_with_a_verb_stays_with_its_number(reader):
    one = reader.read("a bird that eats cats", ["zebu"])
    many = reader.read("any of various birds that eat cats", ["zebu"])
    assert (one.singular_detail, one.plural_detail) == (("that eats cats",), ())
    assert (many.singular_detail, many.plural_detail) == ((), ("that eat cats",))


GLOSS_WORDS = (
    "a an the any of various small red bird birds with that is are used for in and or , ; ( ) ` genus Rosa its it "
    "especially made having dog usually kind"
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(re.split(" ", GLOSS_WORDS)), max_size=25))
def test_no_gloss_breaks_the_reader_and_no_phrase_has_brackets_or_is_long(words):
    phrases = GlossReader(["bird", "dog"], ["red"], ["water"]).read(" ".join(words), ["owl"])
    for field in (phrases.singular, phrases.plural, phrases.singular_detail, phrases.plural_detail):
        for phrase in field:
            assert not set(phrase) & set("()[];`")
            assert len(phrase.split()) <= 13 + 3  # "one of the" + phrase


# --- offline captions ---


@pytest.fixture(scope="module")
def captions(nouns, book):
    return write_captions(nouns, book, OfflineConfig(captions_per_noun=20), 1)


def test_every_caption_names_its_noun_once_as_a_whole_word_and_has_5_to_25_words(nouns, captions):
    table, _ = captions
    for text, targets in table.select("text", "targets").iter_rows():
        assert SHORTEST <= len(text.split()) <= LONGEST, text
        for target in targets:
            forms = set(nouns["singulars"][target]) | set(nouns["plurals"][target])
            assert sum(len(whole_words(text, form)) for form in forms) == 1, text
        assert text.endswith(".")
        assert not re.search(r"[{}#@|\[\]]", text), text
        assert text[0].isupper() or text.split()[0].lower() != text.split()[0]


def test_captions_are_distinct_weigh_what_the_lexicon_says_and_tally(nouns, captions):
    table, counts = captions
    assert table["text"].n_unique() == len(table)
    assert mass(table) == pytest.approx(dict(enumerate(nouns["weight"])), rel=1e-4)
    flows = {flow["name"]: flow for flow in counts.as_dict()["flows"]}
    assert flows["offline captions"]["out"] == len(table)
    assert flows["nouns"]["out"] == len(nouns)


@pytest.mark.parametrize("mean", [1, 8, 20])
def test_every_noun_gets_at_least_four_captions_and_the_mean_is_kept(nouns, book, mean):
    table, _ = write_captions(nouns, book, OfflineConfig(captions_per_noun=mean), 1)
    counts = Counter(target for targets in table["targets"] for target in targets)
    assert min(counts.values()) >= FEWEST
    assert sum(counts.values()) == pytest.approx(max(mean, FEWEST) * len(nouns), rel=0.02)


def test_verbs_and_articles_agree_with_the_number_of_the_noun(nouns, captions):
    table, _ = captions
    plurals = {form for forms in nouns["plurals"] for form in forms} - {"sheep"}
    singulars = {form for forms in nouns["singulars"] for form in forms} - {"sheep"}
    some = Counter()
    for text in table["text"]:
        words = "|".join(map(re.escape, sorted(plurals, key=len)))
        if re.search(rf"(?<!\w)(?:{words})(?!\w)", text, re.IGNORECASE):
            some["plural"] += 1
            assert not re.search(rf"(?<!\w)an? (?:{words})(?!\w)", text, re.IGNORECASE), text
            assert not re.search(rf"(?<!\w)(?:{words}) (?:is|looks|grows|drives)(?!\w)", text, re.IGNORECASE), text
            assert not text.startswith("This is"), text
        else:
            some["singular"] += 1
            words = "|".join(map(re.escape, sorted(singulars, key=len)))
            assert not re.search(rf"(?<!\w)(?:{words}) (?:are|look|grow|drive)(?!\w)", text, re.IGNORECASE), text
            assert not text.startswith("These are"), text
            assert not re.search(
                r"\ba (?:owl|oak|apple|umbrella|X-ray|hourglass|heirloom|axe?|axis|old|oak)\b", text, re.I
            )
    assert min(some.values()) > 100


def test_uncountable_nouns_have_no_article(nouns, captions):
    table, _ = captions
    ids = [nouns["noun"].to_list().index(noun) for noun in ("rice", "tea")]
    texts = table.filter(pl.col("targets").list.first().is_in(ids))["text"]
    assert not texts.str.contains(r"(?i)\ban? (rice|tea)\b").any()
    assert texts.str.contains(r"(?i)\bsome (rice|tea)\b").any()


def test_glosses_and_parents_enter_the_captions(nouns, captions):
    table, _ = captions
    robin = table.filter(pl.col("targets").list.first() == 0)["text"]
    assert robin.str.contains("reddish breast").any()
    assert robin.str.contains("kind of (?:thrush|bird)").any()
    assert table["template"].n_unique() > 50


def test_the_seed_decides_the_offline_captions(nouns, book):
    def texts(lexicon, seed):
        captioner = OfflineCaptioner(lexicon, book, OfflineConfig(captions_per_noun=FEWEST), seed)
        table = pl.concat(captioner.batches(Counter()))
        return dict(table.group_by(pl.col("targets").list.first()).agg("text").iter_rows())

    whole = texts(nouns, 5)
    assert whole == texts(nouns, 5)
    assert whole != texts(nouns, 6)


def test_each_main_kind_has_15_sentence_patterns_or_more_and_nouns_find_their_group(book):
    for kind in ("animal", "plant", "food", "artifact"):
        assert len(book.patterns(kind)) >= 15
    for kind, parents, group in [
        ("animal", ["thrush", "bird"], "bird"), ("artifact", ["vessel", "craft"], "container"),
        ("artifact", ["plant", "building complex"], "building"), ("plant", ["oak", "tree"], "tree"),
        ("food", ["unheard of"], "food"), ("motive", ["x"], "thing"),
    ]:  # fmt: skip
        assert book.group_of(kind, parents).name == group


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("groups.tsv", "bird\tnowhere\tanimal\t0\tx", "parent 'nowhere'"),
        ("groups.tsv", "bird\tthing\tghost\t0\tx", "kind 'ghost'"),
        ("groups.tsv", "bird\tthing\tanimal\tno\tx", "uncountable 'no'"),
        ("groups.tsv", "thing\tthing\tanimal\t0\tx", "group 'thing'"),
        ("patterns.tsv", "q\tthing\t1\t@ {noun} {colour}.", "unknown slot colour"),
        ("patterns.tsv", "q\tthing\t1\ta {noun} {place}.", "behind #, @ or the"),
        ("patterns.tsv", "q\tghosts\t1\t@ {noun}.", "not in groups.tsv"),
        ("patterns.tsv", "q\tthing\t0\t@ {noun}.", "weight '0'"),
        ("patterns.tsv", "q\tthing\t1\t@ {noun} [is|are.", "not closed"),
        ("patterns.tsv", "q\tthing\t1\t@ {noun}", "full stop"),
        ("patterns.tsv", "p\tthing\t1\t@ {noun}.", "id 'p'"),
        ("words.tsv", "smell\tthing\tsweet", "unknown list 'smell'"),
        ("words.tsv", "place\tghosts\tsweet", "not in groups.tsv"),
        ("words.tsv", "place\tthing\tsweet", "stands twice"),
        ("words.tsv", "scene\tthing\t ; ", "empty"),
    ],
)
def test_a_mistake_in_the_captioners_files_is_named_with_file_and_row(tmp_path, name, row, message):
    files = {
        "groups.tsv": "group\tparent\tkind\tuncountable\thypernyms\nthing\t\t\t0\t\n",
        "patterns.tsv": "id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun} {place}.\n",
        "words.tsv": "list\tgroup\twords\nplace\tthing\tin a field\n",
    }
    for file, content in files.items():
        (tmp_path / file).write_text(content + (f"{row}\n" if file == name else ""), encoding="utf-8")
    with pytest.raises(NounflowError) as error:
        SceneBook.read(tmp_path)
    assert message in str(error.value)
    assert f"{tmp_path / name}, row 3" in str(error.value)


def test_a_slot_without_words_and_a_group_without_a_plain_pattern_are_refused(tmp_path):
    (tmp_path / "groups.tsv").write_text("group\tparent\tkind\tuncountable\thypernyms\nthing\t\t\t0\t\n")
    (tmp_path / "words.tsv").write_text("list\tgroup\twords\nplace\tthing\tin a field\n")
    (tmp_path / "patterns.tsv").write_text("id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun} {light}.\n")
    with pytest.raises(NounflowError, match="no words for the slots light"):
        SceneBook.read(tmp_path)
    (tmp_path / "patterns.tsv").write_text("id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun}, {apposition}.\n")
    with pytest.raises(NounflowError, match="fits a noun without a gloss"):
        SceneBook.read(tmp_path)


# --- the command lines ---


def run(repository, script, *options):
    command = [sys.executable, str(repository / "workflow_scripts" / script), *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, cwd=repository, check=False)


def test_the_scripts_write_captions_and_counts_that_are_the_same_each_time(repository, nouns, files, tmp_path):
    write_table(tmp_path / "nouns.parquet", nouns, NOUNS)
    common = ["--nouns", tmp_path / "nouns.parquet", "--seed", 4]
    compose_options = ["--singular-templates", files[0], "--plural-templates", files[1], "--source", "m2"]
    written = []
    for turn in ("first", "second"):
        for script, options, out in (
            ("compose_captions.py", [*compose_options, "--settings", "{}"], tmp_path / turn / "m2.parquet"),
            ("generate_captions.py", ["--captioner", "offline", "--settings", "{}"], tmp_path / turn / "off.parquet"),
        ):
            done = run(repository, script, *common, *options, "--out", out, "--counts", out.with_suffix(".json"))
            assert done.returncode == 0, done.stderr
            assert "distinct texts out" in done.stdout
            assert json.loads(out.with_suffix(".json").read_text())["stage"] == "captions"
            written.append(out.read_bytes())
    assert written[:2] == written[2:]


def test_the_scripts_answer_a_mistake_with_one_message_and_no_traceback(repository, files, tmp_path):
    done = run(
        repository, "compose_captions.py", "--nouns", tmp_path / "none.parquet", "--singular-templates", files[0],
        "--plural-templates", files[1], "--source", "m1", "--settings", "{}", "--seed", 1, "--out",
        tmp_path / "m1.parquet",
    )  # fmt: skip
    assert done.returncode == 1
    assert "There is no lexicon" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "m1.parquet").exists()
    assert "offline" in CAPTIONERS
