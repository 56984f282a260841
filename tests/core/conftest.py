"""What the tests of the core share: shorthand for a ladder, an account and its answer."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from monitor.core.account import Account, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.levels import Levels, Terms, position_levels


class Solve:
    """Shorthand for :func:`position_levels` on accounts of a few positions."""

    rule = LiquidationRule(
        name="linear, requirement at mark",
        source="the test",
        date="2026-11-22",
        maintenance="mark",
        tier_by="notional",
        closing_fee="mark_notional",
    )

    @staticmethod
    def terms(mark: float | None, *tiers: tuple[float, ...], fee: float = 0.0) -> Terms:
        """Terms with a ladder of (floor, rate, deduction) rows; without rows the ladder is unknown."""
        table = TierTable(tuple(Tier(*row) for row in tiers), source="the test") if tiers else None
        return Terms(mark_price=mark, table=table, closing_fee_rate=fee)

    @classmethod
    def isolated(cls, quantity: float, entry: float, margin: float | None, terms: Terms) -> Levels:
        """One isolated position."""
        position = Position("p", "X", quantity, entry, "isolated", margin)
        return position_levels(Account("a", "v", (position,)), position, {"X": terms}, cls.rule)

    @classmethod
    def cross(
        cls,
        *positions: tuple[str, float, float],
        terms: Mapping[str, Terms],
        balance: float | None = None,
        equity: float | None = None,
        of: int = 0,
    ) -> Levels:
        """The *of*-th of cross positions that are given as (symbol, quantity, entry)."""
        made = tuple(Position(f"p{i}", *row, "cross") for i, row in enumerate(positions))
        account = Account("a", "v", made, balance=balance, equity=equity)
        return position_levels(account, made[of], terms, cls.rule)


@pytest.fixture(scope="session")
def solve() -> type[Solve]:
    return Solve
