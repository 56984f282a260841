"""Being unknown is an alert: who is told, when, and when it is over.

A position at warning or worse whose price is lost is announced at once, a calm one after 30 s more; before the
first price there is a grace. If every position of a venue is affected, one ``feed.down`` that lists them
replaces their own alerts. ``feed.recovered`` ends both; it says nothing about levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Change, Level, Quality
from monitor.engine.watch import Watch

CALM_SECONDS = 30.0
BOOT_SECONDS = 30.0


class VenueSilence:
    """The data alerts of one venue."""

    def __init__(self, venue: str, started: float) -> None:
        self.venue = venue
        self.subject = f"feed:{venue}"
        self.down = False
        self.seq = 0
        self.episode = 0
        self._started = started
        self.why = "no_data"

    def restore(self, stored: StoredState) -> None:
        """Take up the state of an earlier run."""
        self.down, self.seq, self.episode = stored.data_alerted, stored.seq, stored.episode

    def tick(self, watches: Sequence[Watch], now: float) -> list[AlertEvent]:
        """Return the data alerts that are due for the venue's positions."""
        lost = [w for w in watches if not w.state.quality.known]
        out: list[AlertEvent] = []
        if self.down and len(lost) < len(watches):
            self.down = False
            back = [w for w in watches if w.state.quality.known]
            out.append(self._feed("feed.recovered", back, now))
        due = [w for w in lost if now >= self._deadline(w)]
        if watches and len(lost) == len(watches):
            if due and not self.down:
                self.down = True
                self.episode += 1
                out.append(self._feed("feed.down", lost, now))
            return out
        for watch in due:
            if not watch.state.data_alerted:
                watch.state.data_alerted = True
                out.append(self._position("position.stale", watch, now))
        for watch in watches:
            if watch.state.data_alerted and watch.state.quality.known:
                watch.state.data_alerted = False
                out.append(self._position("feed.recovered", watch, now))
        return out

    def _deadline(self, watch: Watch) -> float:
        if watch.state.quality is Quality.NEVER:
            return self._started + BOOT_SECONDS
        return watch.state.quality_since + (0.0 if watch.state.level >= Level.WARNING else CALM_SECONDS)

    def _position(self, kind: str, watch: Watch, now: float) -> AlertEvent:
        level = watch.state.level
        event = watch.announce(Change(kind, level, level, reason=watch.state.reason), None, now)
        severity = "critical" if level >= Level.WARNING else "warning"
        mark = watch.facts.mark
        return replace(
            event,
            severity=severity,
            positions=(watch.position.name,),
            mark_price=mark.value if mark.value > 0.0 else None,
            price_age_seconds=mark.age(now) if mark.value > 0.0 else None,
        )

    def _feed(self, kind: str, watches: Sequence[Watch], now: float) -> AlertEvent:
        self.seq += 1
        worst = max((w.state.level for w in watches), default=Level.OK)
        qualities = [w.state.quality for w in watches]
        return AlertEvent(
            kind=kind,
            severity="critical" if worst >= Level.WARNING else "warning",
            subject=self.subject,
            venue=self.venue,
            state=StoredState(subject=self.subject, seq=self.seq, episode=self.episode, data_alerted=self.down),
            seq=self.seq,
            episode=self.episode,
            level=worst,
            prev_level=worst,
            quality=max(qualities, default=Quality.NEVER),
            reason=self.why if kind == "feed.down" else "",
            arrived=now,
            positions=tuple(w.position.name for w in watches),
        )
