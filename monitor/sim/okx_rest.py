"""The REST endpoints of a simulated OKX: limits by endpoint and two seconds, error bodies, answers.

Every answer is ``{"code", "msg", "data"}``. Beyond the limit comes HTTP 429 with code 50011, and nothing is said of
how long to wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from monitor.sim import okx_frames as frames
from monitor.sim.book import SimBook
from monitor.sim.market import Instrument, Market
from monitor.sim.okx_contracts import fund, listing, tiers
from monitor.sim.okx_frames import Payload
from monitor.sim.rest import RefusedError, Reply

Query = Mapping[str, str]
WINDOW_SECONDS = 2.0
FAMILIES = 5
BOOK_LEVELS = 400
NO_PARAMETER, BAD_PARAMETER, NO_INSTRUMENT, TOO_MANY = "50014", "51000", "51001", "50011"

FAULTS: Mapping[int, tuple[str, str]] = {
    400: ("50004", "API endpoint request timeout"),
    410: ("50005", "API is offline or unavailable."),
    429: (TOO_MANY, "Too Many Requests"),
    500: ("50026", "System error. Try again later"),
    503: ("50001", "Service temporarily unavailable. Try again later"),
}
"""The code and message that go with an HTTP status which a scenario asks for."""


def body(data: object, code: str = "0", message: str = "") -> Payload:
    """Return the envelope of every answer."""
    return {"code": code, "msg": message, "data": data}


class OkxRest:
    """Answers requests from the state of a market. *clock* is the scenario's time, by which requests are counted."""

    def __init__(
        self,
        market: Market,
        book: Callable[[str], SimBook],
        *,
        wall: Callable[[], float],
        clock: Callable[[], float],
    ) -> None:
        self._market = market
        self._book = book
        self._wall = wall
        self._clock = clock
        self._asked: dict[tuple[str, str], deque[float]] = {}
        self._endpoints: dict[str, tuple[int, Callable[[Query], list[Payload]]]] = {
            "/api/v5/public/time": (10, lambda _: [{"ts": frames.ms(self._wall())}]),
            "/api/v5/public/instruments": (20, self._each(lambda found, _: listing(found))),
            "/api/v5/public/mark-price": (10, self._each(frames.mark_price)),
            "/api/v5/public/open-interest": (20, self._each(frames.open_interest)),
            "/api/v5/public/funding-rate": (10, self._funding_rate),
            "/api/v5/public/position-tiers": (10, self._position_tiers),
            "/api/v5/public/insurance-fund": (10, self._insurance_fund),
            "/api/v5/market/tickers": (20, self._each(frames.ticker)),
            "/api/v5/market/ticker": (20, lambda query: [frames.ticker(self._instrument(query), self._wall())]),
            "/api/v5/market/index-tickers": (20, self._index_tickers),
            "/api/v5/market/books": (20, self._books),
        }

    def answer(self, path: str, query: Query, address: str) -> Reply:
        """Return the reply to a request of *address*. Raises ``RefusedError``."""
        if path not in self._endpoints:
            return Reply(404, {"code": "404", "msg": "Not Found", "data": []})
        limit, respond = self._endpoints[path]
        now, times = self._clock(), self._asked.setdefault((address, path), deque())
        while times and times[0] <= now - WINDOW_SECONDS:
            times.popleft()
        if len(times) >= limit:
            raise refused(429, *FAULTS[429])
        times.append(now)
        return Reply(200, body(respond(query)))

    # answers

    def _each(self, row: Callable[[Instrument, float], Payload]) -> Callable[[Query], list[Payload]]:
        """Return what answers with a row for each swap that a query means."""

        def respond(query: Query) -> list[Payload]:
            _check_sort(query)
            wall = self._wall()
            return [row(found, wall) for found in self._meant(query)]

        return respond

    def _meant(self, query: Query) -> list[Instrument]:
        if "instId" in query:
            return [self._instrument(query)]
        wanted = query.get("instFamily")
        return [found for found in self._market.instruments.values() if wanted in (None, frames.family(found))]

    def _instrument(self, query: Query) -> Instrument:
        if not query.get("instId"):
            raise refused(400, NO_PARAMETER, "Parameter instId can not be empty")
        found = self._market.instruments.get(query["instId"])
        if found is None:
            raise refused(200, NO_INSTRUMENT, "Instrument ID, Instrument ID code, or Spread ID doesn't exist.")
        return found

    def _families(self, query: Query) -> list[Instrument]:
        _check_sort(query)
        names = query.get("instFamily", "").split(",")
        if not all(names):
            raise refused(400, NO_PARAMETER, "Parameter instFamily can not be empty")
        by_family = {frames.family(found): found for found in self._market.instruments.values()}
        if len(names) > FAMILIES or not by_family.keys() >= set(names):
            raise refused(400, BAD_PARAMETER, "Parameter instFamily error")
        return [by_family[name] for name in names]

    def _funding_rate(self, query: Query) -> list[Payload]:
        if query.get("instId") == "ANY":
            return [frames.funding_rate(found, self._wall()) for found in self._market.instruments.values()]
        return [frames.funding_rate(self._instrument(query), self._wall())]

    def _position_tiers(self, query: Query) -> list[Payload]:
        if query.get("tdMode") not in {"cross", "isolated"}:
            raise refused(400, BAD_PARAMETER, "Parameter tdMode error")
        return [rung for found in self._families(query) for rung in tiers(found)]

    def _insurance_fund(self, query: Query) -> list[Payload]:
        (found, *more) = self._families(query)
        if more:
            raise refused(400, BAD_PARAMETER, "Parameter instFamily error")
        return [fund(found, self._market.pool_of(found.symbol), self._wall())]

    def _index_tickers(self, query: Query) -> list[Payload]:
        wanted, quoted = query.get("instId"), query.get("quoteCcy")
        if not wanted and not quoted:
            raise refused(400, NO_PARAMETER, "Either parameter quoteCcy or instId is required")
        rows = {
            frames.index_id(found): frames.index_ticker(found, self._wall())
            for found in self._market.instruments.values()
            if wanted in (None, frames.index_id(found)) and quoted in (None, found.listing.quote)
        }
        return list(rows.values())

    def _books(self, query: Query) -> list[Payload]:
        book = self._book(self._instrument(query).symbol)
        size = query.get("sz", "1")
        if not size.isdecimal() or not 1 <= int(size) <= BOOK_LEVELS:
            raise refused(400, BAD_PARAMETER, "Parameter sz error")
        bids, asks = book.snapshot(int(size))
        row = frames.book(bids, asks, self._wall(), -1, book.number)
        return [{name: row[name] for name in ("asks", "bids", "ts", "seqId")}]


def refused(status: int, code: str, message: str) -> RefusedError:
    """Return the error that answers with *status* and the venue's own code."""
    return RefusedError(status, int(code), message, body([], code, message))


def _check_sort(query: Query) -> None:
    if not query.get("instType"):
        raise refused(400, NO_PARAMETER, "Parameter instType can not be empty")
    if query["instType"] != "SWAP":
        raise refused(400, BAD_PARAMETER, "Parameter instType error")
