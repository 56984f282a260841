"""What a configuration file is made of, whether it was written as YAML or JSON: values that know their line.

Scalars keep their source text. Nothing is guessed from it (no octal, no sexagesimal, no ``no`` that turns
false): the reader of a key says which kind it wants.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.config.places import show

NOTHING = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value. ``plain`` is false for quoted text; ``json`` says whose grammar it follows."""

    line: int
    text: str
    plain: bool
    json: bool = False

    @property
    def empty(self) -> bool:
        """Return whether nothing was written (or ``null``, which says the same)."""
        return self.plain and self.text in NOTHING


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``key: value`` of a mapping; the line is the key's."""

    key: str
    line: int
    node: Node


@dataclass(frozen=True, slots=True)
class MapNode:
    """A mapping, in the order of the file and with repeated keys still in it."""

    line: int
    entries: tuple[Entry, ...]


Node = Scalar | ListNode | MapNode


def describe(node: Node) -> str:
    """Return what *node* is, for the end of "expected ..., got ..."."""
    if isinstance(node, ListNode):
        return "a list"
    if isinstance(node, MapNode):
        return "a mapping"
    return "nothing" if node.empty else show(node.text)
