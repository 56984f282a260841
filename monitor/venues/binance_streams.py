"""What is asked of Binance's public websockets, for either product: connections, streams, control frames; and their answers."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from monitor.venues.base import Connection, Request, Stream, Word
from monitor.venues.binance_product import Product
from monitor.venues.binance_rest import book_snapshot

ARRAY_FROM = 30
"""From this many symbols on one all-market stream costs less than one frame a symbol and second."""

STREAMS_PER_CONNECTION = 200
"""Documented are 1,024, but the 1,025th name closes the whole connection; client libraries stay at 200."""

DEPTH_SECONDS = 20.0
"""How long the book of a quiet contract may stand still."""


def connections(product: Product, symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*. Marks have one of their own, so that a quiet ticker never cuts them."""
    many = len(symbols) >= ARRAY_FROM
    every = tuple(symbols)
    lower = [(symbol, _lower(symbol)) for symbol in symbols]
    if many and product.arrays:
        mark = [Stream("!markPrice@arr@1s", every, "mark", 1.0)]
        book = [Stream("!bookTicker", every, "book", 60.0)]
    else:
        mark = [Stream(f"{name}@markPrice@1s", (symbol,), "mark", 1.0) for symbol, name in lower]
        book = [Stream(f"{name}@bookTicker", (symbol,), "book", 60.0) for symbol, name in lower]
    if many:
        mark.append(Stream("!forceOrder@arr", every, None, 0.0))
    else:
        mark += [Stream(f"{name}@forceOrder", (symbol,), None, 0.0) for symbol, name in lower]
    mark.append(Stream("!contractInfo", (), None, 0.0))
    last = [Stream(f"{name}@ticker", (symbol,), "last", product.ticker_seconds) for symbol, name in lower]
    depth = [
        Stream(f"{name}@depth@500ms", (symbol,), "depth", DEPTH_SECONDS, book_snapshot(product, symbol))
        for symbol, name in lower
    ]
    return [
        *_split("mark", f"{base.rstrip('/')}{product.market_path}", mark),
        *_split("last", f"{base.rstrip('/')}{product.market_path}", last),
        *_split("book", f"{base.rstrip('/')}{product.book_path}", book),
        *_split("depth", f"{base.rstrip('/')}{product.book_path}", depth),
    ]


def _split(label: str, url: str, streams: Sequence[Stream]) -> list[Connection]:
    found: list[Connection] = []
    for start in range(0, len(streams), STREAMS_PER_CONNECTION):
        name = label if start == 0 else f"{label}-{len(found) + 1}"
        found.append(Connection(name, url, tuple(streams[start : start + STREAMS_PER_CONNECTION])))
    return found


def _lower(symbol: str) -> str:
    """Lower ASCII letters only: some symbols are not ASCII and must stay as they are."""
    return "".join(c.lower() if c.isascii() else c for c in symbol)


def _control(method: str, streams: Sequence[Stream], first_id: int) -> list[Request]:
    found: list[Request] = []
    for start in range(0, len(streams), STREAMS_PER_CONNECTION):
        part, number = tuple(streams[start : start + STREAMS_PER_CONNECTION]), first_id + len(found)
        words = {"method": method, "params": [stream.name for stream in part], "id": number}
        found.append(Request(json.dumps(words, ensure_ascii=False), part, str(number)))
    return found


def subscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that ask for *streams*."""
    return _control("SUBSCRIBE", streams, first_id)


def unsubscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that end *streams*."""
    return _control("UNSUBSCRIBE", streams, first_id)


class _Complaint(msgspec.Struct):
    code: int
    msg: str = ""


class _Answer(msgspec.Struct):
    error: _Complaint
    id: int | str


_answer = msgspec.json.Decoder(_Answer).decode


def hear(frame: bytes) -> Word | None:
    """Return the request that an error names as refused. Acknowledgements say nothing: only data prove a stream.

    >>> hear(b'{"error": {"code": 2, "msg": "Invalid request"}, "id": 11}').refused
    ('11',)
    """
    try:
        answer = _answer(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return Word(refused=(str(answer.id),), reason=f"{answer.error.code} {answer.error.msg}".strip())
