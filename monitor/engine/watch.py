"""One watched position: its levels, its alert state, and the alert events that come of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import sha256
from math import inf

import msgspec
from msgspec.structs import replace

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

    ``terms`` are what the operator's file says per symbol; it wins over what the venue announces, and that over
    ``tables`` (fetched or shipped ladders, of some day). ``ladders`` are thresholds per position name.
    """

    account: Account
    rule: LiquidationRule
    ladder: Ladder = Ladder()
    terms: Mapping[str, Terms] = msgspec.field(default_factory=dict)
    tables: Mapping[str, TierTable] = msgspec.field(default_factory=dict)
    ladders: Mapping[str, Ladder] = msgspec.field(default_factory=dict)


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


class Book:
    """One account with the facts of its symbols; what all its positions share."""

    __slots__ = ("account", "facts", "subject", "unsaved", "watched")

    def __init__(self, watched: WatchedAccount, facts: Mapping[str, SymbolFacts]) -> None:
        self.watched = watched
        self.account = watched.account
        self.facts = facts
        self.subject = f"account:{watched.account.name}"
        self.unsaved = False

    @property
    def fingerprint(self) -> str:
        """Return what changes with the operator's entry of this account, and with nothing else."""
        return sha256(msgspec.json.encode(self.watched.account)).hexdigest()[:16]

    def restore(self, stored: StoredState) -> None:
        """Take up the balance that an earlier run found, unless the operator has changed the account since."""
        if self.account.equity is not None and stored.balance is not None and stored.fingerprint == self.fingerprint:
            self.account = replace(self.account, balance=stored.balance, equity=None)

    def stored(self) -> StoredState:
        """Return what must survive a restart."""
        return StoredState(self.subject, balance=self.account.balance, fingerprint=self.fingerprint)

    def terms(self, symbol: str) -> Terms:
        """Return what the sum needs of *symbol*: the operator's word first, then the venue's, then the tables."""
        facts, said = self.facts[symbol], self.watched.terms.get(symbol, Terms())
        table = said.table or facts.table or self.watched.tables.get(symbol)
        mark = facts.mark.value if facts.mark.value > 0.0 else None
        return Terms(mark_price=mark, table=table, closing_fee_rate=said.closing_fee_rate, kind=said.kind)

    def settle_equity(self) -> bool:
        """Turn an equity into the balance it means at the first fresh marks; return whether the collateral is known.

        The file's equity is a figure of one moment. Taken again at later marks, after a restart in a falling market
        for example, it would never have fallen, and the liquidation price would run away from the mark.
        """
        account, held = self.account, self.account.cross_positions()
        if account.balance is not None or account.equity is None:
            return True
        marks = [self.facts[p.symbol].mark for p in held]
        if any(mark.value == 0.0 or mark.late for mark in marks):
            return False
        profit = sum(p.profit_at(mark.value) for p, mark in zip(held, marks, strict=True))
        self.account = replace(account, balance=account.equity - profit, equity=None)
        self.unsaved = True
        return True


class Watch:
    """A position with everything that is remembered of it."""

    __slots__ = (
        "book",
        "broken_until",
        "facts",
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
    )

    def __init__(self, book: Book, position: Position, slot: int) -> None:
        self.book, self.position, self.slot = book, position, slot
        self.facts = book.facts[position.symbol]
        cross = book.account.cross_positions() if position.margin_mode == "cross" else ()
        self.legs = [p for p in cross if p.symbol == position.symbol] or [position]
        self.siblings = [book.facts[s] for s in sorted({p.symbol for p in cross} - {position.symbol})]
        self.subject = f"{book.account.name}/{position.name}"
        self.ladder = book.watched.ladders.get(position.name, book.watched.ladder)
        self.levels = Levels(status=levels.UNAVAILABLE, missing=("mark_price",))
        self.lines = NO_LINES
        self.state = AlertState()
        self.source = "mark"
        self.timed = False
        self.broken_until = -inf

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

    def solve(self) -> None:
        """Work out the levels anew: the position, a ladder, a balance or another position's mark changed."""
        book, cross = self.book, self.position.margin_mode == "cross"
        if cross and not book.settle_equity():
            self.levels = Levels(status=levels.UNAVAILABLE, missing=("mark_price",))
        else:
            needed = book.account.cross_positions() if cross else (self.position,)
            terms = {p.symbol: book.terms(p.symbol) for p in needed}
            self.levels = levels.position_levels(book.account, self.position, terms, book.watched.rule)
        self.lines = self.levels.lines() if self.solved else NO_LINES

    def amounts(self, price: float) -> tuple[float, float, float] | None:
        """Return notional, equity and requirement at *price* (settlement asset), or None while unknown."""
        known, terms = self.levels, self.book.terms(self.position.symbol)
        if known.collateral is None or known.tier is None or terms.table is None:
            return None
        equity = known.collateral + known.others_profit + sum(p.profit_at(price) for p in self.legs)
        sizes = [abs(p.quantity) * price for p in self.legs]
        fee = levels.closing_fee(terms, self.book.watched.rule)
        requirement = sum(levels.maintenance_margin(size, terms.table.tier_at(size), fee) for size in sizes)
        return abs(self.position.quantity) * price, equity, known.others_maintenance + requirement

    @property
    def solved(self) -> bool:
        """Return whether the levels are known (a position that nothing can liquidate is known, too)."""
        return self.levels.status != levels.UNAVAILABLE

    @property
    def undisputed(self) -> bool:
        """Return whether no mark that the levels hang on has a jump waiting for confirmation."""
        return self.facts.held is None and all(facts.held is None for facts in self.siblings)

    def judge(self, now: float) -> tuple[Quality, str]:
        """Return the quality of this position and why it is not live, from its symbol's and its siblings' facts."""
        alarmed = self.state.level >= Level.WARNING
        quality, reason = self.facts.quality_for(alarmed=alarmed)
        if quality is Quality.NEVER or not self.facts.watchable:
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
        if facts.mark.value == 0.0 or not self.solved:
            return []
        if self.state.quality is Quality.LIVE:
            return self.evaluate(facts.mark.value, "mark", now, live=sure)
        known = [(facts.mark.value, "late mark" if facts.mark.late else "mark"), *facts.fallback(now)]
        price, source = max(known, key=lambda candidate: self.lines.danger * candidate[0])
        return self.evaluate(price, source, now, live=False)

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
            quality=state.quality,
            reason=change.reason,
            arrived=now,
            position=self.position.name,
            account=self.book.account.name,
            symbol=self.position.symbol,
            side=self.position.side,
            mark_price=price,
            price_source=self.source,
            price_age_seconds=max(0.0, field.age(now)) if field.accepted > 0.0 else None,
            liquidation_price=known.liquidation_price,
            bankruptcy_price=known.bankruptcy_price,
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
