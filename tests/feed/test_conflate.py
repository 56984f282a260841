"""A burst is thinned out, and no alert is lost by it."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.core.events import BestQuote, IndexPrice, Liquidation, MarkPrice
from monitor.feed.conflate import Conflator


def mark(price, time=1.0, symbol="BTC"):
    return MarkPrice("tiny", symbol, price, time)


def conflated(events, limit=4096):
    """Return what is applied at once and what is given back at the end."""
    conflator = Conflator(limit)
    at_once = [held[1] for number, event in enumerate(events) for held in conflator.add(event, float(number))]
    return at_once, [held[1] for held in conflator.drain()]


def test_minimum_maximum_and_newest_stay_in_the_order_of_arrival():
    prices = [mark(100.0), mark(120.0), mark(110.0), mark(90.0), mark(95.0), mark(99.0)]
    assert conflated(prices) == ([], [mark(120.0), mark(90.0), mark(99.0)])


def test_one_event_that_is_all_three_is_given_back_once():
    assert conflated([mark(100.0)]) == ([], [mark(100.0)])


def test_symbols_and_kinds_are_kept_apart():
    events = [mark(1.0, symbol="A"), mark(2.0, symbol="B"), IndexPrice("tiny", "A", 3.0, 1.0)]
    assert conflated(events) == ([], events)


def test_a_quote_counts_by_its_lowest_bid_and_its_highest_ask():
    quotes = [
        BestQuote("tiny", "BTC", bid, 1.0, ask, 1.0, 1.0) for bid, ask in [(99, 101), (90, 100), (98, 109), (97, 101)]
    ]
    assert conflated([*quotes[:1], *quotes[1:]])[1] == quotes[1:]


def test_what_is_no_price_is_kept_in_its_place():
    liquidations = [Liquidation("tiny", "BTC", "long", float(n), 1.0, "fill", 1.0) for n in range(3)]
    events = [liquidations[0], mark(1.0), liquidations[1], mark(2.0), mark(1.5), liquidations[2]]
    kept = [events[0], events[1], events[2], events[3], events[4], events[5]]
    assert conflated(events)[1] == kept


def test_an_event_older_than_a_held_one_is_applied_at_once():
    """It might be refused by the engine, so it must not stand for a newer extreme."""
    assert conflated([mark(100.0, 10.0), mark(50.0, 9.0), mark(95.0, 10.5)]) == (
        [mark(50.0, 9.0)],
        [mark(100.0, 10.0), mark(95.0, 10.5)],
    )


def test_a_step_in_event_time_starts_a_new_group():
    """A replayed old price at the start of a burst must not hide the extreme of the present."""
    assert conflated([mark(50.0, 1.0), mark(90.0, 31.0), mark(100.0, 31.5)]) == (
        [mark(50.0, 1.0)],
        [mark(90.0, 31.0), mark(100.0, 31.5)],
    )


def test_each_event_keeps_the_time_at_which_it_arrived():
    conflator = Conflator()
    for now, price in enumerate([5.0, 1.0, 3.0]):
        conflator.add(mark(price), float(now))
    assert [now for _, _, now in conflator.drain()] == [0.0, 1.0, 2.0]


def test_too_much_is_given_back_early_and_nothing_is_dropped():
    events = [Liquidation("tiny", "BTC", "long", float(n), 1.0, "fill", 1.0) for n in range(100)]
    at_once, at_the_end = conflated(events, limit=30)
    assert at_once + at_the_end == events
    assert len(at_once) >= 60


def test_what_was_given_back_is_forgotten():
    conflator = Conflator()
    conflator.add(mark(1.0), 0.0)
    conflator.drain()
    assert list(conflator.drain()) == []


@given(
    prices=st.lists(st.floats(1.0, 200.0), min_size=1, max_size=60),
    steps=st.lists(st.floats(0.0, 3.0), min_size=60, max_size=60),
    trigger=st.floats(1.0, 200.0),
)
def test_whatever_crosses_a_trigger_one_by_one_crosses_it_conflated(prices, steps, trigger):
    events = [mark(price, sum(steps[: n + 1])) for n, price in enumerate(prices)]
    at_once, at_the_end = conflated(events)
    seen = [event.mark_price for event in at_once + at_the_end]
    assert any(price <= trigger for price in prices) == any(price <= trigger for price in seen)
    assert any(price >= trigger for price in prices) == any(price >= trigger for price in seen)
    assert seen[-1] == prices[-1]
