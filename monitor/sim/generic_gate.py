"""Gate on loopback: three shapes of ``result``, forced orders whose size has a sign."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from monitor.numbers import shortest
from monitor.sim.generic import GenericSim, Payload, Published, Query, ladder_caps, max_leverage, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.streams import Client


class GateSim(GenericSim):
    """Gate: ``result`` comes as a list, a list of lists and a single object, in turn; a socket without a client's word
    for 20 s is closed.
    """

    NAME = "gate"
    LIMITS = Limits(idle_client_seconds=20.0, weight_per_minute=1200)
    PATH = "/v4/ws/usdt"
    PATHS = (PATH,)
    CHANNELS: ClassVar = ("futures.tickers", "futures.public_liquidates")

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe, unsubscribe or pong."""
        channel, event = message.get("channel"), message.get("event", "")
        answer = {"time": int(self.wall()), "time_ms": ms(self.wall()), "channel": channel, "event": event}
        if "id" in message:
            answer["id"] = message["id"]
        if channel == "futures.ping":
            return {**answer, "channel": "futures.pong", "event": "", "error": None, "result": None}
        unknown = [name for name in message.get("payload", ()) if not self.known(name) and name != "!all"]
        if channel not in self.CHANNELS or unknown:
            words = f"unknown contract {unknown[0]}" if unknown else f"unknown channel {channel}"
            return {**answer, "error": {"code": 2, "message": words}, "result": {"status": "fail"}}
        for name in message.get("payload", ()):
            if event == "subscribe":
                self.streams.subscribe(client, f"{channel}:{name}")
            else:
                self.streams.unsubscribe(client, f"{channel}:{name}")
        return {**answer, "error": None, "result": {"status": "success"}}

    def _update(self, channel: str, result: object) -> Payload:
        now = self.wall()
        return {"time": int(now), "time_ms": ms(now), "channel": channel, "event": "update", "result": result}

    def frames(self, instrument: Instrument, number: int) -> Iterator[Published]:
        """Yield the ticker."""
        row = {
            "contract": instrument.symbol,
            "last": shortest(instrument.last_price),
            "mark_price": shortest(instrument.mark_price),
            "index_price": shortest(instrument.index_price),
            "funding_rate": shortest(instrument.funding_rate),
            "funding_rate_indicative": shortest(instrument.funding_rate),
            "total_size": shortest(instrument.open_interest),
            "quanto_base_rate": "",
        }
        result: object = ([row], [[row]], row)[number % 3]
        yield self.PATH, f"futures.tickers:{instrument.symbol}", self._update("futures.tickers", result)

    def liquidation(self, instrument: Instrument, printed: LiquidationPrint) -> Iterator[Published]:
        """Yield the forced order: its size has the sign of the order."""
        sign = 1.0 if printed.order_side == "buy" else -1.0
        row = {
            "contract": instrument.symbol,
            "price": shortest(printed.fill_price),
            "size": shortest(sign * printed.contracts),
            "time": int(self.wall()),
            "time_ms": ms(self.wall()),
        }
        update = self._update("futures.public_liquidates", [row])
        for name in (instrument.symbol, "!all"):
            yield self.PATH, f"futures.public_liquidates:{name}", update

    def _contract(self, instrument: Instrument) -> Payload:
        return {
            "name": instrument.symbol,
            "type": "direct",
            "quanto_multiplier": shortest(instrument.listing.contract_size),
            "order_price_round": shortest(instrument.listing.tick_size),
            "maintenance_rate": shortest(instrument.tiers[0].maintenance_rate),
            "funding_rate": shortest(instrument.funding_rate),
            "funding_interval": int(self.funding_seconds(instrument)),
            "funding_next_apply": int(self.next_funding(instrument)),
            "in_delisting": instrument.status != "TRADING",
            "mark_price": shortest(instrument.mark_price),
        }

    def _tiers(self, query: Query) -> object:
        instrument = self.market.instruments.get(query.get("contract", ""))
        rows = [] if instrument is None else ladder_caps(instrument)
        return [
            {
                "tier": number,
                "risk_limit": shortest(cap),
                "maintenance_rate": shortest(rate),
                "initial_rate": shortest(2 * rate),
                "leverage_max": str(max_leverage(rate)),
                "deduction": shortest(deduction),
            }
            for number, _, cap, rate, deduction in rows
        ]

    def _insurance(self, _query: Query) -> object:
        balance, when = self.balance(self.listed()[0].symbol)
        return [{"t": int(when), "b": shortest(balance)}, {"t": int(when) - 86_400, "b": shortest(balance)}]

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers below ``/api/v4``."""
        base = "/api/v4/futures/usdt"
        return {
            f"{base}/contracts": lambda _: [self._contract(each) for each in self.listed()],
            f"{base}/contracts/*": lambda query: self._contract(self.market.instrument(query["symbol"])),
            f"{base}/risk_limit_tiers": self._tiers,
            f"{base}/insurance": self._insurance,
            "/api/v4/spot/time": lambda _: {"server_time": ms(self.wall())},
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"label": "TOO_MANY_REQUESTS", "message": "Request Rate Limit Exceeded"}

    def not_found(self) -> object:
        """Return the venue's error body."""
        return {"label": "CONTRACT_NOT_FOUND", "message": "contract not found"}
