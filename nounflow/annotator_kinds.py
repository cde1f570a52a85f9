"""The kinds of annotators, by `kind` in the config: which rule judges, and by what. Light to import.

A new one that judges by an image's labels is a module in `annotation/`, a class for its settings in
`config/annotators.py`, and an entry here.
"""

from typing import NamedTuple

from nounflow.registry import Registry


class AnnotatorKind(NamedTuple):
    """What the workflow needs to know of a kind."""

    rule: str  # of rules/annotations.smk
    judge: str = ""  # place: `function(WordNet)` -> Annotator, of those who judge by labels


ANNOTATORS: Registry[AnnotatorKind] = {
    "wordnet": AnnotatorKind("annotate", "nounflow.annotation.wordnet:WordNetAnnotator"),
    "people": AnnotatorKind("collect_decisions"),
    "openai": AnnotatorKind("ask_judgements"),
}
