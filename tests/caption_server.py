"""A local language model that writes the captions it is asked for."""

from __future__ import annotations

import json
import re

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

    def _completion(self, fault, body, message):
        completion = super()._completion(fault, body, message)
        found = {"singular": [], "plural": []}
        for n, form, number in re.findall(r'(\d+) with the word "([^"]+)" \((singular|plural)\)', message):
            phrase = f"the {form}"
            found[number] = [scene.format(phrase) + "." for scene in SCENES[: int(n)]]
            found[number][0] = "Sure, here is a caption."
        if fault == "good" and any(found.values()):
            completion["choices"][0]["message"]["content"] = json.dumps(found)
        return completion
