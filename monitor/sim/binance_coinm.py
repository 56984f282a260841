"""A Binance COIN-M venue on loopback.

Played: what :mod:`.binance_host` has; one path for everything (``/ws`` and ``/stream``), the mark prices of all
contracts of a pair in one array, index prices, and the endpoints of :mod:`.binance_coinm_rest`. There are no mark
prices of all contracts, no insurance balance and no ADL rating.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit

from monitor.sim import binance_frames as frames
from monitor.sim.binance_coinm_rest import CoinmRest
from monitor.sim.binance_depth import Depth
from monitor.sim.binance_host import BinanceHost, streams_of
from monitor.sim.cast import Role
from monitor.sim.streams import Route

PLAIN = "plain"
"""The one path: the host is not split."""

COIN_TIERS = ((0.0, 0.004), (100.0, 0.005), (200.0, 0.0065), (500.0, 0.01))
"""A ladder in coins: the amounts of the story stay in its first tier."""


class BinanceCoinmSim(BinanceHost):
    """The COIN-M host."""

    NAME: ClassVar[str] = "binance-coinm"
    PRODUCT: ClassVar[Literal["UM", "CM"]] = "CM"
    MARKET_PATH: ClassVar[str] = PLAIN
    BOOK_PATH: ClassVar[str] = PLAIN
    TICKER_PERIOD: ClassVar[int] = 1
    ALL_BOOKS_PERIOD: ClassVar[int] = 1
    CAST: ClassVar[Mapping[str, Role]] = {
        "BTCUSDT": Role(
            symbol="BTCUSD_PERP",
            base="BTC",
            quote="USD",
            inverse=True,
            contract_size=100.0,
            listing={
                "step_size": 1.0,
                "open_interest": 6_210_331.0,
                "tiers": ((0.0, 0.004), (5.0, 0.005), (10.0, 0.0065), (20.0, 0.01)),
            },
        ),
        "BTCUSDC": Role(
            symbol="ETHUSD_PERP",
            base="ETH",
            quote="USD",
            inverse=True,
            contract_size=10.0,
            price_scale=0.05,
            listing={"step_size": 1.0, "open_interest": 9_120_500.0, "tiers": COIN_TIERS},
        ),
        "ETHUSDT": Role(
            symbol="SOLUSD_PERP",
            base="SOL",
            quote="USD",
            inverse=True,
            contract_size=10.0,
            price_scale=0.1,
            listing={"step_size": 1.0, "open_interest": 5_120_000.0, "tiers": COIN_TIERS},
        ),
    }

    def route(self, target: str) -> Route | None:
        """Return where an address leads: ``/ws[/stream...]`` or ``/stream?streams=``."""
        address = urlsplit(target)
        parts = address.path.strip("/").split("/")
        if parts == ["stream"]:
            return Route(PLAIN, streams_of(address.query), combined=True)
        if parts[0] == "ws":
            return Route(PLAIN, tuple(unquote(name) for name in parts[1:] if name), combined=False)
        return None

    def rest_of_host(self, depth: Depth) -> CoinmRest:
        """Return the ``/dapi`` endpoints."""
        return CoinmRest(self.market, self.limits, depth, wall=self.wall)

    def send_mark_arrays(self, suffix: str) -> None:
        """Send all contracts of a pair in one array and, every second, the pair's index price."""
        own = [instrument for instrument in self._speaking() if self._own(instrument)]
        for pair in dict.fromkeys(instrument.listing.pair for instrument in own):
            of_pair = [instrument for instrument in own if instrument.listing.pair == pair]
            name = f"{frames.lower(pair)}@markPrice{suffix}"
            if self.streams.wanted(PLAIN, name) and (rows := self._mark_rows(name, of_pair)):
                self._send(PLAIN, name, rows)
            name = f"{frames.lower(pair)}@indexPrice"
            if suffix and self.streams.wanted(PLAIN, name):
                self._send(PLAIN, name, frames.index_price_update(of_pair[0], self.wall()))
