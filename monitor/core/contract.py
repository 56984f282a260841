"""What a venue says of a contract, its maintenance ladder, and how the venue calculates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec


class Tier(msgspec.Struct, frozen=True, gc=False):
    """One bracket: from ``floor`` notional on, the requirement is ``rate * notional - deduction``."""

    floor: float
    maintenance_rate: float
    deduction: float = 0.0


class TierTable(msgspec.Struct, frozen=True):
    """A maintenance ladder, ascending by floor, with where it came from and of which day.

    ``cap`` is the largest notional the ladder was published for, if known.
    """

    tiers: tuple[Tier, ...]
    source: str
    date: str = ""
    cap: float | None = None

    def tier_at(self, notional: float) -> Tier:
        """Return the tier that *notional* (settlement asset, >= 0) falls into; a floor belongs to the tier below."""
        found = self.tiers[0]
        for tier in self.tiers[1:]:
            if notional <= tier.floor:
                break
            found = tier
        return found


def build_deductions(rows: Sequence[tuple[float, float]]) -> tuple[Tier, ...]:
    """Return tiers from (floor, maintenance_rate) rows with the deductions that make the requirement continuous.

    ``c_1 = 0``, ``c_n = c_(n-1) + floor_n * (m_n - m_(n-1))``: each slice of notional bears its own rate.

    >>> [t.deduction for t in build_deductions([(0, 0.004), (300_000, 0.005), (800_000, 0.0065)])]
    [0.0, 300.0, 1500.0]
    """
    tiers: list[Tier] = []
    deduction = 0.0
    for floor, rate in rows:
        if tiers:
            deduction += floor * (rate - tiers[-1].maintenance_rate)
        tiers.append(Tier(float(floor), rate, round(deduction, 8)))
    return tuple(tiers)


def ladder_problem(tiers: Sequence[Tier]) -> str | None:
    """Return what is wrong with a ladder, in words, or None.

    Floors must start at 0 and rise; rates must lie in (0, 1) and never fall; deductions must not be negative.
    """
    if not tiers:
        return "a ladder needs at least one tier"
    if tiers[0].floor != 0.0:
        return f"the first floor must be 0, not {tiers[0].floor:g}"
    for number, tier in enumerate(tiers, 1):
        if not 0.0 < tier.maintenance_rate < 1.0:
            return f"tier {number}: maintenance_rate must lie between 0 and 1 (0.005 is half a percent), not {tier.maintenance_rate:g}"
        if tier.deduction < 0.0:
            return f"tier {number}: deduction must not be negative, not {tier.deduction:g}"
    for number, (below, above) in enumerate(pairwise(tiers), 2):
        if above.floor <= below.floor:
            return f"tier {number}: floors must rise, but {above.floor:g} follows {below.floor:g}"
        if above.maintenance_rate < below.maintenance_rate:
            return (
                f"tier {number}: rates must not fall, but {above.maintenance_rate:g} follows {below.maintenance_rate:g}"
            )
    return None


class LiquidationRule(msgspec.Struct, frozen=True):
    """How a venue calculates, with the page it was read on and the day. There is no default to inherit.

    ``maintenance``: ``mark`` (rate on the notional at mark). ``tier_by``: ``notional`` (at the liquidation
    price). ``closing_fee``: ``none`` or ``mark_notional``. ``approximations`` are said with every answer.
    """

    name: str
    source: str
    date: str
    maintenance: str
    tier_by: str
    closing_fee: str
    bankruptcy: str = "equity"
    approximations: tuple[str, ...] = ()
