"""What stands on a Markdown page: headings, links, code."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_PYTHON = re.compile(r"\s*(from|import) \w+")


@dataclass(frozen=True)
class Page:
    """A page, its prose and its code blocks apart."""

    path: Path
    prose: str
    blocks: tuple[str, ...]

    @classmethod
    def read(cls, path: Path) -> Page:
        """Fenced and indented blocks are code, all else is prose."""
        prose: list[str] = []
        blocks: list[list[str]] = []
        fenced = indented = False
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip().startswith("```"):
                fenced = not fenced
                blocks += [[]] if fenced else []
                indented = False
            elif fenced:
                blocks[-1].append(line)
            elif line.startswith("    ") and (indented or not prose or not prose[-1].strip()):
                blocks += [] if indented else [[]]
                blocks[-1].append(line)
                indented = True
            elif indented and not line.strip():
                blocks[-1].append("")
            else:
                indented = False
                prose.append(line)
        return cls(path, "\n".join(prose), tuple("\n".join(block) for block in blocks))

    @property
    def links(self) -> list[str]:
        """Targets of all links and pictures."""
        return _LINK.findall(self.prose)

    @property
    def spans(self) -> list[str]:
        """Pieces of code within the prose."""
        return _SPAN.findall(self.prose)

    @property
    def anchors(self) -> set[str]:
        """What a link may name behind a #, as GitHub makes it from headings."""
        headings = re.findall(r"^#+ (.+)$", self.prose, flags=re.MULTILINE)
        kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
        return {heading.replace(" ", "-") for heading in kept}

    def configs(self) -> Iterator[str]:
        """Chunks of code that are YAML: their first line, but for comments, is a key."""
        for chunk in self._chunks():
            lines = [line for line in chunk.splitlines() if not line.startswith("#")]
            of_another_file = chunk.startswith("# resources/")
            if lines and not of_another_file and re.match(r"[a-z_]+:( (?!.* = )|$)", lines[0]):
                yield chunk

    def commands(self) -> Iterator[list[str]]:
        """The words of each shell command in the code, comments left out."""
        for chunk in set(self._chunks()) - set(self.configs()):
            for line in re.sub(r"\\\n\s*", " ", chunk).splitlines():
                for part in re.split(r"; | \| | && ", line):
                    words = _words(part)
                    if words:
                        yield words

    @property
    def python(self) -> list[str]:
        """Blocks of Python: they begin with an import."""
        return [textwrap.dedent(block) for block in self.blocks if _PYTHON.match(block)]

    def _chunks(self) -> Iterator[str]:
        """Blocks that are no Python, cut at empty lines, without their common indent."""
        for block in filter(lambda block: not _PYTHON.match(block), self.blocks):
            for chunk in re.split(r"\n\s*\n", block):
                yield textwrap.dedent(chunk).strip("\n")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(re.sub(r"\$\w+", "1", command), comments=True)
    except ValueError:  # no shell command: an apostrophe of prose or of another language
        return []
