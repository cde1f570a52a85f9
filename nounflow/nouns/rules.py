"""The rule file of the lexicons (`resources/nouns/rules.yaml`): every choice made by hand, with its reason."""

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import yaml
from pydantic import BeforeValidator, Field

from nounflow.config.base import Settings
from nounflow.config.lexicon import Kind
from nounflow.errors import NounflowError
from nounflow.text import canon

_Model = TypeVar("_Model", bound=Settings)


def _split(pattern: str, value: Any) -> Any:
    return [part for part in re.split(pattern, value.strip()) if part] if isinstance(value, str) else value


Keys = Annotated[tuple[str, ...], BeforeValidator(partial(_split, r"\s+"))]
Words = Annotated[tuple[str, ...], BeforeValidator(partial(_split, r"\s*,\s*"))]  # "praying mantis, ant"


class SenseRule(Settings):
    """Synsets that are taken or left, named by sense keys."""

    senses: Keys = Field(min_length=1, description="sense keys, as crane%1:05:00::")
    below: bool = Field(True, description="also what is below these synsets, down to a nearer rule")
    reason: str = Field(min_length=3)


class WordRule(Settings):
    """Words that share one decision; in the file a list, or one text with commas."""

    words: Words = Field(min_length=1)
    reason: str = Field(min_length=3)


class ShareRule(WordRule):
    """Words whose share of object use is set by hand, where WordNet's counts mislead."""

    share: float = Field(gt=0, le=1)


class Rules(Settings):
    """The whole rule file. `exclude` and `leave_out` only hold where a lexicon says `photographed`."""

    classes: dict[Kind, str] = Field(description="classes taken whole (names of instances never are) -> reason")
    include: tuple[SenseRule, ...] = ()
    exclude: tuple[SenseRule, ...] = ()
    later: tuple[SenseRule, ...] = Field((), description="senses that stand behind a word's other selected senses")
    leave_out: tuple[WordRule, ...] = ()
    keep: tuple[WordRule, ...] = Field((), description="words that no filter of frequency, share or capitals drops")
    shares: tuple[ShareRule, ...] = ()

    @property
    def left_out(self) -> dict[str, str]:
        """Canon -> reason."""
        return {canon(word): rule.reason for rule in self.leave_out for word in rule.words}

    @property
    def kept(self) -> dict[str, str]:
        """Canon -> the word as the file writes it."""
        return {canon(word): word for rule in self.keep for word in rule.words}

    @property
    def set_shares(self) -> dict[str, float]:
        """Canon -> share of object use."""
        return {canon(word): rule.share for rule in self.shares for word in rule.words}


def load_rules(path: Path) -> Rules:
    """Read and check a rule file.

    Raises:
        NounflowError: if it is missing or malformed; or if a word is both kept and left out.
    """
    rules = read_rule_file(path, Rules)
    if torn := sorted(rules.kept.keys() & rules.left_out.keys()):
        raise NounflowError(
            f"The rule file both keeps and leaves out: {', '.join(torn)}", where=path, fix="decide for one of them"
        )
    return rules


def read_rule_file(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file of rules.

    Raises:
        NounflowError: if it is missing or malformed.
    """
    try:
        return model.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NounflowError("There is no rule file for the nouns", where=path, fix="check the path") from None
    except yaml.YAMLError as error:
        raise NounflowError(f"The rule file is not readable YAML ({error})", where=path, fix="mend it") from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise NounflowError(f"The rule file is not valid: {place}: {first['msg']}", where=path, fix="mend it") from None
