"""Kraken Futures, linear multi-collateral (``PF_``) and inverse (``PI_``) perpetuals: how it calculates, and its feed.

**How it calculates.** Equity below maintenance at the mark; no fee is in the test. A margin level is chosen by the size
of the position and its rate is taken on the whole of it: a step, no deduction. Traps of the calculation:

- The margin page refers the percentages to the value at **entry**, but the venue's worked example (1000 contracts long
  at 8000: 7481) only results with the value at the **liquidation** price. At mark is the rule here; at entry, the
  other reading, gives 7476.6 there: 0.06 % apart.
- Levels are in contracts of 1 USD for ``PI_`` and in USD of notional for ``PF_`` (by its figures, not by a page).
- Retail accounts may have other levels (``retailMarginLevels``): take those of the account.
- Of a long and a short in one underlying only the larger side is margined in a multi-collateral account; here each
  leg of a pair counts, so ours comes sooner.

Facts: Kraken support, "Equity Protection Process", "Margining & Liquidations Multi-Collateral"; instruments endpoint.

**The feed**, websocket v1. ``ticker`` brings mark, index, last, best quotes, funding, open interest and the state, at
most once a second and only when something changed; ``trade`` the liquidations; ``book`` the whole book and then one
level a frame in a chain of ``seq``. Decoding: ``kraken_wire.py``, ``kraken_ticker.py``; REST: ``kraken_rest.py``. Not published: any balance of
an insurance fund, any signal of auto-deleveraging (its counterpart here is a trade of type ``termination``).

A position, a level of the book and open interest are counted alike: ``PI_`` in contracts of 1 USD, ``PF_`` in coins.
Traps, each with a payload in ``tests/venues/kraken_futures/``:

- ``funding_rate`` is an absolute amount (coins a USD for ``PI_``, USD a coin for ``PF_``); ``relative_funding_rate`` is
  the fraction, **per hour**, charged all through the hour. REST has only the absolute one.
- Fields may be missing from a ticker, and a quiet contract has none for minutes: an unchanged mark is confirmed by
  reading ``/tickers``, which costs nothing. The feed ``heartbeat`` would prove the server, never a price: it is not used.
- The venue hangs up on a client that says nothing for 60 s. A ping of the protocol is enough, and the library sends one
  every 20 s whatever happens: nothing else has to be said.
- The server speaks first. What was taken is acknowledged for each product. A refusal has three shapes:
  ``subscribed_failed`` names feed and product, ``error`` and ``alert`` name nothing, not even the request. So one
  product is asked for in a frame: a nameless refusal then costs only its own stream, which stays silent, and an unknown
  product is found missing from ``/instruments``.
- A bid, an ask, a last price or a next funding time of 0 means that there is none yet.
- ``side`` of a trade is the taker's, which is the liquidation order's: ``sell`` closes a long. ``liquidation`` is an order
  in the book, at its fill; ``assignment`` (a liquidity provider takes the position) and ``termination`` (it is unwound
  against opposite ones) are at the bankruptcy price. ``block`` trades are no prices of the market.
- ``trade_snapshot`` repeats old trades, newest first: none of its liquidations is news.
- ``suspended`` keeps the mark flowing, so it has to be told apart from silence.
- REST writes symbols in either case; ``in_`` and ``rr_`` rows among the tickers are indices with hardly a field.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from monitor.core.contract import LiquidationRule, TierTable
from monitor.venues.base import COLLATERAL_HELD, Connection, Feature, Limits, Request, Stream, Venue, Word
from monitor.venues.kraken_rest import CONFIRM_SECONDS, polls
from monitor.venues.kraken_ticker import NAME
from monitor.venues.kraken_wire import decode

_INVERSE = LiquidationRule(
    name="Kraken Futures inverse",
    source="Kraken support: Equity Protection Process; Margining & Liquidations Multi-Collateral",
    date="2026-11-22",
    maintenance="mark",
    tier_by="contracts",
    deduction="none",
    closing_fee="none",
    approximations=(
        "the requirement is taken at the mark, as in the venue's worked example; its margin page says at entry",
        "a level's rate is taken on the whole position, which no page settles",
    ),
)

RULES = {
    "linear": msgspec.structs.replace(
        _INVERSE,
        name="Kraken Futures linear",
        tier_by="notional",
        cross_approximations=(
            "both sides of a hedged underlying count, where the venue margins the larger one",
            COLLATERAL_HELD,
        ),
    ),
    "inverse": _INVERSE,
}

MARKETS_PER_CONNECTION = 100
BOOKS_PER_CONNECTION = 25
"""A book cannot be had at a calmer pace than every change of a level, so fewer of them share a socket."""

# --- subscriptions -----------------------------------------------------------------------------------------


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: tickers and trades, and books on others, which may be cut by their size."""
    url = f"{base.rstrip('/')}/ws/v1"
    found: list[Connection] = []
    for name, most, streams_of in (("market", MARKETS_PER_CONNECTION, _market), ("depth", BOOKS_PER_CONNECTION, _book)):
        for start in range(0, len(symbols), most):
            streams = tuple(stream for symbol in symbols[start : start + most] for stream in streams_of(symbol))
            found.append(Connection(f"{name}-{start // most + 1}" if start else name, url, streams))
    return found


def _market(symbol: str) -> list[Stream]:
    ticker = Stream(f"ticker/{symbol}", (symbol,), "mark", CONFIRM_SECONDS)
    return [ticker, Stream(f"trade/{symbol}", (symbol,), None, 0.0)]


def _book(symbol: str) -> list[Stream]:
    return [Stream(f"book/{symbol}", (symbol,), "depth", 20.0)]


def subscribe(streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return one frame a stream: answers name no request, and a refusal perhaps nothing at all."""
    return [_request("subscribe", stream) for stream in streams]


def unsubscribe(streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return the frames that end *streams*."""
    return [_request("unsubscribe", stream) for stream in streams]


def _request(event: str, stream: Stream) -> Request:
    feed, _, product = stream.name.partition("/")
    return Request(json.dumps({"event": event, "feed": feed, "product_ids": [product]}), (stream,))


class _Said(msgspec.Struct):
    """A frame that is no data."""

    event: str = ""
    feed: str | None = ""
    product_ids: list[str] | None = []
    message: str | None = ""


_said = msgspec.json.Decoder(_Said).decode


def hear(frame: bytes) -> Word | None:
    """Return a refusal, with the streams that it names; ``error`` and ``alert`` name none, and blame nobody."""
    try:
        said = _said(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if said.event == "subscribed_failed":
        names = tuple(f"{said.feed}/{product}" for product in said.product_ids or ())
        return Word(refused=names, reason=said.message or said.event)
    return Word(reason=said.message or said.event) if said.event in {"error", "alert"} else None


# --- the venue ---------------------------------------------------------------------------------------------


def no_tiers(_symbol: str) -> TierTable | None:
    """Return None: the levels are public, so none are shipped."""
    return None


def _ticker(fact: str, note: str = "") -> Feature:
    return Feature(fact, "stream", "ticker", CONFIRM_SECONDS, note)


FEATURES = (
    _ticker("mark", "at most one a second, when it changed; confirmed by /tickers"),
    _ticker("index"),
    _ticker("last"),
    _ticker("funding", "per hour, charged all the time"),
    _ticker("open interest"),
    Feature("liquidations", "stream", "trade", note="trades of type liquidation, assignment or termination"),
    Feature("depth", "stream", "book"),
    Feature("contracts", "poll", "/instruments", 3600.0),
    Feature("tiers", "poll", "/instruments", 3600.0, "levels of professional accounts; retail ones may have others"),
)

VENUE = Venue(
    name=NAME,
    rules=RULES,
    stream_url="wss://futures.kraken.com",
    rest_url="https://futures.kraken.com",
    limits=Limits(
        weight_per_minute=600,  # what is public costs nothing: a figure of our own
        weight_header="",
        control_messages_per_second=100.0,
        lifetime_seconds=86_400.0,  # none is documented: an age at which nobody is surprised
        frame_bytes=4 << 20,  # a book begins with all its levels
        body_bytes=16 << 20,  # each contract comes with its levels, for several kinds of account
        connects=100,  # that many may be open at once
        connect_window_seconds=60.0,
    ),
    expected_intervals=dict.fromkeys(("mark", "index", "last", "book"), CONFIRM_SECONDS),
    decode=decode,
    connections=connections,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    hear=hear,
    welcomes=True,
    polls=polls,
    shipped_tiers=no_tiers,
    aliases=("kraken",),
    features=FEATURES,
)
