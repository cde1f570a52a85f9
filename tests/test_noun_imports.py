"""Further sources of nouns: their readers on small files in the documented forms, and where new nouns are put."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from input_material import Programs, archive
from noun_material import FULL, nouns_of

from nounflow.config.inputs import NOUN_READERS, NOUN_SOURCES
from nounflow.errors import DamagedFileError, NounflowError
from nounflow.inputs import emoji
from nounflow.inputs.download import fetch_english_wordnet
from nounflow.inputs.placing import InputOrigin, put_in_place
from nounflow.nouns.frequencies import Frequencies
from nounflow.nouns.imported import read_imports
from nounflow.nouns.lexicon import build_lexicon
from nounflow.nouns.rules import Rules
from nounflow.nouns.supplement import Addition, extended
from nounflow.registry import resolve
from nounflow.wordnet import WordNet

RELEASE = """<?xml version="1.0" encoding="UTF-8"?>
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/"><Lexicon id="oewn" language="en" version="0">
<LexicalEntry id="oewn-dog-n"><Lemma writtenForm="dog" partOfSpeech="n"/>
  <Sense id="oewn-dog__1.05.00.." synset="oewn-1-n"/></LexicalEntry>
<LexicalEntry id="oewn-labrapoo-n"><Lemma writtenForm="dog labrapoo" partOfSpeech="n"/>
  <Sense id="oewn-dog_labrapoo__1.05.00.." synset="oewn-3-n"/></LexicalEntry>
<LexicalEntry id="oewn-labradoodle-n"><Lemma writtenForm="labradoodle" partOfSpeech="n"/>
  <Sense id="oewn-labradoodle__1.05.00.." synset="oewn-3-n"/></LexicalEntry>
<LexicalEntry id="oewn-mixer-n"><Lemma writtenForm="doodle dog" partOfSpeech="n"/>
  <Sense id="ewn-2" synset="oewn-2-n" dc:identifier="doodle_dog%1:05:00::"/></LexicalEntry>
<LexicalEntry id="oewn-bark-v"><Lemma writtenForm="bark" partOfSpeech="v"/>
  <Sense id="oewn-bark__2.32.00.." synset="oewn-4-v"/></LexicalEntry>
<LexicalEntry id="oewn-lassie-n"><Lemma writtenForm="Lassie the Dog" partOfSpeech="n"/>
  <Sense id="oewn-lassie__1.05.00.." synset="oewn-5-n"/></LexicalEntry>
<LexicalEntry id="oewn-orphan-n"><Lemma writtenForm="orphaned thing" partOfSpeech="n"/>
  <Sense id="oewn-orphan__1.06.00.." synset="oewn-6-n"/></LexicalEntry>
<Synset id="oewn-1-n" partOfSpeech="n" lexfile="noun.animal"><Definition>a pet that barks</Definition></Synset>
<Synset id="oewn-2-n" partOfSpeech="n" dc:subject="noun.animal"><Definition>a dog of mixed breed</Definition>
  <SynsetRelation relType="hypernym" target="oewn-1-n"/></Synset>
<Synset id="oewn-3-n" members="oewn-labradoodle-n oewn-labrapoo-n" partOfSpeech="n" lexfile="noun.animal">
  <Definition>a cross of Labrador and poodle</Definition>
  <SynsetRelation relType="hypernym" target="oewn-2-n"/></Synset>
<Synset id="oewn-4-v" partOfSpeech="v" lexfile="verb.communication"><Definition>make noises</Definition></Synset>
<Synset id="oewn-5-n" partOfSpeech="n" lexfile="noun.animal"><Definition>a dog of films</Definition>
  <SynsetRelation relType="instance_hypernym" target="oewn-1-n"/></Synset>
<Synset id="oewn-6-n" partOfSpeech="n" lexfile="noun.artifact"><Definition>nothing above it</Definition></Synset>
</Lexicon></LexicalResource>
"""
EMOJI = {
    "🥮": {"name": "moon cake", "group": "Food & Drink"},
    "🏯": {"name": "Japanese castle", "group": "Travel & Places"},
    "🥤": {"name": "cup with straw", "group": "Food & Drink"},
    "🐕": {"name": "dog", "group": "Animals & Nature"},
    "🍢": {"name": "oden", "group": "Food & Drink"},
    "🤴": {"name": "castle prince", "group": "People & Body"},
    "🪆": {"name": "japanese dolls", "group": "Activities"},
    "🎚": {"name": "slider knobs", "group": "Objects"},
}


@pytest.fixture(scope="module")
def words(wordnet: WordNet) -> WordNet:
    """A few of WordNet's words, and what stands above them."""
    names = ["pickup truck"]
    names += ["dog", "cake", "moon", "castle", "japanese", "doll", "cup", "straw", "slider", "knob", "truck", "arrow"]
    index = {name: wordnet.index[name] for name in names}
    kept = {above for senses in index.values() for sense in senses for above in wordnet.ancestors(sense)}
    plain = {id: replace(wordnet.synsets[id], groups=(), wholes=()) for id in sorted(kept)}
    return WordNet(plain, index, {}, wordnet.tag_counts)


def fetched(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    """An input in place; returns its manifest."""

    def fill(destination: Path) -> InputOrigin:
        for file, content in files.items():
            (destination / file).parent.mkdir(exist_ok=True)
            (destination / file).write_bytes(content)
        return InputOrigin(name, "a test", "0", "none")

    put_in_place(folder / name, fill)
    return folder / name / "manifest.json"


def cldr_files() -> dict[str, bytes]:
    common = {"🛻": {"default": ["car", "truck"], "tts": ["pickup truck"]}, "↓": {"tts": ["dog arrow"]}}
    australian = {"🛻": {"tts": ["ute"]}}
    tables: dict[str, dict[str, dict[str, list[str]]]] = {locale: {} for locale in emoji.ENGLISH} | {
        "en": common,
        "en-AU": australian,
    }
    return {
        f"{locale}/annotations.json": json.dumps({"annotations": {"annotations": table}}).encode()
        for locale, table in tables.items()
    }


@pytest.mark.parametrize("packed", [True, False])
def test_new_synsets_of_a_release_stand_below_the_nearest_one_that_wordnet_has(
    tmp_path: Path, words: WordNet, packed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    text = RELEASE.encode()
    files = {"english-wordnet.xml.gz": gzip.compress(text)} if packed else {"english-wordnet.xml": text}
    manifest = fetched(tmp_path, "english_wordnet", files)
    found = read_imports([manifest], words, ())
    dog = words.synsets[words.sense_ids["dog%1:05:00::"]].sense_keys[0]
    assert found == (
        Addition(("labradoodle", "dog labrapoo"), "animal", dog, "count", 1.0, "a cross of Labrador and poodle"),
        Addition(("doodle dog",), "animal", dog, "count", 1.0, "a dog of mixed breed"),
    )
    assert "4 nouns, 2 of them new, 1 without a place in WordNet\n  orphaned thing" in capsys.readouterr().out


def test_compounds_among_emoji_stand_below_their_last_word_and_others_are_listed(
    tmp_path: Path, words: WordNet, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = fetched(tmp_path, "emoji", {emoji.NAMES: json.dumps(EMOJI).encode()})
    found = {addition.words[0]: addition for addition in read_imports([manifest], words, ())}
    assert {word: addition.kind for word, addition in found.items()} == {
        "moon cake": "food",
        "Japanese castle": "artifact",
        "japanese doll": "artifact",
        "slider knob": "artifact",
    }
    assert found["moon cake"].gloss.startswith("a kind of ")
    assert "oden" in capsys.readouterr().out.splitlines()[-1]
    taken = (Addition(("mooncake", "moon cake"), "food", "cake%1:13:00::", "count", 1.0, "a Chinese cake"),)
    assert "moon cake" not in {word for addition in read_imports([manifest], words, taken) for word in addition.words}


def test_a_regional_name_of_the_cldr_is_a_kind_of_what_it_is_called_elsewhere(tmp_path: Path, words: WordNet) -> None:
    manifest = fetched(tmp_path, "cldr", cldr_files())
    (ute,) = read_imports([manifest], words, ())  # no pictograph: the arrow
    assert (ute.words, ute.kind) == (("ute",), "artifact")
    assert words.by_sense_key(ute.parent) is words.senses("pickup truck")[0]


def test_imported_nouns_are_scored_and_filtered_as_wordnets_own(tmp_path: Path, words: WordNet) -> None:
    manifest = fetched(tmp_path, "emoji", {emoji.NAMES: json.dumps(EMOJI).encode()})
    known, _ = extended(words, read_imports([manifest], words, ()))
    food = Rules.model_validate({"terms": {"bias": -1.0, "class:food": 3.0}})
    table, _ = build_lexicon(known, FULL, food, Frequencies({}, {}))
    rows = {row["noun"]: row for row in table.iter_rows(named=True)}
    assert rows["moon cake"]["plurals"] == ["moon cakes"]
    assert rows["moon cake"]["sense_keys"] == ["moon_cake%1:13:90::"]
    assert rows["moon cake"]["visualness"] == pytest.approx(0.88, abs=0.01)
    assert "Japanese castle" not in rows
    some, _ = build_lexicon(known, FULL.model_copy(update={"min_weight": 3}), food, Frequencies({"cake": 1e-3}, {}))
    assert nouns_of(some) == ["cake"]


@pytest.mark.parametrize(
    ("name", "files", "message"),
    [
        ("english_wordnet", {"release.xml": RELEASE[:900].encode()}, "Open English WordNet is not here or damaged"),
        ("english_wordnet", {"release.xml.gz": gzip.compress(RELEASE.encode())[:90]}, "not here or damaged"),
        ("english_wordnet", {"readme.txt": b""}, "not here or damaged"),
        ("emoji", {emoji.NAMES: b"[]"}, "another layout"),
        ("emoji", {emoji.NAMES: b"{"}, "not readable JSON"),
        ("cldr", {"en/annotations.json": b'{"annotations": 3}'}, "another layout"),
    ],
)
def test_a_damaged_source_is_refused_by_its_file(
    tmp_path: Path, words: WordNet, name: str, files: dict[str, bytes], message: str
) -> None:
    manifest = fetched(tmp_path, name, files)
    with pytest.raises(NounflowError, match=message) as error:
        read_imports([manifest], words, ())
    assert str(tmp_path / name / "files") in str(error.value)


def test_every_source_of_nouns_has_a_reader() -> None:
    assert set(NOUN_READERS) == set(NOUN_SOURCES)
    assert all(callable(resolve(place)) for place in NOUN_READERS.values())


@pytest.mark.usefixtures("no_waiting_and_no_wordnet")
def test_emoji_names_come_from_npm_and_a_release_from_an_address(tmp_path: Path, programs: Programs) -> None:
    tarball = archive(tmp_path / "emoji.tgz", {f"package/{emoji.NAMES}": "{}", "package/README.md": "x"}, "w:gz")
    programs.add("npm", f"cp {tarball} unicode-emoji-json.tgz")
    manifest = emoji.fetch_emoji(tmp_path / "emoji", tmp_path / "cache")
    assert (list(manifest.files), manifest.version, manifest.left_out) == ([emoji.NAMES], "0.9.0", 1)
    release = tmp_path / "english-wordnet-2024.xml"
    release.write_text(RELEASE)
    manifest = fetch_english_wordnet(tmp_path / "out", tmp_path / "cache", release.as_uri())
    assert (list(manifest.files), manifest.version) == ([release.name], "english-wordnet-2024")


@pytest.mark.usefixtures("no_waiting_and_no_wordnet")
def test_a_cut_off_package_of_names_says_so(tmp_path: Path, programs: Programs) -> None:
    programs.add("npm", "printf '\\037\\213' > emoji.tgz")
    with pytest.raises(DamagedFileError, match=r"tarball of unicode-emoji-json@0.9.0 is damaged"):
        emoji.fetch_emoji(tmp_path / "out", tmp_path / "cache")
