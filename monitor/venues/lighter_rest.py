"""Lighter: the public REST resources, polled.

Traps: without an account 60 requests a minute are allowed in all, whatever their weight; fractions of margin are basis
points, fees percent; open interest is in coins here; there is no time in an answer but in that of ``/``, which is in
whole seconds, so that a venue that has halted answers like a calm one; ``index`` of ``publicPoolsMetadata`` is an
exclusive upper bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.lighter_names import DOUBTFUL_SECONDS, NAME, Markets
from monitor.venues.lighter_trades import LLP_ACCOUNT
from monitor.venues.wire import Raw, common_coin, number, read, seconds

PERPETUALS = {"filter": "perp"}
COLLATERAL = "USDC"
POOL = "llp"
ACTIVE = "active"

FUNDING_SECONDS = 3600.0
FUNDING_HOURS_OF_CLAMP = 8
"""The clamps bound the rate for 8 hours, of which an eighth is charged each hour."""

CONFIRM_SECONDS = 10.0
"""How often prices are read that may not have moved: the stream tells changes only."""

ANSWER_AGE_SECONDS = 1.0
"""How old a price in an answer may be; stamped as if it were, it never beats one from the stream that is newer."""


class _Time(msgspec.Struct):
    timestamp: float


class _Config(msgspec.Struct):
    force_reduce_only: bool = False


class _Market(msgspec.Struct):
    symbol: str
    market_id: int
    status: str
    market_type: str = "perp"
    price_decimals: int | None = None
    liquidation_fee: float | None = None
    min_initial_margin_fraction: int | None = None
    maintenance_margin_fraction: int | None = None
    funding_clamp_big: float | None = None
    market_config: _Config = msgspec.field(default_factory=_Config)


class _Prices(msgspec.Struct):
    symbol: str
    status: str = ""
    market_config: _Config = msgspec.field(default_factory=_Config)
    mark_price: Raw = None
    index_price: Raw = None
    last_trade_price: Raw = None
    open_interest: Raw = None


class _Details(msgspec.Struct):
    order_book_details: list[msgspec.Raw]


def _status(row: _Market | _Prices) -> str:
    """Return the status in the venue's word; where positions may only shrink that is said beside it."""
    return f"{row.status}, reduce only" if row.status == ACTIVE and row.market_config.force_reduce_only else row.status


class _Pool(msgspec.Struct):
    account_index: int
    total_asset_value: Raw = None


class _Pools(msgspec.Struct):
    public_pools: list[msgspec.Raw]


def _time(body: bytes, _received: float) -> list[Event]:
    """The clock in whole seconds: half a second is the best guess of the rest."""
    return [ev.VenueTime(NAME, seconds(read(body, _Time).timestamp * 1000) + 0.5)]


def _terms(markets: Markets, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Names, terms, margin and funding of the watched markets; which of them there are none of."""
    out: list[Event] = []
    listed = wire.rows(read(body, _Details).order_book_details, _Market, NAME, "orderBookDetails", out)
    rows = {row.symbol: row for row in listed if row.market_type == "perp"}
    if not rows:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    all_read = not out  # a row that cannot be read may be the one that seems to be missing
    if all_read:
        markets.replace({str(row.market_id): symbol for symbol, row in rows.items()})
    for symbol in sorted(watched):
        row = rows.get(symbol)
        if row is not None:
            markets.learn(str(row.market_id), symbol)
            _contract(row, received, out)
        elif all_read:
            out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
    return out


def _contract(row: _Market, received: float, out: list[Event]) -> None:
    fee, places = row.liquidation_fee, row.price_decimals
    out.append(
        ev.ContractTerms(
            NAME,
            row.symbol,
            kind="linear",
            contract_size=1.0,
            base=common_coin(row.symbol),
            quote=COLLATERAL,
            settle=COLLATERAL,
            status=_status(row),
            watchable=row.status == ACTIVE,
            tick_size=round(10.0**-places, places) if places is not None and 0 <= places <= 18 else None,
            liquidation_fee_rate=fee / 100 if fee is not None and 0.0 <= fee < 100.0 else None,
        )
    )
    clamp = row.funding_clamp_big
    cap = clamp / 100 / FUNDING_HOURS_OF_CLAMP if clamp is not None and 0.0 < clamp < 100.0 else None
    out.append(ev.FundingTerms(NAME, row.symbol, FUNDING_SECONDS, cap, None if cap is None else -cap))
    maintenance, initial = row.maintenance_margin_fraction, row.min_initial_margin_fraction
    if maintenance is None:
        return
    if not 0 < maintenance < 10_000:
        out.append(ev.Rejected(NAME, "orderBookDetails", "bad_tiers", row.symbol))
        return
    leverages = (10_000 / initial,) if initial is not None and 0 < initial <= 10_000 else ()
    tiers = ((0.0, maintenance / 10_000, 0.0),)
    out.append(ev.TierTableChanged(NAME, row.symbol, tiers, received, leverages))


def _prices(markets: Markets, watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Prices that may not have moved, as far as they are given here, and the status; none has a time of its own.

    A venue that has halted repeats its last prices for ever: they are taken for new only while its stream speaks.
    """
    out: list[Event] = []
    time = received - (DOUBTFUL_SECONDS if markets.silent(received) else ANSWER_AGE_SECONDS)
    for row in wire.rows(read(body, _Details).order_book_details, _Prices, NAME, "orderBookDetails", out):
        if row.symbol in watched:
            if row.status:
                active = row.status == ACTIVE
                out.append(ev.ContractStatus(NAME, row.symbol, _status(row), watchable=active, event_time=received))
            wire.price(ev.MarkPrice, NAME, row.symbol, row.mark_price, time, out)
            wire.price(ev.IndexPrice, NAME, row.symbol, row.index_price, time, out)
            wire.price(ev.LastPrice, NAME, row.symbol, row.last_trade_price, time, out)
            interest = number(row.open_interest, -1e-300, LIMIT)
            if interest is not None:
                out.append(ev.OpenInterest(NAME, row.symbol, interest, time))
            elif row.open_interest not in (None, ""):
                out.append(ev.Rejected(NAME, "open_interest", "bad_quantity", row.symbol))
    return out


def _pool(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """What the pool's assets are worth: it is the insurance fund of every market."""
    out: list[Event] = []
    for row in wire.rows(read(body, _Pools).public_pools, _Pool, NAME, "publicPoolsMetadata", out):
        value = number(row.total_asset_value, -LIMIT, LIMIT)
        if row.account_index != LLP_ACCOUNT:
            continue
        if value is None:
            out.append(ev.Rejected(NAME, "publicPoolsMetadata", "bad_balance"))
        else:
            out.append(ev.InsuranceFund(NAME, POOL, COLLATERAL, value, tuple(sorted(watched)), received))
    return out


def polls(markets: Markets, symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*. Every request counts as one of the 60 a minute."""
    watched = frozenset(symbols)
    details, protocol = "/api/v1/orderBookDetails", {"filter": "protocol", "index": str(LLP_ACCOUNT + 1), "limit": "1"}
    return [
        Poll("time", "/", {}, 1, 600.0, _time),
        Poll("orderBookDetails", details, PERPETUALS, 1, 3600.0, partial(_terms, markets, watched), terms=True),
        Poll("prices", details, PERPETUALS, 1, CONFIRM_SECONDS, partial(_prices, markets, watched), essential=False),
        Poll(
            "publicPoolsMetadata",
            "/api/v1/publicPoolsMetadata",
            protocol,
            1,
            60.0,
            partial(_pool, watched),
            essential=False,
        ),
    ]
