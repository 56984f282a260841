"""The closed forms against a naive twin that knows only the balance.

The twin has no formula for a price and no coordinate. It adds up equity and requirement at a price, as a person
would, in the coin if the contract is inverse, each position's tier looked up by its size there; and it closes in on
the first sign change by bisection, outward from the mark, one stretch between two tier boundaries after the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions, rule_problem
from monitor.core.levels import Levels, position_levels
from monitor.core.pool import Terms

NUDGE = 1e-13
"""Both sides of a boundary are looked at this near to it."""

many = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
some = settings(many, max_examples=80)

kinds = pytest.mark.parametrize("kind", ["linear", "inverse"])
shapes = pytest.mark.parametrize("shape", ["isolated", "cross", "pair"])

Sum = Callable[[float], float]


# What the twin knows.


def worth(position: Position, its: Terms, price: float) -> float:
    return abs(position.quantity) / price if its.kind == "inverse" else abs(position.quantity) * price


def gain(position: Position, its: Terms, price: float) -> float:
    if its.kind == "inverse":
        return position.quantity / position.entry_price - position.quantity / price
    return position.quantity * price - position.quantity * position.entry_price


def tier_of(position: Position, its: Terms, price: float) -> Tier:
    size = {
        "notional": worth(position, its, price),
        "entry_notional": worth(position, its, position.entry_price),
        "contracts": position.contracts or abs(position.quantity),
        "none": 0.0,
    }[its.rule.tier_by]
    passed = [tier for tier in its.table.tiers if tier.floor < size]
    return max(passed, key=lambda tier: tier.floor) if passed else its.table.tiers[0]


def required(position: Position, its: Terms, price: float) -> float:
    """What the venue asks of one position at a price, but for a fee that is held back for the bankruptcy price."""
    rule, notional = its.rule, worth(position, its, price)
    fee = its.closing_fee_rate * notional if rule.closing_fee == "mark_notional" else 0.0
    if rule.maintenance == "fixed":
        return position.maintenance_margin + fee
    if its.table is None:
        return position.maintenance_margin * notional / worth(position, its, its.mark_price) + fee
    tier = tier_of(position, its, price)
    if rule.maintenance == "entry":
        notional = worth(position, its, position.entry_price)
    rate = tier.maintenance_rate
    if rule.maintenance == "size":
        rate += its.maintenance_slope * (notional if its.kind == "inverse" else abs(position.quantity))
    return notional * rate - tier.deduction + fee


class Twin:
    """One pool with the mark of one contract at any price, the others' held."""

    def __init__(self, account: Account, position: Position, terms: Mapping[str, Terms]) -> None:
        self.terms, self.its = terms, terms[position.symbol]
        self.members = account.cross_positions() if position.margin_mode == "cross" else (position,)
        self.position, self.symbol, self.mark = position, position.symbol, self.its.mark_price
        self.own = [p for p in self.members if p.symbol == self.symbol]
        self.others = [p for p in self.members if p.symbol != self.symbol]
        self.collateral = self._collateral(account)
        self.others_gain = sum(gain(p, terms[p.symbol], terms[p.symbol].mark_price) for p in self.others)
        self.assets = account.assets if position.margin_mode == "cross" else ()
        self.followed = self._followed(position.symbol)
        self.reserves = [self._reserve(p) for p in self.own]
        self.reserve = sum(self.reserves)
        self.held = sum(required(p, terms[p.symbol], terms[p.symbol].mark_price) for p in self.others)
        self.held += sum(self._reserve(p) for p in self.others)

    def _collateral(self, account: Account) -> float:
        if self.position.margin_mode == "isolated":
            return self.position.margin + self.position.unsettled_funding
        if account.equity is not None:
            return account.equity - sum(
                gain(p, self.terms[p.symbol], self.terms[p.symbol].mark_price) for p in self.members
            )
        total = account.balance + sum(p.unsettled_funding for p in self.members)
        for asset in account.assets:
            value = asset.amount * (self.terms[asset.symbol].mark_price if asset.symbol else asset.price)
            total += value * asset.rate if value > 0.0 else value
        return total

    def _followed(self, symbol: str) -> float:
        """What the collateral gains per unit of a symbol's mark."""
        return sum(a.amount * a.rate if a.amount > 0.0 else a.amount for a in self.assets if a.symbol == symbol)

    def _reserve(self, position: Position) -> float:
        """The fee to close at the bankruptcy price: where the equity just pays it, or the initial margin is gone."""
        its = self.terms[position.symbol]
        if its.rule.closing_fee != "at_bankruptcy":
            return 0.0
        left = self._left_after_fees
        if position.margin_mode == "cross" and position.leverage is not None:
            left = self._left_of_initial_margin
        found = nearest_change(lambda price: left(position, its, price), its.mark_price)
        return 0.0 if found is None else its.closing_fee_rate * worth(position, its, found[0])

    def _left_after_fees(self, position: Position, its: Terms, price: float) -> float:
        mine = [p for p in self.members if p.symbol == position.symbol]
        rest = [(p, self.terms[p.symbol]) for p in self.members if p.symbol != position.symbol]
        equity = self.collateral + sum(gain(p, other, other.mark_price) for p, other in rest)
        equity += self._followed(position.symbol) * (price - its.mark_price)
        return equity + sum(gain(p, its, price) - its.closing_fee_rate * worth(p, its, price) for p in mine)

    def _left_of_initial_margin(self, position: Position, its: Terms, price: float) -> float:
        return worth(position, its, position.entry_price) / position.leverage + gain(position, its, price)

    def equity(self, price: float) -> float:
        followed = self.followed * (price - self.mark)  # an asset of the collateral whose price is this very mark
        return self.collateral + followed + self.others_gain + sum(gain(p, self.its, price) for p in self.own)

    def requirement(self, price: float) -> float:
        return self.held + self.reserve + sum(required(p, self.its, price) for p in self.own)

    def surplus(self, price: float) -> float:
        return self.equity(price) - self.requirement(price)

    def boundaries(self) -> list[float]:
        """Prices at which one of the own positions may change its tier."""
        floors = [tier.floor for tier in self.its.table.tiers[1:]] if self.its.table is not None else []
        inverse = self.its.kind == "inverse"
        return [abs(p.quantity) / floor if inverse else floor / abs(p.quantity) for p in self.own for floor in floors]

    def ways(self) -> tuple[bool, ...]:
        """Up, down or both: where a rate rises with the coins, only the way that its net side is hurt, or helped."""
        its = self.its
        if its.rule.maintenance != "size" or its.kind != "inverse" or its.table is None or not its.maintenance_slope:
            return (False, True)
        hurt_by_rise = sum(p.quantity for p in self.own) < 0.0
        return (hurt_by_rise == (self.surplus(self.mark) > 0.0),)

    def end(self) -> Sum:
        """The sum whose zero is the bankruptcy price."""
        if self.its.rule.bankruptcy == "equity_less_fee":
            return lambda price: (
                self.equity(price) - self.its.closing_fee_rate * sum(worth(p, self.its, price) for p in self.own)
            )
        if self.its.rule.bankruptcy == "equity":
            return self.equity
        at = self.closing_price
        if at is None or len(self.own) > 1:  # the legs of a pair have no shares of their own
            return self.equity
        # The zero price: this one closed whole, while the mark stands there, leaves equity / requirement as it is.
        equity, whole = self.equity(at), self.requirement(at)
        part = required(self.position, self.its, at) + self.reserves[self.own.index(self.position)]
        there = gain(self.position, self.its, at)
        return lambda price: equity + gain(self.position, self.its, price) - there - equity * (whole - part) / whole

    @property
    def proportional(self) -> bool:
        return self.its.rule.bankruptcy == "proportional"

    @cached_property
    def closing_price(self) -> float | None:
        """Where the venue closes: the mark once that is past the liquidation price; None if it never does."""
        if self.surplus(self.mark) <= 0.0:
            return self.mark
        found = nearest_change(self.surplus, self.mark, self.boundaries(), self.ways())
        return None if found is None else found[0]

    def shared_out(self) -> bool:
        """Whether there is a requirement to share by where the venue closes, and no step in it that has two."""
        at = self.closing_price
        if at is None:
            return True
        if self.requirement(self.mark) <= 0.0:
            return False
        smooth = at == self.mark or abs(self.surplus(at)) < 1e-9 * self.gross(at)
        return smooth and self.requirement(at) > 1e-6 * self.gross(at)

    def gross(self, price: float) -> float:
        """The size of what is added up at a price."""
        rest = abs(self.collateral) + abs(self.others_gain) + abs(self.held)
        return rest + sum(worth(p, self.its, price) + worth(p, self.its, p.entry_price) for p in self.own)

    def blur(self, total: Sum, price: float) -> float:
        """How far the last digits of the sums may move a zero of *total*: their rounding over its slope."""
        gross = self.gross(price)
        slopes = [abs(total(price * (1.0 + way * 1e-6)) - total(price)) / (price * 1e-6) for way in (-1, 1)]
        return gross * 4e-15 / max(min(slopes), gross / price * 1e-7)


def nearest_change(
    total: Sum, mark: float, boundaries: list[float] | None = None, ways: tuple[bool, ...] = (False, True)
) -> tuple[float, int] | None:
    """The nearest sign change of a sum, up or down, and which way from there it is not positive."""
    healthy = total(mark) > 0.0
    found = [
        (abs(price - mark), price, 1 if up == healthy else -1)
        for up in ways
        if (price := change_one_way(total, mark, boundaries or [], up=up)) is not None
    ]
    return min(found)[1:] if found else None


def change_one_way(total: Sum, mark: float, boundaries: list[float], *, up: bool) -> float | None:
    """The first price on one side of the mark where a sum has another sign than at the mark."""
    away = 1.0 + NUDGE if up else 1.0 - NUDGE
    healthy = total(mark) > 0.0
    for near, far in stretches(mark, boundaries, up=up):
        inner, outer = near * away, far / away
        if (total(inner) > 0.0) != healthy:
            return near
        if (total(outer) > 0.0) == healthy:
            # A requirement that grows with the square of the size lets the sum rise and fall again in one stretch.
            outer = outer if healthy else peak(total, inner, outer)
            if (total(outer) > 0.0) == healthy:
                continue
        while (middle := (inner + outer) / 2.0) not in (inner, outer):
            if (total(middle) > 0.0) == healthy:
                inner = middle
            else:
                outer = middle
        return outer
    return None


def peak(total: Sum, one: float, other: float) -> float:
    """Where a sum with a single hump is largest, found by thirds."""
    low, high = sorted((one, other))
    for _ in range(120):
        third = (high / low) ** (1.0 / 3.0)
        left, right = low * third, high / third
        if total(left) < total(right):
            low = left
        else:
            high = right
    return low


def stretches(mark: float, boundaries: list[float], *, up: bool) -> Iterator[tuple[float, float]]:
    """The (near, far) ends of the stretches between tier boundaries, outward from the mark."""
    beyond = sorted({edge for edge in boundaries if (edge > mark if up else edge < mark)}, reverse=not up)
    return itertools.pairwise([mark, *beyond, mark * 1e12 if up else mark * 1e-12])


# What is tried: any account that the rules of venues can describe.


class Case(NamedTuple):
    account: Account
    position: Position
    terms: dict[str, Terms]

    def solve(self) -> Levels:
        return position_levels(self.account, self.position, self.terms)


prices = st.builds(lambda digits, places: digits / 10**places, st.integers(1_000, 999_999), st.integers(0, 5))
moves = st.integers(-400, 900).map(lambda part: 1.0 + part / 1_000)
sides = st.sampled_from([1, -1])
fees = st.sampled_from([0.0, 0.0005, 0.001, 0.01])

requirements = st.sampled_from(
    [("mark", "notional")] * 4
    + [("mark", "contracts"), ("mark", "entry_notional"), ("mark", "none")]
    + [("entry", "entry_notional"), ("entry", "contracts"), ("entry", "none"), ("fixed", "none")]
    + [("size", "none")] * 2
)
rules = st.builds(
    lambda what, fee, end: LiquidationRule("any", "the test", "2026-11-22", *what, fee, end),
    requirements,
    st.sampled_from(["none", "mark_notional", "at_bankruptcy"]),
    st.sampled_from(["equity", "equity_less_fee", "proportional"]),
)


@st.composite
def ladders(draw: st.DrawFn, size: float) -> TierTable:
    """Rising floors around *size*, with deductions that make the requirement continuous, or with none."""
    shares = draw(st.lists(st.integers(1, 300), max_size=5, unique=True))
    steps = draw(st.lists(st.integers(1, 60), min_size=len(shares) + 1, max_size=len(shares) + 1))
    floors = [0.0, *(float(f"{size * share / 100:.6g}") for share in sorted(shares))]
    rows = list(zip(floors, (sum(steps[: i + 1]) / 1_000 for i in range(len(steps))), strict=True))
    return TierTable(build_deductions(rows) if draw(st.booleans()) else tuple(Tier(*row) for row in rows), "the test")


@st.composite
def positions(draw: st.DrawFn, name: str, symbol: str, kind: str, **fixed: object) -> Position:
    """A position worth 100 to 99,999 at its entry, with whatever a venue may report of it."""
    entry, value = draw(prices), draw(st.integers(100, 99_999))
    quantity = draw(sides) * float(f"{value * entry if kind == 'inverse' else value / entry:.6g}")
    return Position(
        name,
        symbol,
        quantity,
        entry,
        contracts=draw(st.sampled_from([0.0, abs(quantity) * 10.0])),
        leverage=draw(st.sampled_from([None, None, 1.0, 3.0, 125.0])),
        unsettled_funding=value * draw(st.sampled_from([0.0, 0.0, -0.01, 0.02])),
        maintenance_margin=value * draw(st.integers(1, 200)) / 1_000,
        **fixed,
    )


@st.composite
def terms_of(draw: st.DrawFn, position: Position, kind: str) -> Terms:
    rule = draw(rules)
    contracts = rule.tier_by == "contracts"
    value = worth(position, Terms(kind=kind), position.entry_price)
    size = position.contracts or abs(position.quantity) if contracts else value
    table = None if rule.maintenance == "fixed" else draw(ladders(size))
    if rule.maintenance in {"mark", "size"} and draw(st.integers(0, 9)) == 0:
        table = None  # the rate is then that of the reported maintenance margin
    coins = value if kind == "inverse" else abs(position.quantity)
    return Terms(
        position.entry_price * draw(moves),
        table,
        draw(fees),
        kind=kind,
        rule=rule,
        maintenance_slope=draw(st.integers(0, 100)) / 1_000 / coins,
    )


@st.composite
def cases(draw: st.DrawFn, shape: str, kind: str) -> Case:
    """An isolated position; one in cross beside up to three others; or one leg of a hedge pair."""
    mode = "isolated" if shape == "isolated" else "cross"
    first = draw(positions("p0", "S0", kind, margin_mode=mode))
    terms = {"S0": draw(terms_of(first, kind))}
    value = worth(first, terms["S0"], first.entry_price)
    if shape == "isolated":
        made = msgspec.structs.replace(first, margin=value * draw(st.integers(-50, 1_500)) / 1_000)
        return Case(Account("a", "v", (made,)), made, terms)
    rows = [first]
    if shape == "pair":
        size = draw(st.sampled_from([1.0, 1.0, 0.999, 0.5, 1.7]))
        amount = value * size * draw(st.integers(1, 200)) / 1_000
        rows.append(
            Position(
                "p1", "S0", -first.quantity * size, first.entry_price * draw(moves), "cross", maintenance_margin=amount
            )
        )
    for number in range(1, draw(st.integers(1, 2 if shape == "pair" else 4))):
        rows.append(draw(positions(f"o{number}", f"S{number}", kind, margin_mode=mode)))
        terms[f"S{number}"] = draw(terms_of(rows[-1], kind))
    gross = sum(worth(p, terms[p.symbol], terms[p.symbol].mark_price) for p in rows)
    free = (
        gross * (draw(st.integers(-50, 1_200)) + 0.37) / 1_000
    )  # never nothing at all, which only rounding would fill
    if draw(st.integers(0, 3)) == 0:
        return Case(Account("a", "v", tuple(rows), "hedge", equity=free), draw(st.sampled_from(rows)), terms)
    assets = draw(st.lists(assets_of(gross, sorted(terms), terms), max_size=2))
    account = Account("a", "v", tuple(rows), "hedge", balance=free, assets=tuple(assets))
    return Case(account, draw(st.sampled_from(rows)), terms)


@st.composite
def assets_of(draw: st.DrawFn, gross: float, symbols: list[str], terms: Mapping[str, Terms]) -> CollateralAsset:
    """Another coin worth up to a fifth of the account, held or owed, with its own price or that of a contract."""
    symbol = draw(st.sampled_from(["", *symbols]))
    price = terms[symbol].mark_price if symbol else draw(prices)
    amount = gross / price * draw(st.integers(-100, 200)) / 1_000
    rate = draw(st.sampled_from([1.0, 0.95, 0.5, 0.0]))
    return CollateralAsset("COIN", amount, rate, None if symbol else price, symbol)


# They agree.


def agree(
    twin: Twin, total: Sum, ours: float | None, way: int | None = None, ways: tuple[bool, ...] = (False, True)
) -> None:
    """Assert that the closed form and its twin name one zero of *total*, and the same *way* to danger."""
    mark, theirs = twin.mark, nearest_change(total, twin.mark, twin.boundaries(), ways)
    event("none" if theirs is None else f"danger {theirs[1]:+d}")
    if ours is None or theirs is None or max(ours, theirs[0]) > mark * 1e9:
        # Whether there is a price so near to zero or infinity, or none at all, may hang on a last digit.
        assert out_of_sight(ours, mark), (ours, theirs)
        assert theirs is None or out_of_sight(theirs[0], mark), (ours, theirs)
        return
    noise = mark * 1e-13 + twin.blur(total, theirs[0])
    if total != twin.surplus and twin.proportional and (at := twin.closing_price) is not None:
        noise += twin.blur(twin.surplus, at)  # where the venue closes moves the zero price along
    if ours != pytest.approx(theirs[0], rel=1e-9, abs=noise):
        # Both sides may be equally near, so that either may be named.
        assert abs(mark - ours) == pytest.approx(abs(mark - theirs[0]), rel=1e-9, abs=noise), (ours, theirs)
    elif way is not None and abs(ours - mark) > noise * 10.0:
        assert way == theirs[1]


def out_of_sight(price: float | None, mark: float) -> bool:
    return price is None or not mark * 1e-9 < price < mark * 1e9


@shapes
@kinds
@many
@given(data=st.data())
def test_the_liquidation_price_is_that_of_the_twin(shape, kind, data):
    case = data.draw(cases(shape, kind))
    twin, answer = Twin(*case), case.solve()
    assume(answer.status != "unavailable")
    agree(twin, twin.surplus, answer.liquidation_price, answer.danger, twin.ways())


@shapes
@kinds
@some
@given(data=st.data())
def test_the_bankruptcy_price_is_that_of_the_twin(shape, kind, data):
    case = data.draw(cases(shape, kind))
    twin, answer = Twin(*case), case.solve()
    assume(answer.status != "unavailable")
    assume(not twin.proportional or twin.shared_out())
    agree(twin, twin.end(), answer.bankruptcy_price)


@kinds
@some
@given(data=st.data())
def test_the_way_to_bankruptcy_is_that_of_the_twin(kind, data):
    case = data.draw(cases("pair", kind))
    twin, answer = Twin(*case), case.solve()
    assume(answer.status != "unavailable")
    assume(not twin.proportional or twin.shared_out())
    agree(twin, twin.end(), answer.bankruptcy_price, answer.bankruptcy_danger)


@shapes
@kinds
@some
@given(data=st.data())
def test_the_sums_at_the_mark_are_those_of_the_twin(shape, kind, data):
    case = data.draw(cases(shape, kind))
    twin, answer = Twin(*case), case.solve()
    assume(answer.status != "unavailable")
    gross = abs(twin.collateral) + sum(
        worth(p, case.terms[p.symbol], price)
        for p in twin.members
        for price in (p.entry_price, case.terms[p.symbol].mark_price)
    )
    near = {"rel": 1e-9, "abs": gross * 1e-12}
    assert answer.equity == pytest.approx(twin.equity(twin.mark), **near)
    assert answer.maintenance_margin == pytest.approx(twin.requirement(twin.mark), **near)
    assert answer.collateral == pytest.approx(twin.collateral, **near)
    assert answer.reserve == pytest.approx(twin.reserve, **near)
    assert (answer.others_profit, answer.others_maintenance) == pytest.approx((twin.others_gain, twin.held), **near)
    left = twin.surplus(twin.mark)
    assume(abs(left) > gross * 1e-12)
    assert (answer.status == "already_liquidatable") == (left < 0.0)


@kinds
@some
@given(data=st.data(), pick=st.integers(0, 5), above=st.booleans())
def test_a_zero_that_falls_on_a_tier_boundary_is_found(kind, data, pick, above):
    """The margin is chosen so that the boundary itself is the liquidation price, as round numbers often do."""
    account, position, terms = data.draw(cases("isolated", kind))
    its = terms["S0"]
    assume((its.rule.maintenance, its.rule.tier_by) == ("mark", "notional"))
    assume(its.table is not None and len(its.table.tiers) > 1)
    rule = msgspec.structs.replace(its.rule, closing_fee="mark_notional")
    tiers = build_deductions([(tier.floor, tier.maintenance_rate) for tier in its.table.tiers])
    its = msgspec.structs.replace(its, rule=rule, table=TierTable(tiers, "the test"))
    boundaries = Twin(account, position, {"S0": its}).boundaries()
    edge = boundaries[pick % len(boundaries)]
    its = msgspec.structs.replace(its, mark_price=edge * (1.02 if above else 0.98))
    left = Twin(account, position, {"S0": its}).surplus(edge)
    position = msgspec.structs.replace(position, margin=position.margin - left)
    case = Case(Account("a", "v", (position,)), position, {"S0": its})
    assert case.solve().liquidation_price == pytest.approx(edge, rel=1e-9)


@given(rules)
@some
def test_every_rule_that_is_tried_is_a_possible_one(rule):
    assert rule_problem(rule) is None
