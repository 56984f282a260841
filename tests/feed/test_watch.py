"""Which streams are silent: times written in the test, in seconds."""

from itertools import pairwise

import pytest

from monitor.feed.intake import Trace
from monitor.feed.settings import FeedSettings
from monitor.feed.watch import Watch
from monitor.venues.base import Stream

A = Stream("a", ("A",), "mark", 1.0)
B = Stream("b", ("B",), "mark", 1.0)
SLOW = Stream("slow", ("A",), "index", 10.0)
ARRAY = Stream("array", ("A", "B"), "mark", 1.0)
LIQUIDATIONS = Stream("liquidations", ("A",), None, 1.0)


@pytest.fixture
def accepted():
    return {}


@pytest.fixture
def trace():
    return Trace()


@pytest.fixture
def watch(accepted, trace):
    def make(*streams, now=0.0, **more):
        return Watch(streams, lambda symbol, field: accepted.get((symbol, field)), trace, FeedSettings(), now, **more)

    return make


def arrive(accepted, trace, now, *symbols, field="mark"):
    trace.last_data = now
    for symbol in symbols:
        accepted[symbol, field] = now


def test_a_new_connection_has_five_seconds_to_deliver(watch):
    judge = watch(A, B)
    assert not judge.check(5.0).dead
    assert judge.check(5.1).dead


def test_a_price_from_before_the_connection_is_not_counted_against_it(watch, accepted):
    accepted["A", "mark"] = 10.0
    assert not watch(A, now=100.0).check(104.0).dead


def test_three_expected_intervals_are_waited_for_where_that_is_longer(watch, accepted, trace):
    judge = watch(SLOW)
    assert not judge.check(30.0).dead
    assert judge.check(30.1).dead


def test_a_silent_symbol_is_asked_for_three_times_and_then_wants_a_new_connection(watch, accepted, trace):
    judge = watch(A, B)
    asked = []
    for half_seconds in range(60):
        now = half_seconds / 2.0
        arrive(accepted, trace, now, "A")
        verdict = judge.check(now)
        assert not verdict.dead
        if verdict.ask_again:
            assert verdict.ask_again == [B]
            asked.append(now)
        if verdict.replace:
            break
    assert asked == [5.5, 10.5, 15.5]
    assert now == 20.5


def test_data_end_the_counting(watch, accepted, trace):
    judge = watch(A, B)
    arrive(accepted, trace, 6.0, "A")
    assert judge.check(6.0).ask_again == [B]
    arrive(accepted, trace, 7.0, "A", "B")
    assert judge.check(7.0).ask_again == []
    arrive(accepted, trace, 13.0, "A")
    assert judge.check(13.0).ask_again == [B]


def test_an_array_stream_is_as_fresh_as_its_freshest_symbol(watch, accepted, trace):
    judge = watch(ARRAY)
    arrive(accepted, trace, 10.0, "A")
    assert not judge.check(14.0).dead
    assert judge.check(15.5).dead


def test_another_field_of_the_symbol_refreshes_nothing(watch, accepted, trace):
    judge = watch(A, B)
    arrive(accepted, trace, 6.0, "A")
    accepted["B", "index"] = 6.0
    assert judge.check(6.0).ask_again == [B]


def test_a_dead_connection_is_cut_although_another_source_keeps_the_prices_fresh(watch, accepted, trace):
    judge = watch(A)
    accepted["A", "mark"] = 9.0
    assert judge.check(9.5).dead


def test_values_that_come_and_are_refused_are_not_silence(watch, trace):
    judge = watch(A)
    for tenth in range(200):
        now = tenth / 10.0
        trace.last_data = now
        if trace.seen is not None:
            trace.seen["A", "mark"] = now
        assert judge.check(now).silent_seconds == 0.0


def test_frames_that_cannot_be_read_cost_the_connection_once_a_minute_only(watch, trace):
    judge = watch(A)
    for now in range(60):
        trace.last_data = trace.unreadable = float(now)
        assert not judge.check(float(now)).dead
    assert judge.check(60.5).dead


def test_when_unreadable_frames_stop_as_well_the_connection_is_dead_at_once(watch, trace):
    judge = watch(A)
    trace.last_data = trace.unreadable = 4.0
    assert not judge.check(9.0).dead
    assert judge.check(9.1).dead


def test_streams_that_may_be_silent_are_not_watched(watch):
    assert watch(LIQUIDATIONS).check(1e6) == watch(LIQUIDATIONS).check(0.0)
    assert not watch(LIQUIDATIONS).check(1e6).dead


@pytest.fixture
def old(accepted):
    """Return the watch of a connection on which *symbols* flow at 10 s."""

    def make(*streams, symbols=("A", "B")):
        for stream in streams:
            accepted.update(((symbol, stream.field), 10.0) for symbol in stream.symbols if symbol in symbols)
        return Watch(streams, lambda symbol, field: accepted.get((symbol, field)), Trace(), FeedSettings(), 0.0)

    return make


def test_a_successor_is_proven_by_its_own_data_only(watch, trace, old):
    fresh = watch(A, B, proving=True)
    assert not fresh.replaces(old(A, B), 10.0)
    trace.seen["A", "mark"] = 10.5
    fresh.check(10.6)
    assert not fresh.replaces(old(A, B), 11.0)
    trace.seen["B", "mark"] = 10.5
    assert fresh.replaces(old(A, B), 11.0)


def test_only_what_flows_on_the_old_connection_is_asked_of_its_successor(watch, trace, old):
    fresh = watch(A, B, proving=True)
    trace.seen["A", "mark"] = 10.5
    assert fresh.replaces(old(A, B, symbols=("A",)), 11.0)


def test_of_streams_that_are_slow_by_nature_one_is_proof_enough(watch, trace, old):
    slow = [Stream(f"book {symbol}", (symbol,), "book", 60.0) for symbol in "AB"]
    fresh = watch(*slow, proving=True)
    assert not fresh.replaces(old(*slow), 11.0)
    trace.seen["A", "book"] = 10.5
    assert fresh.replaces(old(*slow), 11.0)


def test_a_connection_of_which_nothing_is_expected_is_replaced_without_proof(watch, old):
    assert watch(LIQUIDATIONS, proving=True).replaces(old(LIQUIDATIONS), 11.0)


# --- what another source keeps fresh -----------------------------------------------------------------------------


def asked_at(judge, accepted, trace, *heard, seconds=400):
    """Return when B was asked for again while a poll keeps it fresh, A is heard, and *heard* says what else is."""
    times = []
    for second in range(seconds):
        now = float(second)
        arrive(accepted, trace, now, "A")
        accepted["B", "mark"] = now  # by a poll: this connection saw nothing
        if trace.seen is not None:
            trace.seen.update(dict.fromkeys([("A", "mark"), *heard], now))
        times += [now] * len(judge.check(now).ask_again)
    return times


def test_a_lost_stream_that_a_poll_hides_is_found_and_asked_for_less_and_less(watch, accepted, trace):
    times = asked_at(watch(A, B), accepted, trace)
    assert len(times) >= 2
    gaps = [later - time for time, later in pairwise(times)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 60.0


def test_a_stream_that_brings_anything_of_its_contract_is_left_alone(watch, accepted, trace):
    assert asked_at(watch(A, B), accepted, trace, ("B", "last")) == []
