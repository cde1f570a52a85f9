"""The rule file of the lexicons (`resources/nouns/rules.yaml`): every choice made by hand, with its reason."""

import re
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
import yaml
from pydantic import BeforeValidator, Field

from nounflow.config.base import Settings
from nounflow.errors import NounflowError
from nounflow.nouns.evidence import read_evidence
from nounflow.nouns.visualness import Decision
from nounflow.schemas.documents import first_problem
from nounflow.text import canon

_Model = TypeVar("_Model", bound=Settings)


def _split(pattern: str, value: Any) -> Any:
    return [part for part in re.split(pattern, value.strip()) if part] if isinstance(value, str) else value


Keys = Annotated[tuple[str, ...], BeforeValidator(partial(_split, r"\s+"))]
Words = Annotated[tuple[str, ...], BeforeValidator(partial(_split, r"\s*,\s*"))]  # "praying mantis, ant"


class SenseRule(Settings):
    """Synsets that are taken or left, named by sense keys."""

    senses: Keys = Field(min_length=1, description="sense keys, as crane%1:05:00::")
    below: bool = Field(True, description="all words of these synsets and of what is below, not the key's word only")
    reason: str = Field(min_length=3)


class WordRule(Settings):
    """Words that share one decision; in the file a list, or one text with commas."""

    words: Words = Field(min_length=1)
    reason: str = Field(min_length=3)


class ShareRule(WordRule):
    """Words whose share of object use is set by hand, where WordNet's counts mislead."""

    share: float = Field(gt=0, le=1)


class Rules(Settings):
    """The rule file and the tables beside it. `leave_out` only holds where a lexicon says `photographed`."""

    terms: dict[str, float] = Field(default_factory=dict, description="weights of the terms of visualness")
    decisions: dict[str, Decision] = Field(default_factory=dict, description="sense key -> what the terms get wrong")
    pictured: frozenset[str] = Field(frozenset(), description="keys of the senses that ImageNet has pictures of")
    listed: tuple[tuple[str, ...], ...] = Field((), description="canons of the names of each class of image sets")
    listed_senses: dict[str, str] = Field(default_factory=dict, description="such a canon -> its sense key, if known")
    british: dict[str, str] = Field(default_factory=dict, description="American spelling of a word -> British")
    leading: tuple[SenseRule, ...] = Field((), description="senses that stand before a word's other selected senses")
    later: tuple[SenseRule, ...] = Field((), description="senses that stand behind a word's other selected senses")
    leave_out_senses: tuple[SenseRule, ...] = Field((), description="senses that their word is not used for")
    leave_out_spellings: tuple[WordRule, ...] = Field((), description="closed words that are no compound's spelling")
    leave_out: tuple[WordRule, ...] = ()
    shares: tuple[ShareRule, ...] = ()

    @property
    def left_out(self) -> dict[str, str]:
        """Canon -> reason."""
        return {canon(word): rule.reason for rule in self.leave_out for word in rule.words}

    @property
    def set_shares(self) -> dict[str, float]:
        """Canon -> share of object use."""
        return {canon(word): rule.share for rule in self.shares for word in rule.words}


def load_rules(path: Path) -> Rules:
    """Read and check a rule file.

    Raises:
        NounflowError: if it or a table beside it is missing or malformed.
    """
    return read_rule_file(path, Rules).model_copy(update=read_evidence(Path(path).parent))


def read_rule_file(path: Path, model: type[_Model]) -> _Model:
    """Read a YAML file of rules.

    Raises:
        NounflowError: if it is missing or malformed.
    """
    try:
        return model.model_validate(yaml.safe_load(Path(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise NounflowError("There is no rule file for the nouns", where=path, fix="check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise NounflowError(f"The rule file is not readable YAML ({error})", where=path, fix="mend it") from None
    except pydantic.ValidationError as error:
        raise NounflowError(f"The rule file is not valid: {first_problem(error)}", where=path, fix="mend it") from None
