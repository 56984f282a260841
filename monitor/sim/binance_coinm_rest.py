"""The REST endpoints of a simulated Binance COIN-M venue, as far as they differ from USD-M's.

Arrays where the other product answers objects, ``pair`` beside ``symbol``, quantities in contracts; no insurance
balance and no ADL rating.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from monitor.sim.binance_frames import Payload
from monitor.sim.binance_rest import BinanceRest, Endpoints, Query, depth_weight, needs_key, one
from monitor.sim.market import Instrument


class CoinmRest(BinanceRest):
    """The endpoints under ``/dapi``."""

    PRODUCT: ClassVar[Literal["UM", "CM"]] = "CM"

    def endpoints(self) -> Endpoints:
        """Return what can be asked for, each with its weight."""
        return {
            "/dapi/v1/ping": (one, lambda _: {}),
            "/dapi/v1/time": (one, self._time),
            "/dapi/v1/exchangeInfo": (one, self._exchange_info),
            "/dapi/v1/premiumIndex": (lambda _: 10, self._premium_index),
            "/dapi/v1/fundingInfo": (lambda _: 0, self._funding_info),
            "/dapi/v1/openInterest": (one, self._open_interest),
            "/dapi/v1/depth": (depth_weight, self._depth),
            "/dapi/v1/leverageBracket": (one, needs_key),
            "/dapi/v2/leverageBracket": (one, needs_key),
        }

    def _premium_index(self, query: Query) -> object:
        """An array, whatever is asked for: one contract, those of a pair, or all."""
        if "symbol" in query:
            return [self._premium(self._asked(query))]
        pair = query.get("pair")
        return [self._premium(found) for found in self._listed() if pair in (None, found.listing.pair)]

    def _premium(self, found: Instrument) -> Payload:
        return super()._premium(found) | {"pair": found.listing.pair}

    def _open_interest(self, query: Query) -> Payload:
        listing = self._asked(query).listing
        return super()._open_interest(query) | {"pair": listing.pair, "contractType": listing.contract_type}

    def _depth(self, query: Query) -> Payload:
        found = super()._depth(query)
        return found | {"symbol": query["symbol"], "pair": self._asked(query).listing.pair}

    def _exchange_info(self, query: Query) -> Payload:
        found = super()._exchange_info(query)
        return {name: value for name, value in found.items() if name not in {"assets", "futuresType"}}
