"""Binance COIN-M futures: public streams and REST, inverse contracts, and how they are calculated.

The wire is USD-M's (``binance_streams.py``, ``binance_wire.py``, ``binance_rest.py``); hosts, paths and units are its
own. Quantities are contracts of 100 USD (BTC) or 10 USD (others): ``contractSize`` says. Brackets need a signed call:
they come from the operator's file. No insurance balance and no ADL rating is known for COIN-M.

Traps, each with a payload in ``tests/venues/binance_coinm/``:

- The hosts are ``dstream`` and ``dapi``, and the websocket paths are not split: everything is on ``/stream``.
- All-market streams mix both products: ``st`` 2 is ours. Frames from before June 2026 have no ``st``.
- There is no ``!markPrice@arr`` here. ``<pair>@markPrice`` brings an array with the dated contracts of the pair in it;
  ``<pair>@indexPrice`` names a pair and no contract (as ``i`` or ``s``): the mark's own ``i`` is used.
- Dated contracts have ``r: ""`` and ``T: 0``: no funding, which is not a rate of zero.
- ``exchangeInfo`` says ``contractStatus``, ``premiumIndex`` is an array even for one symbol, ``ps`` of a liquidation
  stands inside the order, and ``pair`` (BTCUSD) is not a symbol.
- ``lastPrice`` has stood still for long while mark and index moved: it proves nothing about the feed.

Calculation: as USD-M, in coin: requirement at the mark less the tier's amount, no fee in the test, the tier chosen by
the notional in coin **at the liquidation price** (the venue's page says so).

Traps of the calculation:

- Contracts are 100 USD (BTC) or 10 USD (others) of face value; margin, profit and brackets are in the coin.
- The notional in coin grows as the price falls: a long climbs tiers on its way down.
- Cross margin is per coin: a BTC wallet stands behind BTC contracts alone.
- ``isolatedMargin`` contains unrealised profit; ``liquidationPrice`` "0" means none.
- Brackets need a signed call and are not shipped. One sample of the page follows no published rate (0.5 in 12,000).

Facts: Binance support, "How to Calculate Liquidation Price of COIN-M Futures Contracts", "Liquidation Protocols".
"""

from __future__ import annotations

from functools import partial

from monitor.core.contract import LiquidationRule, TierTable
from monitor.venues.base import OPEN_FEES, PORTFOLIO_MARGIN, Feature, Limits, Venue
from monitor.venues.binance_product import COIN_M
from monitor.venues.binance_rest import polls
from monitor.venues.binance_streams import DEPTH_SECONDS, connections, hear, subscribe, unsubscribe
from monitor.venues.binance_wire import decoder

RULES = {
    "inverse": LiquidationRule(
        name="Binance COIN-M",
        source="Binance support: How to Calculate Liquidation Price of COIN-M Futures Contracts; "
        "Liquidation Protocols (360033525271)",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        deduction="published",
        closing_fee="none",
        approximations=(OPEN_FEES,),
        cross_approximations=(PORTFOLIO_MARGIN,),
    )
}

decode = decoder(COIN_M)

MARK_STREAM = "<symbol>@markPrice@1s"

FEATURES = (
    Feature("mark", "stream", MARK_STREAM, 1.0),
    Feature("index", "stream", MARK_STREAM, 1.0),
    Feature("last", "stream", "<symbol>@ticker", 2.0),
    Feature(
        "funding", "stream", MARK_STREAM, 1.0, "the running estimate; interval, cap and floor by poll: fundingInfo"
    ),
    Feature("open interest", "poll", "/dapi/v1/openInterest", 30.0, "one call a symbol; in contracts"),
    Feature("liquidations", "stream", "<symbol>@forceOrder", None, "at most one a symbol and second: a lower bound"),
    Feature("depth", "stream", "<symbol>@depth@500ms", DEPTH_SECONDS, "joined to /dapi/v1/depth"),
    Feature("contracts", "poll", "/dapi/v1/exchangeInfo", 3600.0, "news by stream: !contractInfo"),
    Feature("tiers", "file", "the operator's file", None, "the call needs a key; changes by !contractInfo"),
)


def shipped_tiers(_symbol: str) -> TierTable | None:
    """Return None: no ladder ships for COIN-M."""
    return None


VENUE = Venue(
    name=COIN_M.name,
    rules=RULES,
    stream_url="wss://dstream.binance.com",
    rest_url="https://dapi.binance.com",
    limits=Limits(  # of one address, shared with USD-M
        weight_per_minute=2400,
        weight_header="X-MBX-USED-WEIGHT-1M",
        control_messages_per_second=10,
        lifetime_seconds=86_400.0,
    ),
    expected_intervals={"mark": 1.0, "index": 1.0, "last": 2.0, "book": 5.0},
    decode=decode,
    connections=partial(connections, COIN_M),
    subscribe=subscribe,
    unsubscribe=unsubscribe,
    polls=partial(polls, COIN_M),
    shipped_tiers=shipped_tiers,
    features=FEATURES,
    hear=hear,
    aliases=("binance-cm", "binance-coin-m"),
)
