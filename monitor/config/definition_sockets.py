"""The websockets and REST resources of a definition, with the sample messages that it is held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.config import definition_parts as parts
from monitor.config.definition_rows import (
    COUNT,
    MAX_FRAME,
    SECONDS,
    Sample,
    frame_text,
    path_text,
    pattern_text,
    query_of,
    read_rows,
    read_sample,
)
from monitor.config.schema import Section
from monitor.venues.generic_definition import SCOPES, PollRows, Rows, ServerPing, Socket, Subscription
from monitor.venues.generic_words import uses

NAMED = {"subscribe": {"symbol"}, "subscribe_list": {"symbols", "symbols_csv"}, "subscribe_once": set[str]()}
"""Which names of contracts stand in a frame of each scope."""
UNNAMED = {
    "subscribe": "a frame for one contract has ${symbol} in it: subscribe_once is for others",
    "subscribe_list": "a frame for all contracts has ${symbols} or ${symbols_csv} in it",
    "subscribe_once": "a frame that is sent once names no contract: expected it under subscribe or subscribe_list",
}


@dataclass(slots=True)
class Samples:
    """What is read beside the definition, to hold it against."""

    streams: list[Sample] = field(default_factory=list)
    polls: list[tuple[PollRows, Sample]] = field(default_factory=list)
    talks: list[tuple[str, Section, dict[str, Any]]] = field(default_factory=list)


def sockets(section: Section, kind: str, expected: dict[str, float], samples: Samples) -> Iterator[Socket]:
    """Yield the websockets, and put their samples aside."""
    for opened in section.sections("sockets") or ():
        name = opened.text("name", needed=True) or ""
        url = parts.base_url(opened, "url", "wss", "ws")
        asked = [each for scope in SCOPES for each in _subscriptions(opened.sections(scope) or (), scope, expected)]
        subscriptions = tuple(each for _, each in asked)
        if not subscriptions and not opened.given(*SCOPES):
            opened.note(opened.place, f"missing: expected {', '.join(SCOPES[:-1])} or {SCOPES[-1]}")
        said = {
            "ack": path_text(opened, "ack"),
            "refused": path_text(opened, "refused"),
            "refused_key": path_text(opened, "refused_key"),
            "refused_symbol": path_text(opened, "refused_symbol"),
            "refused_symbol_regex": pattern_text(opened, "refused_symbol_regex"),
            "reason": path_text(opened, "reason"),
            "leaving": path_text(opened, "leaving"),
            "key": path_text(opened, "key", needed=True),
            "key_regex": pattern_text(opened, "key_regex"),
        }
        most = opened.number("streams_per_connection", COUNT)
        pings = tuple(_server_pings(opened.sections("server_pings") or ()))
        streams = dict(_streams(opened.sections("streams", needed=True) or (), kind, samples))
        _check_refreshed(asked, streams)
        talked = bool(said["ack"] or said["refused"] or said["leaving"] or pings)
        for talk in opened.sections("samples", needed=talked) or ():
            samples.talks.append((name, talk, _talk(talk)))
        opened.done()
        yield Socket(
            name=name,
            url=url,
            subscriptions=subscriptions,
            streams=streams,
            server_pings=pings,
            streams_per_connection=100 if most is None else int(most),
            **said,
        )


def _talk(section: Section) -> dict[str, Any]:
    said = {
        "text": section.text("frame", needed=True, most=MAX_FRAME) or "{}",
        "answer": section.text("answer", most=1000) or "",
        "refused": section.text("refused", most=1000) or "",
        "leaving": section.flag("leaving"),
    }
    section.done()
    return said


def _check_refreshed(asked: Sequence[tuple[Section, Subscription]], streams: Mapping[str, Rows]) -> None:
    """Note what a subscription is said to refresh and no stream of its socket gives: it would be taken for silent."""
    given = {name for rows in streams.values() for name in rows.fields}
    for section, each in asked:
        name = "bid_price" if each.refreshes == "book" else f"{each.refreshes}_price"
        if each.refreshes and name not in given:
            section.note(section.place_of("refreshes"), f"no stream of this socket gives {name}")


def _subscriptions(
    sections: Sequence[Section], scope: str, expected: dict[str, float]
) -> Iterator[tuple[Section, Subscription]]:
    for section in sections:
        name, send = section.text("name", needed=True) or "", frame_text(section, "send", needed=True)
        if "/" in name:
            section.note(section.place_of("name"), "expected a name without /")
        refreshes = section.text("refreshes", one_of=parts.REFRESHED) or ""
        seconds, end = section.number("expected_seconds", SECONDS), frame_text(section, "end")
        if refreshes and seconds is None and refreshes not in expected:
            section.note(
                section.place_of("refreshes"), f"how often is not said: expected_seconds.{refreshes} is missing"
            )
        names = {name for name in ("symbol", "symbols", "symbols_csv") if uses(send, name)}
        if send and not (names <= NAMED[scope] and bool(names) is bool(NAMED[scope])):
            section.note(section.place_of("send"), UNNAMED[scope])
        section.done()
        found = Subscription(
            name=name, scope=scope, send=send, end=end, refreshes=refreshes, expected_seconds=seconds or 0.0
        )
        yield section, found


def _server_pings(sections: Sequence[Section]) -> Iterator[ServerPing]:
    for section in sections:
        when, text = path_text(section, "when"), section.text("text") or ""
        answer = frame_text(section, "answer", needed=True, names=None)
        section.done()
        if bool(when) == bool(text):
            section.note(section.place, "expected either when (an expression) or text")
        yield ServerPing(answer=answer, when=when, text=text)


def _streams(sections: Sequence[Section], kind: str, samples: Samples) -> Iterator[tuple[str, Rows]]:
    seen: set[str] = set()
    for section in sections:
        key = section.text("key", needed=True) or ""
        if key in seen:
            section.note(section.place_of("key"), f"repeated key {key}")
        seen.add(key)
        rows = Rows(**read_rows(section, key, kind))
        sample = read_sample(section)
        section.done()
        if sample is not None:
            samples.streams.append(sample)
        yield key, rows


def polls(sections: Sequence[Section], kind: str, rest_url: str, samples: Samples) -> Iterator[PollRows]:
    """Yield the REST resources, and put their samples aside."""
    for section in sections:
        name, path = (
            section.text("name", needed=True) or "",
            frame_text(section, "path", needed=True, names=("symbol",)),
        )
        host, query = parts.base_url(section, "host", "https", "http"), query_of(section.section("query"))
        if path and not path.startswith("/"):
            section.note(section.place_of("path"), "expected a path that begins with /")
        if not host and not rest_url:
            section.note(section.place, "missing: expected host here, or rest_url for all")
        every = section.number("every_seconds", SECONDS, needed=True)
        weight = section.number("weight", COUNT)
        asked = any(uses(text, "symbol") for text in (path, *query.values()))
        clock = path_text(section, "clock")
        rows = PollRows(
            **read_rows(section, name, kind, asked=asked),
            path=path,
            host=host,
            query=query,
            every_seconds=every or 1.0,
            weight=1 if weight is None else int(weight),
            essential=section.flag("essential"),
            clock=clock,
        )
        sample = read_sample(section)
        section.done()
        if sample is not None:
            samples.polls.append((rows, sample))
        yield rows
