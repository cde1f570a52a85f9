"""Reader of the Open English WordNet in the form WN-LMF: the noun synsets, with what stands above each.

Format: the DTDs of the Global WordNet Association. A sense's key stands in `dc:identifier`, in newer releases also in
its id ("oewn-dog__1.05.00.."); a synset's class in `dc:subject` or, newer, in `lexfile`. Entries stand by the alphabet;
the order of a synset's words, commonest first, in its `members`.
"""

import gzip
import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from nounflow.errors import DamagedFileError
from nounflow.nouns.imported import FoundNoun

_NUMBERS = re.compile(r"__(\d)\.(\d\d)\.(\d\d)\.")
_DEEPEST = 20  # steps up


@dataclass
class _Synset:
    words: dict[str, str] = field(default_factory=dict)  # by the ids of their entries
    keys: list[str] = field(default_factory=list)
    kind: str = ""
    gloss: str = ""
    parent: str = ""
    instance: bool = False


def read_english_wordnet(folder: Path) -> Iterator[FoundNoun]:
    """The noun synsets that are no names of single things, in the file's order.

    Raises:
        DamagedFileError: no release file, no XML, a file that is cut off.
    """
    path = next(iter(sorted([*folder.glob("*.xml"), *folder.glob("*.xml.gz")])), folder / "english-wordnet.xml")
    synsets: dict[str, _Synset] = {}
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as handle:
            for _, element in ElementTree.iterparse(handle):
                if element.tag == "LexicalEntry":
                    _read_entry(element, synsets)
                elif element.tag == "Synset" and element.get("partOfSpeech") == "n":
                    _read_synset(element, synsets.setdefault(element.get("id", ""), _Synset()))
                if element.tag in ("LexicalEntry", "Synset"):
                    element.clear()  # a release has 95 MB
    except (ElementTree.ParseError, OSError, EOFError, zlib.error, LookupError, ValueError) as error:  # encodings, too
        raise DamagedFileError(
            f"The Open English WordNet is not here or damaged ({error})", where=path, fix="fetch a release file again"
        ) from None
    if not synsets:
        raise DamagedFileError(
            "The file of the Open English WordNet holds no nouns", where=path, fix="fetch it in WN-LMF"
        )
    for synset in synsets.values():
        if synset.words and not synset.instance:
            words, keys = tuple(synset.words.values()), tuple(synset.keys)
            yield FoundNoun(words, keys, synset.gloss, synset.kind, above=_above(synset, synsets))


def _read_entry(entry: ElementTree.Element, synsets: dict[str, _Synset]) -> None:
    lemma = entry.find("Lemma")
    if lemma is None or lemma.get("partOfSpeech") != "n":
        return
    word = lemma.get("writtenForm", "")
    for sense in entry.iter("Sense"):
        synset = synsets.setdefault(sense.get("synset", ""), _Synset())
        synset.words[entry.get("id", word)] = word
        named = [value for name, value in sense.items() if name.endswith("}identifier")]
        if not named and (numbers := _NUMBERS.search(sense.get("id", ""))):
            named = [f"{word.lower().replace(' ', '_')}%{numbers[1]}:{numbers[2]}:{numbers[3]}::"]
        synset.keys += named


def _read_synset(element: ElementTree.Element, synset: _Synset) -> None:
    subject = next((value for name, value in element.items() if name.endswith("}subject")), "")
    synset.kind = element.get("lexfile", subject).removeprefix("noun.")
    synset.gloss = element.findtext("Definition", "").strip()
    known = synset.words
    synset.words = {id: known[id] for id in (*element.get("members", "").split(), *known) if id in known}
    for relation in element.iter("SynsetRelation"):
        if relation.get("relType") == "hypernym":
            synset.parent = synset.parent or relation.get("target", "")
        synset.instance |= relation.get("relType") == "instance_hypernym"


def _above(synset: _Synset, synsets: dict[str, _Synset]) -> tuple[str, ...]:
    """Sense keys of what stands above, nearest first."""
    found: list[str] = []
    for _ in itertools.repeat(None, _DEEPEST):
        above = synsets.get(synset.parent)
        if above is None:
            break
        found += above.keys
        synset = above
    return tuple(found)
