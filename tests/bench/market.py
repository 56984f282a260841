"""A made-up book of isolated positions for the benches: half long, half short, none of them near its first line."""

from __future__ import annotations

import random
from collections.abc import Iterable

from monitor.core import events as ev
from monitor.core.account import Account, Position
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine
from monitor.venues.binance import RULE, VENUE

PRICE = 50_000.0
EPOCH = 1_795_000_000.0
"""The venue's time less the boot clock."""


def positions(count: int, symbols: Iterable[str]) -> list[Position]:
    """Return positions entered at :data:`PRICE`, with 7 to 60 % of margin: the first line is 1.5 % away or more."""
    chance = random.Random(count)
    names = list(symbols)
    found = []
    for number in range(count):
        size = chance.uniform(0.01, 0.4)
        quantity = size if number % 2 else -size
        margin = size * PRICE * chance.uniform(0.07, 0.6)
        symbol = names[number % len(names)]
        found.append(Position(f"desk-{number:07d}", symbol, quantity, PRICE, "isolated", margin, size))
    return found


def engine(held: list[Position]) -> Engine:
    """Return an engine that watches *held* and has been told the venue's time."""
    table = VENUE.shipped_tiers("BTCUSDT")
    assert table is not None
    terms = dict.fromkeys({position.symbol for position in held}, Terms(table=table, rule=RULE))
    watched = WatchedAccount(Account("main", VENUE.name, tuple(held)), terms)
    made = Engine([watched], {VENUE.name: VENUE.expected_intervals}, 0.0)
    made.apply(ev.VenueTime(VENUE.name, EPOCH), 0.0)
    return made


def mark(price: float, now: float, symbol: str = "BTCUSDT") -> ev.MarkPrice:
    """Return a mark that left the venue 50 ms before *now*."""
    return ev.MarkPrice(VENUE.name, symbol, price, EPOCH + now - 0.05)
