"""The engine as a script: facts in, alert events out, with the time written beside each."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from monitor.core import events as ev
from monitor.core.alert_event import StoredState
from monitor.core.alerts import Ladder, Level, Quality
from monitor.core.pool import Terms

EPOCH = 1_795_000_000.0


def kinds(alerts):
    return [a.kind for a in alerts]


def test_the_mark_climbs_through_all_levels_each_said_once(script):
    s = script()
    said = []
    for second, price in enumerate([51_500, 52_000, 52_200, 53_000, 53_800, 54_500, 54_790, 54_900, 55_000, 55_200], 1):
        said += s.mark(float(second), float(price))
    assert kinds(said) == ["position.warning", "position.critical", "position.liquidation", "position.bankruptcy"]
    assert [a.seq for a in said] == [1, 2, 3, 4]
    assert {a.episode for a in said} == {1}


def test_a_wick_of_the_last_price_raises_nothing_while_the_mark_is_live(script, make):
    s = script(make["short"](margin=5_250.0))  # liquidation at 55,029.88
    s.hold(1.0, 3.0, 54_900.0)
    before = s.view(3.0).level
    assert not s.last(3.2, 55_100.0)
    assert not s.tick(4.0)
    assert s.view(4.0).level is before is Level.CRITICAL


def test_one_price_through_all_levels_makes_one_event_that_lists_the_passed_ones(script):
    s = script()
    s.mark(1.0, 51_500.0)
    (alert,) = s.mark(2.0, 56_000.0)
    assert alert.kind == "position.bankruptcy"
    assert alert.skipped == ("warning", "critical", "liquidation")


@pytest.mark.parametrize(("price", "level"), [(52_172.26, 0), (52_172.27, 1), (53_706.73, 1), (53_706.75, 2), (54_780.87, 2), (54_780.88, 3), (54_999.99, 3), (55_000.0, 4)])  # fmt: skip
def test_a_level_holds_from_its_line_on(script, price, level):
    s = script()
    s.mark(1.0, price)
    assert s.view(1.0).level == level


def test_down_only_after_the_clearing_time_beyond_the_hysteresis_without_interruption(script):
    s = script()
    s.hold(1.0, 3.0, 52_500.0)
    assert s.view(3.0).level is Level.WARNING
    assert not s.hold(4.0, 100.0, 51_900.0)  # 5.55 %: below the threshold, not below 6 %
    assert not s.hold(101.0, 159.0, 51_500.0)
    assert not s.mark(160.0, 51_900.0)  # a dip back
    assert not s.hold(161.0, 220.0, 51_500.0)
    assert kinds(s.hold(221.0, 222.0, 51_500.0)) == ["position.resolved"]


def test_liquidation_is_sticky_for_five_minutes(script):
    s = script()
    s.mark(1.0, 54_800.0)
    assert kinds(s.hold(2.0, 301.0, 51_000.0)) == []
    assert kinds(s.hold(302.0, 304.0, 51_000.0)) == ["position.resolved"]


def test_a_stale_mark_makes_the_position_unknown_its_distance_absent_and_resolves_nothing(script):
    s = script()
    s.hold(1.0, 3.0, 54_000.0)
    assert not s.tick(5.9)
    said = s.tick(6.1)  # alarmed: 3 s
    assert kinds(said) == ["feed.down"]
    assert (said[0].severity, said[0].positions, said[0].condition) == ("critical", ("short",), "unknown")
    view = s.view(6.1)
    assert (view.quality, view.condition, view.level) == (Quality.STALE, "unknown", Level.CRITICAL)
    assert view.liquidation_distance_ratio is view.mark_price is view.margin_ratio is None
    for second in range(7, 400):
        assert not s.tick(float(second))
    assert not s.hold(400.0, 405.0, 54_000.0)  # known at once, but said only when it has lasted
    assert s.view(400.5).quality is Quality.LIVE
    assert kinds(s.hold(406.0, 406.0, 54_000.0)) == ["feed.recovered"]
    assert s.view(406.0).level is Level.CRITICAL


def test_a_calm_position_is_announced_thirty_seconds_after_it_became_stale(script):
    s = script()
    s.hold(1.0, 3.0, 50_000.0)
    said = {t: kinds(s.tick(float(t))) for t in range(4, 50)}
    assert {t: k for t, k in said.items() if k} == {39: ["feed.down"]}  # stale is seen at 9, 30 s more


def test_one_silent_symbol_of_two_is_a_stale_position_and_not_a_dead_feed(script, make):
    s = script(make["short"](), make["long"]("eth", symbol="ETHUSDT"))
    for second in (1.0, 2.0, 3.0):
        s.mark(second, 54_000.0)
        s.hold(second, second, 50_000.0, "ETHUSDT")
    said = s.hold(4.0, 8.0, 50_000.0, "ETHUSDT")
    assert [(a.kind, a.position, a.severity) for a in said] == [("position.stale", "short", "critical")]
    said = []
    for second in range(9, 16):
        said += s.mark(float(second), 54_000.0) + s.hold(float(second), float(second), 50_000.0, "ETHUSDT")
    assert [(a.kind, a.positions) for a in said] == [("feed.recovered", ("short",))]


def test_before_the_first_price_there_is_a_grace_and_then_an_alert(script):
    s = script()
    assert not [k for t in range(1, 30) for k in s.tick(float(t))]
    assert kinds(s.tick(30.0)) == ["feed.down"]
    assert s.view(30.0).quality is Quality.NEVER


def test_without_a_mark_the_last_price_may_raise_but_never_lower(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    for second in range(3, 9):
        s.last(float(second), 50_000.0)
        s.tick(float(second))
    assert s.view(8.0).quality is Quality.FALLBACK
    (alert,) = s.last(9.0, 54_000.0)
    assert (alert.kind, alert.price_source, alert.quality) == ("position.critical", "last", Quality.FALLBACK)
    for second in range(10, 400):
        assert not s.last(float(second), 50_000.0) + s.tick(float(second))
    assert s.view(399.0).level is Level.CRITICAL


def test_late_prices_raise_are_not_fresh_and_lower_nothing(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    (alert,) = s.mark(7.0, 54_000.0, lag=4.0)
    assert (alert.kind, alert.price_source) == ("position.critical", "late mark")
    assert s.view(7.0).quality is Quality.STALE
    assert s.view(7.0).reason == "late"
    for second in range(8, 200):
        assert "position.resolved" not in kinds(s.mark(float(second), 50_000.0, lag=4.0) + s.tick(float(second)))


def test_a_frozen_event_time_is_not_fresh_but_still_escalates(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    frozen, apply = EPOCH + 2.5, s.engine.apply
    assert not apply(ev.MarkPrice("demo", "BTCUSDT", 50_000.0, frozen), 2.6)
    said = []
    for second, price in ((3.6, 52_500.0), (4.6, 54_000.0), (5.6, 54_900.0), (6.6, 50_000.0)):
        said += kinds(apply(ev.MarkPrice("demo", "BTCUSDT", price, frozen), second)) + kinds(s.tick(second))
    assert said[:3] == ["position.warning", "position.critical", "position.liquidation"]
    assert s.view(6.6).quality is not Quality.LIVE
    assert s.view(6.6).level is Level.LIQUIDATION


def test_two_values_of_one_moment_are_no_lost_feed(script):
    s = script()
    s.hold(1.0, 3.0, 54_000.0)
    s.engine.apply(ev.MarkPrice("demo", "BTCUSDT", 54_010.0, EPOCH + 3.0 - 0.05), 3.1)
    assert not s.tick(3.2)
    assert s.view(3.2).quality is Quality.LIVE


def test_an_older_price_changes_nothing(script):
    s = script()
    s.hold(1.0, 5.0, 50_000.0)
    assert not s.mark(5.5, 56_000.0, lag=3.0)
    assert s.view(5.5).mark_price == 50_000.0
    assert s.engine.venue_views(5.5, 0.0)[0].rejected == {"out_of_order": 1}


def test_a_repeated_price_refreshes_nothing(script):
    s = script()
    event = ev.MarkPrice("demo", "BTCUSDT", 50_000.0, EPOCH + 1.0)
    s.engine.apply(event, 1.0)
    s.engine.apply(event, 2.5)
    assert s.engine.accepted_time("demo", "BTCUSDT", "mark") == 1.0


@pytest.mark.parametrize("time", [EPOCH * 1000.0, 1.0, EPOCH + 3600.0, EPOCH - 2 * 86_400.0])
def test_an_event_time_that_cannot_be_is_refused(script, time):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    assert not s.engine.apply(ev.MarkPrice("demo", "BTCUSDT", 54_000.0, time), 3.0)
    assert s.view(3.0).mark_price == 50_000.0
    assert s.engine.accepted_time("demo", "BTCUSDT", "mark") == 2.0


@pytest.mark.parametrize("bad", [5_000_000.0, 500.0, 32_500.0])
def test_one_bad_tick_is_held_disproved_and_dropped(script, make, bad):
    s = script(make["short"](), make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    assert not s.mark(6.0, bad)
    assert s.engine.accepted_time("demo", "BTCUSDT", "mark") == 5.0
    assert not s.hold(7.0, 9.0, 50_000.0)
    assert s.engine.venue_views(9.0, 0.0)[0].quarantined == 1


def test_a_crash_is_believed_at_its_second_tick(script, make):
    s = script(make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    assert not s.mark(6.0, 32_500.0)
    assert kinds(s.mark(7.0, 30_000.0)) == ["position.bankruptcy"]


def test_a_crash_is_believed_when_its_quarantine_ends_undisproved(script, make):
    s = script(make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    s.mark(6.0, 32_500.0)
    assert "position.bankruptcy" not in kinds(s.tick(7.0))
    assert "position.bankruptcy" in kinds(s.tick(8.0))


def test_a_crash_is_believed_at_once_when_another_source_confirms_it(script, make):
    s = script(make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    assert not s.mark(6.0, 32_500.0)
    assert kinds(s.last(6.1, 33_000.0)) == ["position.bankruptcy"]


def test_a_contract_that_stops_trading_is_unwatchable(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    said = s.engine.apply(ev.ContractStatus("demo", "BTCUSDT", "SETTLING", watchable=False, event_time=EPOCH), 2.5)
    assert [(a.kind, a.reason) for a in said] == [("position.unwatchable", "SETTLING")]
    assert (s.view(2.5).quality, s.view(2.5).reason) == (Quality.STALE, "status")


def test_new_tiers_move_the_levels_at_once_and_are_announced(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    rows = ((0.0, 0.02, 0.0),)
    said = s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", rows, EPOCH + 2.0), 2.5)
    assert kinds(said) == ["position.terms_changed"]
    assert s.view(2.5).liquidation_price == pytest.approx(55_000.0 / 1.02)


def test_the_operators_tiers_win_over_the_venues(script):
    from monitor.core.contract import Tier, TierTable

    own = TierTable((Tier(0.0, 0.01),), "operator")
    s = script(terms={"BTCUSDT": Terms(table=own)})
    s.hold(1.0, 2.0, 50_000.0)
    s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.02, 0.0),), EPOCH + 2.0), 2.5)
    assert s.view(2.5).liquidation_price == pytest.approx(55_000.0 / 1.01)


def test_an_unusable_ladder_changes_nothing(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    before = s.view(2.0).liquidation_price
    assert not s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 2.0, 0.0),), EPOCH), 2.5)
    assert s.view(2.5).liquidation_price == before


def test_after_a_restart_the_level_stands_and_nothing_is_said_again(script):
    s = script()
    left = s.engine.restore([StoredState("main/short", raw=2, announced=2, episode=3, seq=9), StoredState("main/gone")])
    assert [x.subject for x in left] == ["main/gone"]
    assert s.view(0.5).condition == "unknown"
    assert not s.hold(1.0, 3.0, 54_000.0)
    (alert,) = s.mark(4.0, 54_800.0)
    assert (alert.kind, alert.seq, alert.episode, alert.prev_level) == ("position.liquidation", 10, 3, Level.CRITICAL)


def test_a_level_that_rose_while_the_daemon_was_down_alerts_at_the_first_price(script):
    s = script()
    s.engine.restore([StoredState("main/short", raw=1, announced=1, episode=1, seq=1)])
    assert kinds(s.mark(1.0, 55_100.0)) == ["position.bankruptcy"]


def test_cross_positions_follow_the_marks_of_their_neighbours(script, make):

    btc = replace(make["long"]("btc"), margin_mode="cross", margin=None)
    eth = replace(make["long"]("eth", symbol="ETHUSDT"), margin_mode="cross", margin=None)
    s = script(btc, eth)
    for second in (1.0, 2.0):
        s.mark(second, 50_000.0)
        s.hold(second, second, 50_000.0, "ETHUSDT")
    before = s.view(2.0).liquidation_price
    s.mark(3.0, 50_000.0)
    s.hold(3.0, 3.0, 47_000.0, "ETHUSDT")
    assert s.view(3.0).liquidation_price == pytest.approx(before + 3_000.0 / 0.996, rel=1e-3)


def test_liquidations_are_counted_by_side_and_shown_to_the_observer(script):
    s = script()
    event = ev.Liquidation("demo", "BTCUSDT", "short", 2.0, 54_900.0, "fill", EPOCH)
    s.engine.apply(event, 1.0)
    (view,) = s.engine.symbol_views(1.0)
    assert (view.liquidated_contracts["short"], view.liquidated_notional["short"]) == (2.0, 109_800.0)
    assert s.seen == [event]


def test_symbols_that_nobody_watches_leave_no_trace(script):
    s = script()
    for number in range(1000):
        assert not s.mark(1.0 + number * 1e-4, 1.0, f"X{number}")
    assert len(list(s.engine.symbol_views(2.0))) == 1


def test_flapping_is_said_once_holds_the_highest_level_and_ends_in_calm(script):
    ladder = Ladder(clear_seconds=2.0)
    s = script(ladder=ladder)
    said, now = [], 1.0
    for _ in range(8):
        said += s.hold(now, now + 3, 52_500.0) + s.hold(now + 4, now + 8, 50_000.0)
        now += 9
    assert kinds(said).count("position.flapping") == 1
    at = kinds(said).index("position.flapping")
    assert "position.resolved" not in kinds(said)[at:]
    assert s.view(now).level is Level.WARNING
    assert kinds(s.hold(now, now + 700, 50_000.0)) == ["position.resolved"]


# --- doubt never looks like safety -------------------------------------------------------------------------


def cross(position, **changes):

    return replace(position, margin_mode="cross", margin=None, **changes)


def test_an_equity_is_taken_once_so_that_the_liquidation_price_does_not_run_away(script, make):
    s = script(cross(make["long"]()), cross(make["long"]("eth", symbol="ETHUSDT"), quantity=0.001), equity=5_000.0)
    said = []
    for second in range(1, 120):
        said += s.mark(float(second), 50_000.0 - 100.0 * second)
        said += s.hold(float(second), float(second), 50_000.0, "ETHUSDT")
    mine = [a.kind for a in said if a.position == "long"]
    assert mine == ["position.warning", "position.critical", "position.liquidation", "position.bankruptcy"]
    assert s.engine._watches[0].levels.liquidation_price == pytest.approx(
        44_900.2 / 0.996
    )  # 5,000 at 49,900, and 0.2 for the other


def test_a_restart_in_a_falling_market_does_not_take_the_equity_anew(script, make):
    first = script(cross(make["long"]()), equity=5_000.0)
    assert not first.engine.unsaved()
    first.mark(1.0, 50_000.0)
    (state,) = first.engine.unsaved()
    assert not first.engine.unsaved()
    second = script(cross(make["long"]()), equity=5_000.0)
    assert second.engine.restore([state]) == []
    assert kinds(second.mark(1.0, 46_000.0)) == ["position.critical"]
    assert second.view(1.0).liquidation_price == first.view(1.0).liquidation_price


def test_an_equity_that_the_operator_changed_is_taken_anew(script, make):
    first = script(cross(make["long"]()), equity=5_000.0)
    first.mark(1.0, 50_000.0)
    second = script(cross(make["long"]()), equity=6_000.0)
    second.engine.restore(first.engine.unsaved())
    second.mark(1.0, 50_000.0)
    assert second.view(1.0).liquidation_price == pytest.approx(44_000.0 / 0.996)


def test_a_late_first_mark_past_every_line_alerts(script, make):
    s = script(make["long"]())
    said = s.mark(1.0, 44_000.0, lag=10.0)
    assert kinds(said) == ["position.bankruptcy"]
    assert s.view(1.0).quality is Quality.STALE


def test_after_a_restart_a_late_first_mark_alerts_too(script, make):
    s = script(make["long"]())
    s.engine.restore([StoredState("main/long", raw=1, announced=1, episode=1, seq=1)])
    assert kinds(s.mark(1.0, 44_000.0, lag=10.0)) == ["position.bankruptcy"]


def test_levels_that_move_while_the_price_is_stale_are_looked_at(script, make):
    s = script(make["long"]())
    s.hold(1.0, 2.0, 47_600.0)
    assert s.view(2.0).level is Level.OK
    s.tick(20.0)
    said = s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.05, 0.0),), EPOCH + 20.0), 20.5)
    assert "position.critical" in kinds(said)


def test_falling_back_looks_at_the_price_it_falls_back_to(script, make):
    s = script(make["long"]())
    s.hold(1.0, 2.0, 50_000.0)
    s.last(6.0, 40_000.0)
    assert "position.bankruptcy" in kinds(s.tick(7.5))


def test_a_cross_position_is_only_as_sure_as_its_neighbours_marks(script, make):
    s = script(cross(make["long"]()), cross(make["short"]("eth", symbol="ETHUSDT")))
    for second in (1.0, 2.0):
        s.mark(second, 50_000.0)
        s.hold(second, second, 50_000.0, "ETHUSDT")
    assert s.view(2.0).quality is Quality.LIVE
    s.hold(3.0, 9.0, 50_000.0)
    assert (s.view(9.0).quality, s.view(9.0).condition) == (Quality.STALE, "unknown")


def test_nothing_resolves_on_the_mark_of_a_position_whose_neighbour_is_silent(script, make):
    s = script(cross(make["long"]()), cross(make["short"]("eth", symbol="ETHUSDT")))
    for second in (1.0, 2.0):
        s.mark(second, 46_000.0)
        s.hold(second, second, 57_000.0, "ETHUSDT")
    assert s.view(2.0).level is not Level.OK
    assert "position.resolved" not in kinds(s.hold(3.0, 500.0, 60_000.0))


def test_one_polled_value_a_minute_does_not_bring_a_dead_feed_back(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    said = []
    for second in range(3, 600):
        said += s.mark(float(second), 50_000.0) if second % 60 == 0 else []
        said += s.tick(float(second))
    assert kinds(said) == ["feed.down"]


def test_nothing_resolves_while_an_adverse_jump_waits(script, make):
    s = script(make["long"](), ladder=Ladder(clear_seconds=5.0))
    s.hold(1.0, 2.0, 46_000.0)
    s.hold(3.0, 8.0, 56_000.0)
    assert not s.mark(8.5, 44_000.0)
    assert kinds(s.tick(9.0)) == []
    assert kinds(s.tick(10.5)) == ["position.bankruptcy"]


def test_a_late_jump_does_not_become_fresh_in_quarantine(script):
    s = script()
    s.hold(1.0, 5.0, 50_000.0)
    s.mark(9.0, 50_100.0, lag=3.9)
    s.mark(9.5, 80_000.0, lag=3.9)
    s.tick(12.0)
    assert s.view(12.0).quality is Quality.STALE


def test_the_same_frame_twice_confirms_no_jump(script, make):
    s = script(make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    jump = ev.MarkPrice("demo", "BTCUSDT", 39_000.0, EPOCH + 5.9)
    assert not s.engine.apply(jump, 6.0)
    assert not s.engine.apply(jump, 6.05)


def test_an_older_price_disproves_no_jump(script, make):
    s = script(make["long"]())
    s.hold(1.0, 5.0, 50_000.0)
    s.mark(6.0, 39_000.0)
    s.mark(6.1, 50_000.0, lag=0.5)
    assert "position.bankruptcy" in kinds(s.tick(8.1))


def test_an_evaluation_that_raises_makes_that_position_alone_unknown(script, make):
    s = script(make["short"](), make["long"]())
    broken, _ = s.engine._watches

    def poison(*_args, **_kwargs):
        raise ZeroDivisionError

    type(broken).evaluate, real = (
        lambda self, *a, **k: poison() if self is broken else real(self, *a, **k),
        type(broken).evaluate,
    )
    try:
        said = s.mark(1.0, 50_000.0) + s.hold(2.0, 5.0, 45_100.0)
    finally:
        type(broken).evaluate = real
    assert [(a.position, a.kind) for a in said] == [("long", "position.liquidation")]
    assert (s.view(5.0).quality, s.view(5.0).reason) == (Quality.STALE, "error")
    assert s.failed == ["main/short"] * len(s.failed)
    assert s.failed
    s.hold(6.0, 70.0, 45_100.0)
    assert s.view(70.0).quality is Quality.LIVE


def test_a_ladder_whose_deductions_make_no_sense_is_refused(script, make):
    s = script(make["long"]())
    s.hold(1.0, 2.0, 46_000.0)
    before = s.view(2.0).liquidation_price
    assert not s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.004, 50_000.0),), EPOCH + 2.0), 2.5)
    assert s.view(2.5).liquidation_price == before


def test_a_slow_time_call_is_not_believed(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    s.engine.apply(ev.VenueTime("demo", EPOCH + 60.0, round_trip_seconds=9.0), 2.5)
    s.mark(3.0, 50_000.0)
    assert s.view(3.0).quality is Quality.LIVE


def test_a_first_mark_from_the_future_blinds_nobody_once_the_venue_said_its_time(script):
    s = script()
    s.engine._venues["demo"].clock.__init__()  # the time call has not been answered yet
    s.mark(1.0, 50_000.0, lag=-3600.0)
    s.engine.apply(ev.VenueTime("demo", EPOCH + 1.5), 1.5)
    s.mark(2.0, 50_000.0)
    assert s.view(2.0).quality is Quality.LIVE


def test_a_halted_contract_is_unwatchable_and_no_dead_feed(script):
    s = script()
    s.hold(1.0, 2.0, 50_000.0)
    s.engine.apply(ev.ContractStatus("demo", "BTCUSDT", "SETTLING", watchable=False, event_time=EPOCH), 2.5)
    assert not s.hold(3.0, 100.0, 50_000.0)


def test_a_price_that_stands_in_does_not_end_a_data_alert(script):
    s = script()
    s.hold(1.0, 3.0, 54_000.0)
    assert kinds(s.tick(7.0)) == ["feed.down"]
    for second in range(8, 60):
        assert not s.last(float(second), 54_000.0) + s.tick(float(second))
    assert s.view(59.0).quality is Quality.FALLBACK


def test_an_unwatchable_contract_is_said_once_over_restarts_and_ends_when_it_trades_again(script):
    s = script()
    s.engine.restore([StoredState("main/short", seq=4, data_alerted=True)])
    s.hold(1.0, 2.0, 50_000.0)
    halted = ev.ContractStatus("demo", "BTCUSDT", "SETTLING", watchable=False, event_time=EPOCH)
    assert not s.engine.apply(halted, 2.5)
    s.engine.apply(ev.ContractStatus("demo", "BTCUSDT", "TRADING", watchable=True, event_time=EPOCH), 50.0)
    assert kinds(s.hold(50.0, 60.0, 50_000.0)) == ["feed.recovered"]


def test_a_feed_that_is_only_late_says_so(script):
    s = script()
    s.hold(1.0, 2.0, 54_000.0)
    said = s.mark(6.0, 54_010.0, lag=3.5) + s.tick(6.0)
    assert [(a.kind, a.reason) for a in said] == [("feed.down", "late")]


def test_what_stood_for_a_removed_position_is_ended():
    from monitor.engine.watch import removed_subjects

    ended = removed_subjects(
        [StoredState("main/gone", raw=2, announced=3, seq=7, data_alerted=True), StoredState("main/ok")], 1.0
    )
    assert [(a.kind, a.severity, a.seq, a.reason) for a in ended] == [
        ("position.resolved", "liquidation", 8, "position_removed"),
        ("feed.recovered", "warning", 9, "position_removed"),
    ]


def test_between_the_two_staleness_limits_other_prices_do_not_evaluate_everybody(script, make):
    s = script(*[make["short"](f"p{n}", margin=5_000.0 + n) for n in range(50)])
    s.hold(1.0, 3.0, 50_000.0)
    s.tick(6.5)
    looked = []
    kind = type(s.engine._watches[0])
    kind.evaluate, real = (lambda self, *a, **k: looked.append(self) or real(self, *a, **k), kind.evaluate)
    try:
        for n in range(20):
            s.last(6.6 + n * 0.01, 50_000.0 + n)
    finally:
        kind.evaluate = real
    assert not looked


def test_a_cross_position_whose_neighbour_died_first_still_alerts(script, make):
    s = script(cross(make["long"]()), cross(make["short"]("eth", symbol="ETHUSDT")))
    s.mark(1.0, 50_000.0, "ETHUSDT")
    said = []
    for second in range(12, 60):
        said += s.mark(float(second), 50_000.0 - 400.0 * (second - 12)) + s.tick(float(second))
    mine = [a.kind for a in said if a.position == "long"]
    assert (mine[0], mine[-1]) == ("position.warning", "position.bankruptcy")


def test_a_contract_halted_before_its_first_mark_still_alerts_and_is_no_dead_feed(script, make):
    s = script(make["long"]())
    halted = ev.ContractStatus("demo", "BTCUSDT", "HALT", watchable=False, event_time=EPOCH)
    assert kinds(s.engine.apply(halted, 0.5)) == ["position.unwatchable"]
    said = []
    for second in range(1, 60):
        said += s.mark(float(second), 50_000.0 - 200.0 * second) + s.tick(float(second))
    assert (kinds(said)[0], kinds(said)[-1]) == ("position.warning", "position.bankruptcy")
    assert {a.kind.partition(".")[0] for a in said} == {"position"}
    assert s.view(59.0).reason == "status"


def test_a_halted_neighbour_makes_a_cross_position_unknown_aloud(script, make):
    s = script(cross(make["long"]()), cross(make["short"]("eth", symbol="ETHUSDT")))
    for second in (1.0, 2.0):
        s.mark(second, 50_000.0)
        s.hold(second, second, 50_000.0, "ETHUSDT")
    s.engine.apply(ev.ContractStatus("demo", "ETHUSDT", "HALT", watchable=False, event_time=EPOCH), 2.5)
    said = []
    for second in range(3, 60):
        s.mark(float(second), 50_000.0)
        said += s.hold(float(second), float(second), 50_000.0, "ETHUSDT")
    assert [(a.kind, a.positions, a.reason) for a in said] == [("feed.down", ("long",), "suspended")]


def test_a_price_that_stands_in_starts_no_data_alert(script):
    s = script()
    s.hold(1.0, 4.0, 50_000.0)
    s.tick(10.0)
    for second in range(11, 100):
        assert not s.last(float(second), 50_000.0) + s.tick(float(second))


def test_moved_lines_resolve_nothing_while_an_adverse_jump_waits(script, make):
    s = script(cross(make["long"]()), cross(make["short"]("eth", symbol="ETHUSDT")), ladder=Ladder(clear_seconds=5.0))
    price = 41_500.0
    for second in range(1, 4):
        s.mark(float(second), price)
        s.hold(float(second), float(second), 50_000.0, "ETHUSDT")
    assert s.view(3.0).level is Level.WARNING
    for second in range(4, 9):
        s.mark(float(second), 47_000.0)
        s.hold(float(second), float(second), 50_000.0, "ETHUSDT")
    s.mark(9.2, 36_000.0)
    s.mark(9.3, 49_900.0, "ETHUSDT")
    assert "position.resolved" not in kinds(s.tick(9.4))


def test_new_tiers_before_the_first_mark_are_no_news(script):
    s = script()
    assert not s.engine.apply(ev.TierTableChanged("demo", "BTCUSDT", ((0.0, 0.02, 0.0),), EPOCH), 0.5)
    assert kinds(s.hold(1.0, 2.0, 50_000.0)) == []


def test_an_account_that_no_price_brings_back_is_past_every_line_and_shows_no_price(script, make):
    lost = [cross(make["long"]()), cross(make["short"]("pair"), entry_price=20_000.0)]  # a locked loss of 30,000
    s = script(*lost)
    said = s.mark(1.0, 50_000.0) + s.tick(1.0)
    assert {a.kind for a in said} == {"position.bankruptcy"}
    assert {(a.liquidation_price, a.liquidation_distance_ratio) for a in said} == {(None, None)}
    view = s.view(1.0)
    assert (view.level, view.liquidation_price, view.liquidation_distance_ratio) == (Level.BANKRUPTCY, None, None)
