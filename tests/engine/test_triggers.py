"""The trigger book against the most naive twin there is: a dictionary looked through at every price."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine.triggers import TriggerBook

prices = st.integers(1, 60).map(float)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("arm"), st.integers(0, 30), prices, prices),
        st.tuples(st.just("price"), prices),
    ),
    max_size=200,
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(steps)
def test_it_fires_exactly_what_left_its_band(script):
    book, twin = TriggerBook(), {}
    for step in script:
        if step[0] == "arm":
            _, slot, a, b = step
            twin[slot] = (min(a, b) - 0.5, max(a, b) + 0.5)
            book.arm(slot, *twin[slot])
            continue
        price = step[1]
        expected = {slot for slot, (low, high) in twin.items() if not low < price < high}
        fired = [] if book.low < price < book.high else book.fire(price)
        assert set(fired) == expected
        for slot in expected:
            twin[slot] = (-math.inf, math.inf)
            book.arm(slot, 0.0, math.inf)


def test_many_positions_survive_rebuilding():
    book = TriggerBook()
    for slot in range(20_000):
        book.arm(slot, 100.0 - slot * 1e-3, 100.5 + slot * 1e-3)
    for slot in range(0, 20_000, 2):
        book.arm(slot, 0.0, 100.5 + slot * 1e-3 + 50.0)
    assert not book.fire(100.2)  # disarmed ends are only dropped when a price meets them
    assert not book.fire(100.0)
    assert book.low == 100.0 - 1e-3
    up = book.fire(110.0)
    assert sorted(up) == [s for s in range(1, 20_000, 2) if 100.5 + s * 1e-3 <= 110.0]
    for slot in up:
        book.arm(slot, 0.0, math.inf)
    down = book.fire(90.0)
    assert sorted(down) == [s for s in range(1, 20_000, 2) if s not in set(up) and 100.0 - s * 1e-3 >= 90.0]
    for slot in down:
        book.arm(slot, 0.0, math.inf)
    assert not book.fire(110.5)
    assert book.high == 100.5 + 10_001 * 1e-3


def test_an_empty_book_is_quiet_everywhere():
    assert (TriggerBook().low, TriggerBook().high) == (0.0, math.inf)
