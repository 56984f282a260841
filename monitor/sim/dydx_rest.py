"""The REST endpoints of a simulated dYdX indexer, and of a node of its chain under the same address.

The indexer allows 100 requests in ten seconds, then comes 429 with a Retry-After in milliseconds. The node tells bank
balances: one account holds the insurance fund of all markets, any other is empty.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Protocol

from monitor.sim import dydx_frames as frames
from monitor.sim.dydx_frames import Payload
from monitor.sim.limits import Limits
from monitor.sim.market import Market
from monitor.sim.rest import RefusedError, Reply

WINDOW_SECONDS = 10.0
HOUR = 3600.0

BALANCES = "/cosmos/bank/v1beta1/balances/"
FUND_ACCOUNT = "dydx1c7ptc87hkd54e3r7zjy92q29xkq7t79w64slrq"
USDC = "ibc/8E27BA2D5493AF5636760E354E46004562C46AB7EC0CC4C1CA14E9E20E2545B5"
USDC_UNITS = 1_000_000


class Chain(Protocol):
    """What the indexer knows: the newest block, and what it has of each market."""

    height: int
    block_time: float

    def row(self, symbol: str) -> Payload:
        """Return a whole market row."""

    def trades(self, symbol: str) -> list[Payload]:
        """Return the newest trades, newest first."""

    def whole_book(self, symbol: str) -> Payload:
        """Return the order book."""


class DydxRest:
    """Answers requests. ``wall`` gives epoch seconds, ``clock`` the scenario's."""

    def __init__(
        self, market: Market, limits: Limits, chain: Chain, *, wall: Callable[[], float], clock: Callable[[], float]
    ) -> None:
        self._market = market
        self._points = max(1, round(limits.weight_per_minute * WINDOW_SECONDS / 60.0))
        self._chain = chain
        self._wall = wall
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}

    def answer(self, path: str, query: Mapping[str, str], address: str) -> Reply:
        """Return the reply to a request of *address*."""
        if path.startswith(BALANCES):
            return Reply(200, self._balances(path.removeprefix(BALANCES)))
        headers, left = self._charge(address)
        if left < 0:
            return Reply(429, frames.errors("Too many requests"), headers)
        try:
            body = self._body(path.removeprefix("/v4"), query) if path.startswith("/v4/") else None
        except RefusedError as refused:
            return Reply(refused.reply.status, refused.reply.body, headers)
        return Reply(404, frames.errors("Not Found"), headers) if body is None else Reply(200, body, headers)

    def _charge(self, address: str) -> tuple[dict[str, str], int]:
        now, times = self._clock(), self._asked.setdefault(address, deque())
        while times and now - times[0] >= WINDOW_SECONDS:
            times.popleft()
        left = self._points - len(times) - 1
        wait_ms = round((WINDOW_SECONDS - (now - times[0] if times else 0.0)) * 1000)
        headers = {
            "RateLimit-Limit": str(self._points),
            "RateLimit-Remaining": str(max(0, left)),
            "RateLimit-Reset": str(round(self._wall() * 1000) + wait_ms),
        }
        if left < 0:
            headers["Retry-After"] = str(wait_ms)
        else:
            times.append(now)
        return headers, left

    def _body(self, path: str, query: Mapping[str, str]) -> Payload | None:
        chain, wall = self._chain, self._wall()
        match path.strip("/").split("/", 2):
            case ["time"]:
                return {"iso": frames.iso(wall), "epoch": round(wall, 3)}
            case ["height"]:
                return {"height": str(chain.height), "time": frames.iso(chain.block_time)}
            case ["perpetualMarkets"]:
                asked = [self._listed(query["ticker"])] if "ticker" in query else list(self._market.instruments)
                return {"markets": {symbol: chain.row(symbol) for symbol in asked}}
            case ["trades", "perpetualMarket", symbol]:
                return {"trades": chain.trades(self._listed(symbol))}
            case ["orderbooks", "perpetualMarket", symbol]:
                return chain.whole_book(self._listed(symbol))
            case ["historicalFunding", symbol]:
                return {"historicalFunding": [self._funded(self._listed(symbol))]}
        return None

    def _balances(self, account: str) -> Payload:
        """Return what an account holds; the story's first pool is the fund, all its assets are USDC here."""
        held = sum(self._market.pools[0].balances.values()) if self._market.pools and account == FUND_ACCOUNT else 0.0
        coins = [{"denom": "adydx", "amount": "5000000000000000000000"}] if account == FUND_ACCOUNT else []
        if held > 0.0:
            coins.append({"denom": USDC, "amount": str(round(held * USDC_UNITS))})
        return {"balances": coins, "pagination": {"next_key": None, "total": str(len(coins))}}

    def _listed(self, symbol: str) -> str:
        if symbol not in self._market.instruments:
            wrong = "ticker must be a valid ticker (BTC-USD, etc)"
            raise RefusedError(400, 0, wrong, frames.errors(wrong, param="ticker", location="query", value=symbol))
        return symbol

    def _funded(self, symbol: str) -> Payload:
        """Return the newest hour that was charged."""
        found = self._market.instrument(symbol)
        return {
            "ticker": symbol,
            "rate": frames.decimal(found.funding_rate),
            "price": frames.decimal(found.mark_price),
            "effectiveAt": frames.iso(self._wall() // HOUR * HOUR),
            "effectiveAtHeight": str(self._chain.height),
        }
