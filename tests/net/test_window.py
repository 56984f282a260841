"""The strict rolling window."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.net.clock import boot
from monitor.net.window import Window, wait_for_room


def test_what_costs_more_than_the_limit_waits_for_an_empty_window_but_not_for_ever():
    window = Window(10, 60.0)
    assert window.delay(0.0, 50) == 0.0
    window.spend(0.0, 1)
    assert window.delay(1.0, 50) == 59.0
    assert window.delay(60.0, 50) == 0.0


def test_only_as_much_is_waited_for_as_is_needed():
    window = Window(10, 60.0)
    window.spend(0.0, 4)
    window.spend(10.0, 6)
    assert window.delay(20.0, 3) == 40.0
    assert window.delay(20.0, 5) == 50.0


@given(st.lists(st.tuples(st.floats(0.0, 3.0), st.integers(1, 5)), max_size=60))
def test_no_span_of_the_length_ever_holds_more_than_the_limit(requests):
    window, now, spent = Window(7, 5.0), 0.0, []
    for pause, cost in requests:
        now += pause
        now += window.delay(now, cost)
        assert window.delay(now, cost) <= 1e-9
        window.spend(now, cost)
        spent.append((now, cost))
    for start, _ in spent:
        assert sum(cost for time, cost in spent if start <= time < start + 5.0 - 1e-6) <= 7


async def test_waiting_for_room_ends_when_there_is_room():
    window = Window(1, 0.05)
    window.spend(start := boot())
    assert await wait_for_room(window.delay) >= start + 0.05
