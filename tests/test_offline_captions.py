"""The offline captioner, and the files that it reads."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from caption_material import mass, whole_words, written

from nounflow.captions.offline import FEWEST, LONGEST, SHORTEST, OfflineCaptioner, draft_captions
from nounflow.captions.scenes import SceneBook
from nounflow.captions.table import frame_of
from nounflow.config.captions import OfflineConfig
from nounflow.counts import Counts
from nounflow.errors import NounflowError

WORDS = Path(__file__).parent.parent / "resources/captions"


@pytest.fixture(scope="module")
def captions(nouns: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    return written(draft_captions(nouns, WORDS, OfflineConfig(captions_per_noun=20), 1))


def test_every_caption_names_its_noun_once_as_a_whole_word_and_has_5_to_25_words(
    nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]
) -> None:
    table, _ = captions
    for text, targets in table.select("text", "targets").iter_rows():
        assert SHORTEST <= len(text.split()) <= LONGEST, text
        for target in targets:
            forms = set(nouns["singulars"][target]) | set(nouns["plurals"][target])
            assert sum(len(whole_words(text, form)) for form in forms) == 1, text
        assert text.endswith(".")
        assert not re.search(r"[{}#@|\[\]]", text), text
        assert text[0].isupper() or text.split()[0].lower() != text.split()[0]


def test_captions_are_distinct_weigh_what_the_lexicon_says_and_tally(
    nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]
) -> None:
    table, counts = captions
    assert table["text"].n_unique() == len(table)
    assert mass(table) == pytest.approx(dict(enumerate(nouns["weight"])), rel=1e-4)
    flows = {flow["name"]: flow for flow in counts.as_dict()["flows"]}
    assert flows["offline captions"]["out"] == len(table)
    assert flows["nouns"]["out"] == len(nouns)


@pytest.mark.parametrize("mean", [1, 8, 20])
def test_every_noun_gets_at_least_four_captions_and_the_mean_is_kept(nouns: pl.DataFrame, mean: int) -> None:
    table, _ = written(draft_captions(nouns, WORDS, OfflineConfig(captions_per_noun=mean), 1))
    counts = Counter(target for targets in table["targets"] for target in targets)
    assert min(counts.values()) >= FEWEST
    assert sum(counts.values()) == pytest.approx(max(mean, FEWEST) * len(nouns), rel=0.02)


def test_verbs_and_articles_agree_with_the_number_of_the_noun(
    nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]
) -> None:
    table, _ = captions
    plurals = {form for forms in nouns["plurals"] for form in forms} - {"sheep"}
    singulars = {form for forms in nouns["singulars"] for form in forms} - {"sheep"}
    some: Counter[str] = Counter()
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


def test_uncountable_nouns_have_no_article(nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = captions
    ids = [nouns["noun"].to_list().index(noun) for noun in ("rice", "tea")]
    texts = table.filter(pl.col("targets").list.first().is_in(ids))["text"]
    assert not texts.str.contains(r"(?i)\ban? (rice|tea)\b").any()
    assert texts.str.contains(r"(?i)\bsome (rice|tea)\b").any()


def test_glosses_and_parents_enter_the_captions(nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]) -> None:
    table, _ = captions
    robin = table.filter(pl.col("targets").list.first() == 0)["text"]
    assert robin.str.contains("small").any()
    assert robin.str.contains("other birds").any()
    assert table["template"].n_unique() > 50


def test_no_caption_repeats_four_words_of_the_gloss_or_defines_the_noun(
    nouns: pl.DataFrame, captions: tuple[pl.DataFrame, Counts]
) -> None:
    table, _ = captions
    for text, (target,) in table.select("text", "targets").iter_rows():
        gloss = re.findall(r"[\w'-]+", nouns["gloss"][target].lower())
        words = " ".join(re.findall(r"[\w'-]+", text.lower()))
        for start in range(len(gloss) - 3):
            assert " ".join(gloss[start : start + 4]) not in words, text
        assert not re.search(r"\b(?:a kind of|one kind of|[Tt]his is an?|[Tt]hese are)\b", text), text


@pytest.mark.parametrize(
    ("parent", "plural"),
    [("bird of prey", "birds of prey"), ("place of worship", "places of worship"), ("waterfowl", "waterfowl")],
)
def test_others_of_a_kind_are_named_in_the_plural(nouns: pl.DataFrame, parent: str, plural: str) -> None:
    below = nouns.head(1).with_columns(hypernyms=pl.lit([parent]))
    texts = written(draft_captions(below, WORDS, OfflineConfig(captions_per_noun=40), 1))[0]["text"]
    assert set(texts.str.extract(rf"other ({parent.split()[0]}\w*(?: of \w+)?)").drop_nulls()) == {plural}


def test_the_seed_decides_the_offline_captions(nouns: pl.DataFrame, book: SceneBook) -> None:
    def texts(lexicon: pl.DataFrame, seed: int) -> dict[int, list[str]]:
        captioner = OfflineCaptioner(lexicon, book, OfflineConfig(captions_per_noun=FEWEST), seed)
        table = frame_of([*captioner.rows(Counter())])
        return dict(table.group_by(pl.col("targets").list.first()).agg("text").iter_rows())

    whole = texts(nouns, 5)
    assert whole == texts(nouns, 5)
    assert whole != texts(nouns, 6)


def test_each_main_kind_has_15_sentence_patterns_or_more_and_nouns_find_their_group(book: SceneBook) -> None:
    for kind in ("animal", "plant", "food", "artifact"):
        assert len(book.patterns(kind)) >= 15
    for kind, parents, group in [
        ("animal", ["thrush", "bird"], "bird"), ("artifact", ["vessel", "craft"], "container"),
        ("artifact", ["plant", "building complex"], "building"), ("plant", ["oak", "tree"], "tree"),
        ("food", ["unheard of"], "food"), ("motive", ["x"], "thing"),
    ]:  # fmt: skip
        assert book.group_of(kind, parents) == group


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("groups.tsv", "bird\tnowhere\tanimal\tx", "parent 'nowhere'"),
        ("groups.tsv", "bird\tthing\tghost\tx", "kind 'ghost'"),
        ("groups.tsv", "thing\tthing\tanimal\tx", "group 'thing'"),
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
def test_a_mistake_in_the_captioners_files_is_named_with_file_and_row(
    tmp_path: Path, name: str, row: str, message: str
) -> None:
    files = {
        "groups.tsv": "group\tparent\tkind\thypernyms\nthing\t\t\t\n",
        "patterns.tsv": "id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun} {place}.\n",
        "words.tsv": "list\tgroup\twords\nplace\tthing\tin a field\n",
    }
    for file, content in files.items():
        (tmp_path / file).write_text(content + (f"{row}\n" if file == name else ""), encoding="utf-8")
    with pytest.raises(NounflowError) as error:
        SceneBook(tmp_path)
    assert message in str(error.value)
    assert f"{tmp_path / name}, row 3" in str(error.value)


def test_a_slot_without_words_and_a_group_without_a_plain_pattern_are_refused(tmp_path: Path) -> None:
    (tmp_path / "groups.tsv").write_text("group\tparent\tkind\thypernyms\nthing\t\t\t\n")
    (tmp_path / "words.tsv").write_text("list\tgroup\twords\nplace\tthing\tin a field\n")
    (tmp_path / "patterns.tsv").write_text("id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun} {light}.\n")
    with pytest.raises(NounflowError, match="no words for the slots light"):
        SceneBook(tmp_path)
    (tmp_path / "patterns.tsv").write_text("id\tgroup\tweight\tpattern\np\tthing\t1\t@ {noun}, {feature}.\n")
    with pytest.raises(NounflowError, match="fits a noun without a gloss"):
        SceneBook(tmp_path)
