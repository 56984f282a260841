"""The plain values of the core: positions, accounts, alert events and facts."""

from __future__ import annotations

from typing import get_args

import msgspec
import pytest

from monitor.core import events
from monitor.core.account import Account, CollateralAsset, Position
from monitor.core.alert_event import SEVERITIES, AlertEvent, StoredState
from monitor.core.alerts import Level, Quality


@pytest.mark.parametrize(("quantity", "side", "profit"), [(2.0, "long", 20.0), (-2.0, "short", -20.0)])
def test_a_position_knows_its_side_and_its_profit(quantity, side, profit):
    position = Position("p", "X", quantity, 100.0, "cross")
    assert (position.side, position.profit_at(110.0)) == (side, profit)


@pytest.mark.parametrize(("quantity", "profit"), [(100.0, 0.2), (-100.0, -0.2)], ids=["long", "short"])
def test_an_inverse_position_earns_coins(quantity, profit):
    """100 of face value, bought at 100 and sold at 125: one coin in, 0.8 coins out."""
    position = Position("p", "X", quantity, 100.0, "cross")
    assert position.profit_at(125.0, "inverse") == pytest.approx(profit)


@pytest.mark.parametrize(("kind", "notional"), [("linear", 500.0), ("inverse", 0.8)])
def test_notional_is_the_absolute_value_in_the_settlement_asset(kind, notional):
    quantity = -100.0 if kind == "inverse" else -4.0
    assert Position("p", "X", quantity, 100.0, "cross").notional_at(125.0, kind) == notional


@pytest.mark.parametrize(("amount", "value"), [(2.0, 180.0), (-2.0, -200.0)], ids=["held", "owed"])
def test_a_haircut_takes_from_what_is_held_and_not_from_what_is_owed(amount, value):
    assert CollateralAsset("ETH", amount, 0.9).value_at(100.0) == pytest.approx(value)


def test_cross_positions_are_those_that_share_the_collateral():
    cross, isolated = Position("c", "X", 1.0, 1.0, "cross"), Position("i", "X", 1.0, 1.0, "isolated", 1.0)
    assert Account("a", "v", (cross, isolated)).cross_positions() == (cross,)


def alert(level: Level = Level.OK, quality: Quality = Quality.LIVE, severity: str = "warning") -> AlertEvent:
    return AlertEvent(
        kind="position.warning",
        severity=severity,
        subject="p",
        venue="v",
        state=StoredState("p"),
        seq=1,
        episode=1,
        level=level,
        prev_level=Level.OK,
        quality=quality,
        reason="",
        arrived=0.0,
    )


@pytest.mark.parametrize(
    ("quality", "condition"),
    [("live", "critical"), ("fallback", "critical"), ("stale", "unknown"), ("never", "unknown")],
)
def test_people_are_shown_unknown_while_the_price_is(quality, condition):
    assert alert(Level.CRITICAL, Quality[quality.upper()]).condition == condition


@pytest.mark.parametrize(("severity", "urgent"), list(zip(SEVERITIES, [False, True, True, True], strict=True)))
def test_critical_and_worse_are_urgent(severity, urgent):
    assert alert(severity=severity).urgent is urgent


def test_levels_and_severities_have_the_same_words():
    assert tuple(level.word for level in Level if level) == SEVERITIES


def test_every_fact_has_its_own_name_on_the_outside():
    kinds = [kind.__struct_config__.tag for kind in get_args(events.Event)]
    assert len(set(kinds)) == len(kinds) == 20


def test_only_prices_and_books_refresh_a_field():
    fields = {kind.__name__: kind.FIELD for kind in get_args(events.Event) if kind.FIELD}
    prices = {"MarkPrice": "mark", "IndexPrice": "index", "LastPrice": "last", "BestQuote": "book"}
    assert fields == {**prices, "BookChange": "depth"}


def test_a_fact_survives_json_and_says_what_it_is():
    fact = events.MarkPrice("binance", "BTCUSDT", 90_012.4, 1_764_000_000.5)
    wire = msgspec.json.encode(fact)
    assert msgspec.json.decode(wire)["event"] == "mark_price"
    assert msgspec.json.decode(wire, type=events.Event) == fact


def test_facts_cannot_be_changed():
    fact = events.MarkPrice("binance", "BTCUSDT", 1.0, 1.0)
    with pytest.raises(AttributeError):
        fact.mark_price = 2.0
