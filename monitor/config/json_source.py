"""JSON text -> the same nodes with lines as YAML gives. Strict: no comments, no trailing commas, no NaN."""

from __future__ import annotations

import json
import re
from bisect import bisect_right

from monitor.config.nodes import Entry, ListNode, MapNode, Node, Scalar

_BLANKS = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"true|false|null")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.eE+-])")
_STRING = re.compile(r'"[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*"')


class JsonError(Exception):
    """The text is no JSON; says from which line on."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_json(text: str, max_depth: int, max_values: int) -> Node:
    """Return the one value that *text* is. Raises :class:`JsonError`."""
    reader = _Reader(text, max_depth, max_values)
    node = reader.value(1)
    reader.skip()
    if reader.at != len(text):
        raise reader.fault("more text after the end of the value")
    return node


class _Reader:
    def __init__(self, text: str, max_depth: int, max_values: int) -> None:
        self.at = 0
        self._text = text
        self._max_depth = max_depth
        self._max_values = self._left = max_values
        self._breaks = [found.start() for found in re.finditer("\n", text)]

    def fault(self, message: str) -> JsonError:
        return JsonError(message, self._line())

    def _line(self) -> int:
        return bisect_right(self._breaks, self.at - 1) + 1

    def skip(self) -> str:
        """Go to the next character that is no blank, and return it ("" at the end)."""
        found = _BLANKS.match(self._text, self.at)
        assert found is not None
        self.at = found.end()
        return self._text[self.at : self.at + 1]

    def value(self, depth: int) -> Node:
        if depth > self._max_depth:
            raise self.fault(f"nested deeper than {self._max_depth} levels")
        self._left -= 1
        if self._left < 0:
            raise self.fault(f"more than {self._max_values} values")
        first = self.skip()
        if first == "{":
            return self._mapping(depth)
        if first == "[":
            return self._list(depth)
        line = self._line()
        if first == '"':
            return Scalar(line, self._string(), plain=False, json=True)
        found = _WORD.match(self._text, self.at) or _NUMBER.match(self._text, self.at)
        if found is None:
            raise self.fault("expected a value" if first else "the text ends too early")
        self.at = found.end()
        return Scalar(line, found.group(), plain=True, json=True)

    def _mapping(self, depth: int) -> MapNode:
        line = self._line()
        entries: list[Entry] = []
        self.at += 1
        if self.skip() == "}":
            self.at += 1
            return MapNode(line, ())
        while True:
            if self.skip() != '"':
                raise self.fault('expected a key in "quotes"')
            key_line, key = self._line(), self._string()
            if self.skip() != ":":
                raise self.fault('expected ":" after the key')
            self.at += 1
            entries.append(Entry(key, key_line, self.value(depth + 1)))
            if self._ends("}"):
                return MapNode(line, tuple(entries))

    def _list(self, depth: int) -> ListNode:
        line = self._line()
        items: list[Node] = []
        self.at += 1
        if self.skip() == "]":
            self.at += 1
            return ListNode(line, ())
        while True:
            items.append(self.value(depth + 1))
            if self._ends("]"):
                return ListNode(line, tuple(items))

    def _ends(self, closing: str) -> bool:
        """Step over a comma (false) or *closing* (true)."""
        mark = self.skip()
        if mark not in (",", closing) or not mark:
            raise self.fault(f'expected "," or "{closing}"')
        self.at += 1
        return mark == closing

    def _string(self) -> str:
        found = _STRING.match(self._text, self.at)
        if found is None:
            raise self.fault("text without a closing quote on its line")
        try:
            text = str(json.loads(found.group()))
            text.encode()
        except ValueError:
            raise self.fault("a \\ escape that JSON does not know") from None
        self.at = found.end()
        return text
