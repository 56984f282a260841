"""The public methods of a simulated Deribit, the same over HTTP and websocket, and the credits that they cost.

An address without a key has one pool for subscriptions, one for the list of instruments and one for all else. A call that
finds its pool empty is answered 10028; over a websocket that also ends the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from monitor.sim import deribit_frames as frames
from monitor.sim.deribit_frames import Payload
from monitor.sim.market import Instrument
from monitor.sim.stage import Stage

VERSION = "1.2.26"
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR", "any")
ERRORS = {
    10028: "too_many_requests",
    11050: "bad_request",
    11051: "system_maintenance",
    13004: "invalid_credentials",
    13009: "unauthorized",
    13020: "instrument_not_found",
    13778: "raw_subscriptions_not_available_for_unauthorized",
    -32600: "Invalid Request",
    -32601: "Method not found",
    -32602: "Invalid params",
    -32700: "Parse error",
}


class RpcError(Exception):
    """A call that is answered with an error."""

    def __init__(self, code: int, **data: object) -> None:
        super().__init__(ERRORS[code])
        self.code = code
        self.error: Payload = {"code": code, "message": ERRORS[code]} | ({"data": data} if data else {})


class Credits:
    """Pools of credits that fill up by the scenario's time: method -> (cost, most, refill a second)."""

    POOLS: Mapping[str, tuple[float, float, float]] = {
        "subscribe": (3_000.0, 30_000.0, 10_000.0),
        "get_instruments": (10_000.0, 500_000.0, 10_000.0),
        "": (500.0, 50_000.0, 10_000.0),
    }

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = {name: (most, clock()) for name, (_, most, _) in self.POOLS.items()}

    def spend(self, method: str) -> None:
        """Pay for one call. Raises ``RpcError`` where there is too little left."""
        name = method.rpartition("/")[2]
        pool = name if name in self.POOLS else ""
        cost, most, refill = self.POOLS[pool]
        left, since = self._left[pool]
        now = self._clock()
        left = min(most, left + (now - since) * refill)
        self._left[pool] = (max(0.0, left - cost), now) if left >= cost else (left, now)
        if left < cost:
            raise RpcError(10028)


class Methods:
    """Answers calls from the state of a market. ``locked`` are the indices whose trading is locked."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.locked: set[str] = set()
        self.bankruptcies: dict[str, list[Payload]] = {}
        """Currency -> settlements of type bankruptcy, newest first."""
        self.maintenance_until = float("-inf")
        """On the scenario's clock."""
        self._methods: dict[str, Callable[[Mapping[str, Any]], object]] = {
            "public/test": lambda _: {"version": VERSION},
            "public/hello": lambda _: {"version": VERSION},
            "public/get_time": lambda _: frames.ms(stage.wall()),
            "public/status": self._status,
            "public/get_instruments": self._instruments,
            "public/get_instrument": lambda asked: frames.instrument(self._asked(asked)),
            "public/ticker": self._ticker,
            "public/get_order_book": self._order_book,
            "public/get_book_summary_by_currency": self._summary,
            "public/get_index_price": self._index_price,
            "public/get_last_settlements_by_currency": self._settlements,
        }

    def call(self, method: str, params: Mapping[str, Any]) -> object:
        """Return the result of a call. Raises ``RpcError``."""
        if self.maintenance_until > self._stage.clock():
            raise RpcError(11051)
        if method == "public/auth":
            raise RpcError(13004)
        if method.startswith("private/"):
            raise RpcError(13009)
        if method not in self._methods:
            raise RpcError(-32601)
        return self._methods[method](params)

    def find(self, name: object) -> Instrument | None:
        """Return the contract of that name, if there is one."""
        return self._stage.market.instruments.get(name) if isinstance(name, str) else None

    def of_currency(self, currency: object) -> list[Instrument]:
        """Return the contracts that settle in a currency. Raises ``RpcError`` for an unknown one."""
        if currency not in CURRENCIES:
            raise RpcError(-32602, reason="wrong format", param="currency")
        listed = self._stage.market.instruments.values()
        return [found for found in listed if currency in {"any", found.listing.settle}]

    def _asked(self, params: Mapping[str, Any]) -> Instrument:
        if "instrument_name" not in params:
            raise RpcError(-32602, reason="value required", param="instrument_name")
        found = self.find(params["instrument_name"])
        if found is None:
            raise RpcError(13020)
        return found

    def _status(self, _: Mapping[str, Any]) -> object:
        everything = {frames.price_index(found) for found in self._stage.market.instruments.values()}
        locked = "true" if everything <= self.locked else "partial" if self.locked else "false"
        return {"locked": locked, "locked_indices": sorted(self.locked)}

    def _instruments(self, params: Mapping[str, Any]) -> object:
        if params.get("kind", "future") != "future":
            return []
        return [frames.instrument(found) for found in self.of_currency(params.get("currency"))]

    def _ticker(self, params: Mapping[str, Any]) -> object:
        found = self._asked(params)
        return frames.ticker(found, self._stage.book(found.symbol), self._stage.wall())

    def _order_book(self, params: Mapping[str, Any]) -> object:
        found = self._asked(params)
        book, wall = self._stage.book(found.symbol), self._stage.wall()
        try:
            depth = int(params.get("depth", 5))
        except (TypeError, ValueError):
            raise RpcError(-32602, reason="wrong format", param="depth") from None
        return frames.ticker(found, book, wall) | frames.grouped_book(found, book, depth, wall)

    def _summary(self, params: Mapping[str, Any]) -> object:
        wall = self._stage.wall()
        return [
            {
                "instrument_name": found.symbol,
                "mark_price": round(found.mark_price, 8),
                "last": round(found.last_price, 8),
                "open_interest": frames.amount(found, found.open_interest),
                "current_funding": found.funding_rate,
                "base_currency": found.listing.base,
                "quote_currency": found.listing.quote,
                "creation_timestamp": frames.ms(wall),
            }
            for found in self.of_currency(params.get("currency"))
        ]

    def _index_price(self, params: Mapping[str, Any]) -> object:
        for found in self._stage.market.instruments.values():
            if frames.price_index(found) == params.get("index_name"):
                return {"index_price": found.index_price, "estimated_delivery_price": found.index_price}
        raise RpcError(-32602, reason="wrong format", param="index_name")

    def _settlements(self, params: Mapping[str, Any]) -> object:
        if params.get("currency") not in CURRENCIES:
            raise RpcError(-32602, reason="wrong format", param="currency")
        rows = self.bankruptcies.get(params["currency"], []) if params.get("type") == "bankruptcy" else []
        return {"settlements": rows[: int(params.get("count", 20))], "continuation": "none"}
