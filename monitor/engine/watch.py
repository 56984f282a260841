"""One watched position: its levels, its alert state, and the alert events that come of them."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from monitor.core import alerts, levels, margin
from monitor.core.account import Position
from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import AlertState, Change, Level, Lines, Quality
from monitor.core.levels import Levels
from monitor.core.margin import Leg, coordinate
from monitor.engine.book import Book

NO_LINES = Lines(danger=-1, liquidation_price=None, bankruptcy_price=None)


def removed_subjects(states: Iterable[StoredState], now: float) -> list[AlertEvent]:
    """Return the ends of what stood in an earlier run for positions and venues that are not watched any more."""
    out: list[AlertEvent] = []
    for stored in states:
        account, _, name = stored.subject.partition("/")
        ended = (
            [("position.resolved", max(Level(stored.announced), Level.WARNING).word)]
            if name and (stored.raw or stored.held)
            else []
        )
        ended += [("feed.recovered", "warning")] if stored.data_alerted else []
        for number, (kind, severity) in enumerate(ended, 1):
            out.append(
                AlertEvent(
                    kind=kind,
                    severity=severity,
                    subject=stored.subject,
                    venue=stored.subject.removeprefix("feed:") if not name else "",
                    state=StoredState(stored.subject, seq=stored.seq + number, episode=stored.episode),
                    seq=stored.seq + number,
                    episode=stored.episode,
                    level=Level.OK,
                    prev_level=max(Level(stored.raw), Level(stored.held)),
                    quality=Quality.NEVER,
                    reason="position_removed",
                    arrived=now,
                    account=account if name else "",
                    position=name,
                )
            )
    return out


class Watch:
    """A position with everything that is remembered of it."""

    __slots__ = (
        "alone",
        "book",
        "broken_until",
        "drift_ratio",
        "facts",
        "gain",
        "kind",
        "ladder",
        "legs",
        "levels",
        "lines",
        "position",
        "siblings",
        "slot",
        "source",
        "state",
        "subject",
        "timed",
        "version",
    )

    def __init__(self, book: Book, position: Position, slot: int) -> None:
        self.book, self.position, self.slot = book, position, slot
        self.facts = book.facts[position.symbol]
        self.kind = book.kind(position.symbol)
        shares = position.margin_mode == "cross" and position.quantity != 0.0
        symbols = book.shared_symbols if shares else ()
        self.siblings = [book.facts[symbol] for symbol in sorted({*symbols} - {position.symbol})]
        self.alone = not (shares and book.shares)
        self.legs: list[Leg] = []
        self.gain = 0.0
        self.subject = f"{book.account.name}/{position.name}"
        self.ladder = book.watched.ladders.get(position.name, book.watched.ladder)
        self.levels = Levels(status=levels.UNAVAILABLE, missing=("mark_price",))
        self.lines = NO_LINES
        self.state = AlertState()
        self.source = "mark"
        self.timed = False
        self.broken_until = -inf
        self.drift_ratio: float | None = None
        self.version = 0

    def restore(self, stored: StoredState, now: float) -> None:
        """Take up the state of an earlier run; its quality stays *never* until the first price.

        A position that was flapping has to be calm for a whole window from *now* on.
        """
        held = Level(stored.held)
        self.state = AlertState(
            raw=Level(stored.raw),
            held=held,
            flapping=stored.flapping,
            changes=[(now, held)] * (self.ladder.flap_calm_changes + 1) if stored.flapping else [],
            announced=Level(stored.announced),
            episode=stored.episode,
            seq=stored.seq,
            data_alerted=stored.data_alerted,
            drift_alerted=stored.drift_alerted,
        )

    def solve(self) -> None:
        """Work out the levels anew: the position, a ladder, a balance or another position's mark changed."""
        if self.position.margin_mode == "cross" and not self.book.settle_equity():
            self.levels, self.legs = Levels(status=levels.UNAVAILABLE, missing=("mark_price",)), []
        else:
            pool = self.book.pool(self.position)
            if not self.alone and self.version == self.book.version:
                return  # nothing has moved since
            self.levels = levels.levels_in(pool, self.position)
            self.version = self.book.version  # only now: what raised must be tried again
            group = pool.groups.get(self.position.symbol)
            self.gain = pool.follows.get(self.position.symbol, 0.0)
            self.legs = group.legs if group is not None else []
        self.lines = self.levels.lines() if self.solved else NO_LINES

    def amounts(self, price: float, known: Levels) -> tuple[float, float, float] | None:
        """Return notional, equity and requirement at *price* (settlement asset), or None while unknown.

        *known* are the levels at the marks of the moment.
        """
        if known.collateral is None or known.maintenance_margin is None:
            return None
        x = coordinate(price, self.kind)
        equity = known.collateral + known.others_profit + sum(margin.profit(x, leg) for leg in self.legs)
        if self.gain:  # an asset in the collateral has its value at the mark there, and follows it
            equity += self.gain * (x - coordinate(self.facts.mark.value, self.kind))
        requirement = known.others_maintenance + sum(margin.requirement(x, leg) for leg in self.legs)
        return self.position.notional_at(price, self.kind), equity, requirement

    @property
    def solved(self) -> bool:
        """Return whether the levels are known (a position that nothing can liquidate is known, too)."""
        return self.levels.status != levels.UNAVAILABLE

    @property
    def mixed(self) -> bool:
        """Return whether a contract that its levels hang on is in other units than the operator's figures (F-40)."""
        return bool(self.facts.wrong_units) or any(facts.wrong_units for facts in self.siblings)

    @property
    def undisputed(self) -> bool:
        """Return whether no mark that the levels hang on has a jump waiting for confirmation."""
        return self.facts.held is None and all(facts.held is None for facts in self.siblings)

    def judge(self, now: float) -> tuple[Quality, str]:
        """Return the quality of this position and why it is not live, from its symbol's and its siblings' facts."""
        alarmed = self.state.level >= Level.WARNING
        quality, reason = self.facts.quality_for(alarmed=alarmed)
        if quality is Quality.NEVER or reason in {"status", "terms"}:
            return quality, reason
        if now < self.broken_until:
            return Quality.STALE, "error"
        if not self.solved:
            waiting = any(item.startswith("mark_price") for item in self.levels.missing)
            return (Quality.NEVER, "no_data") if waiting else (Quality.STALE, "terms")
        if quality is Quality.LIVE:
            # The collateral is shared: a level is only as sure as the marks that it was worked out from.
            for facts in self.siblings:
                theirs, why = facts.quality_for(alarmed=alarmed)
                if theirs is not Quality.LIVE:
                    return Quality.STALE, "suspended" if why == "status" else why
        return quality, reason

    def look(self, now: float, *, sure: bool = True) -> list[AlertEvent]:
        """Evaluate at what is known: the mark if it is live, else the most dangerous price there is, which may raise.

        Where the caller is not *sure* of a live mark, it may only raise, too.
        """
        facts = self.facts
        if not self.alone and facts.mark.value > 0.0:
            self.solve()  # its lines lie where the others' marks are now
        if facts.mark.value == 0.0 or not self.solved:
            return []
        if self.state.quality is Quality.LIVE:
            return self.evaluate(facts.mark.value, "mark", now, live=sure)
        known = [(facts.mark.value, "late mark" if facts.mark.late else "mark"), *facts.fallback(now)]
        price, source = max(known, key=lambda candidate: self.lines.danger * candidate[0])
        return self.evaluate(price, source, now, live=False)

    def evaluate(self, price: float, source: str, now: float, *, live: bool) -> list[AlertEvent]:
        """Let *price* work on the ladder, arm the trigger book anew, and return what must be announced."""
        if self.mixed:
            if self.alone:
                self.facts.triggers.arm(self.slot, price, price)  # every further price is looked at again
            return []
        self.source = source
        changes = alerts.step(self.state, price, self.lines, self.ladder, now, live=live)
        return self._after(changes, price, now)

    def expire(self, price: float, now: float) -> list[AlertEvent]:
        """Let time work on the ladder."""
        if not self.alone:
            self.solve()  # where it is quiet follows from its lines at the marks of now
        return self._after(alerts.expire(self.state, self.ladder, now), price, now)

    def rearm(self) -> None:
        """Arm the trigger book around the present mark, without evaluating anything."""
        low, high = alerts.quiet_band(self.state, self.facts.mark.value, self.lines, self.ladder)
        self.facts.triggers.arm(self.slot, low, high)

    def _after(self, changes: list[Change], price: float, now: float) -> list[AlertEvent]:
        if self.alone:
            low, high = alerts.quiet_band(self.state, price, self.lines, self.ladder)
            self.facts.triggers.arm(self.slot, low, high)
        self.timed = alerts.next_deadline(self.state, self.ladder) < float("inf")
        return [self.announce(change, price, now) for change in changes]

    def announce(self, change: Change, price: float | None, now: float) -> AlertEvent:
        """Return the alert event for *change*, with the next sequence number of the position."""
        state, lines, known = self.state, self.lines, self.levels
        state.seq += 1
        worst = change.worst or change.level
        severity = worst.word if worst else "warning"
        distance = bankruptcy = None
        if price is not None and known.liquidation_price is not None:
            distance = lines.distance(price)
        if price is not None and known.bankruptcy_price is not None:
            bankruptcy = lines.bankruptcy_distance(price)
        field = self.facts.mark if self.source in {"mark", "late mark"} else getattr(self.facts, self.source)
        return AlertEvent(
            kind=change.kind,
            severity=severity,
            subject=self.subject,
            venue=self.book.account.venue,
            state=self.stored(),
            seq=state.seq,
            episode=state.episode,
            level=change.level,
            prev_level=change.prev_level,
            quality=self.shown_quality,
            reason=change.reason,
            arrived=now,
            position=self.position.name,
            account=self.book.account.name,
            symbol=self.position.symbol,
            side=self.position.side,
            mark_price=price,
            price_source=self.shown_source(self.source),
            price_age_seconds=max(0.0, field.age(now)) if field.accepted > 0.0 else None,
            liquidation_price=known.liquidation_price,
            bankruptcy_price=known.bankruptcy_price,
            liquidation_distance_ratio=distance,
            bankruptcy_distance_ratio=bankruptcy,
            ladder=self.ladder,
            skipped=change.skipped,
        )

    @property
    def shown_quality(self) -> Quality:
        """Return the quality as people are told it: the mark of another contract is never more than a stand-in."""
        quality = self.state.quality
        return Quality.FALLBACK if quality is Quality.LIVE and self.facts.proxy else quality

    def shown_source(self, source: str) -> str:
        """Return where a price comes from, as people are told it."""
        proxied = self.facts.proxy and source in {"mark", "late mark"}
        return f"proxy {self.facts.proxy}" if proxied else source

    def drift(self, now: float) -> list[AlertEvent]:
        """Return the alert event of a venue's figure that is too far from ours, the first time it is.

        It is asked once the levels are known and when terms have changed: the figure is of the moment that the file
        was written, and with other marks behind the position both move.
        """
        if self.solved:
            self.drift_ratio = self.levels.drift_ratio
        drifted, told = self.solved and self.levels.drifted, self.state.drift_alerted
        self.state.drift_alerted = drifted
        if not drifted or told:
            return []
        level = self.state.level
        return [self.announce(Change("position.drift", level, level, reason="drift"), self.facts.mark.value, now)]

    def stored(self) -> StoredState:
        """Return what must survive a restart."""
        state = self.state
        return StoredState(
            subject=self.subject,
            raw=int(state.raw),
            held=int(state.held),
            flapping=state.flapping,
            announced=int(state.announced),
            episode=state.episode,
            seq=state.seq,
            data_alerted=state.data_alerted,
            drift_alerted=state.drift_alerted,
        )

    def set_quality(self, quality: Quality, reason: str, now: float) -> bool:
        """Take a new quality and return whether it changed; anything but live stops all clearing."""
        state = self.state
        reason = "" if quality is Quality.LIVE else reason
        if quality is state.quality and reason == state.reason:
            return False
        if quality.known != state.quality.known or state.quality_since == 0.0:
            state.quality_since = now
        state.quality, state.reason = quality, reason
        if quality is not Quality.LIVE:
            alerts.interrupt(state)
            self.timed = False
        return True
