"""An account whose positions hang on one another's marks, and when which of them must be looked at.

The box (``monitor.core.quiet``) lies in the trigger books of all its symbols, one band each. What is armed there
decides only when to look; what is seen is worked out exactly, at the marks of that moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from monitor.core import alerts
from monitor.core.alerts import Quality
from monitor.core.quiet import Watched, quiet_box, quiet_part
from monitor.core.quiet_box import Band, Part, QuietBox
from monitor.engine.book import Book
from monitor.engine.facts import SymbolFacts
from monitor.engine.watch import Watch


class Shared:
    """The cross positions of one account, ``watches``, and every symbol that their collateral hangs on.

    ``awake`` once all of it is known and solved; ``beside`` while a symbol's band is one for prices that stand in for its mark.
    """

    __slots__ = (
        "_box",
        "_inverse",
        "_quiet",
        "_stale",
        "awake",
        "beside",
        "book",
        "facts",
        "slots",
        "watches",
    )

    def __init__(self, book: Book, watches: Sequence[Watch]) -> None:
        self.book, self.watches = book, list(watches)
        self.facts = [book.facts[symbol] for symbol in book.shared_symbols]
        self._inverse = watches[0].kind == "inverse"  # one kind: linear and inverse share no balance
        self.slots: list[int] = []
        self._quiet = [Watched(watch.position.symbol, -inf, inf) for watch in watches]
        self._stale: set[SymbolFacts] = set()
        self._box: QuietBox | None = None
        self.awake = self.beside = False

    def ready(self) -> bool:
        """Return whether every mark has come and the collateral is known."""
        return all(facts.mark.value > 0.0 for facts in self.facts) and self.book.settle_equity()

    def note(self, watch: Watch) -> None:
        """Remember between which distances a position that was just looked at is quiet."""
        number = self.watches.index(watch)
        distance = watch.lines.distance(watch.facts.mark.value)
        low, high = alerts.quiet_distances(watch.state, distance, watch.ladder)
        self._quiet[number] = Watched(watch.position.symbol, low, high)
        self._stale.add(watch.facts)

    def settle(self, moved: SymbolFacts | None = None) -> Sequence[Watch]:
        """Arm the bands anew where nothing was met; else return the positions that must be looked at.

        *moved* is the one symbol whose mark has left its band, where it is one.
        """
        if self.beside:
            self._box = None
            return self.watches  # a band in place of the box's own stood there: nobody has watched since
        xs = self._xs()
        at = None if moved is None or self._stale else self.facts.index(moved)
        if self._box is not None:
            for number in self._box.left(xs, at):
                self._stale.add(self.facts[number])
        box = self._drawn(xs)
        if box is None:
            return self.watches
        new = box.deal(xs, at)
        if new is not None:
            # What fired is disarmed: unless it is known which one that was, all are armed.
            self._arm(box.bands, range(len(xs)) if at is None else new)
            return ()
        met = box.met(xs)
        if -1 in met:
            self._box = None  # a sign has changed: other lines count from here on
            return self.watches
        return [self.watches[number] for number in sorted(set(met))] or self.watches

    def arm(self) -> None:
        """Arm the bands around the present marks, and points where every price must be looked at."""
        if not self.awake:
            return  # not all marks are known
        xs = self._xs()
        if self._box is None:
            self._box = quiet_box(self.book.shared_pool(), self._quiet, self.book.gains())
            self._stale.clear()
        box = self._drawn(xs)
        if box is not None and box.deal(xs) is not None:
            self._arm(box.bands, range(len(xs)))
        else:
            self._arm([(x, x) for x in xs], range(len(xs)))

    def arm_beside(self, facts: SymbolFacts, price: float) -> None:
        """Arm the band of a symbol for prices that stand in for its mark; the marks themselves stay what they are."""
        self.beside = True
        low, high = 0.0, inf
        for watch in self.watches:
            if watch.facts is facts:
                if watch.state.quality is Quality.LIVE:
                    band = price, price  # its own mark is still good: the next one must be looked at
                else:
                    band = alerts.quiet_band(watch.state, price, watch.lines, watch.ladder)
                low, high = max(low, band[0]), min(high, band[1])
        facts.triggers.arm(self.slots[self.facts.index(facts)], low, high)

    def _arm(self, bands: Sequence[Band], new: Sequence[int]) -> None:
        self.beside = False
        for number in new:
            facts, slot, (low, high) = self.facts[number], self.slots[number], bands[number]
            if self._inverse:
                facts.triggers.arm(slot, 1.0 / high, 1.0 / low if low > 0.0 else inf)
            else:
                facts.triggers.arm(slot, low, high)

    def _drawn(self, xs: Sequence[float]) -> QuietBox | None:
        """Return the box with the lines of what has changed drawn anew."""
        box = self._box
        if box is None or not self._stale:
            return box
        gains = self.book.gains()
        groups = self.book.groups()
        new: dict[int, Part] = {}
        for number, facts in enumerate(self.facts):
            if facts in self._stale:
                gain = gains.get(facts.symbol, (0.0, 0.0))[0]
                watched = self._quiet if box.healthy else ()
                part = quiet_part(groups.get(facts.symbol), xs[number], gain, watched)
                if part is None:
                    self._box = None
                    return None
                new[number] = part
        self._stale.clear()
        box.redraw(new)
        return box

    def _xs(self) -> list[float]:
        if not self._inverse:
            return [facts.mark.value for facts in self.facts]
        return [1.0 / facts.mark.value for facts in self.facts]
