"""Accounts that share collateral, figures of the venue itself, coin-margined positions: as a script."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alert_event import StoredState
from monitor.core.alerts import Ladder, Level, Quality
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.levels import position_levels
from monitor.core.pool import Terms
from monitor.engine.book import WatchedAccount
from monitor.engine.engine import Engine
from monitor.engine.shared import Shared
from monitor.engine.sharing import AWAKENED

RULE = LiquidationRule("demo", "worked by hand", "2026-11-22", "mark", "notional", "none")
TABLE = TierTable((Tier(0.0, 0.01),), "by hand")
TERMS = Terms(table=TABLE, rule=RULE)
INVERSE = replace(TERMS, kind="inverse")


class Desk:
    """An engine with accounts of its own."""

    def __init__(self, *accounts: Account, terms: Terms = TERMS, ladder: Ladder | None = None) -> None:
        bare = replace(terms, table=None)
        said = [
            WatchedAccount(
                a, dict.fromkeys(a.symbols(), bare), ladder or Ladder(), dict.fromkeys(a.symbols(), terms.table)
            )
            for a in accounts
        ]
        self.engine = Engine(said, {"demo": {"mark": 1.0}}, 0.0)
        self.engine.apply(ev.VenueTime("demo", 0.0), 0.0)

    def marks(self, now: float, **prices: float) -> list[str]:
        said = []
        for symbol, price in prices.items():
            said += [f"{a.position} {a.kind}" for a in self.engine.apply(ev.MarkPrice("demo", symbol, price, now), now)]
        return said

    def tick(self, now: float) -> list[str]:
        return [f"{a.position} {a.kind}" for a in self.engine.tick(now)]

    def views(self, now: float):
        return {view.name: view for view in self.engine.position_views(0, self.engine.position_count(), now)}


def cross(name: str, symbol: str, quantity: float, entry: float = 100.0, **said) -> Position:
    return Position(name, symbol, quantity, entry, "cross", contracts=abs(quantity), **said)


def two(**said) -> Account:
    """Longs of 10 A and 10 B at 100 on a balance of 300: alone, A's fall ends it at about 70.7."""
    return Account("main", "demo", (cross("a", "A", 10.0), cross("b", "B", 10.0)), **{"balance": 300.0, **said})


def test_a_fall_of_one_mark_alerts_the_position_in_another_at_once():
    desk = Desk(two())
    desk.marks(1.0, A=100.0, B=100.0)
    assert desk.marks(2.0, A=95.0, B=95.0) == []
    # 300 - 100 - 150 of profit lost leaves 50, of which 17.5 is required: A is 3.7 % from its liquidation price.
    assert desk.marks(3.0, A=90.0, B=85.0) == ["a position.warning", "b position.warning"]


def test_nothing_is_said_before_every_mark_of_the_account_has_come():
    desk = Desk(two())
    assert desk.marks(1.0, A=10.0) == []
    assert {view.quality for view in desk.views(1.0).values()} == {Quality.NEVER}


def test_what_is_shown_is_solved_at_the_marks_of_the_moment():
    desk = Desk(two())
    desk.marks(1.0, A=100.0, B=100.0)
    desk.marks(2.0, A=100.5, B=99.5)
    terms = {"A": replace(TERMS, mark_price=100.5), "B": replace(TERMS, mark_price=99.5)}
    account = two()
    for position in account.positions:
        expected = position_levels(account, position, terms)
        shown = desk.views(2.0)[position.name]
        assert shown.liquidation_price == pytest.approx(expected.liquidation_price, rel=1e-12)
        assert shown.liquidation_distance_ratio == pytest.approx(expected.liquidation_distance_ratio, rel=1e-12)
        assert shown.equity == pytest.approx(expected.equity, rel=1e-12)
        assert shown.margin_ratio == pytest.approx(expected.margin_ratio, rel=1e-12)


def test_a_new_ladder_of_one_contract_moves_the_levels_of_all_positions():
    desk = Desk(two())
    desk.marks(1.0, A=100.0, B=100.0)
    before = desk.views(1.0)["b"].liquidation_price
    said = desk.engine.apply(ev.TierTableChanged("demo", "A", ((0.0, 0.1, 0.0),), 1.5), 1.5)
    assert [(a.position, a.kind) for a in said] == [
        ("a", "position.terms_changed"),
        ("b", "position.terms_changed"),
    ]
    assert desk.views(1.5)["b"].liquidation_price == pytest.approx(before + 90.0 / 9.9, rel=1e-9)


def test_the_last_trade_raises_the_level_of_a_position_whose_mark_is_silent():
    desk = Desk(two())
    desk.marks(1.0, A=100.0, B=100.0)
    for second in range(2, 9):
        desk.marks(float(second), B=100.0)
        desk.tick(float(second))
    said = desk.engine.apply(ev.LastPrice("demo", "A", 72.0, 9.0), 9.0)
    assert [(a.position, a.kind, a.price_source) for a in said] == [("a", "position.critical", "last")]


def test_a_mark_that_comes_back_is_looked_at_again():
    desk = Desk(two())
    desk.marks(1.0, A=100.0, B=100.0)
    for second in range(2, 9):
        desk.marks(float(second), B=100.0)
        desk.tick(float(second))
    desk.engine.apply(ev.LastPrice("demo", "A", 95.0, 9.0), 9.0)
    desk.engine.apply(ev.LastPrice("demo", "A", 71.5, 9.2), 9.2)  # confirms the jump of the mark
    assert desk.marks(9.5, A=71.0, B=100.0) == ["b position.liquidation"]  # the trade has raised that of a


def test_collateral_that_follows_a_mark_moves_the_lines():
    """A debt of 10 C at 10: its rise eats the balance of 400 that stands behind a long of 10 A."""
    debt = CollateralAsset("C", -10.0, symbol="C")
    desk = Desk(Account("main", "demo", (cross("a", "A", 10.0),), balance=400.0, assets=(debt,)))
    desk.marks(1.0, A=100.0, C=10.0)
    before = desk.views(1.0)["a"].liquidation_price
    desk.marks(2.0, C=11.0)
    assert desk.views(2.0)["a"].liquidation_price == pytest.approx(before + 10.0 / 9.9, rel=1e-9)
    assert desk.marks(3.0, C=12.0) == []


def test_a_rise_of_a_borrowed_coin_alerts_the_position_on_that_collateral():
    debt = CollateralAsset("C", -10.0, symbol="C")
    desk = Desk(Account("main", "demo", (cross("a", "A", 10.0),), balance=400.0, assets=(debt,)))
    desk.marks(1.0, A=100.0, C=32.0)
    said = []
    for step in range(1, 12):
        said += desk.marks(1.0 + step, A=100.0, C=32.0 + 0.5 * step)
    assert said == ["a position.warning", "a position.critical"]


def test_a_coin_margined_position_alerts_as_its_mark_falls():
    """Face value 30,000 at 60,000 on 0.05 coins: liquidation 55,090.909 by hand at 1 %."""
    held = Position("coin", "A", 30_000.0, 60_000.0, "isolated", 0.05, 300.0)
    desk = Desk(Account("main", "demo", (held,)), terms=INVERSE)
    assert desk.marks(1.0, A=60_000.0) == []
    assert desk.views(1.0)["coin"].liquidation_price == pytest.approx(55_090.909, abs=5e-4)
    assert desk.views(1.0)["coin"].notional == 0.5
    assert desk.marks(2.0, A=57_900.0) == ["coin position.warning"]
    assert desk.marks(3.0, A=55_090.0) == ["coin position.liquidation"]


def test_accounts_are_taken_up_a_few_at_a_time():
    many = [replace(two(), name=f"desk-{n}") for n in range(AWAKENED + 5)]
    desk = Desk(*many)
    desk.marks(1.0, A=100.0, B=100.0)

    def live() -> int:
        return sum(v.quality is Quality.LIVE for v in desk.engine.position_views(0, 2 * len(many), 1.0))

    assert live() == 2 * AWAKENED
    desk.tick(1.5)
    assert live() == 2 * len(many)


# --- the venue's own figure --------------------------------------------------------------------------------


def reported(price: float, **terms) -> Desk:
    """A long of 1 at 100 on 10: ours is 90 / 0.99 = 90.909."""
    held = Position("a", "A", 1.0, 100.0, "isolated", 10.0, 1.0, reported_liquidation_price=price)
    return Desk(Account("main", "demo", (held,)), terms=replace(TERMS, **terms))


def test_a_figure_of_the_venue_that_agrees_says_nothing_and_shows_its_drift():
    desk = reported(90.95)
    assert desk.marks(1.0, A=100.0) == []
    assert desk.views(1.0)["a"].drift_ratio == pytest.approx(90.0 / 0.99 / 90.95 - 1.0)


def test_a_figure_of_the_venue_that_is_too_far_from_ours_is_an_alert_of_its_own():
    desk = reported(91.5)
    assert desk.marks(1.0, A=100.0) == ["a position.drift"]
    assert desk.marks(2.0, A=100.5) == []


def test_two_ticks_of_drift_are_allowed_where_they_are_more_than_a_thousandth():
    assert reported(91.5, tick_size=0.5).marks(1.0, A=100.0) == []


def test_a_venue_that_shows_no_price_where_we_find_one_is_a_drift():
    assert reported(0.0).marks(1.0, A=100.0) == ["a position.drift"]


def test_a_drift_that_was_told_before_a_restart_is_not_told_again():
    desk = reported(91.5)
    desk.engine.restore([StoredState("main/a", seq=3, drift_alerted=True)])
    assert desk.marks(1.0, A=100.0) == []
    assert [state.drift_alerted for state in desk.engine.states()] == [True]


def test_the_figure_of_a_shared_account_is_held_against_ours_once():
    first = cross("a", "A", 10.0, reported_liquidation_price=71.0)
    desk = Desk(replace(two(), positions=(first, cross("b", "B", 10.0))))
    assert desk.marks(1.0, A=100.0, B=100.0) == ["a position.drift"]
    assert desk.marks(2.0, A=100.0, B=98.0) == []
    assert desk.views(2.0)["a"].level is Level.OK


def test_a_coin_margined_account_waits_for_all_of_its_marks():
    rows = (cross("a", "A", 1_000.0), cross("b", "B", 1_000.0))
    desk = Desk(Account("main", "demo", rows, balance=4.0), terms=INVERSE)
    assert desk.marks(1.0, A=100.0) == []
    assert desk.tick(1.5) == []
    assert desk.marks(2.0, A=100.0, B=100.0) == []
    assert {view.quality for view in desk.views(2.0).values()} == {Quality.LIVE}


# --- what fresh eyes found ---------------------------------------------------------------------------------


def test_collateral_in_the_coin_of_the_only_position_moves_its_line():
    """Long 10 A on 20 coins of A and a debt: at 88 its whole equity is 30 x 88 - 2,650, which is below 0."""
    coins = CollateralAsset("A", 20.0, symbol="A")
    desk = Desk(Account("main", "demo", (cross("a", "A", 10.0),), balance=-1_650.0, assets=(coins,)))
    assert desk.marks(1.0, A=100.0) == []
    said = []
    for second, price in enumerate((97.0, 93.0, 90.0, 88.5, 88.0), 2):
        said += desk.marks(float(second), A=price)
    assert said == ["a position.warning", "a position.critical", "a position.liquidation", "a position.bankruptcy"]


def test_a_new_ladder_moves_the_line_of_a_lone_cross_position():
    desk = Desk(Account("main", "demo", (cross("a", "A", 10.0),), balance=200.0))
    desk.marks(1.0, A=100.0)
    said = desk.engine.apply(ev.TierTableChanged("demo", "A", ((0.0, 0.1, 0.0),), 1.5), 1.5)
    assert [a.kind for a in said] == ["position.terms_changed"]


def test_the_same_ladder_again_says_nothing_although_other_marks_have_moved():
    desk = Desk(two(balance=900.0))
    desk.marks(1.0, A=100.0, B=100.0)
    for second in range(2, 12):
        desk.marks(float(second), A=100.0, B=100.0 + 0.2 * second)
    assert desk.engine.apply(ev.TierTableChanged("demo", "A", ((0.0, 0.01, 0.0),), 12.0), 12.0) == []


def test_a_level_that_an_undated_mark_raised_is_let_go_in_the_end():
    desk = Desk(two(balance=200.0))
    desk.marks(1.0, A=100.0, B=100.0)
    desk.marks(2.0, A=100.0, B=100.0)
    raised = desk.engine.apply(ev.MarkPrice("demo", "A", 83.0, 2.0), 2.5)  # another price of the same venue time
    assert [a.kind for a in raised] == ["position.critical"]
    said = []
    for second in range(3, 200):
        said += desk.marks(float(second), A=100.0 + 0.001 * second, B=100.0)
        said += desk.tick(second + 0.5)
    assert said[-1] == "a position.resolved"


def test_accounts_that_cannot_be_solved_keep_no_other_asleep():
    bad = [replace(two(), name=f"bad-{n}") for n in range(AWAKENED + 5)]
    good = [replace(two(), name=f"good-{n}", positions=(cross("c", "C", 1.0), cross("d", "D", 1.0))) for n in range(3)]
    bare = replace(TERMS, table=None)
    said = [WatchedAccount(a, dict.fromkeys(a.symbols(), bare)) for a in bad]
    said += [WatchedAccount(a, dict.fromkeys(a.symbols(), TERMS)) for a in good]
    engine = Engine(said, {"demo": {"mark": 1.0}}, 0.0)
    engine.apply(ev.VenueTime("demo", 0.0), 0.0)
    for second in range(1, 5):
        for symbol in "ABCD":
            engine.apply(ev.MarkPrice("demo", symbol, 100.0, float(second)), float(second))
        engine.tick(second + 0.5)
    views = engine.position_views(0, engine.position_count(), 5.0)
    assert {v.quality for v in views if v.account.startswith("good")} == {Quality.LIVE}


def test_collateral_that_counts_nothing_disturbs_nobody():
    nothing = CollateralAsset("C", 5.0, 0.0, symbol="C")
    desk = Desk(Account("main", "demo", (cross("a", "A", 10.0),), balance=40.0, assets=(nothing,)))
    desk.marks(1.0, A=100.0, C=10.0)
    for second in range(2, 60):
        desk.marks(float(second), A=100.0, C=10.0 * 1.02**second)
    assert desk.views(60.0)["a"].quality is Quality.LIVE


def test_an_equity_contains_the_funding_that_is_still_to_come():
    held = cross("a", "A", 10.0, unsettled_funding=-50.0)
    account = Account("main", "demo", (held,), equity=300.0)
    desk = Desk(account)
    desk.marks(1.0, A=100.0)
    expected = position_levels(account, held, {"A": replace(TERMS, mark_price=100.0)})
    assert desk.views(1.0)["a"].liquidation_price == pytest.approx(expected.liquidation_price, rel=1e-12)


def test_a_reported_requirement_gives_one_rate_for_good():
    held = Position("a", "A", -10.0, 100.0, "isolated", 500.0, 10.0, maintenance_margin=100.0)
    desk = Desk(Account("main", "demo", (held,)), terms=replace(TERMS, table=None))
    desk.marks(1.0, A=100.0)
    before = desk.views(1.0)["a"].liquidation_price
    assert before == pytest.approx(1_500.0 / 11.0)
    desk.marks(2.0, A=120.0)
    assert desk.views(2.0)["a"].liquidation_price == before


def test_an_account_whose_evaluation_raises_leaves_the_others_alone(monkeypatch):
    other = replace(two(balance=200.0), name="other", positions=(cross("c", "A", 10.0), cross("d", "B", 10.0)))
    desk = Desk(two(balance=200.0), other)
    desk.marks(1.0, A=100.0, B=100.0)
    settle = Shared.settle

    def raising(self, moved=None):
        if self.book.account.name == "main":
            raise ValueError("made up")
        return settle(self, moved)

    monkeypatch.setattr(Shared, "settle", raising)
    assert desk.marks(2.0, A=83.0, B=100.0) == ["c position.critical", "d position.critical"]
    assert desk.views(2.0)["a"].reason == "error"


def test_the_equity_that_is_shown_counts_a_coin_that_follows_the_mark_once():
    coins = CollateralAsset("A", 20.0, symbol="A")
    account = Account("main", "demo", (cross("a", "A", 10.0),), balance=5_000.0, assets=(coins,))
    desk = Desk(account)
    desk.marks(1.0, A=100.0)
    desk.marks(2.0, A=100.5)
    expected = position_levels(account, account.positions[0], {"A": replace(TERMS, mark_price=100.5)})
    shown = desk.views(2.0)["a"]
    assert (shown.equity, shown.margin_ratio) == (
        pytest.approx(5_000.0 + 2_010.0 + 5.0),
        pytest.approx(expected.margin_ratio, rel=1e-12),
    )
