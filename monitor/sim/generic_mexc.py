"""MEXC on loopback: numbers instead of decimal texts, refusals without a number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from monitor.sim.generic import GenericSim, Payload, Published, Query, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument
from monitor.sim.streams import Client


class MexcSim(GenericSim):
    """MEXC: numbers instead of decimal texts; a refusal has no number; silence of 60 s closes."""

    NAME = "mexc"
    LIMITS = Limits(idle_client_seconds=60.0, weight_per_minute=600)
    PATH = "/edge"
    PATHS = (PATH,)
    CHANNELS: ClassVar = ("ticker", "fair.price", "funding.rate")

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe, unsubscribe or pong."""
        method, symbol = str(message.get("method", "")), message.get("param", {}).get("symbol")
        if method == "ping":
            return {"channel": "pong", "data": ms(self.wall())}
        operation, _, channel = method.partition(".")
        if channel not in self.CHANNELS or not self.known(symbol):
            return {"channel": "rs.error", "data": f"Contract [{symbol}] not exists", "ts": ms(self.wall())}
        (self.streams.subscribe if operation == "sub" else self.streams.unsubscribe)(client, f"{channel}:{symbol}")
        return {"channel": f"rs.{method}", "data": "success", "ts": ms(self.wall())}

    def frames(self, instrument: Instrument, _number: int) -> Iterator[Published]:
        """Yield ticker, fair price and funding rate."""
        symbol, now = instrument.symbol, ms(self.wall())
        payloads: Iterable[tuple[str, Payload]] = (
            (
                "ticker",
                {
                    "symbol": symbol,
                    "lastPrice": instrument.last_price,
                    "fairPrice": instrument.mark_price,
                    "indexPrice": instrument.index_price,
                    "fundingRate": instrument.funding_rate,
                    "holdVol": int(instrument.open_interest),
                    "timestamp": now,
                },
            ),
            ("fair.price", {"price": instrument.mark_price, "symbol": symbol}),
            (
                "funding.rate",
                {
                    "rate": instrument.funding_rate,
                    "symbol": symbol,
                    "nextSettleTime": ms(self.next_funding(instrument)),
                },
            ),
        )
        for channel, data in payloads:
            frame = {"channel": f"push.{channel}", "data": data, "symbol": symbol, "ts": now}
            yield self.PATH, f"{channel}:{symbol}", frame

    def _envelope(self, data: object) -> Payload:
        return {"success": True, "code": 0, "data": data}

    def _detail(self, query: Query) -> object:
        rows = [self._contract(each) for each in self.listed() if query.get("symbol") in (None, each.symbol)]
        return self._envelope(rows[0] if "symbol" in query and rows else rows)

    def _contract(self, each: Instrument) -> Payload:
        tiers, size = each.tiers, each.listing.contract_size * each.mark_price
        first = tiers[1].floor / size if len(tiers) > 1 else 1e9
        return {
            "symbol": each.symbol,
            "baseCoin": each.listing.base,
            "quoteCoin": each.listing.quote,
            "settleCoin": each.listing.quote,
            "contractSize": each.listing.contract_size,
            "priceUnit": each.listing.tick_size,
            "state": 0 if each.status == "TRADING" else 2,
            "maintenanceMarginRate": tiers[0].maintenance_rate,
            "riskBaseVol": round(first),
            "riskIncrVol": round(first),
            "riskIncrMmr": tiers[0].maintenance_rate,
            "riskLevelLimit": len(tiers),
            "riskLimitType": "BY_VOLUME",
            "riskLimitMode": "INCREASE",
        }

    def _funding(self, query: Query) -> object:
        each = self.market.instrument(query["symbol"])
        return self._envelope(
            {
                "symbol": each.symbol,
                "fundingRate": each.funding_rate,
                "maxFundingRate": 0.0018,
                "minFundingRate": -0.0018,
                "collectCycle": int(self.funding_seconds(each) / 3600),
                "nextSettleTime": ms(self.next_funding(each)),
            }
        )

    def _reverse(self, _query: Query) -> object:
        rows = []
        for each in self.listed():
            balance, when = self.balance(each.symbol)
            rows.append({"symbol": each.symbol, "currency": "USDT", "available": balance, "timestamp": ms(when)})
        return self._envelope(rows)

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers below ``/api/v1/contract``."""
        base = "/api/v1/contract"
        return {
            f"{base}/detail": self._detail,
            f"{base}/funding_rate/*": self._funding,
            f"{base}/risk_reverse": self._reverse,
            f"{base}/ping": lambda _: self._envelope(ms(self.wall())),
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"success": False, "code": 510, "message": "Requests are too frequent"}
