"""What a venue says of its contracts, and what follows when it says something new.

A contract's units are never changed silently under a position: where the venue's contract is not the one that the
operator's figures are in, its positions are unknown (reason ``terms``) and that is announced at once (F-40).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from math import inf, isclose

import msgspec
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.alert_event import AlertEvent, KnownContract, StoredState
from monitor.core.alerts import Change, Level
from monitor.core.contract import Tier, TierTable, build_deductions, ladder_for, ladder_problem
from monitor.engine.evaluator import Evaluator
from monitor.engine.facts import SymbolFacts
from monitor.engine.sharing import Sharing
from monitor.engine.venue_state import VenueState
from monitor.engine.watch import Watch

NOTHING: tuple[AlertEvent, ...] = ()

TERMS_MOVE = 0.005
"""A liquidation price that moves by more than this share of the mark through new terms is announced."""

NEAR_SECONDS = 14 * 86_400.0
"""A contract that ends within this is told of at first sight, too: it may have been decided while nobody watched."""

SAID_SECONDS = 3600.0
"""So long the same news of a contract is not said again."""

Requalify = Callable[[SymbolFacts, float], list[AlertEvent]]


def subject_of(facts: SymbolFacts) -> str:
    """Return the subject under which a contract is stored."""
    return f"contract:{facts.venue}/{facts.symbol}"


class ContractNews:
    """Takes what is said of contracts, for all venues of an engine."""

    def __init__(
        self,
        venues: Mapping[str, VenueState],
        by_symbol: Mapping[tuple[str, str], list[Watch]],
        work: Evaluator,
        sharing: Sharing,
        requalify: Requalify,
    ) -> None:
        self._venues = venues
        self._by_symbol = by_symbol
        self._work = work
        self._sharing = sharing
        self._requalify = requalify
        self._told_wrong: dict[SymbolFacts, str] = {}
        """What an earlier run told of wrong units, until the venue has been heard."""
        self.unsaved: dict[SymbolFacts, None] = {}
        """Contracts of which something was said that must survive a restart."""
        self._said: dict[tuple[SymbolFacts, str, object], float] = {}
        """What was announced of a contract, and when: two sources that differ are told once, not at every turn."""

    # --- over a restart ------------------------------------------------------------------------------------

    def _note(self, facts: SymbolFacts) -> None:
        if self._watches(facts):
            self.unsaved[facts] = None

    def stored(self, facts: SymbolFacts) -> StoredState:
        """Return what must survive a restart of a contract."""
        table = facts.table
        known = KnownContract(
            () if table is None else tuple((t.floor, t.maintenance_rate, t.deduction) for t in table.tiers),
            () if table is None else table.max_leverages,
            facts.delivery_time,
            facts.funding_interval,
            facts.wrong_units or self._told_wrong.get(facts, ""),
        )
        return StoredState(subject_of(facts), contract=known, fingerprint=self._otherwise(facts))

    def restore(self, facts: SymbolFacts, stored: StoredState) -> None:
        """Take up what an earlier run was told; a ladder only if the operator has not brought a newer one since."""
        known = stored.contract
        if known is None:
            return
        facts.delivery_time, facts.funding_interval = known.delivery_time, known.funding_interval
        if known.wrong_units:
            self._told_wrong[facts] = known.wrong_units  # told, that is: the file may be right by now
        tiers = tuple(Tier(*row) for row in known.tiers)
        if tiers and ladder_problem(tiers) is None and stored.fingerprint == self._otherwise(facts):
            table = TierTable(tiers, "announced by the venue before the restart", "", None, known.max_leverages)
            facts.table = self._as_ruled(facts, table)

    def _otherwise(self, facts: SymbolFacts) -> str:
        """Return what changes with the ladder that would count if the venue had announced none."""
        tables = [watch.book.watched.tables.get(facts.symbol) for watch in self._watches(facts)]
        return sha256(msgspec.json.encode(tables)).hexdigest()[:16]

    def _facts(self, venue: str, symbol: str) -> SymbolFacts | None:
        return self._venues[venue].symbols.get(symbol)

    def _watches(self, facts: SymbolFacts) -> list[Watch]:
        return self._by_symbol.get((facts.venue, facts.symbol), [])

    # --- terms and status ----------------------------------------------------------------------------------

    def on_terms(self, event: ev.ContractTerms, now: float) -> Sequence[AlertEvent]:
        """Take a contract's terms: its units, its status, its end."""
        facts = self._facts(event.venue, event.symbol)
        if facts is None:
            return NOTHING
        first, facts.contract, facts.settle = facts.contract is None, event, event.settle
        out: list[AlertEvent] = []
        wrong = self._wrong_units(facts)
        if wrong != facts.wrong_units:
            facts.wrong_units = wrong
            self._note(facts)
            if wrong and wrong != self._told_wrong.get(facts):
                ours = next((w.book.contract_size(facts.symbol) for w in self._watches(facts)), None)
                out += self._announce(facts, wrong, ours, event.contract_size, now, worst=Level.CRITICAL)
            out += self._requalify(facts, now)
        self._told_wrong.pop(facts, None)
        out += self._ending(facts, event.delivery_time, now, first=first)
        return [*out, *self._take_status(facts, event.status, now, watchable=event.watchable)]

    def _ending(self, facts: SymbolFacts, time: float | None, now: float, *, first: bool) -> Sequence[AlertEvent]:
        """Take when a contract ends. A date that is new is announced; at first sight only one that is near."""
        before, facts.delivery_time = facts.delivery_time, time
        if time != before:
            self._note(facts)
        if time is None or time == before:
            return NOTHING
        if before is None and first and time - now - facts.clock.offset > NEAR_SECONDS:
            return NOTHING  # a dated contract, as it always was
        return self._announce(facts, "delisting", before, time, now)

    def _wrong_units(self, facts: SymbolFacts) -> str:
        """Return which of its units the operator's figures are not in, "" if all are."""
        contract = facts.contract
        if contract is None:
            return ""
        for watch in self._watches(facts):
            if watch.kind != contract.kind:
                return "kind"
            size = watch.book.contract_size(facts.symbol)
            if size is not None and not isclose(size, contract.contract_size, rel_tol=1e-9):
                return "contract_size"
        return ""

    def on_status(self, event: ev.ContractStatus, now: float) -> Sequence[AlertEvent]:
        """Take a contract's status alone."""
        facts = self._facts(event.venue, event.symbol)
        if facts is None:
            return NOTHING
        if facts.contract is not None and event.status not in {facts.status, "not listed"}:
            self._venues[event.venue].jumps += 1  # there is news: the whole terms are read again
        return self._take_status(facts, event.status, now, watchable=event.watchable)

    def on_refused(self, event: ev.SubscriptionRefused, now: float) -> Sequence[AlertEvent]:
        """Take that the venue does not give a contract's marks: it cannot be watched until one comes after all."""
        facts = self._facts(event.venue, event.symbol)
        if facts is None or event.field != "mark" or facts.refused:
            return NOTHING
        if facts.refusal_survived and facts.mark.age(now) <= facts.intervals.mark_calm:
            return NOTHING  # its marks come in another way
        facts.refused = True
        return self._take_status(facts, facts.status or "refused", now, watchable=facts.watchable)

    def _take_status(self, facts: SymbolFacts, status: str, now: float, *, watchable: bool) -> Sequence[AlertEvent]:
        was = facts.shown_watchable
        facts.status, facts.watchable = status, watchable
        if was == (watchable and not facts.refused):
            return NOTHING
        out = self._requalify(facts, now)
        facts.shown_watchable = watchable and not facts.refused
        if was:
            reason = "refused" if facts.refused else status
            for watch in self._watches(facts):
                if watch.state.data_alerted:
                    continue  # said before a restart, or as a silent feed
                self._venues[facts.venue].silence.announced(watch)
                level = watch.state.level
                out.append(watch.announce(Change("position.unwatchable", level, level, reason=reason), None, now))
        return out

    # --- funding and tiers ---------------------------------------------------------------------------------

    def on_funding_terms(self, event: ev.FundingTerms, now: float) -> Sequence[AlertEvent]:
        """Take how often a contract is charged; another rhythm than before is announced."""
        facts = self._facts(event.venue, event.symbol)
        if facts is None:
            return NOTHING
        before, facts.funding_interval = facts.funding_interval, event.interval_seconds
        changed = before is not None and not isclose(before, event.interval_seconds, rel_tol=1e-9)
        if before is None or changed:
            self._note(facts)
        return self._announce(facts, "funding_interval", before, event.interval_seconds, now) if changed else NOTHING

    def _announce(
        self,
        facts: SymbolFacts,
        reason: str,
        before: float | None,
        after: float,
        now: float,
        *,
        worst: Level = Level.OK,
    ) -> Sequence[AlertEvent]:
        out: list[AlertEvent] = []
        if not self._news(facts, reason, after, now):
            return out
        for watch in self._watches(facts):
            level = watch.state.level
            change = Change("position.terms_changed", level, level, reason=reason, worst=worst)
            out.append(replace(watch.announce(change, facts.mark.value or None, now), before=before, after=after))
        return out

    def _news(self, facts: SymbolFacts, reason: str, value: object, now: float) -> bool:
        """Return whether this is news of a contract, and not what was said within the hour: sources may differ."""
        if now - self._said.get((facts, reason, value), -inf) < SAID_SECONDS:
            return False
        self._said = {k: t for k, t in self._said.items() if now - t < SAID_SECONDS} | {(facts, reason, value): now}
        return True

    def on_tiers(self, event: ev.TierTableChanged, now: float) -> Sequence[AlertEvent]:
        """Take a maintenance ladder, if it is a sound one, and announce the liquidation prices that it moves."""
        facts = self._facts(event.venue, event.symbol)
        if facts is None:
            return NOTHING
        tiers = tuple(Tier(*row) for row in event.rows)
        if ladder_problem(tiers) is not None or not self._continuous(facts, tiers):
            self._venues[event.venue].rejected.add("bad_tiers")
            return NOTHING
        table = self._as_ruled(facts, TierTable(tiers, "announced by the venue", max_leverages=event.max_leverages))
        if facts.table is not None and facts.table.tiers == table.tiers:
            if facts.table.max_leverages != table.max_leverages:
                self._note(facts)
            facts.table = table  # nothing new, but it is known again where it is from
            return NOTHING
        watches = dict.fromkeys(self._watches(facts))
        for shared in self._sharing.of(facts):
            watches |= dict.fromkeys(shared.watches)  # the requirement of one weighs on all of them
        for watch in watches:
            if not watch.alone:
                # others' marks have moved since: that is not the ladder's doing
                self._work.attempt(watch, now, watch.solve)
        facts.table = table
        self._note(facts)
        for book in dict.fromkeys(watch.book for watch in watches):
            book.forget()
        self._sharing.forget(facts)
        out = self._resolved(list(watches), now)
        if not any(alert.kind == "position.terms_changed" for alert in out):
            return out
        told = self._news(facts, "tiers", table.tiers, now)
        return out if told else [alert for alert in out if alert.kind != "position.terms_changed"]

    def _resolved(self, watches: Sequence[Watch], now: float) -> list[AlertEvent]:
        out: list[AlertEvent] = []
        for watch in watches:
            known, before = watch.solved, watch.levels.liquidation_price
            out += self._work.resolve(watch, now)
            after, mark = watch.levels.liquidation_price, watch.facts.mark.value
            moved = (before is None) != (after is None) or abs((after or 0.0) - (before or 0.0)) > TERMS_MOVE * mark
            if known and moved:
                level = watch.state.level
                change = Change("position.terms_changed", level, level, reason="tiers")
                out.append(replace(watch.announce(change, mark, now), before=before, after=after))
            out += watch.drift(now)
        return out

    def _as_ruled(self, facts: SymbolFacts, table: TierTable) -> TierTable:
        """Return *table* with the deductions that the rule of the contract's positions calls for."""
        rules = (watch.book.rule(facts.symbol) for watch in self._watches(facts))
        return ladder_for(table, next((rule for rule in rules if rule is not None), None)) or table

    def _continuous(self, facts: SymbolFacts, tiers: Sequence[Tier]) -> bool:
        """Return whether published deductions are those that the ladder itself calls for, but for rounding."""
        rules = [watch.book.rule(facts.symbol) for watch in self._watches(facts)]
        if not any(tier.deduction for tier in tiers) and not any(r and r.deduction == "published" for r in rules):
            return True
        built = build_deductions([(tier.floor, tier.maintenance_rate) for tier in tiers])
        inverse = any(watch.kind == "inverse" for watch in self._watches(facts))
        rounding = 0.0 if inverse else 1.0  # amounts in dollars may be rounded to one; a coin is no rounding
        return all(
            abs(said.deduction - ours.deduction) <= rounding + 0.01 * ours.deduction
            for said, ours in zip(tiers, built, strict=True)
        )
