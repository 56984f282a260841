"""dYdX v4: the indexer's public REST resources, polled, and the insurance fund, which only a node of the chain tells.

Traps: ``perpetualMarkets`` says no time (``dydx_rows.UNDATED_SECONDS``); ``/time`` is the indexer's clock and runs on
when the chain does not, ``/height`` has the time of the newest block; fractions are per market, without tiers by size.
The fund is the bank balance of a module's account: live, of many coins, absent when it is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.base import Poll
from monitor.venues.dydx_rows import ACTIVE, NAME, market_facts
from monitor.venues.wire import common_coin, iso_seconds, number, read, seconds

CONFIRM_SECONDS = 5.0
"""How often an unchanged oracle price is confirmed, and how often it is asked whether it could have changed."""

FUNDING_SECONDS = 3600.0
FUNDING_CAP_FACTOR = 6.0 / 8.0
"""The rate of eight hours is held within 600 % of initial less maintenance fraction; an hour has an eighth of it."""

NODE = "https://dydx-rest.publicnode.com"
"""One of the public nodes; they are many, and any of them has the same balances."""

CROSS_FUND = "dydx1c7ptc87hkd54e3r7zjy92q29xkq7t79w64slrq"
"""The account of the fund behind all CROSS markets. An ISOLATED market has one of its own, found by its perpetual id,
which the indexer does not tell: those are not read."""

FUND_PATH, FUND_SECONDS = "/cosmos/bank/v1beta1/balances/", 60.0
POOL, ASSET = "cross", "USDC"
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
USDC_UNITS = 1e6

PAGE = 100
"""Answers end at round numbers of rows, so one with such a number may be the beginning of a longer one."""


class _Time(msgspec.Struct):
    epoch: float


class _Height(msgspec.Struct):
    time: str


class _Markets(msgspec.Struct):
    markets: dict[str, Any]


class _Coin(msgspec.Struct):
    denom: str
    amount: str
    """In the coin's smallest unit, which for others may be more than a number here holds."""


class _Page(msgspec.Struct):
    next_key: str | None = None


class _Balances(msgspec.Struct):
    balances: list[_Coin]
    pagination: _Page | None = None


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, seconds(read(body, _Time).epoch * 1000.0))]


def _height(body: bytes, received: float) -> list[Event]:
    """Say how old the newest block is. No price can: an unchanged one and one that cannot change look the same."""
    return [ev.VenueBehind(NAME, received - iso_seconds(read(body, _Height).time), received)]


def _listed(body: bytes) -> dict[str, Any]:
    markets = read(body, _Markets).markets
    if not markets:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    return markets


def _facts(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    out: list[Event] = []
    for symbol, row in _listed(body).items():
        if symbol in watched:
            market_facts(symbol, row, received, out)
    return out


def _terms(watched: frozenset[str], isolated: set[str], body: bytes, received: float) -> list[Event]:
    """Return the terms of watched markets, and note which of them are isolated: no pool but their own backs them."""
    out: list[Event] = []
    markets = _listed(body)
    for symbol in sorted(watched):
        row = markets.get(symbol)
        if row is None:
            if len(markets) % PAGE:
                out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
        elif not isinstance(row, dict) or not isinstance(row.get("status"), str):
            out.append(ev.Rejected(NAME, "perpetualMarkets", "bad_row", symbol))
        else:
            (isolated.add if row.get("marketType") == "ISOLATED" else isolated.discard)(symbol)
            out += _contract(symbol, row)
            market_facts(symbol, row, received, out)
    return out


def _contract(symbol: str, row: dict[str, Any]) -> list[Event]:
    """Return a market's terms. Positions and books count coins, margin is USDC although symbols say USD.

    The name may be odd ("PEPE,RAYDIUM,...-USD" for a token of a pool): it is never taken apart but for the coin.
    """
    coin = common_coin(symbol.rpartition("-")[0].partition(",")[0])
    terms = ev.ContractTerms(
        NAME,
        symbol,
        kind="linear",
        contract_size=1.0,
        base=coin,
        quote="USD",
        settle="USDC",
        status=row["status"],
        watchable=row["status"] == ACTIVE,
        tick_size=_number(row, "tickSize", LIMIT),
    )
    initial, maintenance = (_number(row, f"{name}MarginFraction", 1.0 + 1e-9) for name in ("initial", "maintenance"))
    cap = None
    if initial is not None and maintenance is not None and maintenance < initial:
        cap = FUNDING_CAP_FACTOR * (initial - maintenance)
    return [terms, ev.FundingTerms(NAME, symbol, FUNDING_SECONDS, cap, None if cap is None else -cap)]


def _number(row: dict[str, Any], field: str, high: float) -> float | None:
    raw = row.get(field)
    return number(raw, 0.0, high) if isinstance(raw, str | int | float) else None


def _fund(watched: frozenset[str], isolated: set[str], body: bytes, received: float) -> list[Event]:
    answer = read(body, _Balances)
    amounts = [coin.amount for coin in answer.balances if coin.denom == USDC]
    if not amounts and answer.pagination is not None and answer.pagination.next_key:
        raise WireError("the balance is on another page", reason="incomplete")
    units = number(amounts[0] if amounts else "0", -1.0, LIMIT)  # no such coin is none of it
    backed = tuple(sorted(watched - isolated))
    if units is None or units < 0.0:
        return [ev.Rejected(NAME, "insuranceFund", "bad_quantity")]
    return [ev.InsuranceFund(NAME, POOL, ASSET, units / USDC_UNITS, backed, received)] if backed else []


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*. All markets come in one answer; each request counts one."""
    watched, path = frozenset(symbols), "/v4/perpetualMarkets"
    isolated: set[str] = set()
    fund = partial(_fund, watched, isolated)
    return [
        Poll("time", "/v4/time", {}, 1, 600.0, _time),
        Poll("perpetualMarkets", path, {}, 1, 3600.0, partial(_terms, watched, isolated), terms=True),
        Poll("oraclePrices", path, {}, 1, CONFIRM_SECONDS, partial(_facts, watched), essential=False),
        Poll("height", "/v4/height", {}, 1, CONFIRM_SECONDS, _height, essential=False),
        Poll("insuranceFund", FUND_PATH + CROSS_FUND, {}, 1, FUND_SECONDS, fund, essential=False, host=NODE),
    ]
