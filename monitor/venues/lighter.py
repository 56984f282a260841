"""Lighter perpetuals: how it calculates, its public streams and REST. Linear contracts, settled in USDC.

Streams: mark, index and last price, funding and open interest from ``market_stats/all``, best quotes from ``ticker``,
books from ``order_book``, liquidations, takeovers and ADL from ``trade``. Decoding: ``lighter_wire.py``,
``lighter_trades.py``; REST: ``lighter_rest.py``. Positions, books and liquidations are counted in coins, so a contract
is one coin (of names such as 1000PEPE: a thousand of them).

One flat maintenance rate a market on the mark; the initial rate and the close-out rate (about two thirds of
maintenance) are other questions. Below the requirement each position is offered at its **zero price**: the price at
which closing it leaves equity / requirement as it was.

Traps of the calculation:

- The requirement hangs on the market alone, not on the leverage chosen (``initial_margin_fraction``).
- ``collateral`` is without, ``cross_asset_value`` with unrealised profit.
- Fractions of a market are basis points (120 is 1.2 %), those of a position percent ("10.00" is 10 %).
- A shown price of ``"0"`` normally means none; one captured position shows it where the root is plainly positive.
- The zero price is rounded to the tick by the venue (up for longs, down for shorts); ours is not rounded.

Traps of the wire, each with a payload in ``tests/venues/lighter/``:

- Channels are asked for with a slash (``trade/1``) and come with a colon (``trade:1``), by a market's number, which
  has to be learned first; ``lighter_names.py`` keeps them.
- There is no acknowledgement but the first frame (``subscribed/...``), and an error names neither request nor channel:
  one stream is asked for at a time, and only data prove it.
- ``market_stats`` carries the markets that changed, and any field may be missing or "". Funding is in percent and per
  hour, open interest in USD here and in coins over REST.
- Three units of time: ``timestamp`` is milliseconds, ``transaction_time`` and ``last_updated_at`` microseconds, that of
  ``/`` seconds. A trade's ``timestamp`` is its block's, which may have begun 20 seconds before.
- A frame's ``timestamp`` is when it was sent, and answers have none: of a halted venue both repeat the last prices as
  if they were new. They are taken for late once no market at all has moved for 30 s.
- The first frame of ``trade`` is a backlog, and the first update may repeat its liquidations.
- A takeover by the pool (LLP) and ADL are no ``liquidation`` but a ``deleverage``: the severe ones would be missed.
- A book's ``nonce`` must be the next one's ``begin_nonce``; ``offset`` jumps and means nothing.
- A client that says nothing for 2 minutes is dropped, and every connection after 24 hours.

Facts: Lighter documentation, "Liquidations & LLP" and "Contract Specifications", and its API reference; the venue's
own prover circuits.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.venues.base import SHIPPED, Connection, Feature, Keepalive, Limits, Request, Stream, Venue
from monitor.venues.lighter_names import NAME, Markets
from monitor.venues.lighter_rest import CONFIRM_SECONDS, polls
from monitor.venues.lighter_wire import decode, decoder, hear

RULES = {
    "linear": LiquidationRule(
        name="Lighter",
        source="Lighter documentation: Liquidations & LLP; elliottech/lighter-prover: liquidation.rs, risk_info.rs",
        date="2026-11-22",
        maintenance="mark",
        tier_by="none",
        deduction="none",
        closing_fee="none",
        bankruptcy="proportional",
        cross_approximations=("a unified account counts other assets as well, with a haircut of the venue's own",),
    )
}

TIERS_DATE = "2026-06"

MAINTENANCE_RATES = {
    "BTC": 0.012,
    "ETH": 0.012,
    "SOL": 0.024,
    "XRP": 0.03,
    "HYPE": 0.03,
    "BNB": 0.03,
    "ARB": 0.0399,
    "OP": 0.0399,
}
"""The markets that the page names, as of the first half of 2026; the others' class is not told there."""


def shipped_tiers(symbol: str) -> TierTable | None:
    """Return the one-tier ladder of a market from the page "Contract Specifications", None if it is not named there."""
    rate = MAINTENANCE_RATES.get(symbol)
    if rate is None:
        return None
    return TierTable((Tier(0.0, rate),), f"{SHIPPED} (Lighter documentation: Contract Specifications)", TIERS_DATE)


# --- subscriptions -----------------------------------------------------------------------------------------

STREAMS_PER_CONNECTION = 100
"""As older pages have it; newer ones say 500."""

SUBSCRIPTIONS = 3 * STREAMS_PER_CONNECTION
"""By a market. An address may send 200 messages a minute, and three connections that fill up send 180."""

KINDS = (("trades", "trade", None, 0.0), ("depth", "order_book", "depth", 20.0), ("quotes", "ticker", "book", 60.0))
"""Label of a connection, its channel, the field that it refreshes and how long it is normally silent."""


def connections(symbols: Sequence[str], base: str) -> list[Connection]:
    """Return the websockets for *symbols*: beyond 100 of them without quotes, which the books have too, beyond 150
    with trades alone. What is asked for by a market's number waits until the numbers are known.
    """
    url = f"{base.rstrip('/')}/stream?readonly=true"
    found = [Connection("mark", url, (Stream("market_stats/all", tuple(symbols), "mark", CONFIRM_SECONDS),))]
    for label, channel, field, interval in KINDS[: max(1, SUBSCRIPTIONS // max(1, len(symbols)))]:
        for start in range(0, len(symbols), STREAMS_PER_CONNECTION):
            part = symbols[start : start + STREAMS_PER_CONNECTION]
            streams = tuple(Stream(f"{channel}/{symbol}", (symbol,), field, interval) for symbol in part)
            name = f"{label}-{start // STREAMS_PER_CONNECTION + 1}" if start else label
            found.append(Connection(name, url, streams, after="orderBookDetails"))
    return found


def _control(kind: str, markets: Markets, streams: Sequence[Stream], _first_id: int, _now: float) -> list[Request]:
    """Return one frame a stream; a market whose number nobody told us is not asked for."""
    found: list[Request] = []
    for stream in streams:
        channel, _, symbol = stream.name.partition("/")
        number = symbol if symbol == "all" and channel == "market_stats" else markets.number_of(symbol)
        if number is not None:
            found.append(Request(json.dumps({"type": kind, "channel": f"{channel}/{number}"}), (stream,)))
    return found


def _ping(_number: int, _now: float) -> str:
    return '{"type":"ping"}'


# --- the venue ---------------------------------------------------------------------------------------------

CHANGES_ONLY = "changes only: a poll confirms what stands still"

FEATURES = (
    Feature("mark", "stream", "market_stats", CONFIRM_SECONDS, CHANGES_ONLY),
    Feature("index", "stream", "market_stats", CONFIRM_SECONDS, CHANGES_ONLY),
    Feature("last", "stream", "market_stats", CONFIRM_SECONDS, CHANGES_ONLY),
    Feature("funding", "stream", "market_stats", note="hourly"),
    Feature("open interest", "stream", "market_stats", note="from its value in USD at the mark"),
    Feature("liquidations", "stream", "trade", note="takeovers by the LLP and ADL included"),
    Feature("depth", "stream", "order_book", 20.0, "the whole book; not beyond 150 contracts"),
    Feature("contracts", "poll", "orderBookDetails", 3600.0, "the status every 10 s"),
    Feature("tiers", "poll", "orderBookDetails", 3600.0, "one rate a market"),
    Feature(
        "insurance fund",
        "poll",
        "publicPoolsMetadata",
        60.0,
        "assets of the LLP, which deposits and withdrawals move too",
    ),
    Feature("ADL", "stream", "trade", note="once it has happened; there is no warning"),
)


def _venue(markets: Markets) -> Venue:
    return Venue(
        name=NAME,
        rules=RULES,
        stream_url="wss://mainnet.zklighter.elliot.ai",
        rest_url="https://mainnet.zklighter.elliot.ai",
        limits=Limits(
            weight_per_minute=60,  # requests: what the venue calls weight is counted for accounts only
            weight_header="",
            control_messages_per_second=2,
            lifetime_seconds=86_400.0,
            frame_bytes=4 << 20,  # a whole book
            quiet={405: 60.0},  # its firewall's word for too many requests
            connects=60,
            connect_window_seconds=60.0,
        ),
        expected_intervals={"mark": CONFIRM_SECONDS, "index": CONFIRM_SECONDS, "last": CONFIRM_SECONDS, "book": 10.0},
        decode=decoder(markets),
        connections=connections,
        subscribe=partial(_control, "subscribe", markets),
        unsubscribe=partial(_control, "unsubscribe", markets),
        polls=partial(polls, markets),
        shipped_tiers=shipped_tiers,
        features=FEATURES,
        hear=hear,
        keepalive=Keepalive(60.0, _ping),
        welcomes=True,
    )


def bind(symbols: Sequence[str]) -> Venue:
    """Return the venue for a feed of *symbols*, with a memory of its own for the numbers of their markets."""
    return _venue(Markets(symbols))


VENUE = replace(_venue(Markets(())), decode=decode, bind=bind)
