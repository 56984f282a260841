"""The smallest top-up and the smallest reduction: worked cases, and that applying them gives just the target."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.contract import LiquidationRule, Tier, TierTable, build_deductions
from monitor.core.levels import ALREADY_LIQUIDATABLE, NONE, position_levels
from monitor.core.pool import Terms
from monitor.core.restore import Restore, restore

RULE = LiquidationRule("at mark", "the test", "2026-11-22", "mark", "notional", "mark_notional")
TIERS = TierTable((Tier(0.0, 0.01),), "the test")


def terms(mark: float = 100.0, table: TierTable | None = TIERS, *, kind: str = "linear", **switches: str) -> Terms:
    fee = 0.001 if switches.get("closing_fee") == "at_bankruptcy" else 0.0
    return Terms(mark, table, fee, kind=kind, rule=msgspec.structs.replace(RULE, **switches))


def isolated(quantity: float, entry: float, margin: float, **said: float) -> tuple[Account, Position]:
    position = Position("p", "X", quantity, entry, "isolated", margin, **said)
    return Account("a", "v", (position,)), position


def cross(symbol: str, quantity: float, entry: float, **said: float) -> Position:
    return Position(f"{symbol} {quantity:g}", symbol, quantity, entry, "cross", **said)


def test_isolated_long_needs_what_lacks_at_the_target_price() -> None:
    """20 % below 100 the long of 10 has lost 200 and 8 are due: 208, of which 50 are there."""
    found = restore(*isolated(10.0, 100.0, 50.0), {"X": terms()}, 0.2)
    assert found.top_up == pytest.approx(158.0, rel=1e-12)


def test_isolated_long_keeps_its_equity_when_a_part_is_closed() -> None:
    """20.8 are due a coin at the target price, so 50 carry 50 / 20.8 coins."""
    found = restore(*isolated(10.0, 100.0, 50.0, contracts=1_000.0), {"X": terms()}, 0.2)
    assert found.reduce_ratio == pytest.approx(1.0 - 5.0 / 20.8, rel=1e-12)
    assert found.reduce_quantity == pytest.approx(10.0 - 50.0 / 20.8, rel=1e-12)
    assert found.reduce_contracts == pytest.approx(1_000.0 - 5_000.0 / 20.8, rel=1e-12)


def test_reduction_of_a_losing_short_is_told_as_a_positive_quantity() -> None:
    """Entered at 90, equity 50 - 20 = 30 at 100; 20 + 1.2 are due a coin at 120, so 30 / 21.2 coins stay."""
    found = restore(*isolated(-2.0, 90.0, 50.0), {"X": terms()}, 0.2)
    assert found.reduce_quantity == pytest.approx(2.0 - 30.0 / 21.2, rel=1e-12)


def test_isolated_part_releases_its_share_of_margin() -> None:
    found = restore(*isolated(10.0, 100.0, 50.0), {"X": terms()}, 0.2)
    assert found.released_margin == pytest.approx(50.0 * (1.0 - 5.0 / 20.8), rel=1e-12)


def test_isolated_part_releases_its_margin_less_its_loss() -> None:
    """Entered at 90 with 50, the short of 2 has lost 20 at 100: of what is left a part takes its share along."""
    found = restore(*isolated(-2.0, 90.0, 50.0), {"X": terms()}, 0.2)
    assert found.released_margin == pytest.approx(30.0 * (1.0 - 15.0 / 21.2), rel=1e-12)


def test_what_an_isolated_part_releases_leaves_the_price_where_it_is() -> None:
    account, own = isolated(10.0, 90.0, 50.0)
    found = restore(account, own, {"X": terms()}, 0.5)
    _, left = reduced(account, own, found.reduce_ratio, 100.0, "linear")
    left = msgspec.structs.replace(left, margin=left.margin - found.released_margin)
    price = position_levels(Account("a", "v", (left,)), left, {"X": terms()}).liquidation_price
    assert price == pytest.approx(position_levels(account, own, {"X": terms()}).liquidation_price, rel=1e-12)


def test_cross_part_releases_no_margin() -> None:
    account = Account("a", "v", (cross("X", 10.0, 100.0),), balance=50.0)
    assert restore(account, account.positions[0], {"X": terms()}, 0.2).released_margin is None


def test_cross_counts_profit_and_requirement_of_the_others() -> None:
    """At 80: 100 of balance - 200 - 8, and the other's 30 of profit - 1.3 due: 79.3 lack."""
    account = Account("a", "v", (cross("X", 10.0, 100.0), cross("Y", 1.0, 100.0)), balance=100.0)
    found = restore(account, account.positions[0], {"X": terms(), "Y": terms(130.0)}, 0.2)
    assert found.top_up == pytest.approx(79.3, rel=1e-12)
    assert found.reduce_ratio == pytest.approx(1.0 - (100 + 30 - 1.3) / 208, rel=1e-12)


def test_balance_and_equity_as_given_need_the_same() -> None:
    own = cross("X", 10.0, 110.0)
    by_balance = restore(Account("a", "v", (own,), balance=150.0), own, {"X": terms()}, 0.2)
    by_equity = restore(Account("a", "v", (own,), equity=50.0), own, {"X": terms()}, 0.2)
    assert by_equity.top_up == pytest.approx(by_balance.top_up, rel=1e-12)
    assert by_equity.reduce_ratio == pytest.approx(by_balance.reduce_ratio, rel=1e-12)


def test_inverse_long_needs_coins() -> None:
    """At 50 000 the long of 30 000 has lost 0.1 of its coins, and 0.6 x 0.01 are due."""
    account, own = isolated(30_000.0, 60_000.0, 0.05)
    found = restore(account, own, {"X": terms(60_000.0, kind="inverse")}, 1.0 / 6.0)
    assert found.top_up == pytest.approx(0.1 + 0.006 - 0.05, rel=1e-10)


def test_position_that_is_far_enough_needs_nothing() -> None:
    found = restore(*isolated(10.0, 100.0, 300.0), {"X": terms()}, 0.2)
    assert found == Restore(0.2, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_position_that_no_price_liquidates_needs_nothing() -> None:
    assert restore(*isolated(10.0, 100.0, 2_000.0), {"X": terms()}, 0.9).top_up == 0.0


def test_closed_position_needs_nothing() -> None:
    assert restore(*isolated(0.0, 100.0, 1.0), {"X": terms()}, 0.2) == Restore(0.2, 0.0, 0.0, 0.0, 0.0, 0.0)


def test_liquidatable_position_is_brought_back() -> None:
    """Equity 5 of 10 due: both ways out are told while there is equity."""
    account, own = isolated(10.0, 100.0, 5.0)
    assert position_levels(account, own, {"X": terms()}).status == ALREADY_LIQUIDATABLE
    found = restore(account, own, {"X": terms()}, 0.1)
    assert found.top_up == pytest.approx(100.0 + 9.0 - 5.0, rel=1e-12)
    assert found.reduce_ratio == pytest.approx(1.0 - 0.5 / 10.9, rel=1e-12)


def test_bankrupt_isolated_position_is_helped_by_margin_alone() -> None:
    found = restore(*isolated(10.0, 110.0, 50.0), {"X": terms()}, 0.1)
    assert found.top_up == pytest.approx(100 + 100 + 9 - 50, rel=1e-12)
    assert (found.reduce_quantity, found.reduce_contracts, found.reduce_ratio) == (None, None, None)


def test_closing_does_not_help_where_the_rest_of_the_account_is_lost() -> None:
    account = Account("a", "v", (cross("X", 1.0, 100.0), cross("Y", 1.0, 100.0)), balance=30.0)
    found = restore(account, account.positions[0], {"X": terms(), "Y": terms(70.0)}, 0.1)
    assert found.reduce_ratio is None
    assert found.top_up == pytest.approx(10.0 + 0.9 + 0.7, rel=1e-12)


def test_leg_of_a_pair_is_closed_as_far_as_it_helps() -> None:
    """Net 1 long: at 80, 30 - 20 - 0.8 x 3 are left. With 2 - d long: 30 - 20 x (1 - d) - 0.8 x (3 - d) there."""
    account = Account("a", "v", (cross("X", 2.0, 100.0), cross("X", -1.0, 100.0)), "hedge", balance=20.0)
    found = restore(account, account.positions[0], {"X": terms()}, 0.2)
    assert found.reduce_quantity == pytest.approx((20 + 0.8 * 3 - 20) / 20.8, rel=1e-11)


def test_closing_the_hedge_does_not_help() -> None:
    account = Account("a", "v", (cross("X", 2.0, 100.0), cross("X", -1.0, 100.0)), "hedge", balance=20.0)
    assert restore(account, account.positions[1], {"X": terms()}, 0.2).reduce_ratio is None


def test_pair_with_little_equity_is_closed_down_to_near_balance() -> None:
    """Net n long leaves 2.42 - 20n - 0.8 (2 + n) at 80: n = 0.82 / 20.8. All of the long closed would be too much."""
    account = Account("a", "v", (cross("X", 2.0, 100.0), cross("X", -1.0, 100.0)), "hedge", balance=2.42)
    found = restore(account, account.positions[0], {"X": terms()}, 0.2)
    assert found.reduce_quantity == pytest.approx(1.0 - 0.82 / 20.8, rel=1e-10)


def test_window_narrower_than_the_steps_that_are_tried_is_found() -> None:
    """Of 7 long against 2.02 short only a net from -0.0125 to 0.0205 survives 30 % either way; a step is 0.11."""
    its = {"X": terms(table=TierTable((Tier(0.0, 0.001),), "the test"))}
    account = Account("a", "v", (cross("X", 7.0, 100.0), cross("X", -2.02, 100.0)), "hedge", balance=0.9)
    found = restore(account, account.positions[0], its, 0.3)
    net = (0.9 - 0.07 * 4.04) / 30.07  # at 70: 0.9 - 30 net - 0.07 (4.04 + net) = 0
    assert found.reduce_quantity == pytest.approx(7.0 - 2.02 - net, rel=1e-9)


def test_reported_requirement_shrinks_with_the_position() -> None:
    """A fixed 10 for 10 coins: at 80, 20 + 1 are due a coin, whatever the notional there."""
    account, own = isolated(10.0, 100.0, 50.0, maintenance_margin=10.0)
    found = restore(account, own, {"X": terms(table=None, maintenance="fixed", tier_by="none")}, 0.2)
    assert found.top_up == pytest.approx(160.0, rel=1e-12)
    assert found.reduce_ratio == pytest.approx(1.0 - 5.0 / 21.0, rel=1e-12)
    assert "the maintenance_margin that the venue reports shrinks in proportion" in found.assumptions


def test_fewer_contracts_may_fall_into_a_lower_tier() -> None:
    """Above 500 contracts 5 % are due on the whole; 490 contracts at 1 % are just what 100 carry."""
    table = TierTable((Tier(0.0, 0.01), Tier(500.0, 0.05)), "the test")
    account, own = isolated(10.0, 100.0, 4.9 * 20.8, contracts=1_000.0)
    found = restore(account, own, {"X": terms(table=table, tier_by="contracts", deduction="none")}, 0.2)
    assert found.reduce_contracts == pytest.approx(510.0, rel=1e-11)


def test_margin_grows_the_fee_that_is_reserved_at_bankruptcy() -> None:
    """Margin K of a short entered at 100 puts bankruptcy to (100 + K) / 1.001, and 0.1 % of that is kept back."""
    found = restore(*isolated(-1.0, 100.0, 5.0), {"X": terms(closing_fee="at_bankruptcy")}, 0.2)
    more = found.top_up
    assert 105 + more - 120 - 1.2 - 0.001 * (105 + more) / 1.001 == pytest.approx(0.0, abs=1e-9)


def test_what_is_unknown_is_named() -> None:
    account, own = isolated(1.0, 100.0, 5.0)
    assert restore(account, own, {"X": terms(table=None)}, 0.2) == Restore(0.2, missing=("tiers of X",))


@pytest.mark.parametrize("target", [0.0, -0.1, 1.0, 20.0, float("nan")])
def test_target_is_a_ratio_between_0_and_1(target: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        restore(*isolated(1.0, 100.0, 5.0), {"X": terms()}, target)


def test_isolated_says_that_released_margin_is_added_back() -> None:
    found = restore(*isolated(10.0, 100.0, 50.0), {"X": terms()}, 0.2)
    assert found.assumptions == (
        "the part is closed at the present mark, without fees or slippage",
        (
            "the margin of the closed part, with its profit or loss, is added back to the position: a venue releases "
            "it in proportion, which leaves the liquidation price where it is"
        ),
    )


def test_cross_says_where_profit_goes_and_what_is_held() -> None:
    account = Account("a", "v", (cross("X", 10.0, 100.0), cross("Y", 1.0, 100.0)), balance=100.0)
    found = restore(account, account.positions[0], {"X": terms(), "Y": terms()}, 0.2)
    assert found.assumptions[1:] == (
        "the profit or loss of the closed part goes to the balance",
        "the marks of the account's other cross positions are held where they are",
    )


many = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)

LADDER = ((0.0, 0.004), (30_071.5, 0.01), (80_013.7, 0.05), (307_123.5, 0.1))

sizes = st.integers(1, 90) | st.integers(-90, -1)
prices = st.integers(900, 1_100).map(float)
parts = st.sampled_from([0.02, 0.1, 0.25, 0.6])
rules = st.sampled_from(
    [
        {},
        {"closing_fee": "at_bankruptcy"},
        {"maintenance": "entry", "tier_by": "entry_notional", "closing_fee": "none"},
        {"tier_by": "none", "bankruptcy": "proportional"},
    ]
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Account, Position, dict[str, Terms]]:
    """Return a position, isolated or in cross beside others, with its account and terms."""
    kind, switches = draw(st.sampled_from(["linear", "inverse"])), draw(rules)
    unit, scale = (1_000.0, 1e-3) if kind == "inverse" else (1.0, 1.0)
    rows = [(unit * draw(sizes), draw(prices)) for _ in range(draw(st.integers(1, 3)))]
    collateral = draw(st.integers(1, 60)) * (1.0 if kind == "inverse" else 1_000.0)
    table = TierTable(build_deductions([(floor * scale, rate) for floor, rate in LADDER]), "the test")
    its = {symbol: terms(draw(prices), table, kind=kind, **switches) for symbol in "XYZ"}
    if draw(st.booleans()):
        own = Position("p0", "X", *rows[0], "isolated", collateral)
        return Account("a", "v", (own,)), own, its
    positions = tuple(
        Position(f"p{i}", symbol, *row, "cross") for i, (symbol, row) in enumerate(zip("XYZ", rows, strict=False))
    )
    assets = (CollateralAsset("C", 1.0, 0.9, 1.0),) if draw(st.booleans()) else ()
    return Account("a", "v", positions, balance=collateral, assets=assets), positions[0], its


def distance(account: Account, position: Position, its: dict[str, Terms]) -> float:
    found = position_levels(account, position, its)
    return float("inf") if found.status == NONE else (found.liquidation_distance_ratio or -1.0)


def topped_up(account: Account, position: Position, more: float) -> tuple[Account, Position]:
    if position.margin is None:
        return msgspec.structs.replace(account, balance=account.balance + more), position
    own = msgspec.structs.replace(position, margin=position.margin + more)
    return msgspec.structs.replace(account, positions=(own,)), own


def reduced(account: Account, position: Position, ratio: float, mark: float, kind: str) -> tuple[Account, Position]:
    """Close a part at the mark: what it earned is money now, the rest is as it was."""
    own = msgspec.structs.replace(position, quantity=position.quantity * (1.0 - ratio))
    earned = position.profit_at(mark, kind) - own.profit_at(mark, kind)
    account = msgspec.structs.replace(account, positions=(own, *account.positions[1:]))
    return topped_up(account, own, earned)


def further(case: tuple[Account, Position, dict[str, Terms]], part: float) -> float:
    """A target beyond the present distance: *part* of what it lacks of the whole price."""
    here = max(0.0, distance(*case))
    assume(here < 1.0)
    return here + (1.0 - here) * part


@many
@given(cases(), parts)
def test_top_up_gives_just_the_target_and_a_hair_less_does_not(case, part: float) -> None:
    account, position, its = case
    target = further(case, part)
    found = restore(*case, target)
    assume(found.top_up)
    after = distance(*topped_up(account, position, found.top_up), its)
    assert after == pytest.approx(target, rel=1e-9)
    assert distance(*topped_up(account, position, found.top_up * (1.0 - 1e-9)), its) < target


@many
@given(cases(), parts)
def test_reduction_gives_just_the_target_and_a_hair_less_does_not(case, part: float) -> None:
    account, position, its = case
    target = further(case, part)
    found = restore(*case, target)
    assume(found.reduce_ratio)
    own = its["X"]
    assert found.reduce_quantity == pytest.approx(found.reduce_ratio * abs(position.quantity), rel=1e-15)
    after = distance(*reduced(account, position, found.reduce_ratio, own.mark_price, own.kind), its)
    assert after == pytest.approx(target, rel=1e-8)
    less = found.reduce_ratio * (1.0 - 1e-9)
    assert distance(*reduced(account, position, less, own.mark_price, own.kind), its) < target


@settings(many, max_examples=60)
@given(cases())
def test_a_larger_target_never_needs_less(case) -> None:
    near, far = (restore(*case, target) for target in (0.1, 0.2))
    assert far.top_up >= near.top_up
    assert near.reduce_ratio is None or far.reduce_ratio is None or far.reduce_ratio >= near.reduce_ratio
