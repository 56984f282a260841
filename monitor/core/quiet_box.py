"""The quiet box itself: how much room its marks have together, and how that is dealt out among them.

What the lines mean is said in ``monitor.core.quiet``, which draws them. Here they are sums of straight lines: a price
costs a few passes over flat lists, however the account came to them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import add, itemgetter, mul

import msgspec

ROOM = 1.0 - 1e-6
"""So much of the room counts: the rest is for rounding."""

DEALT, LEAST = 0.85, 0.05
"""Of the room so much is dealt out, the rest kept back: a mark that has used up its part gets a new one from it. Only
when less than the smaller share of a fair part is left are all dealt out anew."""

NEAR = 3e-4
"""With less room than for a move of all marks by this share, bands would be left at every price: every price is then
looked at, which costs less than to deal out anew."""

KEPT = 0.4
"""A band that reaches at least so far of a fair one need not be changed for it."""

TINY = 1e-12
"""A condition nearer to zero than this, as a share of all weights, counts as met: it must be looked at."""

FAR_OFF = (0.0, 0.0)
"""Bounds of the room within which every price is looked at: none."""

NOWHERE = (math.inf, -math.inf)
"""The band of a mark whose lines were drawn anew: it must get another one."""

Band = tuple[float, float]
"""A stretch of coordinates; also intercept and slope of a straight line."""

RISES, FALLS = 1, 2
"""Bits of ``Part.ways``: whether a line of a symbol rises, or falls, with its mark."""

Condition = tuple[float, float, bool, int]
"""``S + intercept + slope * x`` keeps its sign: positive or not. Last, the number of the position that must be looked
at when it does not, -1 for all of them."""


class Part(msgspec.Struct, frozen=True, gc=False):
    """What one symbol adds to the surplus and to the equity, as straight lines that hold while x is in ``window``.

    ``conditions`` are those of its positions; ``weight`` is the steepest of all these lines and ``ways`` says whether
    they rise or fall with the mark.
    """

    surplus: Band
    equity: Band
    window: Band
    conditions: tuple[Condition, ...]
    weight: float
    ways: int


class QuietBox:
    """The conditions of one pool as they are at its present marks; ``bands`` are those that were dealt out last.

    Coordinates and parts stand in the order of ``quiet_box``: the pool's groups, then what only the collateral follows.
    """

    __slots__ = (
        "_base",
        "_equity",
        "_equity_slopes",
        "_fees",
        "_kept",
        "_lost",
        "_near",
        "_parts",
        "_slopes",
        "_surplus",
        "_weights",
        "bands",
        "healthy",
        "solvent",
    )

    def __init__(self, parts: Sequence[Part], collateral: float, fees: Sequence[float], xs: Sequence[float]) -> None:
        self._parts, self._base, self.bands = list(parts), collateral, list[Band]()
        self._fees = [(n, fee) for n, fee in enumerate(fees) if fee] or [(0, 0.0)]
        self._near = FAR_OFF
        self._gather()
        self.healthy = self._surplus + sum(map(mul, self._slopes, xs)) > 0.0
        self.solvent = [value > 0.0 for value in self._equities(xs)]

    def _gather(self) -> None:
        """Put side by side what the parts say: a look is a few passes over flat lists."""
        parts = self._parts
        self._surplus = self._base + sum([part.surplus[0] for part in parts])
        self._equity = self._base + sum([part.equity[0] for part in parts])
        self._slopes = [part.surplus[1] for part in parts]
        self._equity_slopes = [part.equity[1] for part in parts]
        self._weights = [part.weight for part in parts]
        self._kept, self._lost = _Sums.of(parts, positive=True), _Sums.of(parts, positive=False)

    def left(self, xs: Sequence[float], moved: int | None = None) -> list[int]:
        """Return the symbols, by number, whose mark has left the tiers that its lines were drawn for.

        Bands do not reach beyond them: where only one mark has *moved* out of its own, only that one can have.
        """
        numbers = range(len(xs)) if moved is None else (moved,)
        windows = [(n, self._parts[n].window) for n in numbers]
        return [n for n, (low, high) in windows if not low <= xs[n] <= high]

    def redraw(self, new: Mapping[int, Part]) -> None:
        """Take new lines for some symbols, by number."""
        self._near = FAR_OFF
        for number, part in new.items():
            self._parts[number] = part
            if self.bands:
                self.bands[number] = NOWHERE
        self._gather()

    def deal(self, xs: Sequence[float], moved: int | None = None) -> Sequence[int] | None:
        """Deal out bands around *xs* in which nothing can be met while all stay in theirs; return whose are new.

        None where something may have been met already. No mark may have left its tiers. Where only the *moved* one
        has left its band, it gets a new one out of what was kept back, as long as that lasts.
        """
        fall, rise = self._room(xs)
        least, most = self._near
        if moved is not None and least < min(fall, rise) < most:
            self.bands[moved] = (xs[moved], xs[moved])
            return (moved,)
        weights = list(map(mul, self._weights, xs))
        weight = sum(weights) or 1.0
        none, near = TINY * (weight + abs(self._base)), NEAR * weight
        if min(fall, rise) <= none:
            return None
        was_near, self._near = most > 0.0, FAR_OFF
        if min(fall, rise) < near:
            self._near = none, near
            self.bands = [(x, x) for x in xs]
            return range(len(xs))
        if not self.bands or NOWHERE in self.bands:
            moved = None
        if moved is not None and not was_near and weights[moved] > 0.0:
            left_fall, left_rise = self._left_over(xs, moved, fall * ROOM, rise * ROOM)
            share = weights[moved] / weight
            if left_fall >= fall * share * LEAST and left_rise >= rise * share * LEAST:
                down = min(left_fall, fall * share * DEALT) / weights[moved]
                up = min(left_rise, rise * share * DEALT) / weights[moved]
                self.bands[moved] = _band(self._parts[moved], xs[moved], down, up)
                return (moved,)
        down, up = fall * DEALT / weight, rise * DEALT / weight
        fair = [_band(part, x, down, up) for part, x in zip(self._parts, xs, strict=True)]
        if not self.bands or was_near:
            self.bands = fair
            return range(len(xs))
        new = [n for n, x in enumerate(xs) if n == moved or not _will_do(self.bands[n], fair[n], x)]
        for n in new:
            self.bands[n] = fair[n]
        return new

    def _room(self, xs: Sequence[float]) -> Band:
        """Return how far the sums may fall, and rise, before the first condition is met."""
        surplus = self._surplus + sum(map(mul, self._slopes, xs))
        fall = surplus + self._kept.least(xs)
        rise = -surplus - self._lost.most(xs)
        if self.healthy:
            fall = min(fall, surplus)
        else:
            rise = min(rise, -surplus)
        for value, solvent in zip(self._equities(xs), self.solvent):  # noqa: B905 - of one length, and asked often
            if solvent:
                fall = min(fall, value)
            else:
                rise = min(rise, -value)
        return fall, rise

    def _equities(self, xs: Sequence[float]) -> list[float]:
        """Return the equity, less each closing fee that the bankruptcy price pays."""
        equity = self._equity + sum(map(mul, self._equity_slopes, xs))
        return [equity - fee * xs[n] for n, fee in self._fees]

    def _left_over(self, xs: Sequence[float], moved: int, fall: float, rise: float) -> Band:
        """Return what is left of the room when all but one go to the worst ends of the bands that they have."""
        for n, (x, part, (low, high)) in enumerate(zip(xs, self._parts, self.bands, strict=True)):
            if n == moved:
                continue
            if not low <= x <= high:
                return 0.0, 0.0
            if part.ways == RISES:
                down, up = x - low, high - x
            elif part.ways == FALLS:
                down, up = high - x, x - low
            else:
                down = up = max(x - low, high - x)
            fall -= part.weight * down
            if rise != math.inf:
                rise -= part.weight * up
        return fall, rise

    def met(self, xs: Sequence[float]) -> list[int]:
        """Return the numbers of those who must be looked at with the marks at *xs*, -1 for all of them."""
        surplus = self._surplus + sum(map(mul, self._slopes, xs))
        limit = TINY * (sum(map(mul, self._weights, xs)) + abs(self._base))
        values = [(surplus, self.healthy, -1)]
        values += [(equity, solvent, -1) for equity, solvent in zip(self._equities(xs), self.solvent, strict=True)]
        for x, part in zip(xs, self._parts, strict=True):
            values += [(surplus + c + slope * x, positive, who) for c, slope, positive, who in part.conditions]
        return [who for value, positive, who in values if (value if positive else -value) <= limit]


class _Sums:
    """The conditions of one sign, as flat lists."""

    __slots__ = ("_intercepts", "_pick", "_slopes")

    def __init__(self, intercepts: list[float], slopes: list[float], at: list[int]) -> None:
        self._intercepts, self._slopes = intercepts, slopes
        self._pick = itemgetter(*at, at[0]) if at else None  # of one key it would give no tuple

    @classmethod
    def of(cls, parts: Sequence[Part], *, positive: bool) -> _Sums:
        """Return those of all *parts*."""
        rows = [
            (c, slope, n) for n, part in enumerate(parts) for c, slope, kept, _ in part.conditions if kept is positive
        ]
        return cls([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])

    def least(self, xs: Sequence[float]) -> float:
        """Return the smallest of the values, without the surplus; infinity if there is none."""
        if self._pick is None:
            return math.inf
        least: float = min(map(add, self._intercepts, map(mul, self._slopes, self._pick(xs))))
        return least

    def most(self, xs: Sequence[float]) -> float:
        """Return the largest of the values, without the surplus; minus infinity if there is none."""
        if self._pick is None:
            return -math.inf
        most: float = max(map(add, self._intercepts, map(mul, self._slopes, self._pick(xs))))
        return most


def _band(part: Part, x: float, fall: float, rise: float) -> Band:
    """Return the band for one mark that may use so much, as a share of itself, of what the sums may fall and rise."""
    if part.ways == RISES:
        down, up = fall, rise
    elif part.ways == FALLS:
        down, up = rise, fall
    else:
        down = up = min(fall, rise)
    return max(part.window[0], x * (1.0 - down)), min(part.window[1], x * (1.0 + up))


def _will_do(had: Band, fair: Band, x: float) -> bool:
    """Return whether a band that was dealt earlier may stay: inside the fair one, and not much nearer to *x*."""
    low, high = had
    return (
        fair[0] <= low <= x - KEPT * (x - fair[0])
        and high <= fair[1]
        and (high == fair[1] or high >= x + KEPT * (fair[1] - x))
    )
