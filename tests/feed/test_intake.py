"""One synchronous call a frame, and what happens when frames come faster than the loop turns."""

import asyncio
import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from monitor.core.events import Liquidation, MarkPrice, Rejected, VenueTime
from monitor.feed.intake import REMEMBERED, Intake, Trace
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot, wall


def frame(*prices, time=1.0):
    return json.dumps({"mark": [["BTC", price, time] for price in prices]}).encode()


@pytest.fixture
def intake(tiny, engine):
    settings = replace(tiny.settings, burst_frames=4, sample_seconds=10.0)
    return Intake("tiny", tiny.decode, engine.apply, engine.announced.append, FeedStats("tiny"), settings)


async def test_a_frame_is_applied_before_take_returns(intake, engine):
    intake.take(frame(1.0), Trace())
    assert engine.of(MarkPrice) == [MarkPrice("tiny", "BTC", 1.0, 1.0)]


async def test_a_burst_is_conflated_to_its_extremes_and_its_newest(intake, engine):
    for price in [1.0, 2.0, 3.0, 4.0, 5.0, 99.0, 6.0, 0.5, 7.0, 8.0]:
        intake.take(frame(price), Trace())
    assert len(engine.events) == 4
    await asyncio.sleep(0)
    assert [event.mark_price for event in engine.of(MarkPrice)] == [1.0, 2.0, 3.0, 4.0, 99.0, 0.5, 8.0]


async def test_after_a_turn_of_the_loop_frames_are_applied_one_by_one_again(intake, engine):
    for turn in range(5):
        for price in (1.0, 2.0, 3.0, 4.0):
            intake.take(frame(price), Trace())
        await asyncio.sleep(0)
        assert len(engine.events) == 4 * (turn + 1)


async def test_a_bug_in_a_conflated_event_ends_the_task_that_reads(tiny, engine):
    def broken(event, now):
        if event.mark_price == 13.0:
            raise TypeError("a bug")
        return engine.apply(event, now)

    settings = replace(tiny.settings, burst_frames=1)
    intake = Intake("tiny", tiny.decode, broken, engine.announced.append, FeedStats("tiny"), settings)
    intake.take(frame(1.0), Trace())
    intake.take(frame(13.0), Trace())
    await asyncio.sleep(0)
    with pytest.raises(TypeError, match="a bug"):
        intake.take(frame(1.0), Trace())


async def test_frames_are_counted_by_their_first_event(intake):
    for data in (frame(1.0, 2.0), b'{"liquidated": "BTC"}', b'{"ack": 1}', b"nonsense"):
        intake.take(data, Trace())
    counted = {channel: count for (channel,), count in intake.stats.messages.items()}
    assert counted == {"mark_price": 1, "liquidation": 1, "other": 2}


async def test_a_refused_row_is_counted_and_passed_on_and_its_neighbours_are_used(intake, engine):
    intake.take(frame(1.0, None, 2.0), Trace())
    assert intake.stats.rejected["bad_price",] == 1
    assert len(engine.of(Rejected)) == 1
    assert len(engine.of(MarkPrice)) == 2


async def test_an_unreadable_frame_is_logged_once_in_ten_seconds_with_a_sample(intake):
    with capture_logs() as logs:
        for _ in range(100):
            intake.take(b"\xff<html>" + b"x" * 5000, Trace())
    assert intake.stats.rejected["malformed",] == 100
    assert [entry["event"] for entry in logs] == ["frame.skipped"]
    assert logs[0]["sample"].startswith("\ufffd<html>")
    assert len(logs[0]["sample"]) == 200


async def test_the_lag_is_taken_on_the_venues_clock_and_not_on_ours(intake):
    intake.take(frame(1.0, time=50.0), Trace())
    assert sum(intake.stats.lag.counts) == 0, "the venue's clock is not known yet"
    intake.deliver(VenueTime("tiny", 52.0), boot())
    intake.take(frame(1.0, time=50.0), Trace())
    assert intake.stats.lag.total == pytest.approx(2.0, abs=0.5)


@pytest.mark.parametrize("time", [1e15, 1.0])
async def test_a_wrong_unit_of_time_does_not_spoil_the_lag(intake, time):
    intake.deliver(VenueTime("tiny", 1.7e9), boot())
    intake.take(frame(1.0, time=time), Trace())
    assert sum(intake.stats.lag.counts) == 0


async def test_the_decoder_is_told_the_venues_time(tiny, engine):
    told = []

    def decode(_frame, received_time):
        told.append(received_time)
        return []

    intake = Intake("tiny", decode, engine.apply, engine.announced.append, FeedStats("tiny"), tiny.settings)
    intake.take(b"", Trace())
    intake.deliver(VenueTime("tiny", 1000.0), boot())
    intake.take(b"", Trace())
    assert told == [pytest.approx(wall(), abs=5.0), pytest.approx(1000.0, abs=5.0)]


async def test_only_a_frame_of_which_nothing_could_be_used_counts_as_unreadable(intake):
    trace = Trace()
    intake.take(frame(1.0, None), trace)
    assert trace.unreadable == float("-inf")
    intake.take(frame(None), trace)
    assert trace.unreadable == trace.last_data


async def test_acknowledgements_are_no_data(intake):
    trace = Trace()
    intake.take(b'{"ack": 1}', trace)
    assert trace.last_data == float("-inf")


async def test_the_time_of_the_last_message_is_shown_on_the_wall_clock(intake):
    assert intake.stats.last_message_time is None
    intake.take(b'{"ack": 1}', Trace())
    assert intake.stats.last_message_time == pytest.approx(wall(), abs=5.0)


# --- one liquidation, two connections ------------------------------------------------------------------------------


def liquidation(contracts=1.0, time=1.0):
    return Liquidation("tiny", "BTC", "long", contracts, 100.0, "fill", time)


@pytest.fixture
def counting(tiny, engine):
    """An intake whose frames are lists of liquidations: [[contracts, time], ...]."""

    def decode(frame, _now):
        return [liquidation(*row) for row in json.loads(frame)]

    return Intake("tiny", decode, engine.apply, lambda _: None, FeedStats("tiny"), tiny.settings)


async def test_a_liquidation_that_two_connections_bring_is_one(counting, engine):
    old, new = Trace(), Trace()
    for trace in (old, new):
        counting.take(b"[[1.0, 5.0], [2.0, 5.0]]", trace)
    assert engine.of(Liquidation) == [liquidation(1.0, 5.0), liquidation(2.0, 5.0)]


async def test_two_that_look_alike_from_one_connection_are_two(counting, engine):
    old, new = Trace(), Trace()
    counting.take(b"[[1.0, 5.0], [1.0, 5.0]]", old)
    counting.take(b"[[1.0, 5.0], [1.0, 5.0]]", new)
    assert engine.of(Liquidation) == [liquidation(1.0, 5.0)] * 2


async def test_what_the_newer_connection_brings_first_is_taken_from_it(counting, engine):
    old, new = Trace(), Trace()
    counting.take(b"[[1.0, 5.0]]", new)
    counting.take(b"[[1.0, 5.0]]", old)
    counting.take(b"[[1.0, 6.0]]", new)
    assert engine.of(Liquidation) == [liquidation(1.0, 5.0), liquidation(1.0, 6.0)]


async def test_in_a_burst_the_same_holds(counting, engine):
    old, new = Trace(), Trace()
    counting.taken = 10_000
    for trace in (old, new):
        counting.take(b"[[1.0, 5.0]]", trace)
    await asyncio.sleep(0)
    assert engine.of(Liquidation) == [liquidation(1.0, 5.0)]


async def test_what_is_remembered_of_liquidations_is_bounded(counting):
    for number in range(3 * REMEMBERED):
        counting.take(f"[[1.0, {number}.0]]".encode(), Trace())
    assert len(counting._liquidations) <= REMEMBERED
