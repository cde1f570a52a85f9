"""A language model's answers: read, checked as they come, and kept on disk until all are there."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import polars as pl

from nounflow.captions.check_report import ReportTally
from nounflow.captions.checks import CaptionChecks, Checked, with_secondary
from nounflow.captions.near_duplicates import Kept
from nounflow.captions.spool import Spool
from nounflow.captions.table import BATCH, CaptionDraft, Row, Written, frame_of, record_nouns
from nounflow.captions.templates import Number
from nounflow.counts import Counts
from nounflow.llm.enough import refuse_too_little
from nounflow.llm.reading import find_json
from nounflow.llm.requests import Outcome

_NUMBERS: tuple[Number, ...] = ("singular", "plural")


@dataclass
class NounTask:
    """A noun to be written about, and how far it is."""

    id: int
    key: str
    weight: float
    forms: dict[Number, str]  # the commonest form of each number that the noun has
    plural_share: float
    meaning: str
    quota: int
    kept_of: Counter[Number] = field(default_factory=Counter)  # captions that passed the checks
    unreadable: int = 0  # answers
    given_up: str = ""  # why it is asked about no more, before its quota

    @property
    def kept(self) -> int:
        """Captions that passed the checks."""
        return self.kept_of.total()

    def asked_for(self, n: int) -> dict[Number, int]:
        """How many of `n` captions each number gets; both get one where the noun has both."""
        if len(self.forms) == 1:
            return dict.fromkeys(self.forms, n)
        plural = min(max(round(self.plural_share * n), 1), n - 1)
        return {"singular": n - plural, "plural": plural}

    def weight_of(self, number: Number) -> float:
        """Sampling weight of a kept caption: those of a noun sum to its weight, its numbers share it as in use."""
        share = self.plural_share if number == "plural" else 1 - self.plural_share
        share = 1.0 if sum(self.kept_of[named] > 0 for named in self.forms) < 2 else share
        return self.weight * share / max(self.kept_of[number], 1)


class CaptionAnswers:
    """What the nouns' answers brought, kept and refused."""

    def __init__(self, checks: CaptionChecks, spool: Spool) -> None:
        self.checks = checks
        self.totals: Counter[str | None] = Counter()  # fault (None: kept) -> captions
        self.readable = 0  # answers
        self._spool = spool

    def take(self, task: NounTask, result: Outcome) -> tuple[bool, str] | None:
        """Read and check one answer; whether it brought a caption, and what became of all; None where there is none."""
        if result.status == "failed":
            task.given_up = f"no answer: {result.detail}"
            return None
        if result.status == "refused":
            task.given_up = f"refused: {result.detail}"
            return False, task.given_up
        earlier = Kept(self.checks.settings.near_duplicate, self._plain(task))
        known = len(earlier.words)
        found: list[tuple[Number, str, str | None, tuple[int, ...], int]] = []
        faults: Counter[str] = Counter()
        for answer in result.texts:
            try:
                captions = read_answer(answer)
                self.readable += 1
            except ValueError:
                task.unreadable += 1
                faults["cannot be read"] += 1
                continue
            for number, texts in captions.items():
                for text in map(str.strip, texts):
                    checked = self.checks.check(text, (task.id,), number, earlier)
                    found.append((number, text, checked.fault, checked.others, checked.related))
        kept = Counter(number for number, _, fault, _, _ in found if fault is None)
        task.kept_of.update(kept)
        self.totals.update(fault for _, _, fault, _, _ in found)
        self._spool.append(task.id, json.dumps([found, earlier.words[known:]]).encode())
        faults.update(fault for _, _, fault, _, _ in found if fault is not None)
        said = [f"kept: {kept.total()}"] if kept else []
        said += [f"{fault}: {n}" for fault, n in sorted(faults.items())]
        return bool(kept), "; ".join(said) or "no caption in it"

    def captions(self, task: NounTask) -> Iterator[tuple[Number, str, Checked]]:
        """All captions of a noun, as they came."""
        for piece in self._spool.pieces(task.id):
            for number, text, fault, others, related in json.loads(piece)[0]:
                yield number, text, Checked(fault, tuple(others), related)

    def draft(self, tasks: list[NounTask], tally: ReportTally, nouns: int) -> CaptionDraft:
        """The captions that passed, other nouns as secondary targets; `tally` gets those that did not as well."""

        def batches() -> Iterator[pl.DataFrame]:
            found = self._rows(tasks)
            while some := list(islice(found, BATCH)):
                table, checked = frame_of([row for row, _ in some]), [result for _, result in some]
                tally.add(table, checked)
                yield with_secondary(table, checked, self.checks.settings.secondary_share)

        def count(written: Written) -> Counts:
            counts = Counts("captions")
            flow = counts.flow("llm: captions", self.totals.total(), "captions in readable answers")
            faults = [(-n, fault) for fault, n in self.totals.items() if fault is not None]
            for n, fault in sorted(faults):
                flow.drop(-n, fault)
            flow.drop(written.rows - written.texts, "the same text as another one (merged)")
            flow.out(written.texts, "distinct texts")
            record_nouns(counts, nouns, written, "no caption passed the checks")
            return counts

        return CaptionDraft(batches(), count)

    def refuse_too_little(self, tasks: Sequence[NounTask], model: str) -> None:
        """Stop where there is too little to go on with.

        Raises:
            NounflowError: see `llm.enough`.
        """
        reasons: Counter[str] = Counter()
        for task in tasks:
            if task.given_up:
                reasons[task.given_up] += 1
            reasons["answers that cannot be read"] += task.unreadable
        reasons.update({fault: n for fault, n in self.totals.items() if fault is not None})
        unreadable, kept = sum(task.unreadable for task in tasks), {"caption passed the checks": self.totals[None]}
        where = f"{self.totals.total():,} captions of {model}"
        refuse_too_little(kept, reasons, self.readable, unreadable, where)

    def quarantine(self, tasks: Iterable[NounTask]) -> pl.DataFrame:
        """Nouns short of their quota: noun key, kept, quota, and the commonest reasons."""
        short = [task for task in tasks if task.kept < task.quota]
        return pl.DataFrame(
            {
                "key": [task.key for task in short],
                "kept": [task.kept for task in short],
                "quota": [task.quota for task in short],
                "reason": [task.given_up or self._reasons(task) for task in short],
            },
            schema={"key": pl.String, "kept": pl.Int64, "quota": pl.Int64, "reason": pl.String},
        )

    def _plain(self, task: NounTask) -> list[tuple[str, ...]]:
        """The noun's kept captions as plain words."""
        return [tuple(words) for piece in self._spool.pieces(task.id) for words in json.loads(piece)[1]]

    def _rows(self, tasks: Iterable[NounTask]) -> Iterator[tuple[Row, Checked]]:
        """All captions, noun after noun, and what the checks say of each."""
        for task in tasks:
            for number, text, checked in self.captions(task):
                yield (text, (task.id,), task.weight_of(number), f"llm-{number}"), checked

    def _reasons(self, task: NounTask) -> str:
        faults = Counter(checked.fault for _, _, checked in self.captions(task) if checked.fault is not None)
        if task.unreadable:
            faults["answers that cannot be read"] = task.unreadable
        return "; ".join(f"{fault}: {n}" for fault, n in faults.most_common(3)) or "too few captions in its answers"


def read_answer(text: str) -> dict[Number, list[str]]:
    """The captions of one answer, by number.

    Raises:
        ValueError: there is no JSON of the form that was asked for.
    """
    found = find_json(text, _are_captions)
    return {number: found.get(number) or [] for number in _NUMBERS}


def _are_captions(value: Any) -> bool:
    if not isinstance(value, dict) or not value.keys() & set(_NUMBERS):
        return False
    lists = [value.get(number) or [] for number in _NUMBERS]  # for none models also write null
    return all(isinstance(texts, list) and all(isinstance(text, str) for text in texts) for texts in lists)
