"""The work on single positions: solve, look, give a quality; what raises stays alone, what is left to do is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from monitor.core.alert_event import AlertEvent
from monitor.core.alerts import Quality
from monitor.engine.shared import Shared
from monitor.engine.venue_state import VenueState
from monitor.engine.watch import Watch

Report = Callable[[str, Exception], None]
Work = Callable[[], list[AlertEvent] | None]

BROKEN_SECONDS = 60.0
"""A position whose evaluation raised is unknown for so long before it is tried again."""


class Evaluator:
    """Does the work on single positions, in whatever order the engine finds it.

    Kept until a tick: positions on which time works, whose evaluation raised, or that were looked at while a jump
    waited for confirmation. Kept until the end of an event: accounts whose bands must be armed anew.
    """

    def __init__(self, venues: Mapping[str, VenueState], report: Report | None) -> None:
        self._venues, self._report = venues, report
        self._shared: dict[Watch, Shared] = {}
        self._unarmed: dict[Shared, None] = {}
        self._unsure: dict[Watch, None] = {}
        self._timed: set[Watch] = set()
        self._broken: set[Watch] = set()

    def add(self, shared: Shared) -> None:
        """Take on the positions of an account that share its collateral."""
        self._shared |= dict.fromkeys(shared.watches, shared)

    def attempt(self, watch: Watch, now: float, work: Work) -> list[AlertEvent]:
        """Do *work* for one position, and note what it leaves to do."""
        out = self._guarded(watch, now, work)
        if watch.timed:
            self._timed.add(watch)
        else:
            self._timed.discard(watch)
        if not watch.alone:
            shared = self._shared[watch]
            shared.note(watch)
            self._unarmed[shared] = None
        return out

    def _guarded(self, watch: Watch, now: float, work: Work) -> list[AlertEvent]:
        """Do *work* for one position. If it raises, that position is unknown and the others never notice."""
        try:
            return work() or []
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not reach the neighbours
            self.give_up([watch], error, now)
            return []

    def give_up(self, watches: Sequence[Watch], error: Exception, now: float) -> None:
        """Take positions whose evaluation raised for unknown, for a while."""
        for watch in watches:
            watch.broken_until = now + BROKEN_SECONDS
            self._broken.add(watch)
            if watch.set_quality(Quality.STALE, "error", now):
                self._venues[watch.facts.venue].silence.note(watch, now)
            if self._report is not None:
                self._report(watch.subject, error)

    def look(self, watch: Watch, now: float) -> list[AlertEvent]:
        """Evaluate a position. While a jump waits for confirmation the mark may raise a level and let none go."""
        sure = watch.undisputed
        if not sure:
            self._unsure[watch] = None
        return self.attempt(watch, now, partial(watch.look, now, sure=sure))

    def qualify(self, watch: Watch, now: float) -> list[AlertEvent]:
        """Give one position the quality it has now; when that changed, evaluate it at what is known."""
        if not watch.set_quality(*watch.judge(now), now):
            return []
        self._venues[watch.facts.venue].silence.note(watch, now)
        if not watch.facts.live and watch.state.quality is Quality.STALE and watch.state.reason == "no_data":
            self._timed.discard(watch)
            return []  # silence brings no new price to look at
        return self.look(watch, now)

    def resolve(self, watch: Watch, now: float) -> list[AlertEvent]:
        """Solve one position anew; when its lines moved, or its quality, evaluate it at what is known."""
        before = watch.lines
        self.attempt(watch, now, watch.solve)
        out = self.qualify(watch, now)
        if watch.lines != before:
            out += self.look(watch, now)
        return out

    def tick(self, now: float) -> list[AlertEvent]:
        """Let time pass on what was kept."""
        out: list[AlertEvent] = []
        for watch in [w for w in self._unsure if w.undisputed]:
            del self._unsure[watch]
            out += self.look(watch, now)
        for watch in list(self._timed):
            if watch.state.quality is Quality.LIVE and watch.undisputed:
                out += self.attempt(watch, now, partial(watch.expire, watch.facts.mark.value, now))
        for watch in [w for w in self._broken if now >= w.broken_until]:
            self._broken.discard(watch)
            out += self.resolve(watch, now)
        return out

    def arm_all(self, now: float) -> None:
        """Arm the accounts anew whose positions were looked at."""
        while self._unarmed:
            shared, _ = self._unarmed.popitem()
            try:
                shared.arm()
            except Exception as error:  # noqa: BLE001 - one account must not take the others with it
                self.give_up(shared.watches, error, now)

    def armed(self, shared: Shared) -> None:
        """Note that somebody else has armed an account."""
        self._unarmed.pop(shared, None)
