"""A local multimodal model: it looks at the picture that it is sent, and judges the nouns of the list by its colour."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections import Counter, deque
from typing import Any

import numpy as np
from llm_server import LLMServer
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 210), "gold": (230, 190, 20)}
FRAME = (209, 36, 47)  # its colour
FAULTS = ("500", "drop", "malformed", "429", "429:0", "truncated", "503")


def colour_of(url: str, framed: bool = False) -> tuple[str, Image.Image]:
    """The name of a picture's colour, by its middle or by that of what a red frame is around, and the picture."""
    head, _, payload = url.partition(",")
    assert head == "data:image/jpeg;base64"
    image = Image.open(io.BytesIO(base64.b64decode(payload)))
    box = (0, 0, *image.size)
    if framed:
        y, x = np.nonzero(np.abs(np.asarray(image.convert("RGB")).astype(int) - FRAME).max(axis=-1) < 60)
        box = (int(x.min()), int(y.min()), int(x.max()), int(y.max()))
    middle = image.convert("RGB").getpixel(((box[0] + box[2]) // 2, (box[1] + box[3]) // 2))
    assert isinstance(middle, tuple)
    return min(COLOURS, key=lambda name: sum((a - b) ** 2 for a, b in zip(COLOURS[name], middle, strict=True))), image


class JudgeServer(LLMServer):
    """Answers by `truth`: (colour, noun) -> categories that it says in turn, vote by vote; others are incorrect."""

    def __init__(self, truth: dict[tuple[str, str], tuple[str, ...]], trouble: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.truth = truth
        self.sizes: list[tuple[int, int]] = []
        self.lists: list[tuple[str, tuple[str, ...]]] = []  # colour and nouns of each question, in order
        if trouble:
            self._faults = _Trouble()

    def _completion(self, fault: str, body: dict[str, Any], message: str) -> dict[str, Any]:
        completion = super()._completion(fault, body, message)
        content = next(m["content"] for m in body["messages"] if m["role"] == "user")
        if isinstance(content, str) or fault != "good":
            return completion
        framed = "A red frame" in body["messages"][0]["content"]
        colour, image = colour_of(content[0]["image_url"]["url"], framed)
        nouns = [json.loads(line) for line in content[1]["text"].splitlines()[1:]]
        self.sizes.append(image.size)
        self.lists.append((colour, tuple(nouns)))
        # which vote this is follows from the order alone: the same question, the same answer
        turn = hashlib.sha256("\n".join(nouns).encode()).digest()[0]
        judged = [{"noun": noun, "category": self._say(colour, noun, turn)} for noun in nouns]
        answer = {"description": f"Something {colour}.", "judgements": judged}
        completion["choices"][0]["message"]["content"] = json.dumps(answer)
        return completion

    def _say(self, colour: str, noun: str, turn: int) -> str:
        said = self.truth.get((colour, noun), ("incorrect",))
        return said[turn % len(said)]

    @property
    def votes_asked(self) -> Counter[str]:
        """Questions about nouns, answered or not."""
        return Counter({m: n for m, n in self.asked.items() if "nouns, one a line" in m})


class _Trouble(dict[str, deque[str]]):
    """Question -> failures that it meets, each at most once, before it is answered."""

    def __missing__(self, message: str) -> deque[str]:
        digest = hashlib.sha256(message.encode()).digest()
        faults = dict.fromkeys(FAULTS[byte % len(FAULTS)] for byte in digest[1 : 1 + digest[8] % 4])
        self[message] = met = deque(faults if "nouns, one a line" in message else ())
        return met
