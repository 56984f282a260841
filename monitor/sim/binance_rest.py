"""The REST endpoints of a simulated Binance USD-M venue: weights, bans, error bodies and answers. COIN-M builds on it.

A request that is refused for its parameters costs its weight all the same. Beyond the limit of a UTC clock
minute comes 429 with Retry-After; a client that goes on asking is banned: 418 for everything, until the ban ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, Literal

from monitor.sim import binance_frames as frames
from monitor.sim.binance_depth import Depth
from monitor.sim.binance_frames import Payload
from monitor.sim.binance_listing import listing_row
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, Market
from monitor.sim.rest import RefusedError, Reply, WeightWindow

Query = Mapping[str, str]
Endpoints = Mapping[str, tuple[Callable[[Query], int], Callable[[Query], object]]]
"""Path -> what a request weighs, what it is answered."""

WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
DEPTH_WEIGHTS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
HALF_HOUR = 1800
FAULTS: Mapping[int, tuple[int, str]] = {
    418: (-1003, "Way too many requests; IP banned. Please use the websocket for live updates to avoid bans."),
    429: (-1003, "Too many requests. Please use the websocket for live updates to avoid polling the API."),
    503: (-1008, "Server is currently overloaded with other requests. Please try again in a few minutes."),
}
"""The code and message that go with an HTTP status which a scenario asks for."""


class BinanceRest:
    """Answers requests from the state of a market. ``wall`` gives epoch seconds, by which minutes are counted."""

    PRODUCT: ClassVar[Literal["UM", "CM"]] = "UM"

    def __init__(self, market: Market, limits: Limits, depth: Depth, *, wall: Callable[[], float]) -> None:
        self._market = market
        self._limits = limits
        self._books = depth
        self._wall = wall
        self._window = WeightWindow(limits.weight_per_minute)
        self._refused: dict[str, tuple[int, int]] = {}
        self._banned_until: dict[str, float] = {}
        self._endpoints = self.endpoints()

    def endpoints(self) -> Endpoints:
        """Return what can be asked for, each with its weight."""
        return {
            "/fapi/v1/ping": (one, lambda _: {}),
            "/fapi/v1/time": (one, self._time),
            "/fapi/v1/exchangeInfo": (one, self._exchange_info),
            "/fapi/v1/premiumIndex": (lambda query: 1 if "symbol" in query else 10, self._premium_index),
            "/fapi/v1/fundingInfo": (lambda _: 0, self._funding_info),
            "/fapi/v1/openInterest": (one, self._open_interest),
            "/fapi/v1/insuranceBalance": (one, self._insurance_balance),
            "/fapi/v1/symbolAdlRisk": (one, self._adl_risk),
            "/fapi/v1/depth": (depth_weight, self._depth),
            "/fapi/v1/leverageBracket": (one, needs_key),
        }

    def answer(self, path: str, query: Query, address: str) -> Reply:
        """Return the reply to a request of *address*, its weight counted; raises ``RefusedError`` before any counting."""
        if path.startswith("/sapi/"):
            raise RefusedError(403, 0, "Forbidden")
        if (banned_until := self._banned_until.get(address, 0.0)) > self._wall():
            return self._ban(banned_until)
        if path not in self._endpoints:
            return Reply(404, {"code": -5000, "msg": f"Path {path}, Method GET is invalid"})
        weight, respond = self._endpoints[path]
        used = self._window.charge(address, weight(query), self._wall())
        if used > self._limits.weight_per_minute:
            return self._too_much(address, used)
        try:
            reply = Reply(200, respond(query))
        except RefusedError as refused:
            reply = refused.reply
        return Reply(reply.status, reply.body, {WEIGHT_HEADER: str(used)})

    # limits

    def _too_much(self, address: str, used: int) -> Reply:
        minute = int(self._wall() // 60)
        before, count = self._refused.get(address, (minute, 0))
        count = count + 1 if before == minute else 1
        self._refused[address] = (minute, count)
        if count > self._limits.refusals_before_ban:
            self._banned_until[address] = self._wall() + self._limits.ban_seconds
            return self._ban(self._banned_until[address])
        limit = self._limits.weight_per_minute
        message = f"Too many requests; current limit of IP is {limit} requests per minute. {FAULTS[429][1]}"
        headers = {"Retry-After": str(self._window.seconds_left(self._wall())), WEIGHT_HEADER: str(used)}
        return Reply(429, {"code": -1003, "msg": message}, headers)

    def _ban(self, until: float) -> Reply:
        message = (
            f"Way too many requests; IP(127.0.0.1) banned until {frames.ms(until)}. "
            "Please use the websocket for live updates to avoid bans."
        )
        headers = {"Retry-After": str(max(1, round(until - self._wall())))}
        return Reply(418, {"code": -1003, "msg": message}, headers)

    # answers

    def _listed(self) -> list[Instrument]:
        return [found for found in self._market.instruments.values() if found.listing.product == self.PRODUCT]

    def _asked(self, query: Query) -> Instrument:
        if "symbol" not in query:
            raise RefusedError(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        found = self._market.instruments.get(query["symbol"])
        if found is None or found.listing.product != self.PRODUCT:
            raise RefusedError(400, -1121, "Invalid symbol.")
        return found

    def _one_or_all(self, query: Query, row: Callable[[Instrument], Payload]) -> object:
        if "symbol" in query:
            return row(self._asked(query))
        return [row(instrument) for instrument in self._listed()]

    def _time(self, _: Query) -> object:
        return {"serverTime": frames.ms(self._wall())}

    def _premium_index(self, query: Query) -> object:
        return self._one_or_all(query, self._premium)

    def _premium(self, found: Instrument) -> Payload:
        wall = self._wall()
        return {
            "symbol": found.symbol,
            "markPrice": frames.exact(found.mark_price),
            "indexPrice": frames.exact(found.index_price),
            "estimatedSettlePrice": frames.exact(found.index_price),
            "lastFundingRate": frames.funding_rate(found),
            "interestRate": "" if found.dated else "0.00010000",
            "nextFundingTime": frames.next_funding_ms(found, wall),
            "time": frames.ms(wall),
        }

    def _funding_info(self, _: Query) -> object:
        """Only contracts whose interval was set are listed; an absent one has 8 h."""
        return [
            {
                "symbol": found.symbol,
                "adjustedFundingRateCap": "0.00300000",
                "adjustedFundingRateFloor": "-0.00300000",
                "fundingIntervalHours": found.funding_interval_hours,
                "disclaimer": False,
                "updateTime": None,
            }
            for found in self._market.instruments.values()
            if found.funding_interval_hours is not None
        ]

    def _open_interest(self, query: Query) -> Payload:
        found = self._asked(query)
        return {
            "openInterest": frames.contracts(found, found.open_interest),
            "symbol": found.symbol,
            "time": frames.ms(self._wall()),
        }

    def _insurance_balance(self, query: Query) -> object:
        wall = self._wall()
        if "symbol" not in query:
            return [frames.insurance_pool(pool, wall) for pool in self._market.pools]
        pool = self._market.pool_of(self._asked(query).symbol)
        return frames.insurance_pool(pool, wall) if pool else {"symbols": [], "assets": []}

    def _adl_risk(self, query: Query) -> object:
        stamp = int(self._wall()) // HALF_HOUR * HALF_HOUR * 1000
        return self._one_or_all(
            query, lambda found: {"symbol": found.symbol, "adlRisk": found.adl_risk, "updateTime": stamp}
        )

    def _depth(self, query: Query) -> Payload:
        if _limit(query) not in DEPTH_WEIGHTS:
            raise RefusedError(400, -4021, f"{query['limit']} is not a valid depth limit.")
        return self._books.whole(self._asked(query), _limit(query))

    def _exchange_info(self, _: Query) -> Payload:
        return {
            "timezone": "UTC",
            "serverTime": frames.ms(self._wall()),
            "futuresType": "U_MARGINED",
            "rateLimits": [
                _rate_limit("REQUEST_WEIGHT", "MINUTE", 1, self._limits.weight_per_minute),
                _rate_limit("ORDERS", "MINUTE", 1, 1200),
                _rate_limit("ORDERS", "SECOND", 10, 300),
            ],
            "exchangeFilters": [],
            "assets": [
                {"asset": asset, "marginAvailable": True, "autoAssetExchange": "-10000"} for asset in ("USDT", "USDC")
            ],
            "symbols": [listing_row(found) for found in self._listed()],
        }


def one(_: Query) -> int:
    """Return the weight of most requests."""
    return 1


def depth_weight(query: Query) -> int:
    """Return what a whole book weighs: the more levels, the more."""
    return DEPTH_WEIGHTS.get(_limit(query), 1)


def _limit(query: Query) -> int:
    try:
        return int(query.get("limit", "500"))
    except ValueError:
        return -1


def needs_key(_: Query) -> object:
    """Refuse a signed request: there are no keys here."""
    raise RefusedError(401, -2014, "API-key format invalid.")


def _rate_limit(kind: str, interval: str, number: int, limit: int) -> Payload:
    return {"rateLimitType": kind, "interval": interval, "intervalNum": number, "limit": limit}
