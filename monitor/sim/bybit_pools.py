"""The insurance pools of a simulated Bybit venue, as its streams tell of them: isolated ones, when they change."""

from __future__ import annotations

from collections.abc import Callable

from monitor.sim import bybit_frames as frames
from monitor.sim.market import Instrument, Market

MARKETS = (("linear", "USDT"), ("linear", "USDC"), ("inverse", "inverse"))
"""Paths, and what topics about a whole market are called by there."""


class Pools:
    """Remembers which balances have been told."""

    def __init__(self, market: Market, wall: Callable[[], float]) -> None:
        self._market = market
        self._wall = wall
        self._told: dict[tuple[str, str], str] = {}

    def rows(self, market: str) -> list[frames.Payload]:
        """Return the isolated pools of a market. Shared pools are never streamed."""
        return [
            row
            for pool in self._market.pools
            if len(pool.symbols) == 1
            for row in frames.pool_rows(pool, self._wall())
            if (row["coin"] if row["coin"] in ("USDT", "USDC") else "inverse") == market
        ]

    def news(self, market: str) -> list[frames.Payload]:
        """Return those whose balance is another than when this was asked last."""
        found = []
        for row in self.rows(market):
            key = row["coin"], row["symbols"]
            if self._told.setdefault(key, row["balance"]) != row["balance"]:
                self._told[key] = row["balance"]
                found.append(row)
        return found

    def alerts(self, market: str, silent: Callable[[Instrument], bool]) -> list[frames.Payload]:
        """Return where the contracts of a market stand against their ADL trigger."""
        return [
            frames.adl_alert(instrument, pool, rest=False)
            for instrument in self._market.instruments.values()
            if frames.market_of(instrument) == market
            and frames.speaks(instrument)
            and not silent(instrument)
            and (pool := self._market.pool_of(instrument.symbol)) is not None
        ]
