"""What a venue says of a contract, its maintenance ladder, and how the venue calculates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec


class Tier(msgspec.Struct, frozen=True, gc=False):
    """One bracket: from ``floor`` on, the requirement is ``rate * notional - deduction``.

    The floor is a notional in the settlement asset, or a number of contracts where the venue's rule counts those.
    """

    floor: float
    maintenance_rate: float
    deduction: float = 0.0


class TierTable(msgspec.Struct, frozen=True):
    """A maintenance ladder, ascending by floor, with where it came from and of which day.

    ``cap`` is the largest size the ladder was published for, in the unit of its floors, if known,
    ``max_leverages`` what the venue allows in each tier, empty where that is not known.
    """

    tiers: tuple[Tier, ...]
    source: str
    date: str = ""
    cap: float | None = None
    max_leverages: tuple[float, ...] = ()

    def tier_at(self, size: float) -> Tier:
        """Return the tier that *size* (>= 0, in the unit of the floors) falls into."""
        return tier_at(self.tiers, size)


def tier_at(tiers: Sequence[Tier], size: float) -> Tier:
    """Return the tier of an ascending ladder that *size* falls into; a floor belongs to the tier below."""
    found = tiers[0]
    for tier in tiers[1:]:
        if size <= tier.floor:
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

    ``maintenance``, what the requirement hangs on:
        ``mark`` (the tier's rate on the notional at the candidate price), ``entry`` (the same on the notional at
        entry, a constant), ``fixed`` (an amount that the venue reports with the position), ``size`` (a rate that
        rises with the size in coin: base + slope x size).
    ``tier_by``, what selects the tier:
        ``notional`` (at the candidate price), ``contracts``, ``entry_notional``, ``none`` (one rate a contract).
    ``deduction``:
        ``published`` and ``built`` (from the ladder) make the requirement continuous; with ``none`` a tier's rate
        bears on the whole position.
    ``closing_fee``, what is added to the requirement:
        ``none``, ``mark_notional`` (the fee on the notional at the candidate price) or ``at_bankruptcy`` (the fee on
        the notional at the bankruptcy price, a constant).
    ``bankruptcy``:
        ``equity`` (where it is zero), ``equity_less_fee`` (where it just pays the closing fee), ``proportional`` (the
        *zero price*: each position gets the share of the equity that its requirement has in the whole).
    ``rounding``: ``none`` or ``tick`` (shown against the holder: a long's up, a short's down).
    ``together``: the venue's own figure moves all marks of the account together, so that it is not one position's.
    ``approximations`` are said with every answer, ``cross_approximations`` with those of cross positions.
    """

    name: str
    source: str
    date: str
    maintenance: str
    tier_by: str
    closing_fee: str
    bankruptcy: str = "equity"
    deduction: str = "built"
    rounding: str = "none"
    together: bool = False
    approximations: tuple[str, ...] = ()
    cross_approximations: tuple[str, ...] = ()


SWITCHES: dict[str, tuple[str, ...]] = {
    "maintenance": ("mark", "entry", "fixed", "size"),
    "tier_by": ("notional", "contracts", "entry_notional", "none"),
    "deduction": ("published", "built", "none"),
    "closing_fee": ("none", "mark_notional", "at_bankruptcy"),
    "bankruptcy": ("equity", "equity_less_fee", "proportional"),
    "rounding": ("none", "tick"),
}
"""Every switch of a rule with the values that the formulas know."""


def rule_problem(rule: LiquidationRule) -> str | None:
    """Return what is wrong with a rule, in words, or None."""
    for switch, values in SWITCHES.items():
        value = getattr(rule, switch)
        if value not in values:
            return f"{switch}: expected one of {', '.join(values)}, got {value}"
    if rule.maintenance == "entry" and rule.tier_by == "notional":
        return "a requirement at entry has its tier by entry_notional, contracts or none: not by the moving notional"
    if rule.maintenance == "size" and rule.tier_by != "none":
        return "a requirement that rises with the size has no tiers: tier_by must be none"
    return None


def ladder_for(table: TierTable | None, rule: LiquidationRule | None) -> TierTable | None:
    """Return *table* as *rule* uses it: without deductions where a tier's rate bears on the whole position, with built
    ones where the rule builds them and the table has none.
    """
    if table is None or rule is None:
        return table
    deducted = any(tier.deduction for tier in table.tiers)
    if rule.deduction == "built" and not deducted:
        built = build_deductions([(tier.floor, tier.maintenance_rate) for tier in table.tiers])
        return msgspec.structs.replace(table, tiers=built)
    if rule.deduction != "none" or not deducted:
        return table
    return msgspec.structs.replace(table, tiers=tuple(Tier(t.floor, t.maintenance_rate) for t in table.tiers))
