"""dYdX v4 perpetuals: the public indexer, and how the chain calculates.

Streams: mark, index, funding, open interest, status and margin fractions of all markets from ``v4_markets``; last
price, liquidations and deleveraging from ``v4_trades``; books from ``v4_orderbook``, in batches of 250 ms. Decoding:
``dydx_wire.py`` and ``dydx_rows.py``; REST: ``dydx_rest.py``. Contracts are coins, of size 1. The insurance fund of
the CROSS markets is read from a public node of the chain: the indexer does not tell it.

Equity below maintenance at the **oracle** price, which is mark and index in one: put it into ``mark_price``. One flat
maintenance fraction a market; no fee is in the test. Positions are closed towards their *zero price* (proportional
bankruptcy price); the order's own limit, the fillable price, is ``monitor.core.fillable``.

Traps of the wire, each with a payload in ``tests/venues/dydx/``:

- ``contents`` is an object, in a batch an array; books begin with objects and go on with arrays of two. A book may be
  crossed, at its beginning too: its levels come from different blocks.
- Only changes are sent: an oracle price may stand still for minutes, so a poll confirms it. That poll cannot tell a
  price that has not changed from one that cannot, because the chain has halted: only ``/height`` shows it.
- Snapshots, ``trading`` rows and books have no time; updates of the oracle price have that of their block.
- The first frame of ``v4_trades`` repeats old trades: no liquidation is taken from it.
- Trades of type DELEVERAGED happen outside the book: no last price. Their price is the bankruptcy price, but for
  markets in FINAL_SETTLEMENT, which are closed so at the oracle price.
- ``message_id`` counts the frames of a connection, yet a ``subscribed`` has the number of the moment when it was
  asked for and comes when the indexer has read what stands in it: frames of other subscriptions overtake it. Numbers
  come in order where there is one subscription, so ``v4_markets`` has a connection of its own and only its frames
  are counted.
- "Internal error, could not fetch data" passes, "already subscribed" is no harm; refusals name channel and market in
  fields or only in their words. Asking for the same thing three times a second ends the connection (1008).
- 429 comes with a Retry-After in *milliseconds*.

Traps of the calculation:

- The *initial* fraction rises with open interest; the maintenance fraction never does.
- Isolated markets and positions live in subaccounts of their own: each is an account, the parent's equity not theirs.
- Funding settles lazily: what is unsettled belongs into ``unsettled_funding`` (the indexer's equity has it).
- The documents still say 5 % / 3 % for BTC where the chain has 2 % / 1.2 %: take it from the market, not the page.

Facts: dYdX documentation, "Liquidations"; dydxprotocol/v4-chain, protocol/lib/margin/risk.go, the tests of x/clob, and
indexer/services (socks, comlink) for the wire, read on 2026-11-22.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from monitor.core.contract import LiquidationRule, TierTable
from monitor.venues.base import Connection, Feature, Limits, Request, Stream, Venue
from monitor.venues.dydx_rest import CONFIRM_SECONDS, FUND_SECONDS, polls
from monitor.venues.dydx_rows import BOOK, MARKETS, NAME, TRADES
from monitor.venues.dydx_wire import decode, frame_number, hear

RULES = {
    "linear": LiquidationRule(
        name="dYdX v4",
        source="dYdX documentation: Liquidations; dydxprotocol/v4-chain: protocol/lib/margin/risk.go",
        date="2026-11-22",
        maintenance="mark",
        tier_by="none",
        deduction="none",
        closing_fee="none",
        bankruptcy="proportional",
        approximations=("the mark price is taken to be the oracle price, the only one that counts there",),
    )
}

PER_CONNECTION = 32
"""Subscriptions of one channel that a connection may carry."""

QUIET_TRADES_SECONDS = 600.0
"""Small markets go without a trade for long. Asking anew for one that is quieter still brings its last trades."""

DEPTH_SECONDS = 30.0


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: all marks are one subscription, trades and books one a market."""
    url = f"{base.rstrip('/')}/v4/ws"
    every = tuple(symbols)
    found = [Connection("mark", url, (Stream(MARKETS, every, "mark", CONFIRM_SECONDS),))]
    trades = [Stream(f"{TRADES}/{symbol}", (symbol,), "last", QUIET_TRADES_SECONDS) for symbol in symbols]
    books = [Stream(f"{BOOK}/{symbol}", (symbol,), "depth", DEPTH_SECONDS) for symbol in symbols]
    for label, streams in (("trades", trades), ("depth", books)):
        for start in range(0, len(streams), PER_CONNECTION):
            name = label if start == 0 else f"{label}-{start // PER_CONNECTION + 1}"
            found.append(Connection(name, url, tuple(streams[start : start + PER_CONNECTION])))
    return found


def _words(kind: str, stream: Stream) -> str:
    """Return a control frame; a symbol may hold anything, a comma or a slash, and is one name all the same."""
    channel, _, symbol = stream.name.partition("/")
    words: dict[str, str | bool] = {"type": kind, "channel": channel}
    if symbol:
        words["id"] = symbol
    if kind == "subscribe":
        words["batched"] = channel == BOOK
    return json.dumps(words, ensure_ascii=False)


def subscribe(streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return the frames that ask for *streams*, one each; answers name the stream."""
    return [Request(_words("subscribe", stream), (stream,)) for stream in streams]


def unsubscribe(streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return the frames that end *streams*."""
    return [Request(_words("unsubscribe", stream), (stream,)) for stream in streams]


def shipped_tiers(_symbol: str) -> TierTable | None:
    """Return None: the indexer tells every market's fractions."""
    return None


_MARKETS_POLL = "/v4/perpetualMarkets"

VENUE = Venue(
    name=NAME,
    rules=RULES,
    stream_url="wss://indexer.dydx.trade",
    rest_url="https://indexer.dydx.trade",
    limits=Limits(
        weight_per_minute=600,  # 100 requests in 10 s
        weight_header="",
        retry_after_unit_seconds=0.001,
        control_messages_per_second=10,  # none is published but for asking the same thing again
        lifetime_seconds=86_400.0,  # none is published; a fresh connection a day costs nothing
        frame_bytes=4 << 20,  # the first frame of v4_markets has every market in it
    ),
    expected_intervals={"mark": CONFIRM_SECONDS, "index": CONFIRM_SECONDS, "last": 10.0},
    decode=decode,
    connections=connections,
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=polls,
    shipped_tiers=shipped_tiers,
    features=(
        Feature("mark", "stream", MARKETS, CONFIRM_SECONDS, f"the oracle price; confirmed by {_MARKETS_POLL}"),
        Feature("index", "stream", MARKETS, CONFIRM_SECONDS, "the same oracle price"),
        Feature("last", "stream", TRADES),
        Feature("funding", "stream", MARKETS, CONFIRM_SECONDS, "hourly"),
        Feature("open interest", "stream", MARKETS, CONFIRM_SECONDS),
        Feature("liquidations", "stream", TRADES, note="every fill"),
        Feature("depth", "stream", BOOK, note="unnumbered, in batches of 250 ms"),
        Feature("contracts", "poll", _MARKETS_POLL, 3600.0, "the status from v4_markets too"),
        Feature("tiers", "stream", MARKETS, CONFIRM_SECONDS, "one fraction a market"),
        Feature(
            "insurance fund", "poll", "a node's bank balances", FUND_SECONDS, "of CROSS markets; others have own funds"
        ),
        Feature("ADL", "stream", TRADES, note="after the fact, as trades of type DELEVERAGED"),
    ),
    hear=hear,
    welcomes=True,
    frame_number=frame_number,
    aliases=("dydx-v4",),
)
