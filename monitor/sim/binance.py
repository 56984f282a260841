"""A Binance USD-M venue on loopback.

Played: what :mod:`.binance_host` has; the routed paths ``/public`` and ``/market`` (an unrouted address behaves like
``/public``, ``/private`` stays silent), all mark prices in two frames, and the endpoints of :mod:`.binance_rest`.
"""

from __future__ import annotations

from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit

from monitor.sim.binance_depth import Depth
from monitor.sim.binance_host import BinanceHost, streams_of
from monitor.sim.binance_rest import BinanceRest
from monitor.sim.streams import Route

PUBLIC, MARKET, PRIVATE = "public", "market", "private"
ARRAY_SPLIT = 0.75
"""The part of an all-market mark price tick that comes in its first frame; the rest comes in a second."""


class BinanceSim(BinanceHost):
    """The USD-M host."""

    NAME: ClassVar[str] = "binance"
    PRODUCT: ClassVar[Literal["UM", "CM"]] = "UM"
    MARKET_PATH: ClassVar[str] = MARKET
    BOOK_PATH: ClassVar[str] = PUBLIC
    TICKER_PERIOD: ClassVar[int] = 2
    ALL_BOOKS_PERIOD: ClassVar[int] = 5

    def route(self, target: str) -> Route | None:
        """Return where an address leads: ``[/public|/market|/private]/ws[/stream...]`` or ``.../stream?streams=``."""
        address = urlsplit(target)
        path, parts = PUBLIC, address.path.strip("/").split("/")
        if parts[0] in (PUBLIC, MARKET, PRIVATE):
            path = parts.pop(0)
        if parts == ["stream"]:
            return Route(path, streams_of(address.query), combined=True)
        if parts[:1] == ["ws"]:
            return Route(path, tuple(unquote(name) for name in parts[1:] if name), combined=False)
        return None

    def rest_of_host(self, depth: Depth) -> BinanceRest:
        """Return the ``/fapi`` endpoints."""
        return BinanceRest(self.market, self.limits, depth, wall=self.wall)

    def send_mark_arrays(self, suffix: str) -> None:
        """Send the USD-M contracts together, in two frames."""
        name = f"!markPrice@arr{suffix}"
        if not self.streams.wanted(MARKET, name):
            return
        rows = self._mark_rows(name, self._speaking())
        split = max(1, int(len(rows) * ARRAY_SPLIT))
        for part in (rows[:split], rows[split:]):
            if part:
                self._send(MARKET, name, part)
