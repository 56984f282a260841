"""The definition of a venue that has no module of its own: one file of ``config/venues/`` or of the operator's.

``read_definition`` returns what ``monitor.venues.generic`` makes a venue of, or raises one ``ConfigError`` with every
problem: file, line, key, and what was expected. A definition that reads its own sample messages otherwise than it
says is refused like one with a misspelt key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

from monitor.config import definition_parts as parts
from monitor.config.definition_parts import MAX_SOURCE, PRICE_FIELDS
from monitor.config.definition_rows import headers_of, pattern_text, texts_of
from monitor.config.definition_samples import Talk, check_samples
from monitor.config.definition_sockets import Samples, polls, sockets
from monitor.config.nodes import ListNode, MapNode, Node, Scalar
from monitor.config.places import Place, Problems
from monitor.config.schema import Section, open_section
from monitor.config.source import parse, read_bytes
from monitor.config.terms import KINDS
from monitor.venues.generic_definition import NEXT_FUNDING, RATES, Definition, Rows

TO_FILL = "<fill in"
"""Begins what a template leaves to the operator."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)


def read_definition(path: Path | str) -> Definition:
    """Return the definition that a file holds, held against its own samples. Raises ``ConfigError``."""
    path, problems = Path(path), Problems()
    place = Place(str(path))
    node: Node | None = None
    try:
        node = parse(read_bytes(path), str(path), problems)
    except ValueError as error:
        problems.add(place, str(error))
    problems.raise_any()
    assert node is not None
    for scalar, where in _unfilled(node, Place(str(path), node.line)):
        problems.add(where, f"still to be filled in: {scalar.text.removeprefix(TO_FILL).strip(' :>')}")
    problems.raise_any()
    section = open_section(node, Place(str(path), node.line), problems)
    samples = Samples()
    definition = None if section is None else _definition(section, samples)
    problems.raise_any()
    assert definition is not None
    by_name = {socket.name: socket for socket in definition.sockets}
    talks = [Talk(by_name[name], at, **said) for name, at, said in samples.talks]
    check_samples(definition, samples.streams, samples.polls, talks)
    problems.raise_any()
    return definition


def _unfilled(node: Node, place: Place) -> Iterator[tuple[Scalar, Place]]:
    """Yield what a template still leaves to the operator."""
    if isinstance(node, MapNode):
        for entry in node.entries:
            yield from _unfilled(entry.node, place.key(entry.key, entry.node.line))
    elif isinstance(node, ListNode):
        for index, item in enumerate(node.items):
            yield from _unfilled(item, place.item(index, item.line))
    elif TO_FILL in node.text:
        yield node, place


def _definition(section: Section, samples: Samples) -> Definition | None:
    before = len(section.problems)
    kind = section.text("kind", needed=True, one_of=KINDS) or KINDS[0]
    rest_url = parts.base_url(section, "rest_url", "https", "http")
    expected = parts.expected_seconds(section.section("expected_seconds"))
    said: dict[str, Any] = {
        "name": section.text("name", needed=True),
        "kind": kind,
        "source": section.text("source", needed=True, most=MAX_SOURCE),
        "date": parts.day_text(section),
        "rest_url": rest_url,
        "expected_seconds": expected,
        "headers": headers_of(section.section("headers")),
        "bootstrap": parts.bootstrap(section.section("bootstrap"), rest_url),
        "welcomes": section.flag("welcomes"),
        "ping": parts.ping(section.section("ping")),
        "rule": parts.rule(section.section("rule")),
        "limits": parts.limits(section.section("limits")),
        "symbols": texts_of(section.section("symbols")),
        "symbol_parts": pattern_text(section, "symbol_parts", ("base", "quote")),
        "contracts": dict(parts.contracts(section.section("contracts"))),
        "tiers": dict(parts.tiers(section.section("tiers"))),
        "funds": tuple(parts.funds(section.sections("funds") or ())),
        "sockets": tuple(sockets(section, kind, expected, samples)),
        "polls": tuple(polls(section.sections("polls") or (), kind, rest_url, samples)),
    }
    section.done()
    if len(section.problems) > before:
        return None
    definition = Definition(**said)
    _check_together(section, definition)
    return definition if len(section.problems) == before else None


def _check_together(section: Section, definition: Definition) -> None:
    """Note what is wrong with parts that are right by themselves."""
    if _NAME.fullmatch(definition.name) is None:
        section.note(section.place_of("name"), "expected up to 32 small letters, digits, - and _, such as gate")
    names = [each.name for socket in definition.sockets for each in socket.subscriptions]
    for what, found in (
        ("sockets", [socket.name for socket in definition.sockets]),
        ("subscriptions", names),
        ("polls", [poll.name for poll in definition.polls]),
    ):
        for name in sorted({name for name in found if found.count(name) > 1}):
            section.note(section.place, f"two {what} have the name {name}")
    given = _given(definition)
    for price in PRICE_FIELDS:
        if f"{price}_price" in given and price not in definition.expected_seconds:
            section.note(section.place_of("expected_seconds"), f"missing: how often {price} comes at the latest")
        elif (rarely := _polled_every(definition, f"{price}_price")) > definition.expected_seconds.get(price, inf):
            section.note(
                section.place_of("expected_seconds"),
                f"{price} is only polled, every {rarely:g} s: expected that at least",
            )
    wires = list(definition.symbols.values())
    for wire in sorted({wire for wire in wires if wires.count(wire) > 1}):
        section.note(section.place_of("symbols"), f"two names for {wire}: expected one")
    if given.intersection(RATES) and not given.intersection(NEXT_FUNDING):
        section.note(section.place, f"a funding rate needs when it is charged: {', '.join(NEXT_FUNDING)}")
    for socket in definition.sockets:
        if not socket.url and definition.bootstrap is None:
            section.note(section.place, f"socket {socket.name} needs url")
        if socket.url and definition.bootstrap is not None:
            section.note(section.place, f"socket {socket.name} has a url, but the bootstrap says where: expected none")
    if definition.bootstrap is not None and definition.bootstrap.ping_ms and definition.ping is None:
        section.note(section.place_of("bootstrap"), "ping_ms needs ping: what is said that often")


def _polled_every(definition: Definition, name: str) -> float:
    """Return how often a field is polled; 0 if a stream gives it, or nothing does."""
    if any(name in rows.fields for socket in definition.sockets for rows in socket.streams.values()):
        return 0.0
    return min((poll.every_seconds for poll in definition.polls if name in poll.fields), default=0.0)


def _given(definition: Definition) -> set[str]:
    rows: list[Rows] = [each for socket in definition.sockets for each in socket.streams.values()]
    return {name for each in (*rows, *definition.polls) for name in each.fields}
