"""``terms`` and ``thresholds``: what the operator says of contracts, their maintenance ladders, and when to warn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import msgspec

from monitor.config.places import Place, Problems
from monitor.config.schema import FRACTION, POSITIVE, Bounds, Section, open_section
from monitor.config.settings import SymbolTerms
from monitor.core.alerts import Ladder
from monitor.core.contract import Tier, TierTable, build_deductions, ladder_problem
from monitor.numbers import shortest

RATE = Bounds(above=0.0, most=0.5)
RATIO_HINT = "a ratio of the mark price: 0.05 is 5 %"
RATE_HINT = "a fraction, not percent: 0.5 % is 0.005"

ROUNDING = 0.01
"""How far a published deduction may be from the computed one, in the settlement asset."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the author of a ladder calls things; ``holder`` is the key that the deduction stands under, if any.

    A *foreign* shape may have other keys, numbers in quotes, any order, and a cap in every tier.
    """

    floor: str
    rate: str
    deduction: str
    cap: str
    holder: str = ""
    foreign: bool = True


OURS = Shape("floor", "maintenance_rate", "deduction", "cap", foreign=False)


@dataclass(frozen=True, slots=True)
class Row:
    """One tier as it was written."""

    section: Section
    floor: float
    rate: float
    deduction: float | None
    cap: float | None


def read_ladder(section: Section | None, base: Ladder) -> Ladder:
    """Return *base* with the thresholds of *section* in it."""
    if section is None:
        return base
    warning = section.number("warning", FRACTION, hint=RATIO_HINT)
    critical = section.number("critical", FRACTION, hint=RATIO_HINT)
    section.done()
    warning = base.warning if warning is None else warning
    critical = base.critical if critical is None else critical
    if critical >= warning:
        section.note(section.place, f"expected critical < warning, got critical {critical:g} and warning {warning:g}")
    return msgspec.structs.replace(base, warning=warning, critical=critical)


def read_terms(section: Section | None, base: Mapping[str, SymbolTerms], warnings: list[str]) -> dict[str, SymbolTerms]:
    """Return the terms by symbol; what *section* does not say of a symbol, *base* does."""
    terms = dict(base)
    if section is None:
        return terms
    for symbol, node, place in section.members():
        opened = open_section(node, place, section.problems)
        if opened is not None:
            terms[symbol] = _symbol_terms(opened, base.get(symbol, SymbolTerms()), warnings)
    return terms


def _symbol_terms(section: Section, base: SymbolTerms, warnings: list[str]) -> SymbolTerms:
    kind = section.text("kind", one_of=("linear", "inverse"))
    contract_size = section.number("contract_size", POSITIVE)
    mark_price = section.number("mark_price", POSITIVE)
    closing_fee_rate = section.number("closing_fee_rate", Bounds(least=0.0, below=0.1), hint=RATE_HINT)
    table = read_table(section, "the operator's terms", warnings)
    places = {key: section.place_of(key) for key in section.given("kind", "mark_price")}
    section.done()
    return SymbolTerms(
        kind=kind or base.kind,
        contract_size=base.contract_size if contract_size is None else contract_size,
        mark_price=base.mark_price if mark_price is None else mark_price,
        closing_fee_rate=base.closing_fee_rate if closing_fee_rate is None else closing_fee_rate,
        table=table or base.table,
        places={**base.places, **places},
    )


def read_table(section: Section, source: str, warnings: list[str], *, needed: bool = False) -> TierTable | None:
    """Return the ladder that the keys ``tiers``, ``source`` and ``date`` of *section* describe, if any."""
    source = section.text("source", most=256) or source
    date = section.text("date") or ""
    tiers = section.sections("tiers", needed=needed)
    if tiers is None:
        return None
    return build_table(tiers, OURS, section.place_of("tiers"), section.problems, source, date, warnings)


def build_table(
    sections: Sequence[Section],
    shape: Shape,
    place: Place,
    problems: Problems,
    source: str,
    date: str,
    warnings: list[str],
) -> TierTable | None:
    """Return the ladder of *sections*, None after noting what is wrong with it."""
    before = len(problems)
    rows = [_row(section, shape) for section in sections]
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
    tiers = _tiers(rows, place, problems, warnings)
    return None if tiers is None else TierTable(tiers, source, date, rows[-1].cap)


def _row(section: Section, shape: Shape) -> Row:
    floor = section.number(shape.floor, Bounds(least=0.0), needed=True, quoted=shape.foreign)
    rate = section.number(shape.rate, RATE, needed=True, quoted=shape.foreign, hint=RATE_HINT)
    cap = section.number(shape.cap, POSITIVE, quoted=shape.foreign)
    holder = section.section(shape.holder) if shape.holder else section
    deduction = None if holder is None else holder.number(shape.deduction, Bounds(least=0.0), quoted=shape.foreign)
    if not shape.foreign:
        section.done()
    return Row(section, math.nan if floor is None else floor, math.nan if rate is None else rate, deduction, cap)


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
    problem = ladder_problem(tiers)
    if problem is not None:
        problems.add(place, problem)
        return None
    for number, (given, own) in enumerate(zip(tiers, built, strict=True), 1):
        if len(tiers) > 1 and abs(given.deduction - own.deduction) > ROUNDING + 1e-6 * own.deduction:
            warnings.append(
                f"{place}: tier {number} has the deduction {shortest(given.deduction)}, but the ladder gives "
                f"{shortest(own.deduction)}: is it out of date? It is used as given"
            )
            break
    return tiers
