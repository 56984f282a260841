"""Maintenance ladders, in whatever words their author has: rows of a file -> a checked ``TierTable``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, zip_longest
from typing import NamedTuple

from monitor.config.places import Place, Problems
from monitor.config.schema import POSITIVE, Bounds, Section
from monitor.core.contract import Tier, TierTable, build_deductions, ladder_problem
from monitor.numbers import shortest

RATE = Bounds(above=0.0, most=0.5)
RATE_HINT = "a fraction, not percent: 0.5 % is 0.005"

ROUNDING, ROUNDING_RATIO = 0.01, 1e-4
"""How far a published deduction may be from the computed one: in the settlement asset, and as a ratio of the floor
(a hundredth of a coin is much)."""

_NOT_SAID = {"": None, "null": None}
_FRACTIONS, _PERCENT = Bounds(above=0.5, below=2.0), Bounds(above=50.0, below=200.0)
"""What the initial rate times the largest leverage comes to, by the unit of the rates."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the author of a ladder calls things; an empty name where the shape has no such thing.

    Without a ``floor`` a tier begins where the one below ends. Without a ``rate`` the maintenance rate is half of the
    initial rate at the largest ``leverage``. ``initial`` is the key of the initial rate: with the leverage it tells
    percent from fractions, without it it tells the leverage. ``holder`` is the key that the deduction stands under.

    A *foreign* shape may have other keys, numbers in quotes, any order, and a cap in every tier. Its sizes come in
    steps: a tier may begin up to ``step`` above the end of the one below.
    """

    floor: str
    rate: str
    deduction: str = ""
    cap: str = ""
    leverage: str = ""
    initial: str = ""
    holder: str = ""
    foreign: bool = True
    step: float = 0.0

    @property
    def key(self) -> str:
        """Return the key by which a row of this shape is known."""
        return self.floor or self.cap


OURS = Shape("floor", "maintenance_rate", "deduction", "cap", "max_leverage", foreign=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One tier as it was written."""

    section: Section
    floor: float
    rate: float
    deduction: float | None
    cap: float | None
    leverage: float | None


class Reading(NamedTuple):
    """A ladder, and where the first deduction stands that its author gave (0 is none)."""

    table: TierTable
    deduction: Place | None = None


def read_table(section: Section, source: str, warnings: list[str], *, needed: bool = False) -> Reading | None:
    """Return the ladder that ``tiers`` or ``maintenance_rate``, ``source`` and ``date`` of *section* say, if any."""
    source = section.text("source", most=256) or source
    date = section.text("date") or ""
    rate = section.number("maintenance_rate", RATE, hint=RATE_HINT)
    tiers = section.sections("tiers", needed=needed and "maintenance_rate" not in section)
    if len(section.given("tiers", "maintenance_rate")) == 2:
        section.note(section.place_of("maintenance_rate"), "expected either tiers or maintenance_rate, got both")
        return None
    if tiers is None:
        return None if rate is None else Reading(TierTable((Tier(0.0, rate),), source, date))
    return build_table(tiers, OURS, section.place_of("tiers"), section.problems, source, date, warnings)


def build_table(
    sections: Sequence[Section],
    shape: Shape,
    place: Place,
    problems: Problems,
    source: str,
    date: str,
    warnings: list[str],
) -> Reading | None:
    """Return the ladder of *sections*, None after noting what is wrong with it."""
    before = len(problems)
    rows = [_row(section, shape) for section in sections]
    if not shape.floor:
        rows.sort(key=lambda row: row.cap or math.nan)
        ends = [0.0, *(row.cap or 0.0 for row in rows)]
        rows = [replace(row, floor=end) for row, end in zip(rows, ends, strict=False)]
    if shape.foreign:
        rows.sort(key=lambda row: (row.floor, row.rate))
    else:
        for row in rows[:-1]:
            if row.cap is not None:
                problems.add(row.section.place_of(shape.cap), "only for the last tier: the next floor ends the others")
    if rows and rows[-1].cap is not None and rows[-1].cap <= rows[-1].floor:
        floor, cap = shortest(rows[-1].floor), shortest(rows[-1].cap)
        problems.add(rows[-1].section.place_of(shape.cap), f"expected a number above the floor {floor}, got {cap}")
    if len(problems) > before:
        return None
    rows = _without_empty(rows, warnings)
    rows = _joined(rows, shape, place, problems)
    tiers = _tiers(rows, place, problems, warnings) if len(problems) == before else None
    if tiers is None:
        return None
    leverages = tuple(row.leverage for row in rows if row.leverage is not None)
    said = next((row.section for row in rows if row.deduction), None)
    where = None if said is None else (said.place if shape.holder else said.place_of(shape.deduction))
    known = leverages if len(leverages) == len(rows) else ()
    return Reading(TierTable(tiers, source, date, rows[-1].cap, known), where)


def _row(section: Section, shape: Shape) -> Row:
    quoted = shape.foreign
    floor = section.number(shape.floor, Bounds(least=0.0), needed=True, quoted=quoted) if shape.floor else 0.0
    cap = section.number(shape.cap, POSITIVE, needed=not shape.floor, quoted=quoted) if shape.cap else None
    holder = section.section(shape.holder) if shape.holder else section
    deduction = None
    if holder is not None and shape.deduction:
        words = {"": 0.0} if quoted else {}
        deduction = holder.number(shape.deduction, Bounds(least=0.0), quoted=quoted, words=words)
    rate, leverage = _rates(section, shape)
    if not shape.foreign:
        section.done()
    return Row(section, _or_nan(floor), _or_nan(rate), deduction, cap, leverage)


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _rates(section: Section, shape: Shape) -> tuple[float | None, float | None]:
    """Return the maintenance rate of a row as a fraction, and the largest leverage if the row tells it."""
    quoted = shape.foreign
    leverage = initial = None
    if shape.leverage:
        words = _NOT_SAID if quoted and shape.rate else {}
        needed = not shape.rate
        leverage = section.number(shape.leverage, Bounds(least=1.0), needed=needed, quoted=quoted, words=words)
    if not shape.rate:
        return None if leverage is None else 0.5 / leverage, leverage
    if shape.initial:
        initial = section.number(shape.initial, POSITIVE, needed=True, quoted=quoted)
    if initial is None or not shape.leverage:
        rate = section.number(shape.rate, RATE, needed=True, quoted=quoted, hint=RATE_HINT)
        return rate, leverage if initial is None else 1.0 / initial
    return _in_fractions(section, shape, initial, leverage), leverage


def _in_fractions(section: Section, shape: Shape, initial: float, leverage: float | None) -> float | None:
    """Return the maintenance rate of a venue that writes fractions at one time and percent at another."""
    rate = section.number(shape.rate, POSITIVE, needed=True, quoted=True)
    if rate is None or leverage is None:
        return rate
    full = initial * leverage
    if _PERCENT.holds(full):
        rate = float(f"{rate / 100.0:.12g}")
    elif not _FRACTIONS.holds(full):
        what = f"{shape.initial} x {shape.leverage} comes to {full:g}"
        section.note(section.place_of(shape.rate), f"{what}: expected about 1 (fractions) or 100 (percent)")
        return None
    if not RATE.holds(rate):
        section.note(section.place_of(shape.rate), f"expected {RATE}, got {shortest(rate)} ({RATE_HINT})")
    return rate


def _without_empty(rows: Sequence[Row], warnings: list[str]) -> list[Row]:
    """Return *rows* without those that end where they begin, which venues do publish. Deductions stay right."""
    kept: list[Row] = []
    for row, above in zip_longest(rows, rows[1:]):
        if above is not None and row.floor == above.floor and row.rate <= above.rate:
            floor = shortest(row.floor)
            warnings.append(f"{row.section.place}: an empty tier (the next floor is {floor} as well) is left out")
        else:
            kept.append(row)
    return kept


def _joined(rows: list[Row], shape: Shape, place: Place, problems: Problems) -> list[Row]:
    """Return *rows* each beginning where the one below ends, after noting where one does not."""
    joined = rows[:1]
    for number, (below, row) in enumerate(pairwise(rows), 2):
        if not shape.foreign or below.cap is None:
            joined.append(row)
            continue
        rounding = 1e-9 * below.cap
        apart = row.floor - below.cap
        if not -rounding <= apart <= shape.step + rounding:
            what = "there is a gap between them" if apart > 0.0 else "they overlap"
            ends = f"tier {number - 1} ends at {shortest(below.cap)} and tier {number} begins at {shortest(row.floor)}"
            problems.add(place, f"{ends}: {what}")
        joined.append(replace(row, floor=below.cap) if shape.step else row)
    return joined


def _tiers(rows: Sequence[Row], place: Place, problems: Problems, warnings: list[str]) -> tuple[Tier, ...] | None:
    """Return the tiers of *rows*, their deductions as published or else computed; None after noting why not.

    Published deductions that differ from what the ladder gives may be out of date: that is a warning. A single
    tier is taken as an excerpt: its deduction says where it was cut out.
    """
    built = build_deductions([(row.floor, row.rate) for row in rows])
    published = [row.deduction for row in rows if row.deduction is not None]
    if published and len(published) < len(rows):
        problems.add(place, "expected a deduction in every tier or in none (then they are computed)")
        return None
    tiers = built
    if published:
        tiers = tuple(Tier(t.floor, t.maintenance_rate, d) for t, d in zip(built, published, strict=True))
    bare = [Tier(tier.floor, tier.maintenance_rate) for tier in built]
    problem = ladder_problem(bare) or ladder_problem(tiers)  # a falling rate also makes a deduction negative: said once
    if problem is not None:
        problems.add(place, problem)
        return None
    for number, (given, own) in enumerate(zip(tiers, built, strict=True), 1):
        rounding = min(ROUNDING, ROUNDING_RATIO * own.floor) + 1e-6 * own.deduction
        if len(tiers) > 1 and abs(given.deduction - own.deduction) > rounding:
            warnings.append(
                f"{place}: tier {number} has the deduction {shortest(given.deduction)}, but the ladder gives "
                f"{shortest(own.deduction)}: is it out of date? It is used as given"
            )
            break
    return tiers
