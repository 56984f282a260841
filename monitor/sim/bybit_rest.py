"""The REST endpoints of a simulated Bybit v5 venue: one envelope, pages, errors with HTTP status 200.

Only too many requests from one address are an HTTP error: 403, for ten minutes and everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import floor, log10

from monitor.core.contract import Tier
from monitor.sim import bybit_frames as frames
from monitor.sim.book import SimBook
from monitor.sim.bybit_frames import Payload
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, Market
from monitor.sim.rest import RefusedError, Reply

Query = Mapping[str, str]

WINDOW_SECONDS = 5.0
TOO_FREQUENT = "access too frequent"
LAST_CAP = 1_000_000_000.0
SYMBOLS_PER_PAGE = 15
"""Contracts whose tiers stand on one page."""


class BybitRest:
    """Answers requests from the state of a market. ``quiet(symbol)``: its prices are being kept back."""

    def __init__(
        self,
        market: Market,
        limits: Limits,
        book: Callable[[str], SimBook],
        *,
        wall: Callable[[], float],
        quiet: Callable[[Instrument], bool],
    ) -> None:
        self._market = market
        self._limits = limits
        self._book = book
        self._wall = wall
        self._quiet = quiet
        self._asked: dict[str, deque[float]] = {}
        self._banned_until: dict[str, float] = {}
        self._endpoints: dict[str, Callable[[Query], Payload]] = {
            "/v5/market/time": self._time,
            "/v5/market/tickers": self._tickers,
            "/v5/market/instruments-info": self._instruments,
            "/v5/market/risk-limit": self._risk_limit,
            "/v5/market/insurance": self._insurance,
            "/v5/market/adlAlert": self._adl_alert,
            "/v5/market/orderbook": self._orderbook,
            "/v5/market/open-interest": self._open_interest,
            "/v5/system/status": lambda _: {"list": []},
        }

    def answer(self, path: str, query: Query, address: str) -> Reply:
        """Return the reply to a request of *address*; raises ``RefusedError``."""
        if self._too_frequent(address):
            return Reply(403, TOO_FREQUENT)
        if path not in self._endpoints:
            if path.startswith(("/v5/account/", "/v5/position/", "/v5/user/", "/v5/order/")):
                raise self._refused(10003, "API key is invalid.")
            raise self._refused(10017, "Route not found.", status=404)
        return Reply(200, self._envelope(0, "OK", self._endpoints[path](query)))

    def _too_frequent(self, address: str) -> bool:
        now = self._wall()
        if now < self._banned_until.get(address, 0.0):
            return True
        asked = self._asked.setdefault(address, deque())
        asked.append(now)
        while asked[0] <= now - WINDOW_SECONDS:
            asked.popleft()
        if len(asked) > self._limits.weight_per_minute * WINDOW_SECONDS / 60.0:
            self._banned_until[address] = now + self._limits.ban_seconds
            return True
        return False

    def _envelope(self, code: int, message: str, result: Payload) -> Payload:
        time = frames.ms(self._wall())
        return {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": time}

    def _refused(self, code: int, message: str, *, status: int = 200) -> RefusedError:
        return RefusedError(status, code, message, self._envelope(code, message, {}))

    # what is asked for

    def _of_category(self, query: Query) -> list[Instrument]:
        """Return the contracts of the category, or the one of the symbol, that a query names."""
        if query.get("category") not in ("linear", "inverse"):
            raise self._refused(10001, "Illegal category")
        found = [i for i in self._market.instruments.values() if frames.category(i) == query["category"]]
        if "symbol" not in query:
            return found
        one = [instrument for instrument in found if instrument.symbol == query["symbol"]]
        if not one:
            raise self._refused(10001, "params error: symbol invalid")
        return one

    def _page(self, query: Query, found: Sequence[Instrument], most: int) -> tuple[Sequence[Instrument], str]:
        """Return a page of contracts and the cursor of the next, "" if it is the last."""
        start = int(text) if (text := query.get("cursor", "0").removeprefix("page:")).isdecimal() else 0
        return found[start : start + most], f"page:{start + most}" if start + most < len(found) else ""

    # answers

    def _time(self, _query: Query) -> Payload:
        wall = self._wall()
        return {"timeSecond": str(int(wall)), "timeNano": str(frames.ms(wall) * 1_000_000)}

    def _tickers(self, query: Query) -> Payload:
        wall = self._wall()
        rows = [
            frames.ticker(instrument, self._book(instrument.symbol), wall, rest=True)
            for instrument in self._of_category(query)
            if frames.speaks(instrument) and not self._quiet(instrument)
        ]
        return {"category": query["category"], "list": rows}

    def _instruments(self, query: Query) -> Payload:
        wanted = query.get("status", "Trading")
        limit = query.get("limit", "500")
        if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
            raise self._refused(10001, "params error: limit invalid")
        found = [instrument for instrument in self._of_category(query) if frames.status(instrument) == wanted]
        page, cursor = self._page(query, found, int(limit))
        rows = [_instrument_row(instrument) for instrument in page]
        return {"category": query["category"], "list": rows, "nextPageCursor": cursor}

    def _risk_limit(self, query: Query) -> Payload:
        page, cursor = self._page(query, self._of_category(query), SYMBOLS_PER_PAGE)
        rows = [row for instrument in page for row in _risk_limits(instrument.symbol, instrument.tiers)]
        return {"category": query["category"], "list": rows, "nextPageCursor": cursor}

    def _insurance(self, query: Query) -> Payload:
        wall = self._wall()
        rows = [
            {"coin": row["coin"], "symbols": row["symbols"], "balance": row["balance"], "value": row["balance"]}
            for pool in self._market.pools
            for row in frames.pool_rows(pool, wall)
            if query.get("coin") in (None, row["coin"])
        ]
        times = [pool.update_time for pool in self._market.pools if pool.update_time is not None]
        return {"updatedTime": str(frames.ms(max([frames.midnight(wall), *times]))), "list": rows}

    def _adl_alert(self, query: Query) -> Payload:
        rows = [
            frames.adl_alert(instrument, pool, rest=True)
            for instrument in self._market.instruments.values()
            if query.get("symbol") in (None, instrument.symbol)
            and (pool := self._market.pool_of(instrument.symbol)) is not None
        ]
        return {"updatedTime": str(frames.ms(self._wall() // 60 * 60)), "list": rows}

    def _orderbook(self, query: Query) -> Payload:
        (instrument,) = self._named(query)
        book = self._book(instrument.symbol)
        limit = query.get("limit", "25")
        bids, asks = book.snapshot(int(limit) if limit.isdecimal() else 25)
        time = frames.ms(self._wall())
        return frames.book(instrument, bids, asks, book.number) | {"ts": time, "cts": time - 2}

    def _open_interest(self, query: Query) -> Payload:
        (instrument,) = self._named(query)
        row = {
            "openInterest": frames.size(instrument, 2 * instrument.open_interest),
            "singleOpenInterest": frames.size(instrument, instrument.open_interest),
            "timestamp": str(frames.ms(self._wall() // 300 * 300)),
        }
        return {"symbol": instrument.symbol, "category": query["category"], "list": [row], "nextPageCursor": ""}

    def _named(self, query: Query) -> list[Instrument]:
        if "symbol" not in query:
            raise self._refused(10001, "params error: symbol invalid")
        return self._of_category(query)


def _risk_limits(symbol: str, tiers: Sequence[Tier]) -> list[Payload]:
    """The tiers of a contract: fractions as text, each with its upper bound; the first deduction is ""."""
    found = []
    for number, tier in enumerate(tiers, 1):
        cap = tiers[number].floor if number < len(tiers) else LAST_CAP
        initial = min(1.0, 2 * tier.maintenance_rate)
        found.append(
            {
                "id": number,
                "symbol": symbol,
                "riskLimitValue": frames.plain(cap),
                "maintenanceMargin": frames.plain(tier.maintenance_rate),
                "initialMargin": frames.plain(initial),
                "isLowestRisk": 1 if number == 1 else 0,
                "maxLeverage": f"{1 / initial:.2f}",
                "mmDeduction": frames.plain(tier.deduction) if number > 1 else "",
            }
        )
    return found


def _instrument_row(instrument: Instrument) -> Payload:
    """One row of ``instruments-info``. There is no contract multiplier."""
    listing = instrument.listing
    kind = "Linear" if listing.product == "UM" else "Inverse"
    leverage = f"{min(200.0, 0.5 / instrument.tiers[0].maintenance_rate):.2f}"
    dated = instrument.dated
    return {
        "symbol": instrument.symbol,
        "contractType": f"{kind}{'Futures' if dated else 'Perpetual'}",
        "status": frames.status(instrument),
        "baseCoin": listing.base,
        "quoteCoin": listing.quote,
        "settleCoin": listing.settle,
        "launchTime": "1584230400000",
        "deliveryTime": frames.delivery_ms(instrument),
        "deliveryFeeRate": "0" if dated else "",
        "priceScale": str(max(0, -floor(log10(listing.tick_size)))),
        "leverageFilter": {"minLeverage": "1", "maxLeverage": leverage, "leverageStep": "0.01"},
        "priceFilter": {
            "minPrice": frames.price(instrument, listing.tick_size),
            "maxPrice": "1999999.8",
            "tickSize": frames.price(instrument, listing.tick_size),
        },
        "lotSizeFilter": {
            "minOrderQty": frames.size(instrument, listing.step_size),
            "maxOrderQty": "1500",
            "qtyStep": frames.size(instrument, listing.step_size),
            "minNotionalValue": "5",
        },
        "unifiedMarginTrade": True,
        "fundingInterval": 60 * frames.funding_hours(instrument),
        "upperFundingRate": "0" if dated else frames.plain(frames.FUNDING_CAP),
        "lowerFundingRate": "0" if dated else frames.plain(-frames.FUNDING_CAP),
        "isPreListing": frames.status(instrument) == "PreLaunch",
        "preListingInfo": None,
        "symbolType": "",
    }
