"""The alert ladder of one position: pure, told the time, no input and no output.

``level`` (how near) and ``quality`` (how sure) are two dimensions; neither is computed from the other. Doubt
may raise a level, never lower or resolve it. Going up is immediate; going down needs the distance to stay at
``threshold * (1 + hysteresis)`` or beyond for ``clear_seconds`` on live prices without interruption.
"""

from __future__ import annotations

import math
from enum import IntEnum

import msgspec

BAND_MARGIN = 1e-9
"""Relative room for rounding between a line and the end of the quiet band before it."""


class Level(IntEnum):
    """How near liquidation is."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    LIQUIDATION = 3
    BANKRUPTCY = 4

    @property
    def word(self) -> str:
        """Return the name people and events use."""
        return self.name.lower()


class Quality(IntEnum):
    """How sure the price behind a level is. People are shown *unknown* for stale and never."""

    LIVE = 0
    FALLBACK = 1
    STALE = 2
    NEVER = 3

    @property
    def word(self) -> str:
        """Return the name people and events use."""
        return self.name.lower()

    @property
    def known(self) -> bool:
        """Return whether a level may be shown as it is."""
        return self <= Quality.FALLBACK


class Ladder(msgspec.Struct, frozen=True):
    """Thresholds and times of the ladder; distances are ratios of the mark, times seconds.

    ``0 < critical < warning < 1`` is enforced where the file is read.
    """

    warning: float = 0.05
    critical: float = 0.02
    hysteresis: float = 0.2
    clear_seconds: float = 60.0
    sticky_seconds: float = 300.0
    flap_changes: int = 6
    flap_calm_changes: int = 2
    flap_window_seconds: float = 600.0

    def threshold(self, level: Level) -> float:
        """Return the distance at or below which *level* holds (bankruptcy has a price instead)."""
        return (math.inf, self.warning, self.critical, 0.0, 0.0)[level]

    def hold_seconds(self, level: Level) -> float:
        """Return how long the distance must stay clear of *level* before it is left."""
        return self.sticky_seconds if level >= Level.LIQUIDATION else self.clear_seconds


class Lines(msgspec.Struct, frozen=True, gc=False):
    """Where a position's levels lie: the two prices, and which way danger is (+1 up, -1 down).

    ``bankruptcy_danger`` is the way to the bankruptcy price; 0 stands for the same way as ``danger``. A price of 0
    with danger upwards is one that every mark price is past.
    """

    danger: int
    liquidation_price: float | None
    bankruptcy_price: float | None
    bankruptcy_danger: int = 0

    def distance(self, price: float) -> float:
        """Return the distance ratio to liquidation at *price*; infinity when nothing liquidates."""
        if self.liquidation_price is None:
            return math.inf
        return self.danger * (self.liquidation_price - price) / price + 0.0  # no -0.0 for people

    def bankruptcy_distance(self, price: float) -> float:
        """Return the distance ratio to bankruptcy at *price*; infinity when there is no such price."""
        if self.bankruptcy_price is None:
            return math.inf
        return (self.bankruptcy_danger or self.danger) * (self.bankruptcy_price - price) / price + 0.0

    def past_bankruptcy(self, price: float) -> bool:
        """Return whether *price* is at or beyond the bankruptcy price."""
        return self.bankruptcy_distance(price) <= 0.0

    def level_at(self, price: float, ladder: Ladder) -> Level:
        """Return the level that *price* alone says; at a line counts as crossed."""
        if self.past_bankruptcy(price):
            return Level.BANKRUPTCY
        distance = self.distance(price)
        if distance <= 0.0:
            return Level.LIQUIDATION
        if distance <= ladder.critical:
            return Level.CRITICAL
        return Level.WARNING if distance <= ladder.warning else Level.OK

    def clear_of(self, level: Level, price: float, ladder: Ladder) -> bool:
        """Return whether *price* is far enough from *level* for its clearing time to run."""
        if level is Level.BANKRUPTCY:
            return not self.past_bankruptcy(price)
        distance = self.distance(price)
        if level is Level.LIQUIDATION:
            return distance > 0.0
        return distance >= ladder.threshold(level) * (1.0 + ladder.hysteresis)

    def raise_price(self, level: Level, ladder: Ladder) -> float | None:
        """Return the price from which *level* holds: ``L / (1 + danger*t)``; None if there is none."""
        if level is Level.BANKRUPTCY:
            return self.bankruptcy_price
        return self._price_at(ladder.threshold(level))

    def clear_price(self, level: Level, ladder: Ladder) -> float | None:
        """Return the price from which the position is clear of *level*; None if there is none."""
        if level is Level.BANKRUPTCY:
            return self.bankruptcy_price
        return self._price_at(ladder.threshold(level) * (1.0 + ladder.hysteresis))

    def _price_at(self, distance: float) -> float | None:
        if self.liquidation_price is None:
            return None
        share = 1.0 + self.danger * distance
        return self.liquidation_price / share if share > 0.0 else None


class AlertState(msgspec.Struct):
    """What is remembered of one position between prices. Times are on the caller's clock, in seconds.

    ``raw`` is the level by the rules alone, ``held`` the floor that flapping puts under it; what people see is
    ``level``. ``clear_since[k]`` is since when the position has been clear of level k. ``announced`` is the
    highest level said in this episode. ``changes`` are the raw changes inside the flapping window: when, and the
    higher one of the two levels.
    """

    raw: Level = Level.OK
    held: Level = Level.OK
    flapping: bool = False
    quality: Quality = Quality.NEVER
    reason: str = "no_data"
    quality_since: float = 0.0
    data_alerted: bool = False
    drift_alerted: bool = False
    announced: Level = Level.OK
    episode: int = 0
    seq: int = 0
    clear_since: list[float | None] = msgspec.field(default_factory=lambda: [None] * 5)
    changes: list[tuple[float, Level]] = msgspec.field(default_factory=list)

    @property
    def level(self) -> Level:
        """Return the level that is shown and alerted."""
        return max(self.raw, self.held)


class Change(msgspec.Struct, frozen=True):
    """One decision of the ladder: what kind of alert event, from which level to which, over which ones.

    ``worst`` is the highest level of the episode that a resolve ends.
    """

    kind: str
    level: Level
    prev_level: Level
    skipped: tuple[str, ...] = ()
    reason: str = ""
    worst: Level = Level.OK


def step(state: AlertState, price: float, lines: Lines, ladder: Ladder, now: float, *, live: bool) -> list[Change]:
    """Advance *state* with one usable price and return what must be announced, oldest first.

    *live* is false for late and fallback prices: they may raise a level and interrupt a clearing, nothing else.
    """
    before = state.level
    at = lines.level_at(price, ladder)
    if at > state.raw:
        _move(state, at, now)
        state.clear_since = [None] * 5
    for level in Level:
        if level is Level.OK:
            continue
        if level > state.raw or not live or not lines.clear_of(level, price, ladder):
            state.clear_since[level] = None
        elif state.clear_since[level] is None:
            state.clear_since[level] = now
    return expire(state, ladder, now, before, live=live)


def expire(
    state: AlertState, ladder: Ladder, now: float, before: Level | None = None, *, live: bool = True
) -> list[Change]:
    """Let time pass: lower what has been clear long enough, end a flapping that has calmed down.

    The price must still be *live*, or nothing is lowered: :func:`interrupt` sees to the clearing, *live* to the
    end of a flapping. *before* is the level shown until now, where the caller has already moved it.
    """
    if before is None:
        before = state.level
    landed = state.raw
    while landed > Level.OK:
        since = state.clear_since[landed]
        if since is None or now - since < ladder.hold_seconds(landed):
            break
        landed = Level(landed - 1)
    if landed < state.raw:
        _move(state, landed, now)
        for level in Level:
            if level > landed:
                state.clear_since[level] = None
    return _announce(state, ladder, now, before, live=live)


def interrupt(state: AlertState) -> None:
    """Stop all clearing: the price is not live any more."""
    state.clear_since = [None] * 5


def next_deadline(state: AlertState, ladder: Ladder) -> float:
    """Return when time alone changes something, or infinity."""
    deadline = math.inf
    since = state.clear_since[state.raw] if state.raw else None
    if since is not None:
        deadline = since + ladder.hold_seconds(state.raw)
    if state.flapping and state.changes:
        index = max(0, len(state.changes) - ladder.flap_calm_changes - 1)
        deadline = min(deadline, state.changes[index][0] + ladder.flap_window_seconds)
    return deadline


def quiet_band(state: AlertState, price: float, lines: Lines, ladder: Ladder) -> tuple[float, float]:
    """Return the open interval of prices around *price* in which :func:`step` changes nothing but by time.

    The ends lie a billionth nearer to the price than the lines they stand for, so that rounding can only cause one
    evaluation too many, never one too few. A band is void once time, :func:`interrupt`, other lines or a change of
    *live* have touched the state: the next price must then be evaluated.
    """
    low, high = 0.0, math.inf
    for level in Level:
        if level is Level.OK:
            continue
        line = lines.clear_price(level, ladder) if level <= state.raw else lines.raise_price(level, ladder)
        if line is None:
            continue
        below, above = line * (1.0 - BAND_MARGIN), line * (1.0 + BAND_MARGIN)
        if price >= below:
            low = max(low, min(above, price))
        if price <= above:
            high = min(high, max(below, price))
    return low, high


def quiet_distances(state: AlertState, distance: float, ladder: Ladder) -> tuple[float, float]:
    """Return the open interval of distances around *distance* in which :func:`step` changes nothing but by time.

    As :func:`quiet_band`, for a position whose lines move with other marks: its ladder is then watched as a ratio.
    The ends are -inf and inf where no line lies; the line of bankruptcy is not among them.
    """
    low, high = -math.inf, math.inf
    for level in (Level.WARNING, Level.CRITICAL, Level.LIQUIDATION):
        line = ladder.threshold(level)
        if level <= state.raw and level is not Level.LIQUIDATION:
            line *= 1.0 + ladder.hysteresis
        if distance >= line:
            low = max(low, line)
        if distance <= line:
            high = min(high, line)
    return low, high


def _move(state: AlertState, level: Level, now: float) -> None:
    state.changes.append((now, max(level, state.raw)))
    state.raw = level


def _announce(state: AlertState, ladder: Ladder, now: float, before: Level, *, live: bool) -> list[Change]:
    out: list[Change] = []
    start = now - ladder.flap_window_seconds
    if state.changes and state.changes[0][0] <= start:
        state.changes = [change for change in state.changes if change[0] > start]
    if not state.flapping and len(state.changes) > ladder.flap_changes:
        state.flapping = True
        state.held = max(level for _, level in state.changes)
        out.append(Change("position.flapping", state.held, before, reason="flapping"))
    elif state.flapping:
        state.held = max(state.held, state.raw)
        if live and len(state.changes) <= ladder.flap_calm_changes:
            state.flapping, state.held = False, Level.OK
    level = state.level
    if level == before:
        return out
    if before is Level.OK:
        state.episode += 1
        state.announced = Level.OK
    if level is Level.OK:
        worst = max(before, state.announced)
        state.announced = Level.OK
        out.append(Change("position.resolved", level, before, reason="recovered", worst=worst))
    elif level > before:
        passed = tuple(Level(k).word for k in range(before + 1, level))
        held_from_before = level > state.raw  # the flapping just announced says so itself
        if not held_from_before and not (state.flapping and level <= state.announced):
            out.append(Change(f"position.{level.word}", level, before, skipped=passed))
        state.announced = max(state.announced, level)
    else:
        out.append(Change(f"position.{level.word}", level, before))
    return out
