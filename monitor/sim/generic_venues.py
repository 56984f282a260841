"""The profiles by name, each as the preset of the same name expects the venue."""

from __future__ import annotations

from collections.abc import Mapping

from monitor.sim.generic import GenericSim
from monitor.sim.generic_bitget import BitgetSim
from monitor.sim.generic_gate import GateSim
from monitor.sim.generic_kucoin import KucoinSim
from monitor.sim.generic_mexc import MexcSim
from monitor.sim.generic_packed import BingxSim, HtxSim
from monitor.sim.generic_whitebit import WhitebitSim

SIMS: Mapping[str, type[GenericSim]] = {
    sim.NAME: sim for sim in (GateSim, BitgetSim, MexcSim, KucoinSim, HtxSim, WhitebitSim, BingxSim)
}
