"""Where something stands in the operator's files, and what is wrong there: all problems are said at once."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from monitor.errors import ConfigError

MAX_PROBLEMS = 100
MAX_KEPT = 1000
MAX_SHOWN = 64

_BARE_KEY = re.compile(r"[\w-]{1,64}")


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file and the path of keys that leads there: ``account.yaml:12: accounts[0].balance``."""

    file: str
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        start = f"{self.file}:{self.line}" if self.line else self.file
        return f"{start}: {self.path}" if self.path else start

    def key(self, name: str, line: int | None = None) -> Place:
        """Return the place of the key *name* below this one."""
        if _BARE_KEY.fullmatch(name):
            name = f"{self.path}.{name}" if self.path else name
        else:
            name = f"{self.path}[{show(name)}]"
        return replace(self, line=self.line if line is None else line, path=name)

    def item(self, index: int, line: int) -> Place:
        """Return the place of the list item *index* below this one."""
        return replace(self, line=line, path=f"{self.path}[{index}]")


class Problems:
    """What is wrong, collected over all files and said in the order of files and lines."""

    def __init__(self) -> None:
        self._found: list[tuple[Place, str]] = []
        self._unkept = 0
        self._files: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._found) + self._unkept

    def order(self, file: str) -> None:
        """Let the problems of *file* come after those of the files before it."""
        self._files.setdefault(file, len(self._files))

    def add(self, place: Place, message: str) -> None:
        """Note that *message* is true of *place*."""
        self.order(place.file)
        if len(self._found) < MAX_KEPT:
            self._found.append((place, message))
        else:
            self._unkept += 1

    def lines(self) -> list[str]:
        """Return the finished lines, the first hundred in the order of files and lines."""
        found = sorted(self._found, key=lambda each: (self._files[each[0].file], each[0].line))
        lines = [f"{place}: {message}" for place, message in found[:MAX_PROBLEMS]]
        if len(self) > MAX_PROBLEMS:
            lines.append(f"... and {len(self) - MAX_PROBLEMS} more problems")
        return lines

    def raise_any(self) -> None:
        """Raise ``ConfigError`` with everything noted so far, if there is anything."""
        if self._found:
            raise ConfigError(self.lines())


def show(text: str) -> str:
    """Return foreign *text* in quotes, shortened and with its control characters escaped.

    >>> print(show("32.000,5"))
    "32.000,5"
    """
    short = text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
    return json.dumps(short, ensure_ascii=not short.isprintable())


def nearest(text: str, known: Iterable[str]) -> str:
    """Return `` (did you mean ...?)`` if one of *known* resembles *text*, otherwise nothing.

    >>> nearest("enty_price", ["side", "entry_price"])
    ' (did you mean entry_price?)'
    """
    by_lower = {word.lower(): word for word in known}
    if len(text) > MAX_SHOWN:
        return ""
    found = difflib.get_close_matches(text.lower(), by_lower, n=1)
    return f" (did you mean {by_lower[found[0]]}?)" if found else ""
