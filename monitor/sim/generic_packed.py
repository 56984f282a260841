"""Profiles of venues that pack every frame with gzip and ping their clients: HTX, BingX."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from monitor.numbers import shortest
from monitor.sim.generic import GenericSim, Payload, Published, Query, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, LiquidationPrint
from monitor.sim.streams import Client

INDEX, MARKET, NOTIFICATION = "/ws_index", "/linear-swap-ws", "/linear-swap-notification"


class HtxSim(GenericSim):
    """HTX: three sockets, two conversations; a client that leaves five pings unanswered is let go."""

    NAME = "htx"
    LIMITS = Limits(weight_per_minute=2400)
    PATHS = (INDEX, MARKET, NOTIFICATION)
    PACKED = True
    PING_TICKS = 5
    UNANSWERED = 5

    def ping(self, client: Client) -> bytes | None:
        """Return a ping in the words of the socket."""
        now = ms(self.wall())
        words = {"op": "ping", "ts": str(now)} if client.path == NOTIFICATION else {"ping": now}
        return msgspec.json.encode(words)

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe or unsubscribe, in the words of the socket."""
        if "pong" in message or message.get("op") == "pong":
            self.answered(client)
            return None
        if client.path == NOTIFICATION:
            return self._obey_operation(client, message)
        operation = "sub" if "sub" in message else "unsub"
        topic = str(message.get(operation, ""))
        answer = {"id": message.get("id"), "ts": ms(self.wall())}
        if topic not in self._topics(client.path):
            words = {"status": "error", "err-code": "bad-request", "err-msg": f"invalid topic {topic}"}
            return {**answer, **words}
        (self.streams.subscribe if operation == "sub" else self.streams.unsubscribe)(client, topic)
        return {**answer, "status": "ok", f"{operation}bed": topic}

    def _topics(self, path: str) -> set[str]:
        kinds = ("mark_price.1min", "index.1min") if path == INDEX else ("detail",)
        return {f"market.{symbol}.{kind}" for symbol in self.market.instruments for kind in kinds}

    def _obey_operation(self, client: Client, message: Any) -> Payload:
        operation, topic = message.get("op"), str(message.get("topic", ""))
        answer = {"op": operation, "cid": message.get("cid"), "topic": topic, "ts": ms(self.wall())}
        parts = topic.split(".")
        if len(parts) != 3 or parts[2] not in ("funding_rate", "liquidation_orders"):
            return {**answer, "err-code": 2011, "err-msg": "invalid topic"}
        (self.streams.subscribe if operation == "sub" else self.streams.unsubscribe)(client, topic)
        return {**answer, "err-code": 0}

    def _candle(self, topic: str, price: float) -> Payload:
        now = self.wall()
        text = shortest(price)
        tick = {"id": int(now // 60 * 60), "open": text, "close": text, "high": text, "low": text}
        return {"ch": topic, "ts": ms(now), "tick": {**tick, "vol": "0", "trade_turnover": "0E-18"}}

    def frames(self, instrument: Instrument, number: int) -> Iterator[Published]:
        """Yield the candles of mark and index, the day's detail, and the funding rate every third tick."""
        name = f"market.{instrument.symbol}"
        yield INDEX, f"{name}.mark_price.1min", self._candle(f"{name}.mark_price.1min", instrument.mark_price)
        yield INDEX, f"{name}.index.1min", self._candle(f"{name}.index.1min", instrument.index_price)
        detail = {"ch": f"{name}.detail", "ts": ms(self.wall()), "tick": {"close": instrument.last_price, "count": 1}}
        yield MARKET, f"{name}.detail", detail
        if number % 3 == 1:
            row = {
                "symbol": instrument.listing.base,
                "contract_code": instrument.symbol,
                "fee_asset": instrument.listing.quote,
                "funding_time": str(ms(self.wall())),
                "funding_rate": f"{instrument.funding_rate:.18f}",
                "estimated_rate": None,
                "settlement_time": str(ms(self.next_funding(instrument))),
            }
            yield from self._notify("funding_rate", instrument, row)

    def _notify(self, kind: str, instrument: Instrument, row: Payload) -> Iterator[Published]:
        for name in ("*", instrument.symbol):
            topic = f"public.{name}.{kind}"
            yield NOTIFICATION, topic, {"op": "notify", "topic": topic, "ts": ms(self.wall()), "data": [row]}

    def liquidation(self, instrument: Instrument, printed: LiquidationPrint) -> Iterator[Published]:
        """Yield the forced order: its side is the order's, its price that of the bankruptcy."""
        row = {
            "symbol": instrument.listing.base,
            "contract_code": instrument.symbol,
            "direction": printed.order_side,
            "offset": "close",
            "volume": printed.contracts,
            "price": printed.fill_price,
            "amount": printed.contracts * instrument.listing.contract_size,
            "created_at": ms(self.wall()),
            "business_type": "swap",
        }
        yield from self._notify("liquidation_orders", instrument, row)

    def _envelope(self, data: object) -> Payload:
        return {"status": "ok", "ts": ms(self.wall()), "data": data}

    def _contracts(self, _query: Query) -> object:
        return self._envelope(
            [
                {
                    "symbol": each.listing.base,
                    "contract_code": each.symbol,
                    "contract_size": each.listing.contract_size,
                    "price_tick": each.listing.tick_size,
                    "delivery_time": "",
                    "contract_status": 1 if each.status == "TRADING" else 3,
                }
                for each in self.listed()
            ]
        )

    def _interest(self, query: Query) -> object:
        rows = [
            {"contract_code": each.symbol, "volume": each.open_interest}
            for each in self.listed()
            if query.get("contract_code") in (None, each.symbol)
        ]
        return self._envelope(rows)

    def _risk(self, _query: Query) -> object:
        rows = [
            {"contract_code": each.symbol, "insurance_fund": self.balance(each.symbol)[0], "estimated_clawback": 0}
            for each in self.listed()
        ]
        return self._envelope(rows)

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers below ``/linear-swap-api``."""
        base = "/linear-swap-api/v1"
        return {
            f"{base}/swap_contract_info": self._contracts,
            f"{base}/swap_open_interest": self._interest,
            f"{base}/swap_risk_info": self._risk,
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"status": "error", "err_code": 1032, "err_msg": "too many requests", "ts": ms(self.wall())}


class BingxSim(GenericSim):
    """BingX: the text ``Ping``, packed, every 5 s; one that is not answered before the next ends the connection."""

    NAME = "bingx"
    LIMITS = Limits(weight_per_minute=3000, streams_per_connection=200)
    PATH = "/swap-market"
    PATHS = (PATH,)
    PACKED = True
    PING_TICKS = 5
    UNANSWERED = 1

    def ping(self, _client: Client) -> bytes | None:
        """Return the text."""
        return b"Ping"

    async def hear(self, client: Client, text: str) -> None:
        """Take the text ``Pong``; everything else is JSON."""
        if text == "Pong":
            self.answered(client)
            return
        await super().hear(client, text)

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe or unsubscribe."""
        topic = str(message.get("dataType", ""))
        symbol, _, kind = topic.partition("@")
        answer = {"id": message.get("id"), "code": 0, "msg": "", "dataType": "", "data": None}
        if kind != "markPrice" or not self.known(symbol):
            return {**answer, "code": 80015, "msg": f"{topic} is invalid", "dataType": topic}
        if message.get("reqType") == "unsub":
            self.streams.unsubscribe(client, topic)
        elif not self.streams.subscribe(client, topic):
            return {**answer, "code": 80403, "msg": "too many topics", "dataType": topic}
        return answer

    def frames(self, instrument: Instrument, _number: int) -> Iterator[Published]:
        """Yield the mark price."""
        topic = f"{instrument.symbol}@markPrice"
        data = {"e": "markPriceUpdate", "E": ms(self.wall()), "s": instrument.symbol}
        frame = {"code": 0, "dataType": topic, "data": {**data, "p": shortest(instrument.mark_price)}}
        yield self.PATH, topic, frame

    def _envelope(self, data: object) -> Payload:
        return {"code": 0, "msg": "", "data": data}

    def _premium(self, query: Query) -> object:
        rows = [
            {
                "symbol": each.symbol,
                "markPrice": shortest(each.mark_price),
                "indexPrice": shortest(each.index_price),
                "lastFundingRate": f"{each.funding_rate:.8f}",
                "nextFundingTime": ms(self.next_funding(each)),
            }
            for each in self.listed()
            if query.get("symbol") in (None, each.symbol)
        ]
        return self._envelope(rows[0] if "symbol" in query and rows else rows)

    def _contracts(self, _query: Query) -> object:
        rows = [
            {
                "symbol": each.symbol,
                "size": "0.0001",
                "asset": each.listing.base,
                "currency": each.listing.quote,
                "status": 1 if each.status == "TRADING" else 25,
            }
            for each in self.listed()
        ]
        return self._envelope(rows)

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers below ``/openApi/swap/v2``."""
        return {
            "/openApi/swap/v2/quote/premiumIndex": self._premium,
            "/openApi/swap/v2/quote/contracts": self._contracts,
            "/openApi/swap/v2/server/time": lambda _: self._envelope({"serverTime": ms(self.wall())}),
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"code": 100410, "msg": "rate limited"}
