"""OKX v5 perpetual swaps, linear and coin-margined: public streams, REST, and how the venue calculates.

Streams: mark, index, last price with best quotes (``tickers``), order book (``books``, 400 levels every 100 ms),
funding, open interest, liquidations, ADL warnings, contract news. Decoding: ``okx_wire.py`` and ``okx_rows.py``; REST
(contract list, ladders, insurance fund, the venue's time): ``okx_rest.py``. Sizes are **contracts** everywhere, as a
position is counted; one is ``ctVal * ctMult`` coins, or dollars of face value where ``ctType`` is inverse.

Traps of the wire, each with a payload in ``tests/venues/okx/``:

- ``ping`` and ``pong`` are bare texts. Without them a connection on which nothing happens ends after 30 s (code 4004).
- Every argument is acknowledged by itself; a refusal has no argument, only the request's ``id`` and a sentence.
- The mark is sent when it changes and otherwise every 10 s: that silence is normal, and needs no confirming poll.
- ``index-tickers`` wants the name of the index (``BTC-USDT``, ``BTC-USD``), which several swaps may follow.
- ``liquidation-orders`` brings every swap. ``side`` is the order's (sell closes a long); ``posSide`` may be ``net``.
  ``bkPx`` is where the position passed to the liquidation engine, not a trade; times are not in order; sums are lower
  bounds.
- ``adl-warning`` is silent while all is normal, and says so no more when an episode ends: after 10 s it is over.
- A book's change follows the one whose ``seqId`` is its ``prevSeqId``. Equal ids are a heartbeat; a smaller ``seqId``
  is a reset by maintenance; ``checksum`` is a constant 0.
- Funding's rhythm is ``nextFundingTime - fundingTime``; ``nextFundingRate`` is dead.
- ``""`` is an absent value. A notice (64008) comes a minute before the venue closes a connection for an upgrade.

How it calculates: ``(margin + profit) / (maintenance + taker fee) <= 1``, all at the mark: the fee is additive to the tier's rate. So
``closing_fee_rate`` belongs into the terms (the account's own taker rate; 0.0005 is the base rate).

Traps of the calculation:

- A tier is chosen by the number of **contracts** and its rate bears on the whole position: no deduction, no change of
  tier with the price. Floors of a ladder are contracts. In cross the contracts of the family count together.
- ``mmr`` of a position is an amount, in the tier table a rate; ``mgnRatio`` is ours turned round (larger is safer).
- ``liqPx`` of the three published isolated positions lies one tick against the holder of what the formula gives
  (longs above, the short below); those in cross agree to all digits. The isolated one of the documentation contradicts
  itself in ``markPx`` as well: its other figures fit 2565.656.
- Cross is per settlement currency in single-currency mode (exact), over the account in USD in multi-currency mode.

Facts: API documentation (positions, balance, position tiers); help "When would my order be liquidated?".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from math import inf

import msgspec

from monitor.core.contract import LiquidationRule
from monitor.venues.base import (
    COLLATERAL_HELD,
    PORTFOLIO_MARGIN,
    Connection,
    Feature,
    Keepalive,
    Limits,
    Request,
    Stream,
    Venue,
)
from monitor.venues.okx_rest import NAME, SWAP, index_of, polls
from monitor.venues.okx_wire import OkxDecoder, hear

_LINEAR = LiquidationRule(
    name="OKX linear",
    source="OKX API v5 documentation: positions, position tiers; OKX help: When would my order be liquidated?",
    date="2026-11-22",
    maintenance="mark",
    tier_by="contracts",
    deduction="none",
    closing_fee="mark_notional",
    approximations=(
        "one rate for the whole position: every published figure agrees, no page says so",
        "the bankruptcy price is taken without a closing fee, which no page settles",
        "of an isolated position the venue may show a price one tick nearer to the mark: three published ones are so",
    ),
    cross_approximations=(
        "margin of open orders, which may add to the requirement, is left out",
        "in multi-currency mode an estimate: discounts by tier of a currency and loans are left out",
        COLLATERAL_HELD,
        PORTFOLIO_MARGIN,
    ),
)

RULES = {"linear": _LINEAR, "inverse": msgspec.structs.replace(_LINEAR, name="OKX inverse")}

STREAMS_PER_CONNECTION = 100
"""No number is documented for public channels; codes for too many exist, and a hundred fit well into one frame."""

BOOKS_PER_CONNECTION = 25
"""The venue advises fewer than 30 order books on one."""

MARK_SECONDS, INDEX_SECONDS, TICKER_SECONDS, BOOK_SECONDS = 10.0, 60.0, 60.0, 60.0
"""The longest normal silence: mark, index and book repeat themselves in a calm, a ticker waits for a trade or a quote."""

BY_TYPE = frozenset({"liquidation-orders", "adl-warning", "instruments"})
"""Channels that are asked for by the sort of contract, and bring every contract of it."""


# --- subscriptions -----------------------------------------------------------------------------------------


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: marks and what is rare, quotes, indexes, order books.

    Marks have one of their own, so that nothing else that falls silent ever cuts them.
    """
    every = tuple(symbols)
    following: dict[str, tuple[str, ...]] = {}
    for symbol in symbols:
        following[index_of(symbol)] = (*following.get(index_of(symbol), ()), symbol)
    marks = [Stream(f"{channel}:{SWAP}", every, None, 0.0) for channel in sorted(BY_TYPE)]
    quotes: list[Stream] = []
    for symbol in symbols:
        marks.append(Stream(f"mark-price:{symbol}", (symbol,), "mark", MARK_SECONDS))
        marks.append(Stream(f"funding-rate:{symbol}", (symbol,), None, 0.0))
        quotes.append(Stream(f"tickers:{symbol}", (symbol,), "last", TICKER_SECONDS))
        quotes.append(Stream(f"open-interest:{symbol}", (symbol,), None, 0.0))
    indexes = [Stream(f"index-tickers:{name}", swaps, "index", INDEX_SECONDS) for name, swaps in following.items()]
    books = [Stream(f"books:{symbol}", (symbol,), "depth", BOOK_SECONDS) for symbol in symbols]
    url = f"{base.rstrip('/')}/ws/v5/public"
    found: list[Connection] = []
    for label, streams, most in (
        ("mark", marks, STREAMS_PER_CONNECTION),
        ("last", quotes, STREAMS_PER_CONNECTION),
        ("index", indexes, STREAMS_PER_CONNECTION),
        ("depth", books, BOOKS_PER_CONNECTION),
    ):
        for start in range(0, len(streams), most):
            name = label if start == 0 else f"{label}-{start // most + 1}"
            found.append(Connection(name, url, tuple(streams[start : start + most])))
    return found


def _argument(stream: Stream) -> dict[str, str]:
    """Return how a stream is asked for.

    >>> _argument(Stream("mark-price:BTC-USDT-SWAP", (), None, 0.0))
    {'channel': 'mark-price', 'instId': 'BTC-USDT-SWAP'}
    """
    channel, _, name = stream.name.partition(":")
    return {"channel": channel, "instType" if channel in BY_TYPE else "instId": name}


def _control(operation: str, streams: Sequence[Stream], first_id: int) -> list[Request]:
    """Return one frame for every hundred streams: of frames only 480 an hour are allowed on a connection."""
    found: list[Request] = []
    for start in range(0, len(streams), STREAMS_PER_CONNECTION):
        part, number = tuple(streams[start : start + STREAMS_PER_CONNECTION]), str(first_id + len(found))
        words = {"id": number, "op": operation, "args": [_argument(stream) for stream in part]}
        found.append(Request(json.dumps(words), part, number if operation == "subscribe" else ""))
    return found


def subscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that ask for *streams*."""
    return _control("subscribe", streams, first_id)


def unsubscribe(streams: Sequence[Stream], first_id: int, _now: float) -> list[Request]:
    """Return the control frames that end *streams*. What cannot be ended is no refusal of anything."""
    return _control("unsubscribe", streams, first_id)


def _ping(_number: int, _now: float) -> str:
    return "ping"


def bind(symbols: Sequence[str]) -> Venue:
    """Return the venue as it speaks of *symbols* where it names an index, a family, or every swap there is."""
    return replace(VENUE, decode=OkxDecoder(symbols).decode)


FEATURES = (
    Feature("mark", "stream", "mark-price", MARK_SECONDS),
    Feature("index", "stream", "index-tickers", INDEX_SECONDS),
    Feature("last", "stream", "tickers", TICKER_SECONDS, "on a trade or a new best quote, at most 10 a second"),
    Feature("funding", "stream", "funding-rate", 90.0, "rate, next time, interval, cap and floor"),
    Feature("open interest", "stream", "open-interest", note="every 3 s when it changed"),
    Feature("liquidations", "stream", "liquidation-orders", note="at the bankruptcy price; a lower bound"),
    Feature("depth", "stream", "books", BOOK_SECONDS, "400 levels, every 100 ms when it changed"),
    Feature("contracts", "poll", "instruments", 3600.0, "changes by stream"),
    Feature("tiers", "poll", "position-tiers", 3600.0, "by contracts"),
    Feature("insurance fund", "poll", "insurance-fund", 1200.0, "one figure a day and family"),
    Feature("ADL", "stream", "adl-warning", note="every second while there is a warning; silence is normal"),
)

VENUE = Venue(
    name=NAME,
    rules=RULES,
    stream_url="wss://ws.okx.com:8443",
    rest_url="https://openapi.okx.com",
    limits=Limits(
        weight_per_minute=600,  # nothing is counted by the minute
        requests_per_second=4.0,  # of a resource 10 may be made in 2 s
        weight_header="",  # nothing is said of what is used up
        control_messages_per_second=3.0,
        lifetime_seconds=inf,  # none is fixed: the venue gives notice
        connects=3,
        connect_window_seconds=1.0,
    ),
    expected_intervals={"mark": MARK_SECONDS, "index": INDEX_SECONDS, "last": 5.0, "book": 5.0, "depth": BOOK_SECONDS},
    decode=OkxDecoder().decode,
    connections=connections,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=polls,
    shipped_tiers=lambda _symbol: None,
    features=FEATURES,
    hear=hear,
    keepalive=Keepalive(20.0, _ping),
    aliases=("okex",),
    bind=bind,
)
