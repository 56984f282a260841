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

BACK_SECONDS = 6.0
"""So long a mark must be live without interruption before data are said to be back: longer than a single value of a
poll makes it look alive."""


class VenueSilence:
    """The data alerts of one venue. Only positions whose price is unknown cost anything at a tick."""

    def __init__(self, venue: str, started: float) -> None:
        self.venue = venue
        self.subject = f"feed:{venue}"
        self.down = False
        self.seq = 0
        self.episode = 0
        self.why = "no_data"
        self._started = started
        self.watches: list[Watch] = []
        self._unknown: dict[Watch, None] = {}
        self._returning: dict[Watch, float] = {}
        self._excused: set[Watch] = set()
        self._alerted: dict[Watch, None] = {}

    def add(self, watch: Watch) -> None:
        """Take on a position; its price is unknown until it is not."""
        self.watches.append(watch)
        self._unknown[watch] = None

    def restore(self, stored: StoredState) -> None:
        """Take up the state of an earlier run."""
        self.down, self.seq, self.episode = stored.data_alerted, stored.seq, stored.episode
        self._alerted = {watch: None for watch in self.watches if watch.state.data_alerted}

    def note(self, watch: Watch, now: float) -> None:
        """Note that the quality of a position changed. One whose contract has stopped trading was announced itself."""
        self._returning.pop(watch, None)
        self._excused.discard(watch)
        quality = watch.state.quality
        if quality is Quality.LIVE and watch in self._unknown:
            self._returning[watch] = now
        elif quality.known:
            pass  # a price that stands in raises no new alarm and ends none
        elif watch.state.reason == "status":  # its own contract; a halted neighbour's is "suspended"
            self._unknown.pop(watch, None)
            self._excused.add(watch)
        else:
            self._unknown[watch] = None

    def announced(self, watch: Watch) -> None:
        """Note that the position's data alert has been said by somebody else."""
        watch.state.data_alerted = True
        self._alerted[watch] = None

    def tick(self, now: float) -> list[AlertEvent]:
        """Return the data alerts that are due for the venue's positions."""
        self._let_return(now)
        lost, out = self._unknown, list[AlertEvent]()
        all_lost = bool(lost) and len(lost) == len(self.watches) - len(self._excused)
        back = [w for w in self.watches if w not in lost and w not in self._excused] if self.down else []
        if back:
            self.down = False
            out.append(self._feed("feed.recovered", back, now))
        due = [w for w in lost if not w.state.quality.known and now >= self._deadline(w)]
        if all_lost:
            if due and not self.down:
                self.down = True
                self.episode += 1
                out.append(self._feed("feed.down", list(lost), now))
            return out
        for watch in due:
            if not watch.state.data_alerted:
                watch.state.data_alerted = True
                self._alerted[watch] = None
                out.append(self._position("position.stale", watch, now))
        for watch in [w for w in self._alerted if w not in lost and w.state.quality is Quality.LIVE]:
            del self._alerted[watch]
            watch.state.data_alerted = False
            out.append(self._position("feed.recovered", watch, now))
        return out

    def _let_return(self, now: float) -> None:
        """Take those for known again that have been so for long enough; at once where nobody was told otherwise."""
        for watch, since in list(self._returning.items()):
            told = self.down or watch in self._alerted
            if not told or now - since >= BACK_SECONDS:
                del self._returning[watch]
                self._unknown.pop(watch, None)

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
        qualities = [w.shown_quality for w in watches]
        proxies = {w.facts.proxy for w in watches}
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
            reason=self._reason(watches) if kind == "feed.down" else "",
            arrived=now,
            positions=tuple(w.position.name for w in watches),
            price_source=f"proxy {', '.join(sorted(proxies))}" if all(proxies) else "",
        )

    def _reason(self, watches: Sequence[Watch]) -> str:
        """Return why the feed is down: what the connection said, else what all its positions say."""
        proxies = {watch.facts.proxy for watch in watches}
        if all(proxies):
            return "proxy_silent"
        reasons = {watch.state.reason for watch in watches}
        return reasons.pop() if self.why == "no_data" and len(reasons) == 1 else self.why
