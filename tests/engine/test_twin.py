"""The engine with its trigger book says exactly what a naive twin says that looks at every position at every price."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.core import alerts, levels
from monitor.core.account import Account, Position
from monitor.core.alerts import AlertState, Ladder
from monitor.core.contract import LiquidationRule, Tier, TierTable
from monitor.core.pool import Terms

LADDER = Ladder(clear_seconds=5.0, sticky_seconds=12.0)
RULE = LiquidationRule("demo", "worked by hand", "2026-11-22", "mark", "notional", "none")
TABLE = TierTable((Tier(0.0, 0.004),), "by hand")

positions = st.lists(
    st.tuples(st.sampled_from([1.0, -1.0]), st.floats(80.0, 120.0), st.floats(2.0, 60.0)), min_size=1, max_size=8
)
path = st.lists(st.integers(-400, 400), min_size=5, max_size=120)


@settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)  # the fixture is a class: each input makes its own engine
@given(positions, path)
def test_the_trigger_book_changes_nothing_but_the_cost(script, given_positions, moves):
    held = tuple(
        Position(f"p{n}", "BTCUSDT", side, entry, "isolated", margin)
        for n, (side, entry, margin) in enumerate(given_positions)
    )
    s = script(*held, ladder=LADDER)
    account = Account("main", "demo", held)
    states = {p.name: AlertState() for p in held}
    lines = {}
    price, now = 100.0, 1.0
    for move in moves:
        price = min(200.0, max(20.0, price * (1.0 + move / 10_000.0)))
        ours = [(a.position, a.kind, a.skipped, a.level) for a in s.mark(now, price) + s.tick(now)]
        theirs = []
        for position in held:
            if position.name not in lines:
                terms = {"BTCUSDT": Terms(mark_price=price, table=TABLE, rule=RULE)}
                lines[position.name] = levels.position_levels(account, position, terms).lines()
            changes = alerts.step(states[position.name], price, lines[position.name], LADDER, now, live=True)
            theirs += [(position.name, c.kind, c.skipped, c.level) for c in changes]
        assert sorted(ours) == sorted(theirs)
        now += 1.0
