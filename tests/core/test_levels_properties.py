"""What must hold for every position, whatever the numbers, the kind of contract and the venue's rule."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, Position
from monitor.core.alerts import Ladder, Level
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions
from monitor.core.levels import Levels, position_levels
from monitor.core.pool import Terms

RULE = LiquidationRule("any", "the test", "2026-11-22", "mark", "notional", "mark_notional")

many = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
kinds = pytest.mark.parametrize("kind", ["linear", "inverse"])

sides = st.sampled_from([1, -1])
entries = st.integers(1_000, 9_999_999).map(lambda cents: cents / 100)
coins = st.integers(1, 500_000).map(lambda thousandths: thousandths / 1_000)
margins = st.integers(1, 1_200).map(lambda part: part / 1_000)
"""Margin as a share of the notional at entry."""

moves = st.integers(-30, 30).map(lambda part: 1.0 + part / 100)
fees = st.sampled_from([0.0, 0.0005])
rates = st.integers(1, 100).map(lambda part: part / 1_000)
steps = st.lists(st.tuples(st.integers(1, 4_000), rates), max_size=4, unique_by=lambda row: row[0])

moving = st.just(("mark", "notional"))
whatever = st.sampled_from(
    [("mark", "notional")] * 3
    + [("mark", "contracts"), ("mark", "entry_notional"), ("mark", "none"), ("entry", "entry_notional")]
    + [("fixed", "none"), ("size", "none")]
)
ends = st.sampled_from([("none", "equity"), ("none", "proportional")]) | st.tuples(
    st.sampled_from(["mark_notional", "at_bankruptcy"]), st.sampled_from(["equity", "equity_less_fee", "proportional"])
)
"""Closing fee and bankruptcy. Who ends where the equity just pays the fee has it in the requirement too."""


class Holding(NamedTuple):
    """A position of so many coins, with *rate* as the (first) maintenance rate and *rows* of further tiers."""

    kind: str
    side: int
    entry: float
    size: float
    margin: float
    move: float
    fee: float
    rate: float
    rows: list[tuple[int, float]]
    rule: LiquidationRule
    continuous: bool = True

    @property
    def quantity(self) -> float:
        return self.side * self.size * (self.entry if self.kind == "inverse" else 1.0)

    @property
    def notional(self) -> float:
        """At entry, in the settlement asset."""
        return self.size if self.kind == "inverse" else self.size * self.entry

    @property
    def mark(self) -> float:
        return self.entry * self.move

    def position(self, name: str = "p", mode: str = "isolated", **said: object) -> Position:
        said.setdefault("maintenance_margin", self.notional * self.rate)
        return Position(name, "X", self.quantity, self.entry, mode, **said)

    def terms(self, mark: float | None = None) -> Terms:
        unit = abs(self.quantity) if self.rule.tier_by == "contracts" else self.notional
        floors, rate = [(0.0, self.rate)], self.rate
        for share, step in sorted(self.rows):
            rate += step
            floors.append((unit * share / 1_000, rate))
        moves_tier = (self.rule.maintenance, self.rule.tier_by) == ("mark", "notional")  # elsewhere nothing can jump
        tiers = build_deductions(floors) if self.continuous and moves_tier else tuple(Tier(*row) for row in floors)
        return Terms(
            self.mark if mark is None else mark,
            TierTable(tiers, "the test"),
            self.fee,
            kind=self.kind,
            rule=self.rule,
            maintenance_slope=self.rate * 0.1 / self.size,
        )

    def levels(self, margin: float | None = None, mark: float | None = None, **said: object) -> Levels:
        """The answer as an isolated position; *margin* as a share of the notional at entry."""
        share = self.margin if margin is None else margin
        position = self.position(margin=self.notional * share, **said)
        return position_levels(Account("a", "v", (position,)), position, {"X": self.terms(mark)})


def holdings(kind: str, what: st.SearchStrategy = whatever, rows: st.SearchStrategy = steps, **fixed: object):
    rules = st.builds(
        lambda what, end: msgspec.structs.replace(
            RULE, maintenance=what[0], tier_by=what[1], closing_fee=end[0], bankruptcy=end[1]
        ),
        what,
        ends,
    )
    made = {name: st.just(value) for name, value in fixed.items()}
    return st.builds(Holding, st.just(kind), sides, entries, coins, margins, moves, fees, rates, rows, rules, **made)


def coordinate(price: float, kind: str) -> float:
    """What profit is a straight line of: the price, or what a unit of the quote currency costs in coins."""
    return 1.0 / price if kind == "inverse" else price


def same(one: float | None, other: float | None, *, noise: float) -> bool:
    """Return whether two prices agree to 1e-9, or are both missing."""
    return one == other if one is None or other is None else one == pytest.approx(other, rel=1e-9, abs=noise)


@kinds
@pytest.mark.parametrize("continuous", [True, False], ids=["continuous", "jumps"])
@many
@given(data=st.data(), more=margins)
def test_more_collateral_never_brings_liquidation_nearer(kind, continuous, data, more):
    held = data.draw(holdings(kind, continuous=continuous))
    less, more = sorted((held.margin, more))
    poor, rich = held.levels(less), held.levels(more)
    assume(poor.status == "ok")
    assert rich.status in {"ok", "none"}
    assert rich.status == "none" or rich.liquidation_distance_ratio >= poor.liquidation_distance_ratio - 1e-12


@kinds
@many
@given(data=st.data())
def test_bankruptcy_lies_strictly_beyond_liquidation(kind, data):
    held = data.draw(holdings(kind))
    answer = held.levels()
    assume(answer.status == "ok")
    assume(answer.bankruptcy_price is not None)
    # Down where the coins are many, a rate that rises with them may end an inverse short that never goes bankrupt.
    assume(held.rule.maintenance != "size" or answer.liquidation_price > held.entry / 10)
    assert answer.danger * (answer.bankruptcy_price - answer.liquidation_price) > 0
    assert answer.bankruptcy_danger == answer.danger


@kinds
@many
@given(data=st.data(), power=st.integers(-20, 20))
def test_scaling_quantity_and_collateral_alike_changes_no_price_while_the_deduction_is_zero(kind, data, power):
    """By powers of two, with which float64 rounds nothing: the answers are the same to the last bit."""
    little = data.draw(holdings(kind, rows=st.just([])))
    much = little._replace(size=little.size * 2.0**power)
    one, other = little.levels(), much.levels()
    assert (one.status, one.liquidation_price, one.bankruptcy_price, one.margin_ratio) == (
        other.status,
        other.liquidation_price,
        other.bankruptcy_price,
        other.margin_ratio,
    )


@kinds
@many
@given(data=st.data())
def test_the_liquidation_price_is_continuous_in_the_collateral(kind, data):
    """Where the rate itself rises with the coins of an inverse contract, the last stretch is a hilltop: not there."""
    held = data.draw(holdings(kind))
    assume(held.rate + sum(step for _, step in held.rows) < 0.4)
    assume(kind == "linear" or held.rule.maintenance != "size")
    little = 1e-6
    here, there = held.levels(), held.levels(held.margin + little)
    assume(here.liquidation_price is not None)
    assume(there.liquidation_price is not None)
    apart = abs(coordinate(here.liquidation_price, kind) - coordinate(there.liquidation_price, kind))
    # dx/dK = 1 / (q * |s - m - fee|), and m + fee stays below 0.501 here; K may move a fee at bankruptcy along
    assert apart <= held.notional * little / (abs(held.quantity) * 0.498) * (1 + 1e-6)


@kinds
@many
@given(data=st.data())
def test_a_mark_at_the_liquidation_price_has_a_margin_ratio_of_one(kind, data):
    held = data.draw(holdings(kind, continuous=True))
    price = held.levels().liquidation_price
    assume(price is not None)
    assume(1e-3 < price / held.entry < 1e3)
    # Down where the coins are many, a rate that rises with them would be the whole value of an inverse short.
    assume(held.rule.maintenance != "size" or price > held.entry / 10)
    there = held.levels(mark=price)
    assert there.margin_ratio == pytest.approx(1.0, rel=1e-8)
    assert there.liquidation_price == pytest.approx(price, rel=1e-9)
    assert there.liquidation_distance_ratio == pytest.approx(0.0, abs=1e-9)


@many
@given(data=st.data())
def test_an_inverse_contract_is_a_linear_one_turned_round(data):
    """A long of Q at E in coins is a short of Q at 1/E, at the price 1/P; the size in coins is its notional."""
    held = data.draw(holdings("inverse"))
    assume(held.rule.maintenance != "size")
    assume(held.rule.tier_by != "contracts")
    answer, terms = held.levels(), held.terms()
    position = held.position(margin=held.notional * held.margin)
    turned = msgspec.structs.replace(position, quantity=-position.quantity, entry_price=1.0 / position.entry_price)
    its = {"X": msgspec.structs.replace(terms, kind="linear", mark_price=1.0 / terms.mark_price)}
    linear = position_levels(Account("a", "v", (turned,)), turned, its)
    assume(answer.margin_ratio is None or abs(answer.margin_ratio - 1.0) > 1e-9)  # there, a last digit decides
    assert linear.status == answer.status
    assert linear.danger == -answer.danger
    for one, other in (
        (answer.liquidation_price, linear.liquidation_price),
        (answer.bankruptcy_price, linear.bankruptcy_price),
    ):
        if one is None or other is None:
            assert one == other
        else:
            assert 1.0 / one == pytest.approx(other, rel=1e-9, abs=1e-12 / held.entry)


@kinds
@many
@given(data=st.data(), contracts=st.integers(1, 10**6))
def test_only_the_product_of_contracts_and_contract_size_counts_unless_the_rule_counts_contracts(kind, data, contracts):
    held = data.draw(holdings(kind))
    if held.rule.tier_by == "contracts":
        assert held.levels(contracts=abs(held.quantity)) == held.levels()
    else:
        assert held.levels(contracts=float(contracts)) == held.levels()


@kinds
@many
@given(data=st.data(), other=st.integers(1, 2_000), apart=moves)
def test_both_legs_of_a_cross_pair_have_the_same_prices(kind, data, other, apart):
    held = data.draw(holdings(kind))
    assume(held.rule.bankruptcy != "proportional")  # which asks for each leg's own share
    first = held.position("one", "cross")
    second = msgspec.structs.replace(
        first, name="two", quantity=-first.quantity * other / 1_000, entry_price=first.entry_price * apart
    )
    account = Account("a", "v", (first, second), "hedge", balance=held.notional * held.margin)
    one, two = (position_levels(account, leg, {"X": held.terms()}) for leg in (first, second))
    assert (one.liquidation_price, one.bankruptcy_price) == (two.liquidation_price, two.bankruptcy_price)
    assert one.lines() == two.lines()


def beside(held: Holding, elsewhere: float, free: float, way: int = 1) -> tuple[Account, dict[str, Terms]]:
    """The holding in cross beside one of another contract, whose mark has moved by *elsewhere*; *free* as a share."""
    first = held.position("p", "cross")
    second = Position("o", "Y", held.quantity * way, held.entry, "cross")
    rule = msgspec.structs.replace(held.rule, maintenance="mark", tier_by="none")
    its = Terms(held.entry * elsewhere, TierTable((Tier(0.0, 0.02),), "the test"), held.fee, kind=held.kind, rule=rule)
    account = Account("a", "v", (first, second), balance=held.notional * free)
    return account, {"X": held.terms(), "Y": its}


@kinds
@many
@given(data=st.data(), elsewhere=st.integers(500, 1_500))
def test_an_account_given_by_equity_answers_as_one_given_by_balance(kind, data, elsewhere):
    held = data.draw(holdings(kind))
    account, terms = beside(held, elsewhere / 1_000, held.margin)
    position = account.positions[0]
    by_balance = position_levels(account, position, terms)
    assume(abs(by_balance.equity - by_balance.maintenance_margin) > held.notional * 1e-9)
    by_equity = position_levels(
        msgspec.structs.replace(account, balance=None, equity=by_balance.equity), position, terms
    )
    assert by_equity.status == by_balance.status
    assert same(by_equity.liquidation_price, by_balance.liquidation_price, noise=held.entry * 1e-10)
    assert by_equity.collateral == pytest.approx(by_balance.collateral, rel=1e-9, abs=held.notional * 1e-12)


@kinds
@many
@given(data=st.data(), free=st.integers(-1_500, 1_500))
def test_the_alert_level_at_the_mark_is_liquidation_or_worse_exactly_when_the_position_is_liquidatable(
    kind, data, free
):
    """However little is left of the rest of the account, down to where no price would help; at the line, too."""
    held = data.draw(holdings(kind, moving))
    held = held._replace(rule=msgspec.structs.replace(held.rule, bankruptcy="equity"))
    position = held.position(mode="cross")
    account = Account("a", "v", (position,), balance=held.notional * free / 1_000)
    answer = position_levels(account, position, {"X": held.terms()})
    level = answer.lines().level_at(held.mark, Ladder())
    assert (level >= Level.LIQUIDATION) == (answer.status == "already_liquidatable")
    assert (level is Level.BANKRUPTCY) == (answer.equity < 0) or answer.equity == pytest.approx(
        0, abs=held.notional * 1e-9
    )


@kinds
@pytest.mark.parametrize("end", ["equity", "equity_less_fee", "proportional"])
@many
@given(data=st.data(), elsewhere=st.integers(700, 1_300), way=sides)
def test_a_healthy_account_is_called_neither_liquidated_nor_bankrupt_on_the_way_to_its_liquidation_price(
    kind, end, data, elsewhere, way
):
    """Before its liquidation price no position may be called bankrupt, by whatever kind of bankruptcy price."""
    held = data.draw(holdings(kind))
    fee = "mark_notional" if end == "equity_less_fee" else held.rule.closing_fee
    held = held._replace(rule=msgspec.structs.replace(held.rule, bankruptcy=end, closing_fee=fee))
    account, terms = beside(held, elsewhere / 1_000, held.margin, way)
    answer = position_levels(account, account.positions[0], terms)
    assume(answer.status == "ok")
    assume(answer.liquidation_distance_ratio > 1e-6)
    almost = answer.liquidation_price + (held.mark - answer.liquidation_price) * 1e-3
    assert answer.lines().level_at(held.mark, Ladder()) < Level.LIQUIDATION
    assert answer.lines().level_at(almost, Ladder()) < Level.LIQUIDATION
