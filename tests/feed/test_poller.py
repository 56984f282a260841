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


# --- whose turn it is ----------------------------------------------------------------------------------------------


def longest_waits(feed, seconds_each, horizon):
    """Return how long each poll of *feed* waited at most, if reading one takes *seconds_each*: by a clock of our own."""
    poller = feed._poller
    polls, due = poller._polls, poller._due
    due[:] = [0.0] * len(polls)
    now, last, longest = 0.0, [0.0] * len(polls), [0.0] * len(polls)
    while now < horizon:
        turn = poller._most_overdue(now)
        now = max(now, due[turn]) + seconds_each[turn]
        if seconds_each[turn] >= 10.0:
            poller._failing.add(turn)
        longest[turn] = max(longest[turn], now - last[turn])
        last[turn] = now
        due[turn] = now + polls[turn].interval_seconds
    return [max(wait, horizon - end) for wait, end in zip(longest, last, strict=True)]


async def test_prices_that_hang_do_not_keep_the_time_and_the_terms_from_being_read(make_poller, tiny):
    """Six confirming polls of 5 s that run into the time limit of 10 s each are never done."""
    prices = [tiny.poll("fund", interval=5.0)] * 6
    feed = make_poller(*prices, tiny.poll("time", interval=600.0), tiny.poll("terms", interval=3_600.0))
    *_, time, terms = longest_waits(feed, [10.0] * 6 + [0.2, 0.2], 20_000.0)
    assert time < 2.0 * 600.0
    assert terms < 1.5 * 3_600.0


async def test_hundreds_of_hourly_resources_do_not_make_a_price_stale(make_poller, tiny):
    """A price that is confirmed every 5 s is stale after 15 s, however slow the others are."""
    feed = make_poller(*[tiny.poll("terms", interval=3_600.0)] * 300, tiny.poll("fund", interval=5.0))
    *_, price = longest_waits(feed, [1.0] * 301, 8_000.0)
    assert price < 15.0


async def test_many_slow_prices_put_hourly_resources_off_but_do_not_starve_them(make_poller, tiny):
    feed = make_poller(*[tiny.poll("fund", interval=5.0)] * 10, tiny.poll("terms", interval=3_600.0))
    *_, terms = longest_waits(feed, [1.5] * 11, 30_000.0)
    assert terms < 3.0 * 3_600.0


# --- what is asked for besides ---------------------------------------------------------------------------------------


@pytest.fixture
def hanging():
    """Make an answer to the next request that comes when ``released`` is set; ``asked`` says that it is wanted."""

    class Hanging:
        def __init__(self):
            self.asked, self.released = asyncio.Event(), asyncio.Event()

        async def __call__(self, _request):
            self.asked.set()
            await self.released.wait()
            return web.json_response({"time": 5_000.0 + boot(), "balance": 7.0})

    return Hanging


async def test_a_snapshot_that_is_on_its_way_is_not_asked_for_again(make_poller, tiny, rest, running, until, hanging):
    feed = make_poller(tiny.poll("fund", interval=0.02))
    snapshot, slow = replace(tiny.poll("depth"), essential=False), hanging()
    rest.script = [slow]
    feed._poller.read_soon(snapshot)
    async with running(feed):
        await until(slow.asked.is_set)
        for _ in range(3):
            feed._poller.read_soon(snapshot)
        slow.released.set()
        await until(lambda: rest.paths().count("/fund") >= 2)
    assert rest.paths().count("/depth") == 1


async def test_a_snapshot_that_has_come_can_be_asked_for_again(make_poller, tiny, rest, running, until):
    feed = make_poller(tiny.poll("fund", interval=0.02))
    snapshot = replace(tiny.poll("depth"), essential=False)
    async with running(feed):
        feed._poller.read_soon(snapshot)
        await until(lambda: "/depth" in rest.paths()[:-1])  # and something else since
        feed._poller.read_soon(snapshot)
        await until(lambda: rest.paths().count("/depth") == 2)


# --- hosts of their own ----------------------------------------------------------------------------------------------


@pytest.fixture
async def elsewhere():
    """Another host of the venue: ``answer`` is what it says, ``requests`` counts what it was asked."""

    class Elsewhere:
        url, requests, answer = "", 0, None

        async def handle(self, request):
            self.requests += 1
            return await self.answer(request)

    found = Elsewhere()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest.fixture
def two_hosts(make_feed, tiny, rest, elsewhere):
    """A feed that reads its time from the venue's host and a fund from another, both again and again."""

    def make(settings=tiny.settings):
        polls = [tiny.poll("time", interval=0.02), replace(tiny.poll("fund", interval=0.02), host=elsewhere.url)]
        venue = replace(tiny.venue(polls=polls), connections=lambda _symbols, _url: [], rest_url=rest.url)
        return make_feed(venue, rest_url=rest.url, settings=settings)

    return make


async def test_a_host_that_hangs_keeps_no_other_waiting(two_hosts, tiny, rest, running, until, elsewhere, hanging):
    elsewhere.answer = hanging()
    async with running(two_hosts(replace(tiny.settings, request_timeout_seconds=60.0))):
        await until(elsewhere.answer.asked.is_set)
        before = len(rest.requests)
        await until(lambda: len(rest.requests) >= before + 3)
    assert elsewhere.requests == 1


async def test_a_host_that_asks_for_quiet_gets_it_and_no_other_does(two_hosts, tiny, rest, running, until, elsewhere):
    elsewhere.answer = tiny.reply(429, Retry_After="3600")
    async with running(two_hosts()):
        await until(lambda: elsewhere.requests)
        before = len(rest.requests)
        await until(lambda: len(rest.requests) >= before + 3)
    assert elsewhere.requests == 1


async def test_quiet_for_the_venues_own_host_is_none_for_another(two_hosts, tiny, rest, running, until, elsewhere):
    elsewhere.answer = tiny.reply(200, b'{"balance": 7.0}')
    rest.script = [tiny.reply(429, Retry_After="3600")]
    async with running(two_hosts()):
        await until(lambda: rest.requests)
        before = elsewhere.requests
        await until(lambda: elsewhere.requests >= before + 3)
    assert len(rest.requests) == 1


async def test_the_first_round_is_that_of_all_hosts(two_hosts, tiny, rest, elsewhere):
    elsewhere.answer = tiny.reply(500)
    assert not await two_hosts().bootstrap(5.0)
    elsewhere.answer = tiny.reply(200, b'{"balance": 7.0}')
    assert await two_hosts().bootstrap(5.0)
