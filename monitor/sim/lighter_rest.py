"""The REST endpoints of a simulated Lighter: sixty requests a minute, error bodies and answers.

Not played: histories (``fundings``, ``exchangeMetrics``), single orders, everything that wants a token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from monitor.sim import lighter_frames as frames
from monitor.sim.lighter_frames import LLP_ACCOUNT, Payload
from monitor.sim.limits import Limits
from monitor.sim.market import NEVER_DELIVERED, Instrument, Market
from monitor.sim.rest import RefusedError, Reply

Query = Mapping[str, str]

BASIS_POINTS = 10_000
FAULTS: Mapping[int, tuple[int, str]] = {
    405: (23000, "Too Many Requests!"),
    429: (23000, "Too Many Requests!"),
    503: (20500, "internal server error"),
}
"""The code and message that go with an HTTP status which a scenario asks for."""


def refused(status: int, code: int, message: str) -> RefusedError:
    """Return a refusal as this venue words it."""
    return RefusedError(status, code, message, {"code": code, "message": message})


class Pool:
    """The liquidity pool (LLP), which takes positions over for as long as the bucket of their market lasts."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self.depleted: set[int] = set()
        """Strategies without any collateral left: what falls to them goes to ADL."""

    @property
    def value(self) -> float:
        """What its assets are worth. The story's first pool stands for it: here there is one for all markets."""
        return sum(self._market.pools[0].balances.values()) if self._market.pools else 0.0

    def strategies(self, count: int) -> list[Payload | None]:
        """The collateral of each bucket."""
        share = frames.usd(self.value / max(1, count - len(self.depleted)))
        return [None if number in self.depleted else {"collateral": share} for number in range(count)]


class LighterRest:
    """Answers requests from the state of a market. ``clock`` is the scenario's time, by which requests are counted."""

    def __init__(
        self,
        market: Market,
        limits: Limits,
        numbers: Mapping[str, int],
        pool: Pool,
        recent: Mapping[str, deque[Payload]],
        *,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._market = market
        self._limits = limits
        self._numbers = numbers
        self._pool = pool
        self._recent = recent
        self._wall = wall
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}
        self._endpoints: dict[str, Callable[[Query], object]] = {
            "/": lambda _: {"status": 200, "network_id": 1, "timestamp": int(self._wall())},
            "/api/v1/orderBookDetails": self._details,
            "/api/v1/publicPoolsMetadata": self._pools,
            "/api/v1/systemConfig": _system,
            "/api/v1/account": self._account,
            "/api/v1/funding-rates": self._funding_rates,
            "/api/v1/recentTrades": self._trades,
            "/api/v1/liquidations": _needs_token,
        }

    def answer(self, path: str, query: Query, address: str) -> Reply:
        """Return the reply to a request of *address*, or raise ``RefusedError``."""
        now, asked = self._clock(), self._asked.setdefault(address, deque())
        while asked and now - asked[0] >= 60.0:
            asked.popleft()
        if len(asked) >= self._limits.weight_per_minute:
            raise refused(429, *FAULTS[429])
        asked.append(now)
        if path not in self._endpoints:
            raise refused(404, 20404, "not found")
        return Reply(200, self._endpoints[path](query))

    def _instrument(self, query: Query) -> Instrument:
        for symbol, number in self._numbers.items():
            if str(number) == query.get("market_id"):
                return self._market.instrument(symbol)
        raise refused(400, 20001, "invalid param : market_id")

    def _details(self, query: Query) -> object:
        if query.get("filter", "all") not in ("perp", "spot", "all"):
            raise refused(400, 20001, "invalid param : filter")
        markets = [self._instrument(query)] if "market_id" in query else [*self._market.instruments.values()]
        rows = [] if query.get("filter") == "spot" else [self._row(found) for found in markets]
        return {"code": 200, "order_book_details": rows, "spot_order_book_details": []}

    def _row(self, found: Instrument) -> Payload:
        listing, last, wall = found.listing, found.last_price, self._wall()
        maintenance = round(found.tiers[0].maintenance_rate * BASIS_POINTS)
        initial = max(1, maintenance * 5 // 3)
        size_places, price_places = frames.places(listing.step_size), frames.places(listing.tick_size)
        return {
            "symbol": found.symbol,
            "market_id": self._numbers[found.symbol],
            "market_type": "perp",
            "base_asset_id": 0,
            "quote_asset_id": 0,
            "status": frames.status(found, wall),
            "taker_fee": "0.0000",
            "maker_fee": "0.0000",
            "is_taker_fee_enabled": True,
            "is_maker_fee_enabled": True,
            "liquidation_fee": frames.percent(listing.liquidation_fee_rate),
            "min_base_amount": frames.size(found, listing.step_size),
            "min_quote_amount": "10.000000",
            "order_quote_limit": "281474976.710655",
            "supported_size_decimals": size_places,
            "supported_price_decimals": price_places,
            "supported_quote_decimals": 6,
            "size_decimals": size_places,
            "price_decimals": price_places,
            "quote_multiplier": 1,
            "default_initial_margin_fraction": initial,
            "min_initial_margin_fraction": initial,
            "maintenance_margin_fraction": maintenance,
            "closeout_margin_fraction": maintenance * 2 // 3,
            "mark_price": frames.price(found, found.mark_price),
            "index_price": frames.price(found, found.index_price),
            "last_trade_price": float(frames.price(found, last)),
            "daily_trades_count": found.trades,
            "daily_base_token_volume": found.volume,
            "daily_quote_token_volume": found.volume * last,
            "daily_price_low": min(found.low_price or last, last),
            "daily_price_high": max(found.high_price, last),
            "daily_price_change": 100 * (last / (found.open_price or last) - 1),
            "open_interest": found.open_interest,
            "daily_chart": {},
            "funding_clamp_small": "0.0500",
            "funding_clamp_big": "4.0000",
            "base_interest_rate": "0.0100",
            "market_config": {
                "market_margin_mode": 0,
                "insurance_fund_account_index": frames.DEFAULT_FUND,
                "liquidation_mode": 0,
                "force_reduce_only": found.delivery_time < NEVER_DELIVERED,
                "trading_hours": "",
                "funding_fee_discounts_enabled": False,
                "hidden": False,
                "rfq_enabled": True,
            },
            "strategy_index": self._numbers[found.symbol],
        }

    def _pools(self, query: Query) -> object:
        """``index`` is an upper bound that is not itself meant."""
        try:
            bound, limit = int(query["index"]), int(query["limit"])
        except (KeyError, ValueError):
            raise refused(400, 20001, "invalid param : index") from None
        wanted = bound > LLP_ACCOUNT and limit > 0 and query.get("filter", "all") in ("protocol", "all")
        return {"code": 200, "public_pools": [self._pool_row()] if wanted else []}

    def _pool_row(self) -> Payload:
        return {
            "code": 0,
            "account_index": LLP_ACCOUNT,
            "account_type": 3,
            "name": "Lighter Liquidity Provider (LLP)",
            "l1_address": "0x0000000000000000000000000000000000000000",
            "annual_percentage_yield": 15.2,
            "sharpe_ratio": 4.1,
            "status": 0,
            "operator_fee": "0.0000",
            "total_asset_value": f"{self._pool.value:.2f}",
            "total_perps_value": f"{self._pool.value:.2f}",
            "total_spot_value": "0.00",
            "total_shares": 520_000_000_000,
            "assets": [],
            "created_at": 1_738_000_000,
            "master_account_index": LLP_ACCOUNT,
        }

    def _account(self, query: Query) -> object:
        if query.get("by") != "index" or query.get("value") != str(LLP_ACCOUNT):
            raise refused(400, 21100, "account not found")
        return {"code": 200, "total": 1, "accounts": [self.pool_account()]}

    def pool_account(self) -> Payload:
        """The pool's own account: it holds no position here."""
        value = frames.usd(self._pool.value)
        return {
            "code": 0,
            "account_type": 3,
            "index": LLP_ACCOUNT,
            "account_index": LLP_ACCOUNT,
            "l1_address": "0x0000000000000000000000000000000000000000",
            "status": 1,
            "collateral": value,
            "available_balance": value,
            "positions": [],
            "total_asset_value": value,
            "cross_asset_value": value,
            "cross_initial_margin_requirement": "0.000000",
            "cross_maintenance_margin_requirement": "0.000000",
            "pool_info": {"status": 0, "strategies": self._pool.strategies(max(self._numbers.values()) + 1)},
        }

    def _funding_rates(self, _: Query) -> object:
        """Rates per 8 hours, as a fraction: neither the unit nor the time of the stream's."""
        rows = [
            {
                "market_id": self._numbers[found.symbol],
                "exchange": "lighter",
                "symbol": found.symbol,
                "rate": 8 * found.funding_rate,
            }
            for found in self._market.instruments.values()
        ]
        return {"code": 200, "funding_rates": rows}

    def _trades(self, query: Query) -> object:
        rows = list(self._recent.get(self._instrument(query).symbol, ()))
        limit = query.get("limit", "")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise refused(400, 20001, "invalid param : limit")
        return {"code": 200, "trades": rows[::-1][: int(limit)]}


def _system(_: Query) -> object:
    return {"code": 200, "liquidity_pool_index": LLP_ACCOUNT, "liquidity_pool_cooldown_period": 300_000}


def _needs_token(_: Query) -> object:
    raise refused(401, 20013, "invalid auth")
