"""What `nounflow name` has named so far, kept on the disk, so that a run that was stopped can go on."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nounflow.errors import NounflowError

if TYPE_CHECKING:
    from nounflow.namings import Naming


class NamingJournal:
    """OUT.part: a line of JSON for what shapes the answers, then one for each image, in the order they were named.

    A torn last line is passed over.
    """

    def __init__(self, out: Path, resume: bool) -> None:
        """
        Raises:
            NounflowError: there is one already, and nobody said whether to go on with it.
        """
        self.path = out.with_name(out.name + ".part")
        self._shaping: Any = None
        if not self.path.exists():
            return
        if not resume:
            raise NounflowError(
                "An earlier run was stopped before its table was written",
                where=self.path,
                fix="go on with it: --resume; or delete the file",
            )
        with contextlib.suppress(ValueError), self.path.open("rb") as lines:
            head = lines.readline()
            self._shaping = json.loads(head) if head.endswith(b"\n") else None

    def earlier(self) -> Iterator[Naming]:
        """The answers that are there, of each image the first; what stands behind a torn line is cut off."""
        if self._shaping is None:
            return
        whole, files = 0, set[str]()
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    found = _naming(json.loads(line)) if whole else None
                except (ValueError, TypeError, KeyError):
                    break
                whole += len(line)
                if found and found.file not in files:
                    files.add(found.file)
                    yield found
        os.truncate(self.path, whole)

    def begin(self, shaping: Mapping[str, Any]) -> None:
        """Say what shapes the answers: the model and the options.

        Raises:
            NounflowError: other things shaped those that are there.
        """
        wanted = json.loads(json.dumps(shaping, default=str))
        if self._shaping is None:  # nothing is there, or a torn line
            self._shaping = wanted
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(json.dumps(wanted).encode() + b"\n")
        there = self._shaping if isinstance(self._shaping, dict) else {}
        if differing := [key for key in {**wanted, **there} if wanted.get(key) != there.get(key)]:
            raise NounflowError(
                f"The run that was stopped named with another {', '.join(differing)}",
                where=self.path,
                fix="go on with the same, or delete the file and begin anew",
            )

    def add(self, naming: Naming) -> None:
        """Write one more answer."""
        with self.path.open("ab") as file:
            file.write(json.dumps(asdict(naming)).encode() + b"\n")

    def finish(self) -> None:
        """The table is written: the journal goes."""
        self.path.unlink(missing_ok=True)


def _naming(row: Any) -> Naming:
    """An answer as `asdict` wrote it."""
    from nounflow.namings import Naming
    from nounflow.open_set.gate import Verdict

    lists = {name: tuple(row[name]) for name in ("nouns", "probabilities", "unknown")}
    verdict = Verdict(**row["verdict"]) if row["verdict"] else None
    chain = tuple((name, probability) for name, probability in row["chain"])
    return Naming(**{**row, **lists, "verdict": verdict, "chain": chain})
