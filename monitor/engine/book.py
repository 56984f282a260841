"""One account as the engine keeps it: its terms, its collateral, and the facts that all its positions share."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from msgspec.structs import replace

from monitor.core.account import Account, Position
from monitor.core.alert_event import StoredState
from monitor.core.alerts import Ladder
from monitor.core.contract import LiquidationRule, Tier, TierTable, ladder_for
from monitor.core.pool import Group, Pool, Terms, pool_of
from monitor.engine.facts import SymbolFacts


class WatchedAccount(msgspec.Struct, frozen=True):
    """One account as the engine takes it.

    ``terms`` has every symbol: the venue's rule and what the operator's file says, without a mark price. A ladder in
    it wins over what the venue announces, and that over ``tables`` (fetched or shipped ladders, of some day).
    ``ladders`` are thresholds per position name.
    """

    account: Account
    terms: Mapping[str, Terms]
    ladder: Ladder = Ladder()
    tables: Mapping[str, TierTable] = msgspec.field(default_factory=dict)
    ladders: Mapping[str, Ladder] = msgspec.field(default_factory=dict)
    contract_sizes: Mapping[str, float] = msgspec.field(default_factory=dict)
    """By symbol: what the operator's contracts were multiplied with."""
    proxies: Mapping[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    """Symbol -> (venue, symbol) of the contract whose mark it is watched by."""


class Book:
    """One account with the facts of its symbols; what all its positions share.

    ``held`` has the symbol of each cross position, ``shared_symbols`` all whose marks the cross collateral hangs on;
    ``shares`` is true where a cross position's lines move with another mark, or with another leg's.
    """

    __slots__ = (
        "_pool",
        "_rates",
        "account",
        "facts",
        "held",
        "shared_symbols",
        "shares",
        "subject",
        "unsaved",
        "version",
        "watched",
    )

    def __init__(self, watched: WatchedAccount, facts: Mapping[str, SymbolFacts]) -> None:
        self.watched = watched
        self.account = watched.account
        self.facts = facts
        self.subject = f"account:{watched.account.name}"
        self.unsaved = False
        self._pool: Pool | None = None
        self.version = 0
        self._rates: dict[str, TierTable] = {}
        self.held = tuple(p.symbol for p in self.account.cross_positions() if p.quantity != 0.0)
        followed = [asset.symbol for asset in self.account.assets if asset.symbol]
        self.shared_symbols = tuple(dict.fromkeys([*self.held, *followed]))
        self.shares = len(self.shared_symbols) > 1 or len(self.held) > 1 or bool(followed)

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

    def kind(self, symbol: str) -> str:
        """Return whether a contract is linear or inverse."""
        return self.watched.terms.get(symbol, Terms()).kind

    def rule(self, symbol: str) -> LiquidationRule | None:
        """Return the rule of a contract."""
        return self.watched.terms.get(symbol, Terms()).rule

    def contract_size(self, symbol: str) -> float | None:
        """Return the contract size that the positions' quantities were worked out with, None if nobody says."""
        return self.watched.contract_sizes.get(symbol)

    def terms(self, symbol: str) -> Terms:
        """Return what the sum needs of *symbol*: the operator's word first, then the venue's, then the tables."""
        facts, said = self.facts[symbol], self.watched.terms.get(symbol, Terms())
        table = said.table or ladder_for(facts.table, said.rule) or self.watched.tables.get(symbol)
        table = table or self._reported(symbol, said)
        return replace(said, mark_price=facts.mark.value if facts.mark.value > 0.0 else None, table=table)

    def _reported(self, symbol: str, said: Terms) -> TierTable | None:
        """Return the rate that the venue's own requirement means at the first mark, where there is no ladder.

        Taken again at every mark it would not be a rate: the line of a short would run away from its mark.
        """
        mark, rule = self.facts[symbol].mark.value, said.rule
        held = [(p, p.maintenance_margin) for p in self.account.positions if p.symbol == symbol]
        amounts = [(p, amount) for p, amount in held if amount is not None]
        if not amounts or rule is None or rule.maintenance in {"fixed", "entry"}:
            return None
        if symbol not in self._rates and mark > 0.0:
            notional = sum(p.notional_at(mark, said.kind) for p, _ in amounts)
            rate = sum(amount for _, amount in amounts) / notional
            self._rates[symbol] = TierTable((Tier(0.0, rate),), "the venue's own requirement")
        return self._rates.get(symbol)

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
        kinds = [self.terms(p.symbol).kind for p in held]
        profit = sum(p.profit_at(mark.value, kind) for p, mark, kind in zip(held, marks, kinds, strict=True))
        funding = sum(p.unsettled_funding for p in held)  # which a balance does not contain, and an equity does
        self.account = replace(account, balance=account.equity - profit - funding, equity=None)
        self.unsaved = True
        self._pool = None
        return True

    def pool(self, position: Position) -> Pool:
        """Return the pool that *position* is in, at the present marks."""
        if position.margin_mode == "cross":
            return self.shared_pool()
        return pool_of(self.account, position, {position.symbol: self.terms(position.symbol)})

    def shared_pool(self) -> Pool:
        """Return the pool of the cross positions at the present marks; only what has moved is worked out anew.

        ``version`` grows whenever something has.
        """
        pool = self._pool
        if pool is not None:
            moved = [(group, self.facts[symbol].mark.value) for symbol, group in pool.groups.items()]
            moved = [(group, mark) for group, mark in moved if mark != group.mark]
            for group, mark in moved:
                group.remark(mark)
            self.version += bool(moved)
            return pool
        self.version += 1
        first = self.account.cross_positions()[0]
        pool = pool_of(self.account, first, {symbol: self.terms(symbol) for symbol in self.shared_symbols})
        # Kept where nothing in it but the groups hangs on the marks.
        if pool.marked and not any(pool.missing.values()) and not self._moves(pool):
            self._pool = pool
        return pool

    def groups(self) -> Mapping[str, Group]:
        """Return the groups of the shared pool, for their legs: their marks may be of an earlier moment."""
        return (self._pool or self.shared_pool()).groups

    def forget(self) -> None:
        """Forget what was worked out from terms: they have changed."""
        self._pool = None

    def _moves(self, pool: Pool) -> bool:
        """Return whether collateral or requirements of *pool* change with marks in other ways than by its groups."""
        followed = any(asset.symbol for asset in self.account.assets)
        return followed or (len(pool.groups) > 1 and any(group.reserve for group in pool.groups.values()))

    def gains(self) -> dict[str, tuple[float, float]]:
        """Return, for assets that follow a mark, what the collateral gains per unit of it, and where it is."""
        found: dict[str, tuple[float, float]] = {}
        for asset in self.account.assets:
            if asset.symbol:
                gain = asset.value_at(1.0) + found.get(asset.symbol, (0.0, 0.0))[0]
                found[asset.symbol] = (gain, self.facts[asset.symbol].mark.value)
        return found
