"""Any other exchange, by configuration alone: ``venue(definition)`` makes a ``Venue`` of a file in ``config/venues/``.

There is no rule to ship: a venue that nobody has read gets no guess. It stands in the definition, with its source and
date, or in the operator's file under ``terms.SYMBOL.rule``. The forms to choose from are those of
``monitor.core.contract.LiquidationRule``. As worked examples, each checked against figures of its venue: Gate is
``maintenance: mark`` with ``closing_fee: mark_notional``; KuCoin isolated ``maintenance: fixed`` with the amount that
it reports; BitMEX (closed since 2026-09-23) and Bybit before 2025-09-02 ``maintenance: entry``.

``generic_definition`` is what can be said, ``generic_frames`` tells frames apart, ``generic_rows`` reads them.

Traps, each with a preset that has it:

- An acknowledgement may look like data (Gate), so it is told by its own expression, before the streams.
- What is unpacked may be no JSON: BingX packs the text ``Ping``.
- A refusal may name nothing (MEXC): then only silence shows which contract it was.
- A token is good for one connection (KuCoin): it is asked for anew each time.
- Amounts are in contracts, coins or quote currency: what needs a contract size gives nothing until one is known.
- Where rows have no time of their own, that of their arrival stands in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

from monitor.core.contract import LiquidationRule, TierTable
from monitor.core.events import ContractTerms, Event, InsuranceFund
from monitor.venues.base import Connection, Keepalive, Limits, Request, Stream, Venue
from monitor.venues.generic_definition import ANY_SYMBOL, Definition, Ping, Socket, Subscription
from monitor.venues.generic_features import features
from monitor.venues.generic_frames import Decoder
from monitor.venues.generic_rest import admission, one_host, polls
from monitor.venues.generic_terms import contract_parts
from monitor.venues.generic_values import Known
from monitor.venues.generic_words import said, unique, uses

RULES: dict[str, LiquidationRule] = {}

NO_WEIGHT = "X-No-Weight-Reported"
"""No venue here says what a client has used."""


def venue(definition: Definition, rest_url: str = "", symbols: Sequence[str] | None = None) -> Venue:
    """Return the venue that a checked definition describes.

    With *rest_url* all of its REST resources are asked there, otherwise each at its own host. *symbols* are the
    watched contracts, if that is known already; ``watching`` says it later.
    """
    known = Known(definition, symbols)
    decoder = Decoder(definition, known)
    alone = rest_url or (definition.rest_url if one_host(definition) else "")
    limits, bootstrap, ping = definition.limits, definition.bootstrap, definition.ping
    return Venue(
        name=definition.name,
        rules={} if definition.rule is None else {definition.kind: definition.rule},
        stream_url=_base(definition.sockets[0].url) if definition.sockets else "",
        rest_url=alone,
        limits=Limits(
            weight_per_minute=limits.requests_per_minute,
            weight_header=NO_WEIGHT,
            control_messages_per_second=limits.messages_per_second,
            lifetime_seconds=limits.lifetime_seconds,
            frame_bytes=limits.frame_bytes,
            body_bytes=limits.body_bytes,
            connects=limits.connections_per_minute,
            connect_window_seconds=60.0,
        ),
        expected_intervals=dict(definition.expected_seconds),
        decode=decoder.decode,
        hear=decoder.hear,
        connections=partial(_connections, definition),
        subscribe=partial(_subscribe, definition),
        unsubscribe=partial(_unsubscribe, definition),
        polls=partial(polls, definition, known, whole_address=not alone),
        shipped_tiers=partial(_static_tiers, definition),
        features=features(definition),
        keepalive=None if ping is None else Keepalive(ping.every_seconds, partial(_ping, definition.name, ping)),
        welcomes=definition.welcomes,
        admission=None if bootstrap is None else admission(definition.name, bootstrap, whole_address=not alone),
        headers=dict(definition.headers),
        given=partial(said_by_hand, definition),
        bind=partial(venue, definition, rest_url) if symbols is None else None,
    )


def said_by_hand(definition: Definition, symbols: Sequence[str], now: float) -> list[Event]:
    """Return what the definition itself says of *symbols*: contracts without a resource, and funds, as events."""
    parts = contract_parts(definition)
    found: list[Event] = []
    for symbol in symbols:
        said_of = definition.contract(symbol)
        if said_of is not None and said_of.contract_size is not None and not _listed_by_poll(definition):
            base, quote, settle = parts(symbol, {})
            found.append(
                ContractTerms(
                    definition.name,
                    symbol,
                    kind=definition.kind,
                    contract_size=said_of.contract_size,
                    base=base,
                    quote=quote,
                    settle=settle,
                    status=f"as of {said_of.date}",
                    watchable=True,
                )
            )
    backed = tuple(sorted(symbols))
    found += (
        InsuranceFund(definition.name, fund.pool, fund.asset, fund.balance, backed, min(fund.time, now))
        for fund in definition.funds
    )
    return found


def _listed_by_poll(definition: Definition) -> bool:
    return any("contract_size" in poll.fields for poll in definition.polls)


def _static_tiers(definition: Definition, symbol: str) -> TierTable | None:
    return definition.tiers.get(symbol, definition.tiers.get(ANY_SYMBOL))


# --- websockets --------------------------------------------------------------------------------------------


def _base(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _address(url: str, base: str, own: str) -> str:
    """Return a socket's address: its own, or the same path below *base* where that is another."""
    if not url or not base or base.rstrip("/") == own:
        return url
    parts = urlsplit(url)
    return base.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def _connections(definition: Definition, symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*; *base* is the venue's own address or stands in for all of its hosts."""
    own = _base(definition.sockets[0].url) if definition.sockets else ""
    found: list[Connection] = []
    for socket in definition.sockets:
        # Where a bootstrap gives the address, only the operator's own is known before.
        url = _address(socket.url, base, own) if definition.bootstrap is None else base
        streams = _streams(definition, socket, symbols)
        for start in range(0, len(streams), socket.streams_per_connection):
            number = start // socket.streams_per_connection + 1
            name = socket.name if number == 1 else f"{socket.name}-{number}"
            found.append(Connection(name, url, tuple(streams[start : start + socket.streams_per_connection])))
    return found


def _streams(definition: Definition, socket: Socket, symbols: Sequence[str]) -> list[Stream]:
    found: list[Stream] = []
    for each in socket.subscriptions:
        field = each.refreshes or None
        expected = each.expected_seconds or definition.expected_seconds.get(each.refreshes, 0.0)
        if each.scope == "subscribe":
            wires = [(symbol, definition.symbols.get(symbol, symbol)) for symbol in symbols]
            found += (Stream(f"{each.name}/{wire}", (symbol,), field, expected) for symbol, wire in wires)
        elif symbols:
            found.append(Stream(each.name, tuple(symbols), field, expected))
    return found


def _subscription(definition: Definition, stream: Stream) -> Subscription:
    name = stream.name.partition("/")[0]
    return next(each for socket in definition.sockets for each in socket.subscriptions if each.name == name)


def _subscribe(definition: Definition, streams: Sequence[Stream], first_id: int, now: float) -> list[Request]:
    """Return one control frame a stream, so that a refusal needs no batch to be halved."""
    asked = ((stream, _subscription(definition, stream).send) for stream in streams)
    return [_request(definition, stream, text, number, now) for number, (stream, text) in enumerate(asked, first_id)]


def _unsubscribe(definition: Definition, streams: Sequence[Stream], first_id: int, now: float) -> list[Request]:
    """Return the frames that end *streams*, without a key: that there was nothing to end refuses no stream."""
    ended = [(stream, text) for stream in streams if (text := _subscription(definition, stream).end)]
    found = [_request(definition, stream, text, number, now) for number, (stream, text) in enumerate(ended, first_id)]
    return [replace(request, key="") for request in found]


def _request(definition: Definition, stream: Stream, text: str, number: int, now: float) -> Request:
    wires = [definition.symbols.get(symbol, symbol) for symbol in stream.symbols]
    key = unique(definition.name, number, now) if uses(text, "uuid") else str(number) if uses(text, "id") else ""
    return Request(said(definition.name, text, wires, number, now), (stream,), key)


def _ping(name: str, ping: Ping, number: int, now: float) -> str:
    return said(name, ping.send, (), number, now)
