"""KuCoin Futures on loopback: a token before every connection, a welcome, two kinds of funding rates in one subject."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from monitor.numbers import shortest
from monitor.sim.generic import GenericSim, Payload, Published, Query, ladder_caps, max_leverage, ms
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument
from monitor.sim.rest import Reply
from monitor.sim.scenario import Scenario
from monitor.sim.streams import Client, Route

BULLET = "/api/v1/bullet-public"
TOPIC = "/contract/instrument:"
TOKEN_SECONDS = 30.0
"""How long a token may wait for its connection here, in seconds of the scenario; the real life is not known."""


class KucoinSim(GenericSim):
    """KuCoin classic: a token is good for one connection; silence of 60 s closes."""

    NAME = "kucoin"
    LIMITS = Limits(idle_client_seconds=60.0, weight_per_minute=2000, streams_per_connection=100)
    PATH = "/endpoint"
    PATHS = (PATH,)

    def __init__(self, scenario: Scenario, **options: Any) -> None:
        super().__init__(scenario, **options)
        self._tokens: dict[str, float] = {}
        self.issued = 0
        """Tokens given out so far."""
        self.ping_ms = 18_000
        """How often a client has to speak, as a bootstrap answer says."""

    def route(self, target: str) -> Route | None:
        """Let in who has a token that is still good."""
        token = parse_qs(urlsplit(target).query).get("token", [""])[0]
        return super().route(target) if self._tokens.get(token, -1.0) >= self.clock() else None

    async def welcome(self, client: Client, _streams: Iterable[str]) -> None:
        """Use up the token, and speak first."""
        assert client.connection.request is not None
        query = parse_qs(urlsplit(client.connection.request.path).query)
        self._tokens.pop(query["token"][0], None)
        client.send(msgspec.json.encode({"id": query.get("connectId", [""])[0], "type": "welcome"}))
        client.notes["welcomed"] = True

    def obey(self, client: Client, message: Any) -> Payload | None:
        """Subscribe, unsubscribe or pong."""
        number, kind, topic = message.get("id"), message.get("type"), str(message.get("topic", ""))
        if kind == "ping":
            return {"id": number, "type": "pong"}
        symbols = topic.removeprefix(TOPIC).split(",") if topic.startswith(TOPIC) else []
        if not symbols or not all(map(self.known, symbols)):
            return {"id": number, "type": "error", "code": 404, "data": f"topic {topic} is not found"}
        for symbol in symbols:
            (self.streams.subscribe if kind == "subscribe" else self.streams.unsubscribe)(client, symbol)
        return {"id": number, "type": "ack"} if message.get("response") else None

    def frames(self, instrument: Instrument, number: int) -> Iterator[Published]:
        """Yield mark and index, and every third tick a predicted and a settled rate."""
        data: list[tuple[str, Payload]] = [
            (
                "mark.index.price",
                {"markPrice": instrument.mark_price, "indexPrice": instrument.index_price, "granularity": 1000},
            )
        ]
        if number % 3 == 1:
            interval = ms(self.funding_seconds(instrument))
            rate = instrument.funding_rate
            data += [("funding.rate", {"granularity": 60_000, "fundingRate": rate})]
            data += [("funding.rate", {"granularity": interval, "fundingRate": rate * 3 + 0.0001})]
        for subject, each in data:
            frame = {"topic": TOPIC + instrument.symbol, "type": "message", "subject": subject}
            yield self.PATH, instrument.symbol, {**frame, "data": {**each, "timestamp": ms(self.wall())}}

    # REST

    def answer(self, path: str, query: Mapping[str, str], address: str, body: bytes = b"") -> Reply:
        """Answer a request; the bootstrap gives out a token."""
        if path != BULLET:
            return super().answer(path, query, address, body)
        self.issued += 1
        token = f"token-{self.issued}"
        self._tokens[token] = self.clock() + TOKEN_SECONDS
        server = {
            "endpoint": self.stream_url + self.PATH,
            "encrypt": True,
            "protocol": "websocket",
            "pingInterval": self.ping_ms,
            "pingTimeout": 10_000,
        }
        return Reply(200, self._envelope({"token": token, "instanceServers": [server]}))

    def _envelope(self, data: object) -> Payload:
        return {"code": "200000", "data": data}

    def _contract(self, each: Instrument) -> Payload:
        left = self.next_funding(each) - self.wall()
        return {
            "symbol": each.symbol,
            "baseCurrency": "XBT" if each.listing.base == "BTC" else each.listing.base,
            "quoteCurrency": each.listing.quote,
            "settleCurrency": each.listing.quote,
            "multiplier": each.listing.contract_size,
            "tickSize": each.listing.tick_size,
            "status": "Open" if each.status == "TRADING" else "Paused",
            "isInverse": False,
            "openInterest": shortest(each.open_interest),
            "lastTradePrice": each.last_price,
            "fundingFeeRate": each.funding_rate * 3,
            "predictedFundingFeeRate": each.funding_rate,
            "fundingRateGranularity": ms(self.funding_seconds(each)),
            "nextFundingRateTime": ms(left),
        }

    def _tiers(self, query: Query) -> object:
        instrument = self.market.instruments.get(query.get("symbol", ""))
        return self._envelope(
            [
                {
                    "tier": number,
                    "minSize": shortest(floor),
                    "maxSize": shortest(cap),
                    "maxLeverage": str(max_leverage(rate)),
                    "initialMarginRate": shortest(2 * rate),
                    "maintainMarginRate": shortest(rate),
                }
                for number, floor, cap, rate, _ in (ladder_caps(instrument) if instrument is not None else ())
            ]
        )

    def resources(self) -> Mapping[str, Callable[[Query], object]]:
        """Return the answers of both hosts."""
        return {
            "/api/v1/contracts/active": lambda _: self._envelope([self._contract(each) for each in self.listed()]),
            "/api/v1/contracts/*": lambda query: self._envelope(
                self._contract(self.market.instrument(query["symbol"]))
            ),
            "/api/ua/v1/market/position-tiers": self._tiers,
            "/api/v1/timestamp": lambda _: self._envelope(ms(self.wall())),
        }

    def too_many(self) -> object:
        """Return the venue's error body."""
        return {"code": "429000", "msg": "Too Many Requests"}

    def not_found(self) -> object:
        """Return the venue's error body."""
        return {"code": "200002", "msg": "contract not found"}
