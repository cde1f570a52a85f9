"""A local language model that writes the captions it is asked for."""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from typing import Any

from llm_server import LLMServer

SCENES = (
    "{} rests beside an old wooden fence in the morning",
    "under a bright lamp stands {} with a red ribbon",
    "children in yellow coats look at {} near the river",
    "{} lies on a stone table full of bread and fruit",
    "in the snow behind our house waits {}",
    "on the top shelf of the shop sits {}",
    "a tall man in a blue hat holds {} close",
    "rain falls on {} next to the empty road",
)


class CaptionServer(LLMServer):
    """Writes the captions that it is asked for, a few of them bad."""

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        completion = super()._completion(fault, body, message)
        found: dict[str, list[str]] = {"singular": [], "plural": []}
        for n, form, number in re.findall(r'(\d+) with the word "([^"]+)" \((singular|plural)\)', message):
            phrase = f"the {form}"
            found[number] = [scene.format(phrase) + "." for scene in SCENES[: int(n)]]
            found[number][0] = "Sure, here is a caption."
        if fault == "good" and any(found.values()):
            completion["choices"][0]["message"]["content"] = json.dumps(found)
        return completion


class TroubledServer(CaptionServer):
    """Has a bad day: each question meets failures that pass, the same ones each time; and some nouns it does badly.

    What it finally answers depends on the question alone.
    """

    def __init__(self, trouble: bool = True, **options: Any) -> None:
        super().__init__(**options)
        if trouble:
            self._faults = _Trouble()

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        if fault == "good" and "with the word" in message:
            chance = _digest(message)[0]
            if chance < 32:
                fault = "refusal"
            elif chance < 64:
                message = re.sub(r'the word "[^"]+"', 'the word "unicorn"', message)
            elif chance < 80:
                completion = super()._completion(fault, body, message)
                completion["choices"][0]["message"]["content"] = '{"singular": ["half an'
                return completion
        return super()._completion(fault, body, message)


class _Trouble(dict[str, deque[str]]):
    """Question -> failures that it meets one after the other."""

    def __missing__(self, message: str) -> deque[str]:
        digest = _digest(message)
        # each one at most once: an answer that is cut off twice counts as the answer
        faults = dict.fromkeys(FAULTS[byte % len(FAULTS)] for byte in digest[1 : 1 + digest[8] % 4])
        self[message] = met = deque(faults if "with the word" in message else ())
        return met


FAULTS = ("500", "drop", "malformed", "429", "429:0", "truncated", "503")


def _digest(message: str) -> bytes:
    return hashlib.sha256(message.encode()).digest()
