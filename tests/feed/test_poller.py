"""The REST poller against a real HTTP server that misbehaves."""

import asyncio
import gzip
from dataclasses import replace
from itertools import pairwise

import pytest
from aiohttp import web

from monitor.core.events import InsuranceFund, VenueTime
from monitor.feed.budget import Budget
from monitor.feed.feed import VenueFeed
from monitor.feed.settings import FeedSettings
from monitor.net.clock import boot
from monitor.venues.base import Limits


@pytest.fixture
def make_poller(make_feed, tiny, rest):
    def make(*polls, weight_per_minute=1000, settings=tiny.settings) -> VenueFeed:
        venue = tiny.venue(polls=polls, weight_per_minute=weight_per_minute)
        return make_feed(replace(venue, connections=lambda _symbols, _url: []), rest_url=rest.url, settings=settings)

    return make


async def test_the_first_round_reads_everything_once_in_the_venues_order(make_poller, tiny, rest, engine):
    feed = make_poller(tiny.poll("time"), tiny.poll("fund"), tiny.poll("fund", params={"asset": "BTC"}))
    assert await feed.bootstrap(5.0)
    assert rest.paths() == ["/time", "/fund", "/fund"]
    assert feed.stats.polls["fund",] == 2
    assert len(engine.of(InsuranceFund)) == 2


async def test_what_the_first_round_read_is_not_read_again_before_its_interval(make_poller, tiny, rest, running, until):
    feed = make_poller(tiny.poll("time"), tiny.poll("fund", interval=0.05))
    assert await feed.bootstrap(5.0)
    async with running(feed):
        await until(lambda: rest.paths().count("/fund") >= 4)
    assert rest.paths().count("/time") == 1


async def test_a_failed_first_round_says_so_and_is_caught_up_on_later(make_poller, tiny, rest, running, until, engine):
    rest.script = [tiny.reply(500)]
    feed = make_poller(tiny.poll("fund"))
    assert not await feed.bootstrap(5.0)
    async with running(feed):
        await until(lambda: engine.of(InsuranceFund))
    assert feed.stats.polls_failed == {("fund", "server_error"): 1}


async def test_a_first_round_that_takes_too_long_is_a_failed_one(make_poller, tiny, rest):
    async def never(_request):
        await asyncio.sleep(60)

    rest.script = [never]
    assert not await make_poller(tiny.poll("fund")).bootstrap(0.1)


async def test_the_venues_time_is_dated_to_the_middle_of_the_request(make_poller, tiny, rest, engine):
    async def slow(_request):
        await asyncio.sleep(0.1)
        return web.json_response({"time": 5_000.0 + boot()})

    rest.script = [slow]
    await make_poller(tiny.poll("time")).bootstrap(5.0)
    [(answer, now)] = engine.events
    assert isinstance(answer, VenueTime)
    assert answer.round_trip_seconds >= 0.1
    assert abs(answer.event_time - now - 5_000.0) <= answer.round_trip_seconds / 2


@pytest.mark.parametrize("status", [429, 418])
async def test_no_request_of_any_resource_goes_out_inside_a_retry_after_window(
    make_poller, tiny, rest, running, until, status
):
    rest.script = [tiny.reply(), tiny.reply(status, Retry_After="1")]
    feed = make_poller(tiny.poll("time", interval=0.02), tiny.poll("fund", interval=0.02))
    async with running(feed):
        await until(lambda: len(rest.requests) >= 4)
    times = [time for time, _, _ in rest.requests]
    assert times[2] - times[1] >= 1.0
    assert feed.stats.polls_failed["fund", "rate_limited"] == 1


ANSWERS = {
    "server_error": (500, b"", {}),
    "client_error": (404, b"", {}),
    "redirected": (302, b"", {"Location": "/elsewhere"}),
    "malformed": (200, b"<html>", {}),
    "too_big": (200, b"x" * 70_000, {}),
}


@pytest.mark.parametrize(("reason", "answer"), ANSWERS.items(), ids=ANSWERS)
async def test_a_failure_is_counted_by_its_reason_and_retried(
    make_poller, tiny, rest, running, until, engine, reason, answer
):
    status, body, headers = answer
    rest.script = [tiny.reply(status, body, **headers)]
    feed = make_poller(tiny.poll("fund"))
    async with running(feed):
        await until(lambda: engine.of(InsuranceFund))
    assert feed.stats.polls_failed == {("fund", reason): 1}
    assert "/elsewhere" not in rest.paths()


async def test_a_gzip_bomb_is_too_big_and_the_next_answer_is_used(make_poller, tiny, rest, running, until, engine):
    rest.script = [tiny.reply(200, gzip.compress(bytes(1_000_000)), Content_Encoding="gzip")]
    feed = make_poller(tiny.poll("fund"))
    async with running(feed):
        await until(lambda: engine.of(InsuranceFund))
    assert feed.stats.polls_failed == {("fund", "too_big"): 1}


async def test_an_unreachable_venue_does_not_end_the_poller(make_feed, tiny, tcp, running, until):
    async with tcp() as other:
        port = other.port
    venue = replace(tiny.venue(polls=[tiny.poll("fund")]), connections=lambda _symbols, _url: [])
    feed = make_feed(venue, rest_url=f"http://127.0.0.1:{port}")
    async with running(feed):
        await until(lambda: feed.stats.polls_failed.get(("fund", "refused"), 0) >= 3)


async def test_our_share_of_the_weight_is_kept_in_a_rolling_window(make_poller, tiny, rest, running, until):
    settings = replace(tiny.settings, weight_window_seconds=0.5)
    feed = make_poller(tiny.poll("fund", weight=10, interval=0.001), weight_per_minute=60, settings=settings)
    async with running(feed):
        await until(lambda: len(rest.requests) >= 7)
    times = [time for time, _, _ in rest.requests]
    assert all(later - earlier > 0.45 for earlier, later in zip(times, times[3:], strict=False))


async def test_the_venues_own_count_is_heeded_where_it_is_higher(make_poller, tiny, rest, running, until):
    settings = replace(tiny.settings, weight_window_seconds=0.5)
    rest.headers = {"X-Weight": "950"}
    feed = make_poller(tiny.poll("fund", interval=0.001), settings=settings)
    async with running(feed):
        await until(lambda: len(rest.requests) >= 3)
    times = [time for time, _, _ in rest.requests]
    assert all(later - earlier > 0.45 for earlier, later in pairwise(times))


async def test_a_venue_without_polls_is_no_failure(make_poller, running):
    async with running(make_poller()):
        await asyncio.sleep(0.05)


def test_a_ban_is_heeded_to_its_end_but_for_three_days_at_most():
    budget = Budget(Limits(100, "X-Weight", 10, 86_400.0), FeedSettings())
    budget.quiet(0.0, 600.0)
    assert budget.delay(599.0, 1) == 1.0
    budget.quiet(0.0, 1e12)
    assert budget.delay(0.0, 1) == 3 * 86_400.0


def test_a_shorter_ban_does_not_end_a_longer_one():
    budget = Budget(Limits(100, "X-Weight", 10, 86_400.0), FeedSettings())
    budget.quiet(0.0, 600.0)
    budget.quiet(1.0, 30.0)
    assert budget.delay(100.0, 1) == 500.0
