"""One watched position: its levels, its alert state, and the alert events that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from monitor.core import alerts, levels
from monitor.core.account import Account, Position
from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import AlertState, Change, Ladder, Level, Lines, Quality
from monitor.core.contract import LiquidationRule, TierTable
from monitor.core.levels import Levels, Terms
from monitor.engine.facts import SymbolFacts

NO_LINES = Lines(danger=-1, liquidation_price=None, bankruptcy_price=None)


class WatchedAccount(msgspec.Struct, frozen=True):
    """One account as the engine takes it.

    ``terms`` are what the operator's file says per symbol, which wins over ``shipped`` ladders and over what
    the venue announces; ``ladders`` are thresholds per position name, ``settle`` the margin asset per symbol.
    """

    account: Account
    rule: LiquidationRule
    ladder: Ladder = Ladder()
    terms: Mapping[str, Terms] = msgspec.field(default_factory=dict)
    shipped: Mapping[str, TierTable] = msgspec.field(default_factory=dict)
    ladders: Mapping[str, Ladder] = msgspec.field(default_factory=dict)


def removed_positions(states: Iterable[StoredState], now: float) -> list[AlertEvent]:
    """Return the resolves of positions that were in alarm in an earlier run and are not watched any more."""
    return [
        AlertEvent(
            kind="position.resolved",
            severity=max(Level(stored.announced), Level.WARNING).word,
            subject=stored.subject,
            venue="",
            state=StoredState(stored.subject, seq=stored.seq + 1, episode=stored.episode),
            seq=stored.seq + 1,
            episode=stored.episode,
            level=Level.OK,
            prev_level=max(Level(stored.raw), Level(stored.held)),
            quality=Quality.NEVER,
            reason="position_removed",
            arrived=now,
            account=stored.subject.partition("/")[0],
            position=stored.subject.partition("/")[2],
        )
        for stored in states
        if "/" in stored.subject and (stored.raw or stored.held)
    ]


class Watch:
    """A position with everything that is remembered of it."""

    __slots__ = (
        "account",
        "facts",
        "ladder",
        "legs",
        "levels",
        "lines",
        "position",
        "slot",
        "source",
        "state",
        "subject",
        "timed",
        "watched",
    )

    def __init__(self, watched: WatchedAccount, position: Position, facts: SymbolFacts, slot: int) -> None:
        self.watched, self.account, self.position, self.facts, self.slot = (
            watched,
            watched.account,
            position,
            facts,
            slot,
        )
        cross = position.margin_mode == "cross"
        self.legs = [p for p in self.account.cross_positions() if p.symbol == position.symbol] if cross else [position]
        self.subject = f"{watched.account.name}/{position.name}"
        self.ladder = watched.ladders.get(position.name, watched.ladder)
        self.levels = Levels(status=levels.UNAVAILABLE, missing=("mark_price",))
        self.lines = NO_LINES
        self.state = AlertState()
        self.source = "mark"
        self.timed = False

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
        )

    def solve(self, marks: Mapping[str, SymbolFacts]) -> None:
        """Work out the levels anew: the position, a ladder, a balance or another position's mark changed."""
        needed = self.account.cross_positions() if self.position.margin_mode == "cross" else (self.position,)
        terms = {p.symbol: self._terms(marks[p.symbol]) for p in needed}
        self.levels = levels.position_levels(self.account, self.position, terms, self.watched.rule)
        self.lines = self.levels.lines() if self.solved else NO_LINES

    def _terms(self, facts: SymbolFacts) -> Terms:
        said = self.watched.terms.get(facts.symbol, Terms())
        table = said.table or facts.table or self.watched.shipped.get(facts.symbol)
        mark = facts.mark.value if facts.mark.value > 0.0 else None
        return Terms(mark_price=mark, table=table, closing_fee_rate=said.closing_fee_rate, kind=said.kind)

    def amounts(self, price: float) -> tuple[float, float, float] | None:
        """Return notional, equity and requirement at *price* (settlement asset), or None while unknown."""
        known = self.levels
        if known.collateral is None or known.tier is None:
            return None
        terms = self._terms(self.facts)
        assert terms.table is not None, "levels with a tier have a table"
        equity = known.collateral + known.others_profit + sum(p.profit_at(price) for p in self.legs)
        sizes = [abs(p.quantity) * price for p in self.legs]
        fee = levels.closing_fee(terms, self.watched.rule)
        requirement = sum(levels.maintenance_margin(size, terms.table.tier_at(size), fee) for size in sizes)
        return abs(self.position.quantity) * price, equity, known.others_maintenance + requirement

    @property
    def solved(self) -> bool:
        """Return whether the levels are known (a position that nothing can liquidate is known, too)."""
        return self.levels.status != levels.UNAVAILABLE

    def evaluate(self, price: float, source: str, now: float, *, live: bool) -> list[AlertEvent]:
        """Let *price* work on the ladder, arm the trigger book anew, and return what must be announced."""
        self.source = source
        changes = alerts.step(self.state, price, self.lines, self.ladder, now, live=live)
        return self._after(changes, price, now)

    def expire(self, price: float, now: float) -> list[AlertEvent]:
        """Let time work on the ladder."""
        return self._after(alerts.expire(self.state, self.ladder, now), price, now)

    def rearm(self) -> None:
        """Arm the trigger book around the present mark, without evaluating anything."""
        low, high = alerts.quiet_band(self.state, self.facts.mark.value, self.lines, self.ladder)
        self.facts.triggers.arm(self.slot, low, high)

    def _after(self, changes: list[Change], price: float, now: float) -> list[AlertEvent]:
        low, high = alerts.quiet_band(self.state, price, self.lines, self.ladder)
        self.facts.triggers.arm(self.slot, low, high)
        self.timed = alerts.next_deadline(self.state, self.ladder) < float("inf")
        return [self.announce(change, price, now) for change in changes]

    def announce(self, change: Change, price: float | None, now: float) -> AlertEvent:
        """Return the alert event for *change*, with the next sequence number of the position."""
        state, lines = self.state, self.lines
        state.seq += 1
        worst = change.worst or change.level
        severity = worst.word if worst else "warning"
        distance = bankruptcy = None
        if price is not None and lines.liquidation_price is not None:
            distance = lines.distance(price)
        if price is not None and lines.bankruptcy_price is not None:
            bankruptcy = lines.bankruptcy_distance(price)
        field = self.facts.mark if self.source in {"mark", "late mark"} else getattr(self.facts, self.source)
        return AlertEvent(
            kind=change.kind,
            severity=severity,
            subject=self.subject,
            venue=self.account.venue,
            state=self.stored(),
            seq=state.seq,
            episode=state.episode,
            level=change.level,
            prev_level=change.prev_level,
            quality=state.quality,
            reason=change.reason,
            arrived=now,
            position=self.position.name,
            account=self.account.name,
            symbol=self.position.symbol,
            side=self.position.side,
            mark_price=price,
            price_source=self.source,
            price_age_seconds=max(0.0, field.age(now)) if field.accepted > 0.0 else None,
            liquidation_price=lines.liquidation_price,
            bankruptcy_price=lines.bankruptcy_price,
            liquidation_distance_ratio=distance,
            bankruptcy_distance_ratio=bankruptcy,
            ladder=self.ladder,
            skipped=change.skipped,
        )

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
        )

    def set_quality(self, quality: Quality, reason: str, now: float) -> bool:
        """Take a new quality and return whether it changed; anything but live stops all clearing."""
        state = self.state
        if quality is state.quality and reason == state.reason:
            return False
        if quality.known != state.quality.known or state.quality_since == 0.0:
            state.quality_since = now
        state.quality, state.reason = quality, "" if quality is Quality.LIVE else reason
        if quality is not Quality.LIVE:
            alerts.interrupt(state)
            self.timed = False
        return True
