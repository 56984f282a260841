"""The simulated venues, one line each."""

from __future__ import annotations

from monitor.sim.binance import BinanceSim
from monitor.sim.venue import VenueSim

SIMS: dict[str, type[VenueSim]] = {sim.NAME: sim for sim in (BinanceSim,)}
"""By the venue's name."""
