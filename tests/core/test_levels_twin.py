"""The closed forms against a naive twin that knows only the balance.

The twin has no formula for a price. It evaluates equity less requirement at a price, each leg's tier looked up by
its notional there, and closes in on the first sign change by bisection, outward from the mark, one stretch between
two tier boundaries after the other (between them both sums are straight lines, so a stretch has one sign change
at most).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions
from monitor.core.levels import Leg, Levels, Terms, bankruptcy_price, liquidation_price, position_levels, surplus

RULE = LiquidationRule("linear", "the test", "2026-11-22", "mark", "notional", "mark_notional")
NUDGE = 1e-13
"""Both sides of a boundary are looked at this near to it."""

many = settings(max_examples=500, deadline=None, derandomize=True, database=None)
some = settings(many, max_examples=100, suppress_health_check=[HealthCheck.filter_too_much])


def balance(price: float, collateral: float, legs: list[Leg]) -> float:
    """Equity less requirement: all that the twin knows."""
    total = collateral
    for leg in legs:
        notional = abs(leg.quantity) * price
        tier = max(
            (tier for tier in leg.tiers if tier.floor < notional), key=lambda tier: tier.floor, default=leg.tiers[0]
        )
        profit = leg.quantity * (price - leg.entry_price)
        total += profit - (notional * tier.maintenance_rate - tier.deduction) - notional * leg.fee
    return total


def stretches(mark: float, legs: list[Leg], *, up: bool) -> Iterator[tuple[float, float]]:
    """Yield (near, far) ends of the stretches between tier boundaries, outward from the mark."""
    edges = {tier.floor / abs(leg.quantity) for leg in legs for tier in leg.tiers[1:]}
    beyond = sorted((edge for edge in edges if (edge > mark if up else edge < mark)), reverse=not up)
    return itertools.pairwise([mark, *beyond, mark * 1e12 if up else mark * 1e-14])


def twin_one_way(mark: float, collateral: float, legs: list[Leg], *, up: bool) -> float | None:
    """Return the first price on one side of the mark where the balance has another sign than at the mark."""
    away = 1.0 + NUDGE if up else 1.0 - NUDGE
    healthy = balance(mark, collateral, legs) > 0.0
    for near, far in stretches(mark, legs, up=up):
        inner, outer = near * away, far / away
        if (balance(inner, collateral, legs) > 0.0) != healthy:
            return near
        if (balance(outer, collateral, legs) > 0.0) == healthy:
            continue
        while (middle := (inner + outer) / 2.0) not in (inner, outer):
            if (balance(middle, collateral, legs) > 0.0) == healthy:
                inner = middle
            else:
                outer = middle
        return outer
    return None


def twin(mark: float, collateral: float, legs: list[Leg]) -> tuple[float, int] | None:
    """Return the nearest sign change and the way to danger there."""
    healthy = balance(mark, collateral, legs) > 0.0
    found = [
        (abs(price - mark), price, 1 if up == healthy else -1)
        for up in (False, True)
        if (price := twin_one_way(mark, collateral, legs, up=up)) is not None
    ]
    return min(found)[1:] if found else None


def agree(mark: float, collateral: float, legs: list[Leg]) -> None:
    """Assert that the closed form and its twin name one price."""
    price, way = liquidation_price(mark, collateral, legs)
    expected = twin(mark, collateral, legs)
    event("healthy" if balance(mark, collateral, legs) > 0.0 else "already liquidatable")
    event("none" if expected is None else f"danger {expected[1]:+d}")
    if price is None or expected is None:
        alone = price if expected is None else expected[0]
        # A root that is zero but for the last digit of a sum may be seen by one of the two.
        assert alone is None or not mark * 1e-9 < alone < mark * 1e9, (price, expected)
        return
    noise = mark * 1e-13 + _rounding(price, collateral, legs)
    assert price == pytest.approx(expected[0], rel=1e-9, abs=noise)
    if abs(price - mark) > noise * 10.0:
        assert way == expected[1] or _two_sided(mark, collateral, legs)


def _rounding(price: float, collateral: float, legs: list[Leg]) -> float:
    """Return how far the rounding of the sums alone may move a root: their last digits over the slope."""
    gross = sum(abs(leg.quantity) for leg in legs)
    size = abs(collateral) + sum(abs(leg.quantity) * (price + leg.entry_price) for leg in legs)
    slopes = [
        abs(balance(price * (1.0 + sign * 1e-6), collateral, legs) - balance(price, collateral, legs)) / (price * 1e-6)
        for sign in (-1, 1)
    ]
    return size * 1e-15 / max(min(slopes), gross * 1e-6)


def _two_sided(mark: float, collateral: float, legs: list[Leg]) -> bool:
    """Return whether both sides are equally near, so that either may be named."""
    below, above = (twin_one_way(mark, collateral, legs, up=up) for up in (False, True))
    return below is not None and above is not None and mark - below == pytest.approx(above - mark, rel=1e-9)


prices = st.builds(lambda digits, places: digits / 10**places, st.integers(1_000, 999_999), st.integers(0, 5))
quantities = st.builds(
    lambda digits, places, side: side * digits / 10**places,
    st.integers(1, 99_999),
    st.integers(0, 4),
    st.sampled_from([1, -1]),
)
moves = st.integers(-400, 900).map(lambda part: 1.0 + part / 1_000)
fees = st.sampled_from([0.0, 0.0, 0.0005, 0.001])


@st.composite
def ladders(draw: st.DrawFn, notional: float, *, continuous: bool) -> tuple[Tier, ...]:
    """Rising floors around *notional*, with deductions that make the requirement continuous, or with none."""
    shares = draw(st.lists(st.integers(1, 300), max_size=5, unique=True))
    steps = draw(st.lists(st.integers(1, 60), min_size=len(shares) + 1, max_size=len(shares) + 1))
    floors = [0.0, *(round(notional * share / 100, 2) for share in sorted(shares))]
    assume(len(set(floors)) == len(floors))
    rows = list(zip(floors, (sum(steps[: i + 1]) / 1_000 for i in range(len(steps))), strict=True))
    return build_deductions(rows) if continuous else tuple(Tier(*row) for row in rows)


@st.composite
def single(draw: st.DrawFn, *, continuous: bool) -> tuple[float, float, list[Leg]]:
    """A mark, a collateral (which others' losses may have made negative) and one leg."""
    entry, quantity = draw(prices), draw(quantities)
    notional = abs(quantity) * entry
    leg = Leg(quantity, entry, draw(ladders(notional, continuous=continuous)), draw(fees))
    return entry * draw(moves), notional * draw(st.integers(-50, 1_500)) / 1_000, [leg]


@st.composite
def pair(draw: st.DrawFn, *, continuous: bool) -> tuple[float, float, list[Leg]]:
    """The two legs of a hedge pair: any two sizes, often equal ones."""
    mark, collateral, [leg] = draw(single(continuous=continuous))
    size = draw(st.sampled_from([1.0, 1.0, 0.99, 0.5, 1.7]))
    other = Leg(-leg.quantity * size, leg.entry_price * draw(moves), leg.tiers, leg.fee)
    return mark, collateral, [leg, other]


@many
@given(single(continuous=True))
def test_one_position_agrees_with_its_twin_on_a_continuous_ladder(case):
    agree(*case)


@many
@given(single(continuous=False))
def test_one_position_agrees_with_its_twin_where_the_requirement_jumps(case):
    agree(*case)


@many
@given(pair(continuous=True))
def test_a_hedge_pair_agrees_with_its_twin_on_a_continuous_ladder(case):
    agree(*case)


@many
@given(pair(continuous=False))
def test_a_hedge_pair_agrees_with_its_twin_where_the_requirement_jumps(case):
    agree(*case)


@many
@given(single(continuous=True), st.integers(0, 5), st.booleans())
def test_a_root_that_falls_on_a_tier_boundary_is_found(case, pick, above):
    """The collateral is chosen so that the boundary itself is the liquidation price, as round numbers often do."""
    _, _, [leg] = case
    assume(len(leg.tiers) > 1)
    tier = leg.tiers[1:][pick % (len(leg.tiers) - 1)]
    edge = tier.floor / abs(leg.quantity)
    collateral = (
        tier.floor * (tier.maintenance_rate + leg.fee) - tier.deduction - leg.quantity * (edge - leg.entry_price)
    )
    mark = edge * (1.02 if above else 0.98)
    price, _ = liquidation_price(mark, collateral, [leg])
    assert price == pytest.approx(edge, rel=1e-9)


@some
@given(single(continuous=True))
def test_the_mark_exactly_at_the_liquidation_price_is_recognised(case):
    mark, collateral, legs = case
    price, _ = liquidation_price(mark, collateral, legs)
    assume(price is not None and price > mark * 1e-3)
    again, _ = liquidation_price(price, collateral, legs)
    assert again == pytest.approx(price, rel=1e-9)


@some
@given(single(continuous=False))
def test_the_surplus_is_the_balance(case):
    mark, collateral, legs = case
    expected = balance(mark, collateral, legs)
    scale = abs(collateral) + sum(abs(leg.quantity) * (mark + leg.entry_price) for leg in legs)
    assert surplus(mark, collateral, legs) == pytest.approx(expected, abs=scale * 1e-14)


@some
@given(pair(continuous=True))
def test_equity_is_zero_at_the_bankruptcy_price(case):
    _, collateral, legs = case
    price = bankruptcy_price(collateral, legs)
    assume(price is not None)
    free = [Leg(leg.quantity, leg.entry_price, (Tier(0.0, 0.0),), 0.0) for leg in legs]
    scale = abs(collateral) + sum(abs(leg.quantity) * (price + leg.entry_price) for leg in legs)
    assert balance(price, collateral, free) == pytest.approx(0.0, abs=scale * 1e-13)


class Portfolio:
    """A generated cross account of several symbols, and the twin's view of one of them."""

    def __init__(self, balance_: float, rows: list[tuple[float, float, float, tuple[Tier, ...], float]]) -> None:
        self.terms = {
            f"S{i}": Terms(mark, TierTable(tiers, "the test"), fee) for i, (_, _, mark, tiers, fee) in enumerate(rows)
        }
        positions = tuple(
            Position(f"p{i}", f"S{i}", quantity, entry, "cross") for i, (quantity, entry, *_) in enumerate(rows)
        )
        self.account = Account("a", "v", positions, balance=balance_)
        self.rows = rows

    def solve(self) -> Levels:
        return position_levels(self.account, self.account.positions[0], self.terms, RULE)

    def surplus_at(self, price: float) -> float:
        """Return the whole account's balance with the first mark at *price* and all others held."""
        total = self.account.balance
        assert total is not None
        for i, (quantity, entry, mark, tiers, fee) in enumerate(self.rows):
            total += balance(price if i == 0 else mark, 0.0, [Leg(quantity, entry, tiers, fee)])
        return total


@st.composite
def portfolios(draw: st.DrawFn) -> Portfolio:
    rows, gross = [], 0.0
    for _ in range(draw(st.integers(1, 4))):
        mark, _, [leg] = draw(single(continuous=True))
        rows.append((leg.quantity, leg.entry_price, mark, leg.tiers, leg.fee))
        gross += abs(leg.quantity) * mark
    return Portfolio(gross * draw(st.integers(0, 1_200)) / 1_000, rows)


@many
@given(portfolios())
def test_the_whole_account_just_survives_at_the_liquidation_price_and_not_beyond(portfolio):
    answer = portfolio.solve()
    assume(answer.liquidation_price is not None)
    price, mark = answer.liquidation_price, portfolio.rows[0][2]
    safe = -answer.danger
    step = max(price, mark * 1e-3) * 1e-7
    quiet = sum(abs(q) * (m + e) for q, e, m, *_ in portfolio.rows) * 1e-13
    assert portfolio.surplus_at(price + safe * step) > -quiet
    if price > step:
        assert portfolio.surplus_at(price - safe * step) < quiet
    if abs(answer.liquidation_distance_ratio) > 1e-12:  # nearer than that, a last digit decides
        assert (answer.status == "already_liquidatable") == (answer.liquidation_distance_ratio < 0.0)


@some
@given(portfolios())
def test_status_says_what_the_balance_at_the_mark_says(portfolio):
    answer, mark = portfolio.solve(), portfolio.rows[0][2]
    left = portfolio.surplus_at(mark)
    assume(abs(left) > 1e-9 * sum(abs(q) * (m + e) for q, e, m, *_ in portfolio.rows))
    assert (answer.status == "already_liquidatable") == (left < 0.0)
    assert answer.equity - answer.maintenance_margin == pytest.approx(left, rel=1e-6)


@some
@given(portfolios())
def test_none_means_that_no_price_down_to_zero_and_up_to_a_million_times_the_mark_liquidates(portfolio):
    answer, mark = portfolio.solve(), portfolio.rows[0][2]
    assume(answer.status == "none")
    assert all(portfolio.surplus_at(mark * 10.0**power) > -1e-6 for power in range(-9, 7))
    assert math.isinf(answer.lines().distance(mark))
