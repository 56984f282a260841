"""Binance USD-M futures: public streams and REST, linear contracts. Quantities are coins: a contract is one coin.

Streams: mark, index and funding from ``markPrice@1s`` (one by one, or ``!markPrice@arr@1s`` for many symbols),
last price from ``ticker``, best quotes from ``bookTicker``, the order book from ``depth@500ms``, liquidations from
``forceOrder``, contract news from ``!contractInfo``. What is asked for: ``binance_streams.py``; decoding:
``binance_wire.py``; REST: ``binance_rest.py``; COIN-M, which shares them: ``binance_coinm.py``. Maintenance brackets
need a signed call: they come from the operator's file or from the dated table beside this file.

Traps, each with a payload in ``tests/venues/binance/``:

- A stream requested on the wrong path (``/public`` is the book, ``/market`` the rest) is acknowledged and then
  silent for ever; so is an unknown symbol, an upper-case name or ``@250ms``. Only data prove a subscription.
- All-market streams mix USD-M and COIN-M rows: ``st`` 2 is COIN-M, whose quantities are contracts of 100 USD.
- ``!markPrice@arr`` comes in several frames a tick; a symbol missing from one frame is not gone.
- Book ids are the matching engine's and jump: only ``pu``, the id before, tells whether a message is missing. The
  whole book comes by REST and joins the changes where ``pu`` <= its id <= ``u``. Partial-depth messages
  (``@depth20``) look just like changes: they are not asked for.
- Empty strings (``r`` and ``T: 0`` of dated contracts) are absent values, neither errors nor zeros.
- ``forceOrder``: ``S`` is the side of the order (SELL closes a long), ``p`` its limit, ``ap`` the fill; it is a
  sample of at most one a symbol and second, and silent while nothing is liquidated.
"""

from __future__ import annotations

from functools import lru_cache, partial
from importlib import resources
from typing import Any

import msgspec

from monitor.core.contract import LiquidationRule, TierTable, build_deductions
from monitor.venues.base import OPEN_FEES, PORTFOLIO_MARGIN, SHIPPED, Feature, Limits, Venue
from monitor.venues.binance_product import USD_M
from monitor.venues.binance_rest import polls
from monitor.venues.binance_streams import DEPTH_SECONDS, connections, hear, subscribe, unsubscribe
from monitor.venues.binance_wire import decoder

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


decode = decoder(USD_M)

SAMPLED = "at most one a symbol and second: a lower bound"
MARK_STREAM = "<symbol>@markPrice@1s"

FEATURES = (
    Feature("mark", "stream", MARK_STREAM, 1.0),
    Feature("index", "stream", MARK_STREAM, 1.0),
    Feature("last", "stream", "<symbol>@ticker", 2.0),
    Feature(
        "funding", "stream", MARK_STREAM, 1.0, "the running estimate; interval, cap and floor by poll: fundingInfo"
    ),
    Feature("open interest", "poll", "/fapi/v1/openInterest", 30.0, "one call a symbol"),
    Feature("liquidations", "stream", "<symbol>@forceOrder", None, SAMPLED),
    Feature("depth", "stream", "<symbol>@depth@500ms", DEPTH_SECONDS, "joined to /fapi/v1/depth"),
    Feature("contracts", "poll", "/fapi/v1/exchangeInfo", 3600.0, "news by stream: !contractInfo"),
    Feature("tiers", "shipped", "a dated table", None, "or a file: the call needs a key; changes by !contractInfo"),
    Feature("insurance fund", "poll", "/fapi/v1/insuranceBalance", 600.0, "a daily snapshot a pool"),
    Feature("ADL", "poll", "/fapi/v1/symbolAdlRisk", 600.0, "low, medium or high, rated every 30 min"),
)

VENUE = Venue(
    name=USD_M.name,
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
    connections=partial(connections, USD_M),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=partial(polls, USD_M),
    shipped_tiers=shipped_tiers,
    features=FEATURES,
    hear=hear,
    aliases=("binance-um", "binance-usdm", "binance-usd-m"),
)
