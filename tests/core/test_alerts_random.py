"""The alert ladder on random price paths: against a naive oracle, and evaluated only outside its quiet band.

The oracle keeps everything that ever happened and reads rules R1, R3, R6, R7, R8 and R10 off it anew each time.
Prices hover around the lines of the position and often lie exactly on one, or one float beside it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import NamedTuple

from hypothesis import event, given, settings
from hypothesis import strategies as st

from monitor.core import alerts
from monitor.core.alerts import AlertState, Change, Ladder, Level, Lines

paths = settings(max_examples=400, deadline=None, derandomize=True, database=None)


class Moment(NamedTuple):
    """A price that arrives ``now``, or only the passing of time where it is None."""

    now: float
    price: float | None
    live: bool


class Case(NamedTuple):
    lines: Lines
    ladder: Ladder
    moments: list[Moment]


LADDERS = (
    Ladder(),
    Ladder(warning=0.5, critical=0.4, hysteresis=0.1, clear_seconds=5, sticky_seconds=20, flap_window_seconds=40),
    Ladder(warning=0.1, critical=0.09, hysteresis=0.5, clear_seconds=3, sticky_seconds=3, flap_window_seconds=100),
    Ladder(warning=0.9, critical=0.1, hysteresis=0.2, clear_seconds=1, sticky_seconds=10, flap_window_seconds=60),
    Ladder(clear_seconds=1, sticky_seconds=2, flap_changes=3, flap_calm_changes=1, flap_window_seconds=30),
)
"""The third has a critical level whose clear line lies beyond the warning line, the fourth a warning never left;
the fifth flaps easily."""

POSITIONS = {
    "long": Lines(-1, 100.0, 97.0),
    "short": Lines(1, 100.0, 103.0),
    "short with no bankruptcy price": Lines(1, 100.0, None),
    "no liquidation price": Lines(-1, None, 97.0),
    "nothing at all": Lines(-1, None, None),
    "equal prices": Lines(-1, 100.0, 100.0),
    "liquidation above, bankruptcy below": Lines(1, 110.0, 90.0, -1),
    "awkward numbers": Lines(-1, 27_314.159, 26_913.7),
    "past every price": Lines(1, 0.0, 0.0, 1),
}


def interesting_prices(lines: Lines, ladder: Ladder) -> list[float]:
    """Return every line, its two neighbouring floats, and some prices in each gap between them."""
    at = [
        line
        for level in list(Level)[1:]
        for line in (lines.raise_price(level, ladder), lines.clear_price(level, ladder))
        if line
    ]
    if not at:
        return [50.0, 100.0, 200.0]
    gaps = sorted({at[0] * 0.5, *at, at[0] * 2.0})
    between = [a + (b - a) * part / 6 for a, b in pairwise(gaps) for part in range(1, 6)]
    return sorted({*at, *(math.nextafter(p, 0) for p in at), *(math.nextafter(p, math.inf) for p in at), *between})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    name = draw(st.sampled_from(sorted(POSITIONS)))
    event(name)
    lines, ladder = POSITIONS[name], draw(st.sampled_from(LADDERS))
    prices = interesting_prices(lines, ladder)
    length, calm = draw(st.integers(1, 120)), draw(st.sampled_from([0.0, 0.1, 0.5]))
    random = Random(draw(st.integers(0, 2**32 - 1)))
    doubt = random.choice([0.0, 0.02, 0.1])
    steps = [1, 1, 1, 2, ladder.clear_seconds, ladder.clear_seconds, ladder.clear_seconds + 1]
    if random.random() < 0.5:
        steps += [ladder.sticky_seconds, ladder.flap_window_seconds]
    moments, now, live, at = [], 1_000.0, True, random.randrange(len(prices))
    for _ in range(length):
        now += random.choice(steps)
        if random.random() < doubt:
            live = not live
        at = min(len(prices) - 1, max(0, at + random.choice([-6, -2, -1, 0, 0, 1, 2, 6])))
        moments.append(Moment(now, None if random.random() < calm else prices[at], live))
    return Case(lines, ladder, moments)


class Oracle:
    """All rules in the most naive words, over the whole history."""

    def __init__(self, lines: Lines, ladder: Ladder) -> None:
        self.lines, self.ladder = lines, ladder
        self.seen: list[Moment] = []
        self.moves: list[tuple[float, Level, Level]] = []
        self.level, self.held, self.flapping, self.loudest = Level.OK, Level.OK, False, Level.OK

    def distance(self, price: float) -> float:
        """R1: (M - L)/M for what falling prices endanger, (L - M)/M otherwise."""
        line = self.lines.liquidation_price
        if line is None:
            return math.inf
        return ((price - line) if self.lines.danger < 0 else (line - price)) / price

    def bankrupt(self, price: float) -> bool:
        line = self.lines.bankruptcy_price
        if line is None:
            return False
        return price <= line if (self.lines.bankruptcy_danger or self.lines.danger) < 0 else price >= line

    def holds(self, level: Level, price: float) -> bool:
        limit = {1: self.ladder.warning, 2: self.ladder.critical, 3: 0.0}
        return self.bankrupt(price) if level == 4 else self.distance(price) <= limit[level]

    def clear(self, level: Level, price: float) -> bool:
        """R6; a level of a price rather than of a threshold is left as soon as its line is."""
        if level >= 3:
            return not self.holds(level, price)
        limit = {1: self.ladder.warning, 2: self.ladder.critical}[level]
        return self.distance(price) >= limit * (1.0 + self.ladder.hysteresis)

    def clear_for(self, level: Level, now: float) -> float:
        """Return for how long every price seen has been live and clear of *level*."""
        since = math.inf
        for moment in reversed(self.seen):
            if not moment.live or (moment.price is not None and not self.clear(level, moment.price)):
                break
            if moment.price is not None:
                since = moment.now
        return now - since

    def change(self, level: Level, now: float) -> None:
        self.moves.append((now, self.level, level))
        self.level = level

    def look(self, moment: Moment) -> list[Change]:
        """Take one moment and return what rules R1 to R10 make of it."""
        self.seen.append(moment)
        shown = max(self.level, self.held)
        said = [level for level in Level if level and moment.price is not None and self.holds(level, moment.price)]
        if said and max(said) > self.level:
            self.change(max(said), moment.now)
        else:
            lowest = self.level
            while lowest and self.clear_for(lowest, moment.now) >= self.needed(lowest):
                lowest = Level(lowest - 1)
            if lowest < self.level:
                self.change(lowest, moment.now)
        return self.announce(moment, shown)

    def needed(self, level: Level) -> float:
        """R7."""
        return self.ladder.sticky_seconds if level >= 3 else self.ladder.clear_seconds

    def announce(self, moment: Moment, shown: Level) -> list[Change]:
        """R8 and R10."""
        out = []
        window = [move for move in self.moves if moment.now - move[0] < self.ladder.flap_window_seconds]
        starts = not self.flapping and len(window) > self.ladder.flap_changes
        if starts:
            self.flapping = True
            self.held = max(max(before, after) for _, before, after in window)
            out.append(Change("position.flapping", self.held, shown, reason="flapping"))
        elif self.flapping and len(window) <= self.ladder.flap_calm_changes and moment.live:
            self.flapping, self.held = False, Level.OK
        if self.flapping:
            self.held = max(self.held, self.level)
        now_shown = max(self.level, self.held)
        if now_shown is shown:
            return out
        if shown is Level.OK:
            self.loudest = Level.OK
        if now_shown is Level.OK:
            worst = max(self.loudest, shown)
            out.append(Change("position.resolved", now_shown, shown, reason="recovered", worst=worst))
        elif now_shown < shown or (self.level is now_shown and not (self.flapping and self.level <= self.loudest)):
            passed = tuple(Level(k).word for k in range(shown + 1, now_shown))
            out.append(Change(f"position.{now_shown.word}", now_shown, shown, skipped=passed))
        self.loudest = max(self.loudest, now_shown)
        return out


def evaluate(state: AlertState, case: Case, moment: Moment) -> list[Change]:
    """Every moment looked at, as a daemon without a trigger book would."""
    if not moment.live:
        alerts.interrupt(state)
    if moment.price is None:
        return alerts.expire(state, case.ladder, moment.now, live=moment.live)
    return alerts.step(state, moment.price, case.lines, case.ladder, moment.now, live=moment.live)


@paths
@given(cases())
def test_the_ladder_says_what_the_rules_say(case):
    state, oracle = AlertState(), Oracle(case.lines, case.ladder)
    for moment in case.moments:
        said = oracle.look(moment)
        assert evaluate(state, case, moment) == said, moment
        for change in said:
            event(change.kind)
        assert (state.level, state.raw, state.flapping) == (
            max(oracle.level, oracle.held),
            oracle.level,
            oracle.flapping,
        )


class Lazy:
    """A daemon that looks at a price only when it leaves the quiet band, and at time only when it is due."""

    def __init__(self, case: Case, *, every_tick: bool) -> None:
        self.case, self.every_tick = case, every_tick
        self.state = AlertState()
        self.band = (0.0, 0.0)
        self.live, self.last, self.skipped = True, 0.0, 0

    def look(self, moment: Moment) -> list[Change]:
        if moment.live != self.live:
            self.live, self.band = moment.live, (0.0, 0.0)
        if not moment.live:
            alerts.interrupt(self.state)
            self.band = (0.0, 0.0) if moment.price is None else self.band
        low, high = self.band
        self.last = moment.price or self.last
        if moment.price is None or low < moment.price < high:
            self.skipped += moment.price is not None
            return self.time(moment)
        out = alerts.step(self.state, moment.price, self.case.lines, self.case.ladder, moment.now, live=moment.live)
        self.rearm()
        return out

    def time(self, moment: Moment) -> list[Change]:
        """Let time pass, and arm the band anew: what is left of a level decides where its lines lie."""
        if not self.every_tick and moment.now < alerts.next_deadline(self.state, self.case.ladder):
            return []
        out = alerts.expire(self.state, self.case.ladder, moment.now, live=moment.live)
        if self.last and self.band != (0.0, 0.0):
            self.rearm()
        return out

    def rearm(self) -> None:
        self.band = alerts.quiet_band(self.state, self.last, self.case.lines, self.case.ladder)


def compare(case: Case, *, every_tick: bool) -> None:
    state, lazy = AlertState(), Lazy(case, every_tick=every_tick)
    for moment in case.moments:
        assert lazy.look(moment) == evaluate(state, case, moment), moment
        assert lazy.state.level is state.level
    event(f"{'most' if lazy.skipped * 2 > len(case.moments) else 'few'} prices skipped")


@paths
@given(cases())
def test_looking_only_outside_the_quiet_band_and_at_every_tick_announces_the_same(case):
    compare(case, every_tick=True)


@paths
@given(cases())
def test_looking_only_outside_the_quiet_band_and_at_deadlines_announces_the_same(case):
    compare(case, every_tick=False)


@paths
@given(
    st.floats(1e-6, 1e9),
    st.integers(1, 990).map(lambda part: part / 1_000),
    st.integers(1, 999).map(lambda part: part / 1_000),
    st.sampled_from([0.0, 0.05, 0.2, 0.5]),
    st.sampled_from([1, -1]),
    st.sampled_from(list(Level)),
)
def test_rounding_never_hides_a_line_inside_the_quiet_band(price, warning, share, hysteresis, danger, raw):
    """Made at a few floats from a line, every price in the band says the same as the one it was made at."""
    ladder, lines = Ladder(warning, warning * share, hysteresis), Lines(danger, price, price * (1.0 + danger * 0.01))

    def says(at: float) -> tuple[bool, ...]:
        higher = [lines.level_at(at, ladder) >= level for level in Level if level > raw]
        lower = [lines.clear_of(level, at, ladder) for level in Level if 0 < level <= raw]
        return (*higher, *lower)

    for level in list(Level)[1:]:
        line = lines.clear_price(level, ladder) if level <= raw else lines.raise_price(level, ladder)
        if line is None:
            continue
        near = [line + ulps * math.ulp(line) for ulps in range(-5, 6)]
        far = [line * 0.9999, line * 1.0001]
        for made in near + far:
            low, high = alerts.quiet_band(AlertState(raw=raw), made, lines, ladder)
            said = says(made)
            assert all(says(came) == said for came in near + far if low < came < high)
