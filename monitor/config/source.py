"""Bytes of a file -> nodes with lines. Refuses what could surprise: aliases, tags, several documents, great depth.

YAML is read as a stream of parser events, so that nothing is constructed, expanded or guessed, and every limit
holds before memory is spent. JSON (suffix ``.json``, or text that begins like it) gives the same nodes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from monitor.config.json_source import JsonError, read_json
from monitor.config.nodes import Entry, ListNode, MapNode, Node, Scalar
from monitor.config.places import Place, Problems

MAX_BYTES = 1 << 20
MAX_DEPTH = 20
MAX_VALUES = 100_000

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_bytes(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file. Raises ``ValueError`` in words, also when it is larger than *limit*."""
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not a usable path"
        raise ValueError(f"cannot be read: {why}") from None
    if len(data) > limit:
        raise ValueError(f"larger than {limit >> 20} MiB: not a file of this kind")
    return data


def parse(data: bytes, name: str, problems: Problems, max_values: int = MAX_VALUES) -> Node | None:
    """Return the top node of the file *name*, or None after noting why there is none."""
    before = len(problems)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.add(Place(name, line), "not UTF-8: save the file with that encoding")
        return None
    control = _CONTROL.search(text)
    if control is not None:
        line = text.count("\n", 0, control.start()) + 1
        problems.add(Place(name, line), f"control character {control.group()!a} is not allowed")
        return None
    if not text.strip():
        problems.add(Place(name), "the file is empty")
        return None
    is_json = name.lower().endswith(".json")
    if is_json or text.lstrip()[0] in "{[":
        try:
            return read_json(text, MAX_DEPTH, max_values)
        except JsonError as error:
            if is_json:
                problems.add(Place(name, error.line), f"not readable as JSON: {error}")
                return None
    node = _YamlReader(text, name, problems, max_values).document()
    return node if len(problems) == before else None


class _LimitError(Exception):
    """Nesting or number of values beyond the limit: reading stops there."""


class _YamlReader:
    """One YAML text; the problems of its form are noted while the nodes are built."""

    def __init__(self, text: str, name: str, problems: Problems, max_values: int) -> None:
        self._text = text
        self._name = name
        self._problems = problems
        self._max_values = self._left = max_values
        self._events: Iterator[yaml.Event] = yaml.parse(text, Loader=_LOADER)

    def document(self) -> Node | None:
        """Return the top node of the one document."""
        top: Node | None = None
        documents = 0
        try:
            for event in self._events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents == 2:
                        self._note(event, "a second document (---) is not allowed: one file, one document")
                elif isinstance(event, yaml.NodeEvent):
                    node = self._node(event, 1)
                    top = node if top is None else top
        except _LimitError:
            return None
        except yaml.YAMLError as error:
            self._note_unreadable(error)
            return None
        if top is None or (isinstance(top, Scalar) and top.empty):
            self._problems.add(Place(self._name), "the file is empty")
            return None
        return top

    def _node(self, event: yaml.Event, depth: int) -> Node:
        line = _line(event)
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            much = (
                f"nested deeper than {MAX_DEPTH} levels"
                if depth > MAX_DEPTH
                else f"more than {self._max_values} values"
            )
            self._note(event, much)
            raise _LimitError
        if isinstance(event, yaml.AliasEvent):
            self._note(event, "aliases (*name) are not allowed: write the value out")
            return Scalar(line, "", plain=True)
        if getattr(event, "anchor", None) is not None:
            self._note(event, "anchors (&name) are not allowed")
        if getattr(event, "tag", None) is not None:
            self._note(event, "tags (!name) are not allowed")
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Node] = []
            while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(item, depth + 1))
            return ListNode(line, tuple(items))
        if isinstance(event, yaml.MappingStartEvent):
            entries: list[Entry] = []
            while not isinstance(item := next(self._events), yaml.MappingEndEvent):
                key = self._node(item, depth + 1)
                value = self._node(next(self._events), depth + 1)
                if isinstance(key, Scalar):
                    entries.append(Entry(key.text, key.line, value))
                else:
                    self._note(item, "a key must be text, not a list or a mapping")
            return MapNode(line, tuple(entries))
        assert isinstance(event, yaml.ScalarEvent)
        return Scalar(line, event.value, plain=not event.style)

    def _note(self, event: yaml.Event, message: str) -> None:
        self._problems.add(Place(self._name, _line(event)), message)

    def _note_unreadable(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        line = mark.line + 1 if mark is not None else 0
        message = getattr(error, "problem", None) or "malformed"
        lines = self._text.splitlines()
        if 0 < line <= len(lines) and "\t" in lines[line - 1]:
            message += " (YAML indents with blanks, not tabs)"
        self._problems.add(Place(self._name, line), f"not readable as YAML: {message}")


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return 0 if mark is None else int(mark.line) + 1
