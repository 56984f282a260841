"""The alert ladder as scripts: a price at a time goes in, what must be announced comes out.

The position of most scripts is a long that is liquidated at 100 and bankrupt at 98, with the default thresholds
of 5 % and 2 %: warning from 105.26 down, critical from 102.04, clear of warning from 106.38 up, of critical from
102.46 up.
"""

from __future__ import annotations

import math

import pytest

from monitor.core import alerts
from monitor.core.alerts import AlertState, Change, Ladder, Level, Lines, Quality

LONG = Lines(-1, 100.0, 98.0)
SHORT = Lines(1, 100.0, 102.0)

OK, NEARLY_WARNING, WARNING, NEARLY_CRITICAL, CRITICAL, LIQUIDATION, BANKRUPTCY = 110, 106, 104, 102.3, 101, 99.5, 97
"""Prices of the long by the level they say; the two in between are neither at their line nor clear of it."""


class Script:
    """One position; every call is one fact with its time."""

    def __init__(self, lines: Lines = LONG, ladder: Ladder | None = None) -> None:
        self.state, self.lines, self.ladder = AlertState(), lines, ladder or Ladder()

    def price(self, now: float, price: float, *, live: bool = True) -> list[str]:
        return said(alerts.step(self.state, price, self.lines, self.ladder, now, live=live))

    def tick(self, now: float, *, live: bool = True) -> list[str]:
        return said(alerts.expire(self.state, self.ladder, now, live=live))


def said(changes: list[Change]) -> list[str]:
    """Return each change as ``kind from>to``, with the levels passed over behind a slash."""
    return [
        f"{change.kind} {change.prev_level.word}>{change.level.word}" + "".join(f" /{word}" for word in change.skipped)
        for change in changes
    ]


# R1: which level a price says.

AT_THE_LINE = {
    "long, distance = warning": (Lines(-1, 90.0, None), Ladder(warning=0.1, critical=0.05), 100.0, Level.WARNING),
    "long, a hair above it": (Lines(-1, 90.0, None), Ladder(warning=0.1, critical=0.05), 100.001, Level.OK),
    "long, distance = critical": (Lines(-1, 90.0, None), Ladder(warning=0.2, critical=0.1), 100.0, Level.CRITICAL),
    "long, a hair above it, critical": (Lines(-1, 90.0, None), Ladder(0.2, 0.1), 100.001, Level.WARNING),
    "long, mark = liquidation price": (LONG, Ladder(), 100.0, Level.LIQUIDATION),
    "long, one float above it": (LONG, Ladder(), math.nextafter(100.0, 200.0), Level.CRITICAL),
    "long, mark = bankruptcy price": (LONG, Ladder(), 98.0, Level.BANKRUPTCY),
    "long, one float above it, bankruptcy": (LONG, Ladder(), math.nextafter(98.0, 200.0), Level.LIQUIDATION),
    "short, distance = warning": (Lines(1, 110.0, None), Ladder(warning=0.1, critical=0.05), 100.0, Level.WARNING),
    "short, a hair below it": (Lines(1, 110.0, None), Ladder(warning=0.1, critical=0.05), 99.999, Level.OK),
    "short, distance = critical": (Lines(1, 110.0, None), Ladder(warning=0.2, critical=0.1), 100.0, Level.CRITICAL),
    "short, mark = liquidation price": (SHORT, Ladder(), 100.0, Level.LIQUIDATION),
    "short, one float below it": (SHORT, Ladder(), math.nextafter(100.0, 0.0), Level.CRITICAL),
    "short, mark = bankruptcy price": (SHORT, Ladder(), 102.0, Level.BANKRUPTCY),
    "nothing liquidates it": (Lines(-1, None, None), Ladder(), 1e-9, Level.OK),
    "no liquidation price but a bankruptcy price": (Lines(-1, None, 98.0), Ladder(), 98.0, Level.BANKRUPTCY),
    "liquidation above, bankruptcy below, between them": (Lines(1, 200.0, 50.0, -1), Ladder(), 100.0, Level.OK),
    "liquidation above, bankruptcy below, at the latter": (Lines(1, 200.0, 50.0, -1), Ladder(), 50.0, Level.BANKRUPTCY),
}


@pytest.mark.parametrize(("lines", "ladder", "price", "level"), AT_THE_LINE.values(), ids=AT_THE_LINE.keys())
def test_at_the_line_counts_as_crossed(lines, ladder, price, level):
    assert lines.level_at(price, ladder) is level


def test_distances_are_ratios_of_the_mark_positive_while_safe_on_either_side():
    assert Lines(-1, 90.0, 80.0).distance(100.0) == pytest.approx(0.1)
    assert Lines(-1, 90.0, 80.0).bankruptcy_distance(100.0) == pytest.approx(0.2)
    assert Lines(1, 110.0, 120.0).distance(100.0) == pytest.approx(0.1)
    assert Lines(1, 110.0, 120.0).bankruptcy_distance(125.0) == pytest.approx(-0.04)


def test_a_distance_without_a_price_is_infinite():
    assert Lines(-1, None, None).distance(1.0) == Lines(-1, None, None).bankruptcy_distance(1.0) == math.inf


# R6 upwards, R10.


def test_every_step_towards_liquidation_is_announced_at_once():
    script = Script()
    assert script.price(0, OK) == []
    assert script.price(1, WARNING) == ["position.warning ok>warning"]
    assert script.price(2, CRITICAL) == ["position.critical warning>critical"]
    assert script.price(3, LIQUIDATION) == ["position.liquidation critical>liquidation"]
    assert script.price(4, BANKRUPTCY) == ["position.bankruptcy liquidation>bankruptcy"]


def test_a_short_is_warned_of_rising_prices():
    script = Script(SHORT)
    assert script.price(0, 90) == []
    assert script.price(1, 96) == ["position.warning ok>warning"]
    assert script.price(2, 102) == ["position.bankruptcy warning>bankruptcy /critical /liquidation"]


def test_a_jump_over_several_levels_is_one_event_that_names_the_skipped_ones():
    script = Script()
    assert script.price(0, BANKRUPTCY) == ["position.bankruptcy ok>bankruptcy /warning /critical /liquidation"]


def test_a_level_that_holds_is_not_announced_twice():
    script = Script()
    script.price(0, WARNING)
    assert script.price(1, WARNING - 0.5) == []
    assert script.price(2, NEARLY_WARNING) == []


# R6 downwards: hysteresis, T_clear without interruption, straight to the level that holds.


def test_a_warning_is_resolved_after_60_seconds_clear_of_it():
    script = Script()
    script.price(0, WARNING)
    assert script.price(10, OK) == []
    assert script.price(69.9, OK) == []
    assert script.price(70, OK) == ["position.resolved warning>ok"]


def test_time_alone_resolves_while_the_price_stays_clear():
    script = Script()
    script.price(0, WARNING)
    script.price(10, OK)
    assert script.tick(69.9) == []
    assert script.tick(70) == ["position.resolved warning>ok"]
    assert script.tick(71) == []


def test_hysteresis_a_price_between_the_line_and_the_clear_line_never_resolves():
    script = Script()
    script.price(0, WARNING)
    script.price(1, NEARLY_WARNING)
    assert script.tick(1_000_000) == []
    assert script.state.level is Level.WARNING


def test_the_clear_line_is_threshold_times_one_plus_h():
    assert LONG.clear_of(Level.WARNING, 100 / 0.94 + 1e-9, Ladder())
    assert not LONG.clear_of(Level.WARNING, 100 / 0.94 - 1e-9, Ladder())


def test_at_the_clear_line_counts_as_clear():
    """An eighth of 100 above 87.5 is twice a sixteenth."""
    lines, ladder = Lines(-1, 87.5, None), Ladder(warning=0.0625, critical=0.03, hysteresis=1.0)
    assert lines.clear_of(Level.WARNING, 100.0, ladder)
    assert not lines.clear_of(Level.WARNING, 99.999, ladder)


def test_a_dip_under_the_clear_line_starts_the_60_seconds_anew():
    """59 s above the clear line, a dip, 61 s above: resolved no earlier than 60 s after the dip."""
    script = Script()
    script.price(0, WARNING)
    script.price(1, OK)
    script.price(60, NEARLY_WARNING)
    assert script.price(60.5, OK) == []
    assert script.tick(61) == []
    assert script.tick(120.4) == []
    assert script.tick(120.5) == ["position.resolved warning>ok"]


def test_a_critical_position_goes_straight_to_the_level_that_holds():
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, OK)
    assert script.tick(61) == ["position.resolved critical>ok"]


def test_a_critical_position_that_is_clear_of_critical_only_goes_to_warning():
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, WARNING)
    assert script.tick(61) == ["position.warning critical>warning"]
    script.price(62, OK)
    assert script.tick(121) == []
    assert script.tick(122) == ["position.resolved warning>ok"]


def test_each_level_has_its_own_time_of_being_clear():
    """Clear of critical from 1 on, of warning from 31 on: two steps, 30 s apart."""
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, WARNING)
    script.price(31, OK)
    assert script.tick(61) == ["position.warning critical>warning"]
    assert script.tick(90.9) == []
    assert script.tick(91) == ["position.resolved warning>ok"]


def test_rising_again_while_the_clearing_runs_announces_nothing_but_starts_it_anew():
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, OK)
    assert script.price(30, CRITICAL) == []
    script.price(31, OK)
    assert script.tick(90.9) == []
    assert script.tick(91) == ["position.resolved critical>ok"]


def test_a_level_that_was_left_is_announced_again_when_it_returns():
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, WARNING)
    script.tick(61)
    assert script.price(62, CRITICAL) == ["position.critical warning>critical"]


# R7.


@pytest.mark.parametrize(
    ("price", "word"), [(LIQUIDATION, "liquidation"), (BANKRUPTCY, "bankruptcy")], ids=["liquidation", "bankruptcy"]
)
def test_liquidation_and_bankruptcy_are_sticky_for_300_seconds(price, word):
    script = Script()
    script.price(0, price)
    script.price(1, OK)
    assert script.tick(300.9) == []
    assert script.tick(301) == [f"position.resolved {word}>ok"]


def test_a_bankrupt_position_that_recovers_a_little_is_in_liquidation_after_300_seconds():
    script = Script()
    script.price(0, BANKRUPTCY)
    script.price(1, LIQUIDATION)
    assert script.tick(301) == ["position.liquidation bankruptcy>liquidation"]


# R3: doubt may raise, never lower.


def test_a_price_that_is_not_live_raises_at_once():
    script = Script()
    assert script.price(0, CRITICAL, live=False) == ["position.critical ok>critical /warning"]


def test_prices_that_are_not_live_never_lower():
    script = Script()
    script.price(0, WARNING)
    script.price(1, OK, live=False)
    assert script.price(1_000, OK, live=False) == []
    assert script.tick(2_000) == []


def test_one_price_that_is_not_live_interrupts_the_clearing():
    script = Script()
    script.price(0, WARNING)
    script.price(1, OK)
    script.price(30, OK, live=False)
    script.price(31, OK)
    assert script.tick(90.9) == []
    assert script.tick(91) == ["position.resolved warning>ok"]


def test_an_interruption_starts_the_clearing_anew_with_the_next_live_price():
    script = Script()
    script.price(0, WARNING)
    script.price(1, OK)
    alerts.interrupt(script.state)
    assert script.tick(500) == []
    script.price(501, OK)
    assert script.tick(561) == ["position.resolved warning>ok"]


# R8.


def flap(script: Script, *, start: float = 0.0, changes: int = 6, price: float = WARNING) -> float:
    """Make *changes* level changes, 61 s for each way down, and return the time of the last one."""
    now = start
    for number in range(changes):
        if number % 2 == 0:
            now += 1
            script.price(now, price)
        else:
            script.price(now + 1, OK)
            now += 61
            script.tick(now)
    return now


def test_six_changes_in_ten_minutes_are_not_flapping():
    script = Script()
    flap(script, changes=6)
    assert not script.state.flapping
    assert script.state.level is Level.OK


def test_the_seventh_change_is_flapping_and_a_new_episode_still_says_its_level():
    script = Script()
    now = flap(script, changes=6)
    assert script.price(now + 1, WARNING) == ["position.flapping ok>warning", "position.warning ok>warning"]


def test_a_change_ten_minutes_ago_does_not_count():
    script = Script()
    script.price(0, WARNING)
    script.price(1, OK)
    script.tick(61)
    now = flap(script, start=400, changes=4)
    assert now < 600
    assert script.price(600, WARNING) == ["position.warning ok>warning"]
    assert not script.state.flapping


def test_while_flapping_the_level_is_held_and_nothing_is_resolved():
    script = Script()
    now = flap(script, changes=7)
    script.price(now + 1, OK)
    assert script.tick(now + 61) == []
    assert script.state.raw is Level.OK
    assert script.state.level is Level.WARNING
    assert script.price(now + 62, WARNING) == []


def test_flapping_holds_the_highest_level_of_the_whole_window():
    """Critical at first, then up and down to warning only: critical is held, and the flapping notice says so."""
    script = Script()
    script.price(0, CRITICAL)
    script.price(1, OK)
    script.tick(61)
    now = flap(script, start=61, changes=4)
    assert script.price(now + 1, WARNING) == ["position.flapping ok>critical"]
    assert script.state.level is Level.CRITICAL
    assert script.state.raw is Level.WARNING


def test_flapping_is_said_once():
    script = Script()
    now = flap(script, changes=7)
    for _ in range(4):
        script.price(now + 1, OK)
        now += 61
        assert script.tick(now) == []
        now += 1
        assert script.price(now, WARNING) == []


def test_a_higher_level_than_any_announced_goes_out_at_once_while_flapping():
    script = Script()
    now = flap(script, changes=7)
    assert script.price(now + 1, CRITICAL) == ["position.critical warning>critical"]
    assert script.price(now + 2, LIQUIDATION) == ["position.liquidation critical>liquidation"]


def test_flapping_ends_when_ten_minutes_hold_at_most_two_changes():
    script = Script()
    last_up = flap(script, changes=7)
    script.price(last_up + 1, OK)
    script.tick(last_up + 61)  # the eighth change; the sixth was a second before the seventh
    assert script.tick(last_up - 1 + 599.9) == []
    assert script.tick(last_up - 1 + 600) == ["position.resolved warning>ok"]
    assert not script.state.flapping


def test_the_end_of_flapping_goes_to_the_level_that_holds():
    script = Script()
    now = flap(script, changes=7)
    script.price(now + 1, CRITICAL)
    script.price(now + 2, WARNING)
    script.tick(now + 62)
    assert script.tick(now + 3_000) == ["position.warning critical>warning"]


def test_flapping_does_not_end_while_the_price_is_not_live():
    """Its end lowers the level, and doubt never lowers."""
    script = Script()
    now = flap(script, changes=7)
    script.price(now + 1, OK)
    script.tick(now + 61)
    assert script.tick(now + 5_000, live=False) == []
    assert script.price(now + 5_001, OK, live=False) == []
    assert script.state.level is Level.WARNING
    assert script.price(now + 5_002, OK) == ["position.resolved warning>ok"]


# Episodes.


def test_an_episode_runs_from_leaving_ok_to_the_resolve():
    script = Script()
    assert script.state.episode == 0
    script.price(0, WARNING)
    script.price(1, CRITICAL)
    assert script.state.episode == 1
    script.price(2, OK)
    script.tick(62)
    assert script.state.episode == 1
    script.price(63, WARNING)
    assert script.state.episode == 2


# Deadlines and quiet bands.


def test_a_calm_position_has_no_deadline():
    script = Script()
    script.price(0, OK)
    assert alerts.next_deadline(script.state, script.ladder) == math.inf


def test_the_deadline_is_when_the_level_has_been_clear_long_enough():
    script = Script()
    script.price(0, WARNING)
    assert alerts.next_deadline(script.state, script.ladder) == math.inf
    script.price(10, OK)
    assert alerts.next_deadline(script.state, script.ladder) == 70


def test_the_deadline_after_liquidation_is_300_seconds():
    script = Script()
    script.price(0, LIQUIDATION)
    script.price(10, OK)
    assert alerts.next_deadline(script.state, script.ladder) == 310


def test_the_deadline_of_flapping_is_when_all_but_two_changes_are_ten_minutes_old():
    script = Script()
    flap(script, changes=7)
    fifth_change = script.state.changes[4][0]
    assert alerts.next_deadline(script.state, script.ladder) == fifth_change + 600


def band(price: float, raw: Level = Level.OK, lines: Lines = LONG) -> tuple[float, float]:
    return alerts.quiet_band(AlertState(raw=raw), price, lines, Ladder())


def test_the_quiet_band_of_a_calm_long_ends_at_its_warning_price_and_has_no_upper_end():
    low, high = band(OK)
    assert low == pytest.approx(100 / 0.95)
    assert low > 100 / 0.95
    assert high == math.inf


def test_the_quiet_band_of_a_calm_short_ends_at_its_warning_price_and_has_no_lower_end():
    low, high = band(90, lines=SHORT)
    assert low == 0
    assert high == pytest.approx(100 / 1.05)
    assert high < 100 / 1.05


def test_the_quiet_band_of_a_warned_long_ends_at_the_clear_price_and_at_the_critical_price():
    assert band(WARNING, Level.WARNING) == pytest.approx((100 / 0.98, 100 / 0.94))


def test_a_price_at_a_line_has_an_empty_band():
    low, high = band(100.0, Level.LIQUIDATION)
    assert not low < 100.0 < high


def test_a_position_that_nothing_liquidates_is_quiet_at_every_price():
    assert band(100.0, lines=Lines(-1, None, None)) == (0, math.inf)


def test_a_band_reaches_from_a_bankruptcy_price_below_to_a_warning_price_above():
    low, high = band(100.0, lines=Lines(1, 200.0, 50.0, -1))
    assert (low, high) == pytest.approx((50, 200 / 1.05))


def test_a_new_state_knows_nothing_yet():
    state = AlertState()
    assert (state.level, state.quality, state.reason) == (Level.OK, Quality.NEVER, "no_data")


def test_only_live_and_fallback_prices_are_shown_as_known():
    assert [quality.known for quality in Quality] == [True, True, False, False]
