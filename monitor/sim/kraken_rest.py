"""The REST side of a simulated Kraken Futures: ``/derivatives/api/v3``, public resources.

Everything has ``result`` and ``serverTime``; an error may come with HTTP 200. What is public costs nothing, but for the
history, of which an address gets 100 answers in ten minutes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from monitor.sim import kraken_frames as frames
from monitor.sim.book import Row
from monitor.sim.kraken_frames import Payload
from monitor.sim.market import Instrument, Market
from monitor.sim.rest import Reply

PREFIX = "/derivatives/api/v3"
SIGNED = {"accounts", "openpositions", "openorders", "fills", "sendorder", "cancelallorders", "unwindqueue"}
HISTORY_REQUESTS, HISTORY_SECONDS = 100, 600.0
HOURS = 24
"""Past hours that the list of funding rates goes back."""

Sides = tuple[Sequence[Row], Sequence[Row]]


class _RefusedError(Exception):
    """An error of the venue, by its code."""

    def __init__(self, code: str, status: int = 200) -> None:
        super().__init__(code)
        self.status = status


class KrakenRest:
    """Answers from the live market; *book* gives both sides of a contract's book and *trades* its newest trades."""

    def __init__(
        self,
        market: Market,
        book: Callable[[str], Sides],
        trades: Callable[[str], Sequence[Payload]],
        *,
        wall: Callable[[], float],
    ) -> None:
        self._market = market
        self._book = book
        self._trades = trades
        self._wall = wall
        self._history: dict[str, deque[float]] = {}
        self.volatile: set[str] = set()
        """Contracts that are said to be extremely volatile."""

    def answer(self, path: str, query: Mapping[str, str], address: str) -> Reply:
        """Answer one request."""
        if not path.startswith(f"{PREFIX}/"):
            return Reply(404, self.error("notFound"))
        try:
            return Reply(200, self._envelope("success") | self._found(path.removeprefix(PREFIX), query, address))
        except _RefusedError as refused:
            return Reply(refused.status, self.error(str(refused)))

    def error(self, code: str) -> Payload:
        """Return the body of an error."""
        return self._envelope("error") | {"error": code}

    def _envelope(self, result: str) -> Payload:
        return {"result": result, "serverTime": frames.iso(self._wall())}

    def _found(self, path: str, query: Mapping[str, str], address: str) -> Payload:
        match path.strip("/").split("/"):
            case ["tickers"]:
                return {"tickers": self._tickers()}
            case ["tickers", symbol]:
                return {"ticker": self._ticker(self._named(symbol))}
            case ["instruments"]:
                return {"instruments": self._instruments()}
            case ["instruments", "status"]:
                return {"instrumentStatus": [self._status(found) for found in self._listed()]}
            case ["instruments", symbol, "status"]:
                return self._status(self._named(symbol))
            case ["orderbook"]:
                bids, asks = self._book(self._asked(query).symbol)
                return {"orderBook": {"bids": [list(row) for row in bids], "asks": [list(row) for row in asks]}}
            case ["history"]:
                found = self._asked(query)
                self._charge(address)
                return {"history": [_past(row) for row in self._trades(found.symbol)]}
            case ["historicalfundingrates"]:
                found = self._asked(query)
                self._charge(address)
                return {"rates": self._rates(found)}
            case [name, *_] if name in SIGNED:
                raise _RefusedError("authenticationError")
        raise _RefusedError("notFound", 404)

    # what there is

    def _listed(self) -> list[Instrument]:
        return list(self._market.instruments.values())

    def _asked(self, query: Mapping[str, str]) -> Instrument:
        if "symbol" not in query:
            raise _RefusedError("requiredArgumentMissing")
        return self._named(query["symbol"])

    def _named(self, symbol: str) -> Instrument:
        found = self._market.instruments.get(symbol.upper())
        if found is None:
            raise _RefusedError("contractNotFound")
        return found

    def _ticker(self, found: Instrument) -> Payload:
        return frames.rest_ticker(found, *self._book(found.symbol), self._wall())

    def _tickers(self) -> list[Payload]:
        found = [listed for listed in self._listed() if listed.speaks]
        indices = {row["symbol"]: row for listed in found for row in frames.index_rows(listed, self._wall())}
        return [*map(self._ticker, found), *indices.values()]

    def _instruments(self) -> list[Payload]:
        found = self._listed()
        names = dict.fromkeys(row["symbol"] for listed in found for row in frames.index_rows(listed, self._wall()))
        indices = [{"symbol": name, "type": "spot index", "tradeable": False} for name in names]
        return [*map(frames.instrument, found), *indices]

    def _status(self, found: Instrument) -> Payload:
        return frames.volatility(found.symbol, extreme=found.symbol in self.volatile)

    def _rates(self, found: Instrument) -> list[Payload]:
        absolute, relative = frames.funding(found)
        hour = self._wall() // 3600 * 3600
        return [
            {"timestamp": frames.iso(hour - 3600 * back), "fundingRate": absolute, "relativeFundingRate": relative}
            for back in range(HOURS, -1, -1)
        ]

    def _charge(self, address: str) -> None:
        """Count a request for history. Raises where there were too many."""
        now, asked = self._wall(), self._history.setdefault(address, deque())
        while asked and asked[0] <= now - HISTORY_SECONDS:
            asked.popleft()
        if len(asked) >= HISTORY_REQUESTS:
            raise _RefusedError("apiLimitExceeded")
        asked.append(now)


def _past(row: Payload) -> Payload:
    """Return a trade as the history has it."""
    return {
        "time": frames.iso(row["time"] / 1000),
        "trade_id": row["seq"],
        "price": row["price"],
        "size": row["qty"],
        "side": row["side"],
        "type": row["type"],
        "uid": row["uid"],
    }
