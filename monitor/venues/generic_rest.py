"""REST of a venue without a module of its own: what is polled, and how to be let in to its websocket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import quote, urlsplit

from monitor.core.events import Event, VenueTime
from monitor.errors import WireError
from monitor.venues.base import Admission, Pass, Poll
from monitor.venues.generic_definition import Bootstrap, Definition, PollRows
from monitor.venues.generic_paths import compile_path
from monitor.venues.generic_rows import Reader
from monitor.venues.generic_values import Known, plain, seconds, value
from monitor.venues.generic_words import fill, unique
from monitor.venues.wire import parsed

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def one_host(definition: Definition) -> bool:
    """Return whether all of the venue's REST resources are below its ``rest_url``."""
    hosts = {poll.host for poll in definition.polls if poll.host}
    if definition.bootstrap is not None:
        hosts.add(definition.bootstrap.host)
    return hosts <= {definition.rest_url}


def _resource(host: str, path: str, *, whole_address: bool) -> str:
    return host.rstrip("/") + path if whole_address else path


def polls(definition: Definition, known: Known, symbols: Sequence[str], *, whole_address: bool) -> list[Poll]:
    """Return what to read about *symbols*; a resource that names one contract is read for each."""
    found: list[Poll] = []
    for rows in definition.polls:
        host = rows.host or definition.rest_url
        for wire in map(known.wire, symbols) if rows.each else ("",):
            path = fill(rows.path, {"symbol": quote(wire, safe="")})
            found.append(
                Poll(
                    rows.name,
                    _resource(host, path, whole_address=whole_address),
                    {name: fill(text, {"symbol": wire}) for name, text in rows.query.items()},
                    rows.weight,
                    rows.every_seconds,
                    decode_body(known, rows, wire),
                    essential=rows.essential,
                )
            )
    return found


def decode_body(known: Known, rows: PollRows, wire: str = "") -> Callable[[bytes, float], list[Event]]:
    """Return what decodes an answer of a resource; *wire* is the contract that it was asked for."""
    reader, clock = Reader(rows, known), compile_path(rows.clock) if rows.clock else None

    def decode(body: bytes, received: float) -> list[Event]:
        message = parsed(body)
        try:
            if not reader.matches(message):
                raise WireError("an answer that is not what was asked for", reason="refused")
            told = [] if clock is None else [VenueTime(known.venue, seconds(clock(message), "auto"))]
            return [*told, *reader.read(message, received, wire)]
        except RecursionError:
            raise WireError("nested too deep", reason="malformed") from None

    return decode


def admission(name: str, bootstrap: Bootstrap, *, whole_address: bool) -> Admission:
    """Return how to be let in: ask, and make an address of the answer."""
    url, token = compile_path(bootstrap.url), compile_path(bootstrap.token) if bootstrap.token else None
    every = compile_path(bootstrap.ping_ms) if bootstrap.ping_ms else None

    def decode(body: bytes, elsewhere: str) -> Pass:
        message = parsed(body)
        address = plain(url(message))
        secret = plain(token(message)) if token is not None else ""
        if not _may_be_called(address) or (token is not None and not secret):
            raise WireError("an answer without a usable address", reason="malformed")
        values = {"url": address, "token": quote(secret, safe=""), "uuid": unique(name, secret, address)}
        leads_to = fill(bootstrap.connect, values)
        if not _may_be_called(leads_to):
            raise WireError("what is called with the token is not encrypted", reason="malformed")
        ping_ms = None if every is None else value(every(message), 999.0, 1e7)
        return Pass(_moved(leads_to, elsewhere), None if ping_ms is None else ping_ms / 1000.0)

    return Admission(_resource(bootstrap.host, bootstrap.path, whole_address=whole_address), decode)


def _moved(address: str, elsewhere: str) -> str:
    """Return the same path and query below *elsewhere*, where the operator names another address for the venue."""
    if not elsewhere:
        return address
    parts = urlsplit(address)
    return elsewhere.rstrip("/") + parts.path + (f"?{parts.query}" if parts.query else "")


def _may_be_called(address: str) -> bool:
    """Return whether an address that a venue gave is one to connect to: encrypted, or on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        fit = parts.port != 0 and address.isascii() and address.isprintable()
    except ValueError:
        return False
    fit = fit and bool(host) and " " not in address and "@" not in parts.netloc
    return fit and (parts.scheme == "wss" or (parts.scheme == "ws" and host in LOOPBACK))
