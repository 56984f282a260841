"""What the tests of the venues share: a position or an account solved by a venue's own rule."""

from __future__ import annotations

import msgspec
import pytest

from monitor.core.account import Account, Position
from monitor.core.contract import Tier, TierTable
from monitor.core.levels import Levels, position_levels
from monitor.core.pool import Terms
from monitor.venues import RULES


def terms_of(venue: str, mark: float, *tiers: tuple[float, ...], kind: str = "linear", **said: object) -> Terms:
    """Terms of one contract of *venue*: its rule for *kind*, a ladder of (floor, rate, deduction) rows."""
    table = TierTable(tuple(Tier(*row) for row in tiers), source="the test") if tiers else None
    terms = Terms(mark, table, kind=kind, rule=RULES[venue][kind])
    return msgspec.structs.replace(terms, **said)


def isolated(terms: Terms, quantity: float, entry: float, margin: float, **said: float) -> Levels:
    """One isolated position, with what else is *said* of it."""
    position = Position("p", "X", quantity, entry, "isolated", margin, **said)
    return position_levels(Account("a", "v", (position,)), position, {"X": terms})


def cross(*legs: tuple[Terms, float, float], of: int = 0, **collateral: float) -> Levels:
    """The *of*-th of cross positions given as (terms, quantity, entry)."""
    made = tuple(Position(f"p{i}", f"S{i}", leg[1], leg[2], "cross") for i, leg in enumerate(legs))
    terms = {f"S{i}": leg[0] for i, leg in enumerate(legs)}
    return position_levels(Account("a", "v", made, **collateral), made[of], terms)


class Solve:
    """The three above under one name."""

    terms = staticmethod(terms_of)
    isolated = staticmethod(isolated)
    cross = staticmethod(cross)


@pytest.fixture(scope="session")
def solve() -> type[Solve]:
    return Solve
