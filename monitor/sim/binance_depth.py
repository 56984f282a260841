"""The order books of a simulated Binance host: changes, partial books, and the whole book that REST answers.

Kept from the venue: sizes are absolute and 0 deletes; ``pu`` is the ``u`` of the message before, while ``U`` jumps;
partial books look just like changes; the default period has no name, so that ``@250ms`` is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from monitor.sim import binance_frames as frames
from monitor.sim.binance_frames import Payload
from monitor.sim.book import Row, SimBook
from monitor.sim.market import Instrument
from monitor.sim.streams import StreamServer

PERIODS = ("", "@100ms", "@500ms")
PARTIAL_LEVELS = (5, 10, 20)
ID_STEP, ID_JUMP = 40, 30
"""How far the book's id goes with each change, and how many of these ids were other contracts' business."""


class Depth:
    """Lets the books of one host follow the market, and sends what changed. Streams are under *path*."""

    def __init__(
        self, streams: StreamServer, path: str, book: Callable[[str], SimBook], wall: Callable[[], float]
    ) -> None:
        self._streams = streams
        self._path = path
        self._book = book
        self._wall = wall

    def follow(self, instrument: Instrument) -> None:
        """Send the change of one book since the last time, if anybody listens."""
        changes, partials = self._wanted(instrument)
        if not changes and not partials:
            return
        book = self._book(instrument.symbol)
        book.step = ID_STEP
        change = book.change()
        if change.lost:
            return
        head = _head(instrument, self._wall(), change.previous, change.number)
        for name in changes:
            self._send(name, instrument, head | _sides(instrument, ("b", "a"), (change.bids, change.asks)))
        for name, levels in partials:
            self._send(name, instrument, head | _sides(instrument, ("b", "a"), book.snapshot(levels)))

    def whole(self, instrument: Instrument, levels: int) -> Payload:
        """Return the whole book as REST answers it: as it stands after the last change that was sent."""
        book = self._book(instrument.symbol)
        book.step = ID_STEP
        if self._wanted(instrument) == ([], []):
            book.change()
        milliseconds = frames.ms(self._wall())
        head = {"lastUpdateId": book.number, "E": milliseconds, "T": milliseconds - 9}
        return head | _sides(instrument, ("bids", "asks"), book.snapshot(levels))

    def _wanted(self, instrument: Instrument) -> tuple[list[str], list[tuple[str, int]]]:
        """Return the names of the change streams, and of the partial ones with their levels, that somebody wants."""
        lower = frames.lower(instrument.symbol)
        changes = [f"{lower}@depth{period}" for period in PERIODS]
        partials = [(f"{lower}@depth{levels}{period}", levels) for levels in PARTIAL_LEVELS for period in PERIODS]
        wanted = self._streams.wanted
        return (
            [name for name in changes if wanted(self._path, name)],
            [(name, levels) for name, levels in partials if wanted(self._path, name)],
        )

    def _send(self, name: str, instrument: Instrument, payload: Payload) -> None:
        self._streams.publish(self._path, name, msgspec.json.encode(payload), instrument.symbol)


def _head(instrument: Instrument, wall: float, previous: int, number: int) -> Payload:
    return {
        "e": "depthUpdate",
        "E": frames.ms(wall),
        "T": frames.ms(wall) - 5,
        "s": instrument.symbol,
        "ps": instrument.listing.pair,
        "U": min(number, previous + 1 + ID_JUMP),
        "u": number,
        "pu": previous,
        "st": frames.product(instrument),
    }


def _sides(instrument: Instrument, names: tuple[str, str], book: tuple[Sequence[Row], Sequence[Row]]) -> Payload:
    def written(row: Row) -> list[str]:
        return [frames.price(instrument, row[0]), frames.contracts(instrument, row[1])]

    return {name: [written(row) for row in side] for name, side in zip(names, book, strict=True)}
