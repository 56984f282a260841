"""Binance USD-M futures: public streams and REST, linear contracts.

Streams: mark, index and funding from ``markPrice@1s`` (one by one, or ``!markPrice@arr@1s`` for many symbols),
last price from ``ticker``, best quotes from ``bookTicker``, liquidations from ``forceOrder``, contract news from
``!contractInfo``. Decoding: ``binance_wire.py``; REST: ``binance_rest.py``. Maintenance brackets need a signed call: they come from the operator's file or from the dated table beside this file.

Traps, each with a payload in ``tests/venues/binance/``:

- A stream requested on the wrong path (``/public`` is the book, ``/market`` the rest) is acknowledged and then
  silent for ever; so is an unknown symbol, an upper-case name or ``@250ms``. Only data prove a subscription.
- All-market streams mix USD-M and COIN-M rows: ``st`` 2 is COIN-M, whose quantities are contracts of 100 USD.
- ``!markPrice@arr`` comes in several frames a tick; a symbol missing from one frame is not gone.
- Empty strings (``r`` and ``T: 0`` of dated contracts) are absent values, neither errors nor zeros.
- ``forceOrder``: ``S`` is the side of the order (SELL closes a long), ``p`` its limit, ``ap`` the fill; it is a
  sample of at most one a symbol and second, and silent while nothing is liquidated.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Any

import msgspec

from monitor.core.contract import LiquidationRule, TierTable, build_deductions
from monitor.venues.base import OPEN_FEES, PORTFOLIO_MARGIN, SHIPPED, Connection, Limits, Request, Stream, Venue
from monitor.venues.binance_rest import NAME, polls
from monitor.venues.binance_wire import decode

RULE = LiquidationRule(
    name="Binance USD-M",
    source="Binance support: How to Calculate Liquidation Price of USD-M Futures; Liquidation Protocols (360033525271)",
    date="2026-11-22",
    maintenance="mark",
    tier_by="notional",
    deduction="published",
    closing_fee="none",
    approximations=(OPEN_FEES,),
    cross_approximations=(PORTFOLIO_MARGIN,),
)
RULES = {"linear": RULE}

ARRAY_FROM = 30
"""From this many symbols on one all-market stream costs less than one frame a symbol and second."""

STREAMS_PER_CONNECTION = 200
"""Documented are 1,024, but the 1,025th name closes the whole connection; client libraries stay at 200."""

# --- subscriptions -----------------------------------------------------------------------------------------


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*. Marks have one of their own, so that a quiet ticker never cuts them."""
    many = len(symbols) >= ARRAY_FROM
    every = tuple(symbols)
    lower = [(symbol, _lower(symbol)) for symbol in symbols]
    mark = (
        [Stream("!markPrice@arr@1s", every, "mark", 1.0), Stream("!forceOrder@arr", every, None, 0.0)]
        if many
        else [Stream(f"{name}@markPrice@1s", (symbol,), "mark", 1.0) for symbol, name in lower]
        + [Stream(f"{name}@forceOrder", (symbol,), None, 0.0) for symbol, name in lower]
    )
    mark.append(Stream("!contractInfo", (), None, 0.0))
    last = [Stream(f"{name}@ticker", (symbol,), "last", 20.0) for symbol, name in lower]
    book = (
        [Stream("!bookTicker", every, "book", 60.0)]
        if many
        else [Stream(f"{name}@bookTicker", (symbol,), "book", 60.0) for symbol, name in lower]
    )
    found: list[Connection] = []
    for label, path, streams in (("mark", "market", mark), ("last", "market", last), ("book", "public", book)):
        for start in range(0, len(streams), STREAMS_PER_CONNECTION):
            part = tuple(streams[start : start + STREAMS_PER_CONNECTION])
            name = label if start == 0 else f"{label}-{start // STREAMS_PER_CONNECTION + 1}"
            found.append(Connection(name, f"{base.rstrip('/')}/{path}/stream", part))
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


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = resources.files("monitor.venues").joinpath("binance_tiers.json").read_bytes()
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def shipped_tiers(symbol: str) -> TierTable | None:
    """Return the ladder of *symbol* from the dated table that ships with the package; deductions are built."""
    rows = _table()["tiers"].get(symbol)
    if rows is None:
        return None
    return TierTable(build_deductions(rows[1:]), SHIPPED, _table()["date"], float(rows[0]))


VENUE = Venue(
    name=NAME,
    rules=RULES,
    stream_url="wss://fstream.binance.com",
    rest_url="https://fapi.binance.com",
    limits=Limits(
        weight_per_minute=2400,
        weight_header="X-MBX-USED-WEIGHT-1M",
        control_messages_per_second=10,
        lifetime_seconds=86_400.0,
    ),
    expected_intervals={"mark": 1.0, "index": 1.0, "last": 2.0, "book": 5.0},
    decode=decode,
    connections=connections,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=polls,
    shipped_tiers=shipped_tiers,
)
