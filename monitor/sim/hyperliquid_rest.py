"""``POST /info`` of a simulated Hyperliquid venue: weights, error bodies and answers.

Errors are plain texts. A dex that does not exist is answered with 500 and ``null``, a coin that does not with 200 and
``null``. What the body of 429 holds is not known: ``null`` here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from monitor.sim import hyperliquid_frames as frames
from monitor.sim.book import SimBook
from monitor.sim.hyperliquid_frames import Payload
from monitor.sim.limits import Limits
from monitor.sim.market import Instrument, Market
from monitor.sim.rest import Reply, WeightWindow

Question = dict[str, Any]
BOOK_LEVELS = 20
LIGHT = 2
HEAVY = 20
REFUSALS = {
    400: b"Failed to parse the request body as JSON",
    404: b"Not Found",
    405: b"Method Not Allowed",
    422: b"Failed to deserialize the JSON body into the target type",
}


class HyperliquidRest:
    """Answers questions from the state of a market. ``wall`` gives epoch seconds, by which minutes are counted."""

    def __init__(self, market: Market, limits: Limits, *, wall: Callable[[], float]) -> None:
        self._market = market
        self._limits = limits
        self._wall = wall
        self._window = WeightWindow(limits.weight_per_minute)
        self._answers: Mapping[str, tuple[int, Callable[[Question], Reply]]] = {
            "meta": (HEAVY, self._meta),
            "metaAndAssetCtxs": (HEAVY, self._states),
            "perpDexs": (HEAVY, self._dexes),
            "marginTable": (HEAVY, self._margin_table),
            "vaultDetails": (HEAVY, self._vault),
            "allMids": (LIGHT, self._mids),
            "l2Book": (LIGHT, self._book),
            "exchangeStatus": (LIGHT, self._status),
        }

    def answer(self, path: str, address: str, body: bytes) -> Reply:
        """Return the reply to a request of *address*, its weight counted."""
        if path != "/info":
            return _refusal(404)
        if not body:
            return _refusal(405)  # somebody asked with GET
        try:
            question = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeError):
            return _refusal(400)
        kind = question.get("type") if isinstance(question, dict) else None
        if not isinstance(kind, str) or kind not in self._answers:
            return _refusal(422)
        weight, respond = self._answers[kind]
        if self._window.charge(address, weight, self._wall()) > self._limits.weight_per_minute:
            return Reply(429, None)
        return respond(question)

    def _of_dex(self, question: Question) -> list[Instrument] | None:
        """Return the contracts of the dex that is asked about, None if there is no such dex."""
        dex = question.get("dex") or ""
        found = [i for i in self._market.instruments.values() if frames.dex_of(i.symbol) == dex and _linear(i)]
        return found if found or not dex else None

    def _meta(self, question: Question) -> Reply:
        found = self._of_dex(question)
        return Reply(500, None) if found is None else Reply(200, frames.meta(found, self._wall()))

    def _states(self, question: Question) -> Reply:
        found, wall = self._of_dex(question), self._wall()
        if found is None:
            return Reply(500, None)
        return Reply(200, [frames.meta(found, wall), [frames.context(instrument, wall) for instrument in found]])

    def _dexes(self, _: Question) -> Reply:
        names = dict.fromkeys(frames.dex_of(symbol) for symbol in self._market.instruments)
        return Reply(200, [None, *(frames.dex(name) for name in names if name)])

    def _margin_table(self, question: Question) -> Reply:
        for dex in {frames.dex_of(symbol) for symbol in self._market.instruments}:
            for number, table in frames.meta(self._of_dex({"dex": dex}) or [], self._wall())["marginTables"]:
                if number == question.get("id"):
                    return Reply(200, table)
        return Reply(500, None)

    def _vault(self, question: Question) -> Reply:
        """The first pool of the scenario is the vault, which knows one kind of dollar."""
        if question.get("vaultAddress") != frames.HLP or not self._market.pools:
            return Reply(200, None)
        pool = self._market.pools[0]
        stamp = self._wall() if pool.update_time is None else pool.update_time
        return Reply(200, frames.vault(sum(pool.balances.values()), stamp))

    def _mids(self, question: Question) -> Reply:
        found, wall = self._of_dex(question), self._wall()
        if found is None:
            return Reply(500, None)
        mids: Payload = {
            instrument.symbol: frames.price(instrument, instrument.last_price)
            for instrument in found
            if not frames.delisted(instrument, wall)
        }
        return Reply(200, mids)

    def _book(self, question: Question) -> Reply:
        coin = question.get("coin")
        if not isinstance(coin, str):
            return _refusal(422)
        instrument = self._market.instruments.get(coin)
        if instrument is None:
            return Reply(200, None)
        wall = self._wall()
        sides: list[list[Payload]] = [[], []]
        if not frames.delisted(instrument, wall):
            sides = frames.levels(instrument, *SimBook(instrument).snapshot(BOOK_LEVELS))
        return Reply(200, frames.book(instrument, sides, wall))

    def _status(self, _: Question) -> Reply:
        return Reply(200, {"time": frames.ms(self._wall()), "specialStatuses": None})


def _linear(instrument: Instrument) -> bool:
    return instrument.listing.product == "UM"


def _refusal(status: int) -> Reply:
    return Reply(status, msgspec.Raw(REFUSALS[status]))
