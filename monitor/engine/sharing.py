"""The accounts whose positions share collateral: taken up once all is known, looked at when a mark leaves its band."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import islice

from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Quality
from monitor.engine.evaluator import Evaluator
from monitor.engine.facts import SymbolFacts
from monitor.engine.present import Present
from monitor.engine.shared import Shared

AWAKENED = 20
"""So many accounts are taken up at one price or tick: some 20 ms of work."""


class Sharing:
    """All such accounts, by the symbols that their collateral hangs on.

    ``present`` has their levels at this moment, for whoever looks on.
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._by_symbol: dict[tuple[str, str], list[Shared]] = {}
        self._asleep: dict[Shared, None] = {}
        self._besides: dict[Shared, None] = {}
        self.present = Present()

    def add(self, shared: Shared) -> None:
        """Take on an account; it sleeps until all of its marks have come."""
        self._asleep[shared] = None
        self._evaluator.add(shared)
        self.present.add(shared.book)
        for facts in shared.facts:
            self._by_symbol.setdefault((facts.venue, facts.symbol), []).append(shared)

    def of(self, facts: SymbolFacts) -> Sequence[Shared]:
        """Return the accounts whose collateral hangs on a symbol."""
        return self._by_symbol.get((facts.venue, facts.symbol), ())

    def accepted(self, facts: SymbolFacts, now: float) -> list[AlertEvent]:
        """Let a mark that has come work on accounts that waited for it, or watched another price in its place."""
        out: list[AlertEvent] = []
        if self._asleep:
            out += self._awaken(now, [shared for shared in self.of(facts) if shared in self._asleep])
        for shared in [s for s in self._besides if facts in s.facts]:
            del self._besides[shared]  # the mark itself is back
            out += self.settle(shared, now)
        return out

    def tick(self, now: float) -> list[AlertEvent]:
        """Take up a few of the accounts that sleep."""
        return self._awaken(now, self._asleep)

    def forget(self, facts: SymbolFacts) -> None:
        """Forget what was worked out from the terms of a symbol: they have changed."""
        for shared in self.of(facts):
            shared.book.forget()
            self.present.forget(shared.book)

    def settle(self, shared: Shared, now: float, moved: SymbolFacts | None = None) -> list[AlertEvent]:
        """Look at those positions of an account whose lines the present marks may have met."""
        out: list[AlertEvent] = []
        try:
            met = shared.settle(moved)
        except Exception as error:  # noqa: BLE001 - one account must not take the others with it
            self._evaluator.give_up(shared.watches, error, now)
            return out
        for watch in met:
            out += self._evaluator.look(watch, now)
        return out

    def beside(self, shared: Shared, facts: SymbolFacts, price: float, source: str, now: float) -> list[AlertEvent]:
        """Let a price that stands in for a mark work on the account's own positions in that symbol."""
        out: list[AlertEvent] = []
        for watch in shared.watches:
            if watch.facts is facts and (watch.state.quality is not Quality.LIVE or source == "late mark"):
                self._evaluator.attempt(watch, now, watch.solve)
                if watch.solved:
                    out += self._evaluator.attempt(watch, now, partial(watch.evaluate, price, source, now, live=False))
        self._besides[shared] = None
        self._evaluator.armed(shared)
        try:
            shared.arm()
            shared.arm_beside(facts, price)
        except Exception as error:  # noqa: BLE001 - one account must not take the others with it
            self._evaluator.give_up(shared.watches, error, now)
        return out

    def _awaken(self, now: float, sleepers: Iterable[Shared]) -> list[AlertEvent]:
        """Take up accounts once all that their collateral hangs on is known: a few at a time, nobody waits for them."""
        out: list[AlertEvent] = []
        for shared in list(islice((s for s in sleepers if s.ready()), AWAKENED)):
            for watch in shared.watches:
                self._evaluator.attempt(watch, now, watch.solve)
            shared.awake = all(watch.solved for watch in shared.watches)
            del self._asleep[shared]
            if shared.awake:
                self.present.forget(shared.book)
            else:
                self._asleep[shared] = None  # behind those that were not tried yet
            for watch in shared.watches:
                out += self._evaluator.qualify(watch, now)
                if shared.awake:
                    out += self._evaluator.look(watch, now)
                    out += watch.drift(now)
        return out
