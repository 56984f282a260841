"""Maintenance ladders: which tier a notional falls into, deductions, and what is wrong with a bad one."""

from __future__ import annotations

import itertools
import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.contract import (
    SWITCHES,
    LiquidationRule,
    Tier,
    TierTable,
    build_deductions,
    ladder_for,
    ladder_problem,
    rule_problem,
)
from monitor.core.margin import maintenance_margin

LADDER = TierTable((Tier(0.0, 0.004), Tier(300_000.0, 0.005, 300.0), Tier(800_000.0, 0.0065, 1_500.0)), "the test")

TIER_AT = {
    "notional 0": (0.0, 0.004),
    "notional = first floor": (300_000.0, 0.004),
    "one float above the first floor": (math.nextafter(300_000.0, math.inf), 0.005),
    "notional = last floor": (800_000.0, 0.005),
    "above the last floor": (1e12, 0.0065),
}


@pytest.mark.parametrize(("notional", "rate"), TIER_AT.values(), ids=TIER_AT.keys())
def test_a_floor_belongs_to_the_tier_below(notional, rate):
    assert LADDER.tier_at(notional).maintenance_rate == rate


def test_built_deductions_are_the_published_ones_of_a_real_ladder():
    """BTCUSDT at Binance, 2026."""
    rows = [(0, 0.004), (300_000, 0.005), (800_000, 0.0065), (3e6, 0.01), (12e6, 0.02), (70e6, 0.025), (100e6, 0.05)]
    published = [0, 300, 1_500, 12_000, 132_000, 482_000, 2_982_000]
    assert [tier.deduction for tier in build_deductions(rows)] == pytest.approx(published, abs=1e-6)


ladders = st.lists(
    st.tuples(st.integers(1, 10**9), st.integers(1, 50)), min_size=1, max_size=8, unique_by=lambda row: row[0]
)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(ladders)
def test_built_deductions_make_the_requirement_continuous(rows):
    rate, made = 0.001, [(0.0, 0.001)]
    for floor, step in sorted(rows):
        rate += step / 1_000
        made.append((float(floor), rate))
    tiers = build_deductions(made)
    for below, above in itertools.pairwise(tiers):
        at = above.floor
        assert maintenance_margin(at, above) == pytest.approx(maintenance_margin(at, below), rel=1e-9, abs=1e-6)


PROBLEMS = {
    "empty": ([], "a ladder needs at least one tier"),
    "first floor above 0": ([Tier(1.0, 0.01)], "the first floor must be 0, not 1"),
    "rate 0": ([Tier(0.0, 0.0)], "tier 1: maintenance_rate must lie between 0 and 1"),
    "rate 1": ([Tier(0.0, 0.01), Tier(5.0, 1.0)], "tier 2: maintenance_rate must lie between 0 and 1"),
    "rate in percent": ([Tier(0.0, 5.0)], "tier 1: maintenance_rate must lie between 0 and 1"),
    "rate that is no number": ([Tier(0.0, math.nan)], "tier 1: maintenance_rate must lie between 0 and 1"),
    "negative deduction": ([Tier(0.0, 0.01, -1.0)], "tier 1: deduction must not be negative, not -1"),
    "equal floors": ([Tier(0.0, 0.01), Tier(5.0, 0.02), Tier(5.0, 0.03)], "tier 3: floors must rise, but 5 follows 5"),
    "falling floors": (
        [Tier(0.0, 0.01), Tier(5.0, 0.02), Tier(4.0, 0.03)],
        "tier 3: floors must rise, but 4 follows 5",
    ),
    "falling rates": ([Tier(0.0, 0.02), Tier(5.0, 0.01)], "tier 2: rates must not fall, but 0.01 follows 0.02"),
}


@pytest.mark.parametrize(("tiers", "problem"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_a_bad_ladder_is_described_in_words(tiers, problem):
    said = ladder_problem(tiers)
    assert said is not None
    assert said.startswith(problem)


GOOD = {
    "one tier": [Tier(0.0, 0.1, 135_365.0)],
    "equal rates": [Tier(0.0, 0.01), Tier(5.0, 0.01)],
    "a real one": list(LADDER.tiers),
}


@pytest.mark.parametrize("tiers", GOOD.values(), ids=GOOD.keys())
def test_a_good_ladder_has_no_problem(tiers):
    assert ladder_problem(tiers) is None


RULE = LiquidationRule("any", "the test", "2026-11-22", "mark", "notional", "none")


@pytest.mark.parametrize(
    ("switch", "value"), [(switch, value) for switch, values in SWITCHES.items() for value in values]
)
def test_every_value_of_every_switch_is_possible(switch, value):
    tier_by = {"entry": "entry_notional", "size": "none"}.get(value, "notional")
    assert rule_problem(msgspec.structs.replace(RULE, **{"tier_by": tier_by, switch: value})) is None


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_switch_with_an_unknown_value_is_described_in_words(switch):
    expected = f"{switch}: expected one of {', '.join(SWITCHES[switch])}, got maybe"
    assert rule_problem(msgspec.structs.replace(RULE, **{switch: "maybe"})) == expected


NOT_TOGETHER = {
    "entry by the moving notional": ("entry", "notional", "has its tier by entry_notional, contracts or none"),
    "size by notional": ("size", "notional", "tier_by must be none"),
    "size by contracts": ("size", "contracts", "tier_by must be none"),
}


@pytest.mark.parametrize(("maintenance", "tier_by", "problem"), NOT_TOGETHER.values(), ids=NOT_TOGETHER.keys())
def test_switches_that_contradict_one_another_are_described_in_words(maintenance, tier_by, problem):
    said = rule_problem(msgspec.structs.replace(RULE, maintenance=maintenance, tier_by=tier_by))
    assert said is not None
    assert problem in said


def test_a_rule_without_deductions_uses_a_ladder_without_them():
    table = ladder_for(LADDER, msgspec.structs.replace(RULE, deduction="none"))
    assert [(tier.floor, tier.maintenance_rate, tier.deduction) for tier in table.tiers] == [
        (0.0, 0.004, 0.0),
        (300_000.0, 0.005, 0.0),
        (800_000.0, 0.0065, 0.0),
    ]
    assert table.source == LADDER.source


@pytest.mark.parametrize("deduction", ["published", "built"])
def test_a_rule_with_deductions_uses_the_ladder_as_it_is(deduction):
    assert ladder_for(LADDER, msgspec.structs.replace(RULE, deduction=deduction)) is LADDER


def test_no_ladder_stays_no_ladder():
    assert ladder_for(None, msgspec.structs.replace(RULE, deduction="none")) is None
