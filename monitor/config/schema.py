"""Reading one mapping: each key is asked for once, with what is expected of it; what was not asked for is unknown.

A bad or missing value is noted and read as None, so that reading goes on
and all problems come out together. No such value ever leaves: settings exist only where nothing was noted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from monitor.config.nodes import Entry, ListNode, MapNode, Node, Scalar, describe
from monitor.config.places import MAX_PROBLEMS, Place, Problems, nearest, show
from monitor.numbers import parse_decimal

MAX_TEXT = 64

_YAML_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)")

_NUMBER_HINTS = (
    (re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+"), "write it without an exponent"),
    (re.compile(r"[+-]?0[0-9][0-9.]*"), "write it without leading zeros"),
    (re.compile(r"[+-]?[0-9][0-9_.]*_[0-9_.]*"), "write it without underscores"),
    (re.compile(r"[+-]?[0-9][0-9,.]*,[0-9,.]*"), "the decimal mark is a point, and thousands are not set apart"),
    (re.compile(r"[+-]?[0-9][0-9.]* ?%"), "write a ratio: 0.05 is 5 %"),
    (re.compile(r"[+-]?[0-9][0-9.]* ?[A-Za-z]+"), "write it without a unit"),
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The range of a number: beyond ``above`` and ``below``, at least ``least``, at most ``most``."""

    above: float = -math.inf
    least: float = -math.inf
    below: float = math.inf
    most: float = math.inf

    def holds(self, value: float) -> bool:
        """Return whether *value* lies in the range."""
        return self.above < value < self.below and self.least <= value <= self.most

    def __str__(self) -> str:
        limits = ((">", self.above), (">=", self.least), ("<", self.below), ("<=", self.most))
        words = [f"{sign} {limit:g}" for sign, limit in limits if math.isfinite(limit)]
        return "a number" + (" " if words else "") + " and ".join(words)


NO_WORDS: Mapping[str, float | None] = {}

ANY = Bounds()
POSITIVE = Bounds(above=0.0)
FRACTION = Bounds(above=0.0, below=1.0)


class Section:
    """One mapping of a file, with where it stands."""

    def __init__(self, node: MapNode, place: Place, problems: Problems) -> None:
        self.place = place
        self.problems = problems
        self._entries: dict[str, Entry] = {}
        self._asked: dict[str, None] = {}
        for entry in node.entries:
            first = self._entries.setdefault(entry.key, entry)
            if first is not entry:
                self.note(place.key(entry.key, entry.line), f"repeated key (first on line {first.line})")

    def note(self, place: Place, message: str) -> None:
        """Note a problem at *place*."""
        self.problems.add(place, message)

    def place_of(self, key: str) -> Place:
        """Return where the value of *key* stands, or would stand."""
        entry = self._entries.get(key)
        return self.place.key(key, None if entry is None else entry.node.line)

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def given(self, *keys: str) -> list[str]:
        """Return which of *keys*, all of them known ones, are there."""
        self._asked.update(dict.fromkeys(keys))
        return [key for key in keys if key in self._entries]

    def text(
        self,
        key: str,
        *,
        needed: bool = False,
        one_of: Collection[str] = (),
        most: int = MAX_TEXT,
        private: bool = False,
    ) -> str | None:
        """Return the text of *key*, None if it is not there or bad. A *private* text is never quoted in a problem."""
        expected = _one_of(one_of) if one_of else "text"
        node = self._ask(key, expected if needed else None)
        if node is None:
            return None
        if not isinstance(node, Scalar) or node.empty or (node.json and node.plain):
            self._expected(key, expected, node, private=private)
        elif one_of and node.text not in one_of:
            self._expected(key, expected, node, hint=nearest(node.text, one_of))
        elif not node.text or len(node.text) > most:
            self.note(self.place_of(key), f"expected text of 1 to {most} characters, got {len(node.text)}")
        elif not node.text.isprintable() or node.text != node.text.strip():
            self._expected(key, "text without control characters or blanks around it", node, private=private)
        else:
            return node.text
        return None

    def number(
        self,
        key: str,
        bounds: Bounds = ANY,
        *,
        needed: bool = False,
        quoted: bool = False,
        hint: str = "",
        words: Mapping[str, float | None] = NO_WORDS,
    ) -> float | None:
        """Return the number of *key*, None if it is not there or bad; only with *quoted* may it stand in quotes.

        Each of *words* may stand in its place and has its worth.
        """
        node = self._ask(key, str(bounds) if needed else None)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text in words:
            return words[node.text]
        expected = " or ".join((str(bounds), *filter(None, words)))
        if not isinstance(node, Scalar) or node.empty:
            self._expected(key, expected, node)
            return None
        value, why = _number(node, quoted=quoted)
        if value is not None and bounds.holds(value):
            return value
        why = why or hint
        got = node.text if value is not None and len(node.text) <= MAX_TEXT else show(node.text)
        self.note(self.place_of(key), f"expected {expected}, got {got}" + (f" ({why})" if why else ""))
        return None

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return whether *key* is ``true``; *default* if it is not there or bad."""
        node = self._ask(key)
        if node is None:
            return default
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        self._expected(key, "true or false", node)
        return default

    def section(self, key: str) -> Section | None:
        """Return the mapping under *key*, None if it is not there or bad."""
        node = self._ask(key)
        return None if node is None else open_section(node, self.place_of(key), self.problems)

    def sections(self, key: str, *, needed: bool = False) -> list[Section] | None:
        """Return the list of mappings under *key*, None if it is not there or bad."""
        node = self._ask(key, "a list" if needed else None)
        return None if node is None else open_sections(node, self.place_of(key), self.problems)

    def members(self) -> Iterator[tuple[str, Node, Place]]:
        """Yield every key with its value and place: for mappings whose keys are names."""
        for key, entry in self._entries.items():
            self._asked[key] = None
            yield key, entry.node, self.place.key(key, entry.line)

    def done(self, hints: Mapping[str, str] | None = None) -> None:
        """Note each key that nobody asked for; *hints* says more about some that people try."""
        for key, entry in self._entries.items():
            if key not in self._asked:
                if hints and key in hints:
                    more = f": {hints[key]}"
                else:  # a resemblance costs time: not for what will not be said any more
                    more = nearest(key, self._asked) if len(self.problems) < MAX_PROBLEMS else ""
                self.note(self.place.key(key, entry.line), f"unknown key{more}")

    def _ask(self, key: str, needed: str | None = None) -> Node | None:
        self._asked[key] = None
        entry = self._entries.get(key)
        if entry is not None:
            return entry.node
        if needed is not None:
            self.note(self.place_of(key), f"missing: expected {needed}")
        return None

    def _expected(self, key: str, expected: str, node: Node, *, hint: str = "", private: bool = False) -> None:
        hidden = private and isinstance(node, Scalar) and not node.empty
        got = "something else" if hidden else describe(node)
        self.note(self.place_of(key), f"expected {expected}, got {got}{hint}")


def open_section(node: Node, place: Place, problems: Problems) -> Section | None:
    """Return *node* as a section, None after noting that it is no mapping."""
    if isinstance(node, MapNode):
        return Section(node, place, problems)
    problems.add(place, f"expected a mapping (key: value), got {describe(node)}")
    return None


def open_sections(node: Node, place: Place, problems: Problems) -> list[Section] | None:
    """Return the items of *node* as sections, None after noting that it is no list."""
    if not isinstance(node, ListNode):
        problems.add(place, f"expected a list, got {describe(node)}")
        return None
    opened = (open_section(item, place.item(i, item.line), problems) for i, item in enumerate(node.items))
    return [section for section in opened if section is not None]


def _number(node: Scalar, *, quoted: bool) -> tuple[float | None, str]:
    """Return the number that the source text denotes, or None and a hint why not."""
    if not node.plain and not quoted:
        return None, "quoted text is no number: remove the quotes" if _YAML_NUMBER.fullmatch(node.text) else ""
    if node.plain and not node.json and _YAML_NUMBER.fullmatch(node.text) is None:
        return None, next((hint for pattern, hint in _NUMBER_HINTS if pattern.fullmatch(node.text)), "")
    try:
        return parse_decimal(node.text), ""
    except ValueError:
        return None, "too large or too long" if _YAML_NUMBER.fullmatch(node.text) else ""


def _one_of(words: Collection[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
