"""dYdX v4: the indexer's public REST resources, polled.

Traps: ``perpetualMarkets`` says no time (``dydx_rows.UNDATED_SECONDS``); ``/time`` is the indexer's clock and runs on
when the chain does not, ``/height`` has the time of the newest block; fractions are per market, without tiers by size.
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

CONFIRM_SECONDS = 9.0
"""How often an unchanged oracle price is confirmed: three times this may not be more than 30 s."""

FUNDING_SECONDS = 3600.0
FUNDING_CAP_FACTOR = 6.0 / 8.0
"""The rate of eight hours is held within 600 % of initial less maintenance fraction; an hour has an eighth of it."""

BEHIND_SECONDS = 30.0
"""A newest block older than this is no delay: the chain has halted, or the indexer does not follow it."""

PAGE = 100
"""Answers end at round numbers of rows, so one with such a number may be the beginning of a longer one."""


class _Time(msgspec.Struct):
    epoch: float


class _Height(msgspec.Struct):
    time: str


class _Markets(msgspec.Struct):
    markets: dict[str, Any]


def _time(body: bytes, _received: float) -> list[Event]:
    return [ev.VenueTime(NAME, seconds(read(body, _Time).epoch * 1000.0))]


def _height(body: bytes, received: float) -> list[Event]:
    """Say that the newest block is old. No price can: an unchanged one and one that cannot change look the same."""
    behind = received - iso_seconds(read(body, _Height).time)
    return [ev.Rejected(NAME, "height", "chain_behind")] if behind > BEHIND_SECONDS else []


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


def _terms(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
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


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*. All markets come in one answer; each request counts one."""
    watched, path = frozenset(symbols), "/v4/perpetualMarkets"
    return [
        Poll("time", "/v4/time", {}, 1, 600.0, _time),
        Poll("perpetualMarkets", path, {}, 1, 3600.0, partial(_terms, watched)),
        Poll("oraclePrices", path, {}, 1, CONFIRM_SECONDS, partial(_facts, watched), essential=False),
        Poll("height", "/v4/height", {}, 1, 30.0, _height, essential=False),
    ]
