"""Maintenance ladders as columns, in a form in which a root is looked up and not walked to.

With ``s`` = +1 for a long and -1 for a short coordinate, one leg's surplus at the notional ``n`` is

    base + s*n - (n*(m + f) - c)  =  base + s * (n*gain + s*c),   gain = 1 - s*(m + f)

Where the requirement does not jump and ``|m + f| < 1``, the bracket rises with ``n`` over the whole ladder: there is
one root, wherever the mark is, and its tier is the last one whose ``start``, the bracket's value at its floor, lies
below ``-s * base``. That is a binary search. Other ladders are left to the walk of ``monitor.core.margin``.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

from monitor.core.contract import Tier

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Ladders(msgspec.Struct, frozen=True):
    """Ladders laid end to end, one row a tier; ``load`` is rate + fee, the rest as in the module's formula."""

    floor: Floats
    load: Floats
    deduction: Floats
    gain: Floats
    shift: Floats
    start: Floats

    def tier_at(self, first: Ints, count: Ints, notional: Floats) -> Ints:
        """Return the row of the tier that each *notional* falls into; a floor belongs to the tier below."""
        return _last_below(self.floor, first, count, notional)

    def root(self, first: Ints, count: Ints, target: Floats) -> Floats:
        """Return the notional at which ``n*gain + shift`` is *target*; not positive where no price has it."""
        tier = _last_below(self.start, first, count, target)
        return (target - self.shift[tier]) / self.gain[tier]


def _last_below(values: Floats, first: Ints, count: Ints, target: Floats) -> Ints:
    """Return, of each run of *count* rows from *first* on, the last row below *target*, or *first* if none is."""
    at, left = first.copy(), count
    for _ in range(int(count.max(initial=1) - 1).bit_length()):
        half = left >> 1
        at += half * (values[at + half] < target)
        left = left - half
    return at


class LadderRows:
    """Collects ladders for :class:`Ladders`; legs with the same ladder, fee and direction share their rows."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []
        self._known: dict[tuple[tuple[Tier, ...], float, bool], tuple[int, int]] = {}

    def place(self, tiers: tuple[Tier, ...], fee: float, *, rising: bool) -> tuple[int, int]:
        """Return first row and count of a ladder; *rising* where the leg's quantity is positive."""
        key = (tiers, fee, rising)
        if key not in self._known:
            self._known[key] = len(self._rows), len(tiers)
            sign = 1.0 if rising else -1.0
            for tier in tiers:
                load, shift = tier.maintenance_rate + fee, sign * tier.deduction
                gain = 1.0 - sign * load
                self._rows.append((tier.floor, load, tier.deduction, gain, shift, tier.floor * gain + shift))
        return self._known[key]

    def ladders(self) -> Ladders:
        """Return the columns."""
        return Ladders(*np.array(self._rows, dtype=float).reshape(-1, 6).T.copy())
