"""What the tests of the core share: shorthand for a rule, a ladder, an account and its answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.levels import Levels, position_levels
from monitor.core.pool import Terms


class Solve:
    """Shorthand for :func:`position_levels` on accounts of a few positions."""

    rule = LiquidationRule(
        name="requirement at mark",
        source="the test",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        closing_fee="mark_notional",
    )

    @classmethod
    def by(cls, **switches: str) -> LiquidationRule:
        """The rule above with some of its switches turned."""
        return msgspec.structs.replace(cls.rule, **switches)

    @classmethod
    def terms(
        cls,
        mark: float | None,
        *tiers: tuple[float, ...],
        fee: float = 0.0,
        kind: str = "linear",
        rule: LiquidationRule | None = rule,
        slope: float = 0.0,
        tick: float | None = None,
    ) -> Terms:
        """Terms with a ladder of (floor, rate, deduction) rows; without rows the ladder is unknown."""
        table = TierTable(tuple(Tier(*row) for row in tiers), source="the test") if tiers else None
        return Terms(mark, table, fee, kind=kind, rule=rule, maintenance_slope=slope, tick_size=tick)

    @classmethod
    def inverse(cls, mark: float | None, *tiers: tuple[float, ...], **its: object) -> Terms:
        """The same for a contract that settles in the coin: quantities are face values, the floors coins."""
        return cls.terms(mark, *tiers, kind="inverse", **its)

    @staticmethod
    def isolated(quantity: float, entry: float, margin: float | None, terms: Terms, **said: float) -> Levels:
        """One isolated position, with what else is *said* of it."""
        position = Position("p", "X", quantity, entry, "isolated", margin, **said)
        return position_levels(Account("a", "v", (position,)), position, {"X": terms})

    @staticmethod
    def cross(
        *positions: tuple[str, float, float],
        terms: Mapping[str, Terms],
        balance: float | None = None,
        equity: float | None = None,
        assets: tuple[CollateralAsset, ...] = (),
        of: int = 0,
        **said: float,
    ) -> Levels:
        """The *of*-th of cross positions that are given as (symbol, quantity, entry); *said* belongs to that one."""
        made = [Position(f"p{i}", *row, "cross") for i, row in enumerate(positions)]
        made[of] = msgspec.structs.replace(made[of], **said)
        account = Account("a", "v", tuple(made), balance=balance, equity=equity, assets=assets)
        return position_levels(account, made[of], terms)


@pytest.fixture(scope="session")
def solve() -> type[Solve]:
    return Solve
