"""A definition held against the messages that it was written for.

An expression that finds nothing looks like silence, so every stream and every resource brings a message as the venue
sends it, with the events that must come out: exactly these, with exactly these values. So do the frames of the
conversation (acknowledgements, refusals, pings).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from monitor.config.definition_rows import Sample
from monitor.config.nodes import ListNode, MapNode, Node, Scalar
from monitor.config.schema import Section
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import parse_decimal
from monitor.venues import generic_rest
from monitor.venues.generic_definition import Definition, PollRows, Socket
from monitor.venues.generic_frames import Decoder
from monitor.venues.generic_paths import compile_path, holds
from monitor.venues.generic_values import Known
from monitor.venues.wire import parsed

SAMPLE_TIME = 1_763_800_000.0
"""The venue's time (2025-11-22 08:26:40 UTC) at which samples come in: what is told as remaining counts from here."""

NEARLY = 1e-9


@dataclass(frozen=True, slots=True)
class Talk:
    """A frame of the conversation of *socket*, and what must be heard in it."""

    socket: Socket
    section: Section
    text: str
    answer: str
    refused: str
    leaving: bool


def check_samples(
    definition: Definition,
    streams: Sequence[Sample],
    polls: Sequence[tuple[PollRows, Sample]],
    talks: Sequence[Talk],
) -> None:
    """Note at each sample what comes out of it otherwise than it says."""
    learnt = Known(definition)
    for rows, sample in polls:
        first = next(iter(_symbols(sample)), "?")
        wire = definition.symbols.get(first, first) if rows.each else ""
        _run(sample, partial(_poll_events, learnt, rows, wire))
    for sample in streams:
        _run(sample, partial(_stream_events, learnt))
    for talk in talks:
        _check_talk(definition, talk)
    for socket in definition.sockets:
        _check_said(socket, [talk for talk in talks if talk.socket is socket])


def _stream_events(learnt: Known, sample: Sample, symbols: Sequence[str] | None) -> list[Event]:
    known = learnt.of(symbols)
    return Decoder(known.definition, known).decode(sample.text.encode(), SAMPLE_TIME)


def _poll_events(
    learnt: Known, rows: PollRows, wire: str, sample: Sample, symbols: Sequence[str] | None
) -> list[Event]:
    known = learnt.of(symbols)
    return generic_rest.decode_body(known, rows, wire)(sample.text.encode(), SAMPLE_TIME)


def _run(sample: Sample, decode: Callable[[Sample, Sequence[str] | None], list[Event]]) -> None:
    """Note where the events of a sample are not what it says; if it has none, what it has of other contracts."""
    section, count = sample.section, len(sample.gives)
    try:
        events = decode(sample, _symbols(sample) or None)
        others = [] if events else decode(sample, None)
    except WireError as error:
        section.note(section.place_of("sample"), f"cannot be read: {error}")
        return
    found = [_values(event) for event in events]
    if len(found) != count or not count:
        got = "; ".join(map(_told, found)) or "nothing"
        got += " of these contracts: " + "; ".join(_told(_values(event)) for event in others) if others else ""
        wanted = f"{count} event{'s' * (count != 1)}" if count else "all that must come out"
        section.note(section.place_of("gives"), f"expected {wanted}, but the sample gives {got}")
        return
    for number, (said, event) in enumerate(zip(sample.gives, found, strict=True)):
        for problem in _differences({key: plain_value(node) for key, node, _ in said.members()}, event):
            said.note(said.place, f"event {number + 1} of the sample: {problem}")


def _differences(said: dict[str, Any], found: dict[str, Any]) -> Iterable[str]:
    if said.get("event") != found["event"]:
        yield f"expected the event {_show(said.get('event'))}, got {_told(found)}"
        return
    for key, value in said.items():
        if key not in found:
            yield f"{key} is not in it: it is {_told(found)}"
        elif not _same(value, found[key]):
            yield f"expected {key} {_show(value)}, got {_show(found[key])}"
    unsaid = [f"{key} {_show(found[key])}" for key in found if key not in said and key != "event_time"]
    if unsaid:
        yield f"it also has {', '.join(unsaid)}: say so if that is right"


def _values(event: Event) -> dict[str, Any]:
    """Return an event as it is written under ``gives``: without the venue and without what is not there."""
    values = msgspec.to_builtins(event)
    usual = {"venue": values.get("venue"), "method": "market", "round_trip_seconds": 0.0}
    return {
        key: value
        for key, value in values.items()
        if value is not None and value not in ("", [], ()) and usual.get(key) != value
    }


def _same(said: Any, found: Any) -> bool:
    if isinstance(said, list) and isinstance(found, list | tuple):
        return len(said) == len(found) and all(map(_same, said, found))
    if isinstance(said, float) and isinstance(found, int | float) and not isinstance(found, bool):
        return abs(said - found) <= NEARLY * max(abs(said), abs(found))
    return bool(said == found)


def _told(values: dict[str, Any]) -> str:
    return " ".join([str(values.get("event")), *(f"{key}={_show(values[key])}" for key in values if key != "event")])


def _show(value: Any) -> str:
    return msgspec.json.encode(value).decode()[:200]


def plain_value(node: Node) -> Any:
    """Return what a value of a file is: a number, true, false, text, or a list or mapping of these."""
    if isinstance(node, ListNode):
        return [plain_value(item) for item in node.items]
    if isinstance(node, MapNode):
        return {entry.key: plain_value(entry.node) for entry in node.entries}
    assert isinstance(node, Scalar)
    if not node.plain:
        return node.text
    if node.text in ("true", "false"):
        return node.text == "true"
    try:
        return parse_decimal(node.text)
    except ValueError:
        return node.text


def _symbols(sample: Sample) -> list[str]:
    """Return the contracts that a sample is about: those of its events."""
    found: list[str] = []
    for section in sample.gives:
        for key, node, _ in section.members():
            if key == "symbol" and isinstance(node, Scalar):
                found.append(node.text)
            elif key == "symbols" and isinstance(node, ListNode):
                found += (item.text for item in node.items if isinstance(item, Scalar))
    return list(dict.fromkeys(found))


def _check_talk(definition: Definition, talk: Talk) -> None:
    """Note where a frame of the conversation is heard otherwise than its sample says."""
    decoder = Decoder(definition, Known(definition))
    frame, place = talk.text.encode(), talk.section.place
    try:
        events = decoder.decode(frame, SAMPLE_TIME)
    except WireError as error:
        talk.section.note(place, f"cannot be read: {error}")
        return
    if events:
        talk.section.note(place, f"expected a frame without facts, but it gives {_told(_values(events[0]))}")
    word = decoder.hear(frame)
    heard = ("", "", False) if word is None else (word.answer, ", ".join(word.refused), word.leaving)
    for what, said, found in zip(
        ("answer", "refused", "leaving"), (talk.answer, talk.refused, talk.leaving), heard, strict=True
    ):
        if said != found:
            talk.section.note(place, f"expected {what} {_show(said)}, got {_show(found)}")


def _check_said(socket: Socket, talks: Sequence[Talk]) -> None:
    """Note an expression of the conversation that no sample shows: nobody would notice a slip in it."""
    if not talks:
        return
    section = talks[0].section
    said = [(key, getattr(socket, key)) for key in ("ack", "refused", "leaving")]
    said += (("server_pings", ping.when) for ping in socket.server_pings)
    missing = [(key, text) for key, text in said if text and not any(_shows(talk, text) for talk in talks)]
    literal = {talk.text for talk in talks}
    missing += (("server_pings", ping.text) for ping in socket.server_pings if ping.text and ping.text not in literal)
    for key, text in missing:
        section.note(section.place, f"none of the samples of socket {socket.name} is one for {key}: {text}")


def _shows(talk: Talk, expression: str) -> bool:
    """Return whether *expression* holds for a frame; one that cannot be read, as is said elsewhere, shows nothing."""
    try:
        return holds(compile_path(expression)(parsed(talk.text.encode())))
    except WireError:
        return False
