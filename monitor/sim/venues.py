"""The simulated venues, one line each."""

from __future__ import annotations

from monitor.sim.binance import BinanceSim
from monitor.sim.binance_coinm import BinanceCoinmSim
from monitor.sim.bybit import BybitSim
from monitor.sim.deribit import DeribitSim
from monitor.sim.dydx import DydxSim
from monitor.sim.hyperliquid import HyperliquidSim
from monitor.sim.kraken_futures import KrakenFuturesSim
from monitor.sim.lighter import LighterSim
from monitor.sim.okx import OkxSim
from monitor.sim.venue import VenueSim

SIMS: dict[str, type[VenueSim]] = {
    sim.NAME: sim
    for sim in (
        BinanceSim,
        BinanceCoinmSim,
        BybitSim,
        DeribitSim,
        DydxSim,
        HyperliquidSim,
        KrakenFuturesSim,
        LighterSim,
        OkxSim,
    )
}
"""By the venue's name."""
