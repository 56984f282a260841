"""Bitget (v3) on loopback: rows without contract and time, forced orders in quote currency."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from monitor.numbers import shortest
from monitor.sim.generic import GenericSim, Payload, Published, Query, ladder_caps, max_leverage, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.streams import Client


class BitgetSim(GenericSim):
    """Bitget v3: rows without contract and time; the text ``ping`` is answered, silence of 30 s closes."""

    NAME = "bitget"
    LIMITS = Limits(idle_client_seconds=30.0, weight_per_minute=1200, streams_per_connection=1000)
    PATH = "/v3/ws/public"
    PATHS = (PATH,)

    async def hear(self, client: Client, text: str) -> None:
        """Answer the text ``ping``; everything else is JSON."""
        if text == "ping":
            client.send(b"pong")
            return
        await super().hear(client, text)

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe or unsubscribe one argument after the other, each with an answer of its own."""
        answer: Payload | None = None
        for argument in message.get("args", ()):
            topic, symbol = argument.get("topic"), argument.get("symbol", "")
            fit = topic == "liquidation" or (topic == "ticker" and self.known(symbol))
            if not fit:
                what = f"instType:{argument.get('instType')},topic:{topic},symbol:{symbol} doesn't exist"
                answer = {"event": "error", "arg": argument, "code": 30001, "msg": what}
                continue
            change = self.streams.subscribe if message.get("op") == "subscribe" else self.streams.unsubscribe
            change(client, f"{topic}:{symbol}")
            answer = {"event": message.get("op"), "arg": argument}
        return answer

    def frames(self, instrument: Instrument, _number: int) -> Iterator[Published]:
        """Yield the ticker, whose row names no contract."""
        row = {
            "lastPrice": shortest(instrument.last_price),
            "markPrice": shortest(instrument.mark_price),
            "indexPrice": f"{instrument.index_price:.13f}",
            "fundingRate": shortest(instrument.funding_rate),
            "openInterest": shortest(instrument.open_interest),
            "deliveryTime": "",
            "nextFundingTime": str(ms(self.next_funding(instrument))),
        }
        argument = {"instType": "usdt-futures", "topic": "ticker", "symbol": instrument.symbol}
        frame = {"action": "snapshot", "arg": argument, "data": [row], "ts": ms(self.wall())}
        yield self.PATH, f"ticker:{instrument.symbol}", frame

    def liquidation(self, instrument: Instrument, printed: LiquidationPrint) -> Iterator[Published]:
        """Yield the forced order: ``side`` is the position's, ``amount`` in quote currency."""
        row = {
            "symbol": instrument.symbol,
            "side": "buy" if printed.order_side == "sell" else "sell",
            "price": shortest(printed.fill_price),
            "amount": shortest(printed.contracts * printed.fill_price),
            "ts": str(ms(self.wall())),
        }
        argument = {"instType": "usdt-futures", "topic": "liquidation"}
        yield self.PATH, "liquidation:", {"action": "update", "arg": argument, "data": [row], "ts": ms(self.wall())}

    def _envelope(self, data: object) -> Payload:
        return {"code": "00000", "msg": "success", "requestTime": ms(self.wall()), "data": data}

    def _contracts(self, _query: Query) -> object:
        return self._envelope(
            [
                {
                    "symbol": each.symbol,
                    "baseCoin": each.listing.base,
                    "quoteCoin": each.listing.quote,
                    "sizeMultiplier": "0.01",
                    "symbolStatus": "normal" if each.status == "TRADING" else "off",
                    "fundInterval": str(int(self.funding_seconds(each) / 3600)),
                }
                for each in self.listed()
            ]
        )

    def _funding(self, query: Query) -> object:
        each = self.market.instruments.get(query.get("symbol", ""))
        return self._envelope(
            [
                {
                    "symbol": each.symbol,
                    "fundingRate": shortest(each.funding_rate),
                    "fundingRateInterval": str(int(self.funding_seconds(each) / 3600)),
                    "nextUpdate": str(ms(self.next_funding(each))),
                    "minFundingRate": "-0.003",
                    "maxFundingRate": "0.003",
                }
            ]
            if each is not None
            else []
        )

    def _tiers(self, query: Query) -> object:
        instrument = self.market.instruments.get(query.get("symbol", ""))
        return self._envelope(
            [
                {
                    "symbol": query.get("symbol"),
                    "level": str(number),
                    "startUnit": shortest(floor),
                    "endUnit": shortest(cap),
                    "leverage": str(max_leverage(rate)),
                    "keepMarginRate": shortest(rate),
                }
                for number, floor, cap, rate, _ in (ladder_caps(instrument) if instrument is not None else ())
            ]
        )

    def _reserve(self, _query: Query) -> object:
        return self._envelope(
            [
                {"symbols": list(pool.symbols), "coin": coin, "balance": shortest(amount)}
                for pool in self.market.pools
                for coin, amount in pool.balances.items()
            ]
        )

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers, each in the venue's envelope."""
        return {
            "/api/v2/mix/market/contracts": self._contracts,
            "/api/v3/market/current-fund-rate": self._funding,
            "/api/v2/mix/market/query-position-lever": self._tiers,
            "/api/v3/market/risk-reserve-all": self._reserve,
            "/api/v2/public/time": lambda _: self._envelope({"serverTime": str(ms(self.wall()))}),
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"code": "429", "msg": "Too Many Requests", "requestTime": ms(self.wall()), "data": None}
