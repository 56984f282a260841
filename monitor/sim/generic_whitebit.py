"""WhiteBIT on loopback: no mark price, and a list that a second request replaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monitor.numbers import shortest
from monitor.sim.generic import GenericSim, Payload, Published, Query, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument
from monitor.sim.streams import Client


class WhitebitSim(GenericSim):
    """WhiteBIT: no mark price; a second request of a method replaces the first; silence of 60 s closes."""

    NAME = "whitebit"
    LIMITS = Limits(idle_client_seconds=60.0, weight_per_minute=6000)
    PATH = "/ws"
    PATHS = (PATH,)

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe, or pong."""
        number, method, wanted = message.get("id"), message.get("method"), message.get("params")
        if method == "ping":
            return {"id": number, "result": "pong", "error": None}
        if method != "lastprice_subscribe" or not isinstance(wanted, list) or not all(map(self.known, wanted)):
            return {"id": number, "result": None, "error": {"code": 1, "message": "invalid argument"}}
        for stream in list(client.streams):
            self.streams.unsubscribe(client, stream)
        for symbol in wanted:
            self.streams.subscribe(client, f"lastprice:{symbol}")
        return {"id": number, "result": {"status": "success"}, "error": None}

    def frames(self, instrument: Instrument, _number: int) -> Iterator[Published]:
        """Yield the last price, an array by position."""
        prices = [instrument.symbol, shortest(instrument.last_price)]
        yield self.PATH, f"lastprice:{instrument.symbol}", {"id": None, "method": "lastprice_update", "params": prices}

    def _futures(self, _query: Query) -> object:
        rows = [
            {
                "ticker_id": each.symbol,
                "stock_currency": each.listing.base,
                "money_currency": each.listing.quote,
                "last_price": shortest(each.last_price),
                "index_price": shortest(each.index_price),
                "open_interest": shortest(each.open_interest),
                "funding_rate": f"{each.funding_rate:.18f}",
                "next_funding_rate_timestamp": str(ms(self.next_funding(each))),
                "funding_interval_minutes": int(self.funding_seconds(each) / 60),
                "brackets": {"1": "0", "100": "50"},
                "max_leverage": 100,
            }
            for each in self.listed()
        ]
        return {"success": True, "message": None, "result": rows}

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers below ``/api/v4/public``."""
        return {
            "/api/v4/public/futures": self._futures,
            "/api/v4/public/time": lambda _: {"time": int(self.wall())},
        }
