"""The simulated Lighter as its clients see it, over real sockets."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from monitor.sim.cast import recast
from monitor.sim.lighter import LighterSim
from monitor.sim.lighter_frames import LLP_ACCOUNT, WINNER
from monitor.sim.market import LiquidationPrint
from monitor.sim.scenario import load_scenario

WALL = 1795169703.25
FORCED = LiquidationPrint("BTC", "buy", 2.5, 56_500.0, 54_900.0)


class Client:
    """A websocket that reads JSON and can tell when it has read everything sent so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def ask(self, channel: str, kind: str = "subscribe") -> dict:
        await self.say(type=kind, channel=channel)
        return await self.hear()

    async def everything(self) -> list[dict]:
        """Return what arrived before the answer to a ping sent now."""
        await self.say(type="ping")
        heard = []
        while (message := await self.hear()) != {"type": "pong"}:
            heard.append(message)
        return heard

    async def closed(self) -> int | None:
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code


@pytest.fixture
async def opened():
    """Open a venue whose clock ticks only when a test says so; it is closed with the test."""
    async with AsyncExitStack() as stack:

        async def open_one(*, speed: float = 1.0, **limits) -> LighterSim:
            scenario = recast(load_scenario("demo"), LighterSim.CAST, 50_000.0)
            changed = msgspec.structs.replace(LighterSim.LIMITS, **limits)
            still = msgspec.structs.replace(scenario, tick_seconds=9_999_999.0, limits=changed)
            return await stack.enter_async_context(LighterSim(still, speed=speed, wall=lambda: WALL))

        yield open_one


@pytest.fixture
async def venue(opened) -> LighterSim:
    return await opened()


@pytest.fixture
async def dial():
    """Open a websocket; the venue's greeting is in when it is returned."""
    async with AsyncExitStack() as stack:

        async def open_one(venue: LighterSim, path: str = "/stream?readonly=true") -> Client:
            client = Client(await stack.enter_async_context(connect(venue.stream_url + path, proxy=None)))
            assert (await client.hear())["type"] == "connected"
            return client

        yield open_one


@pytest.fixture
async def client(venue, dial) -> Client:
    return await dial(venue)


@pytest.fixture
def fetch(http):
    """Return status and body of a GET."""

    async def get(venue: LighterSim, path: str, **query) -> tuple[int, dict]:
        async with http.get(venue.rest_url + path, params=query) as response:
            return response.status, await response.json()

    return get


async def test_all_markets_come_at_first_and_then_those_that_changed(venue, client):
    first = await client.ask("market_stats/all")
    assert (first["type"], first["channel"]) == ("subscribed/market_stats", "market_stats:all")
    assert {row["symbol"]: key for key, row in first["market_stats"].items()} == {"ETH": "0", "BTC": "1", "SOL": "2"}
    venue._send_stats()
    before = await client.everything()
    venue.set_mark("BTC", 52_000.0)
    venue._send_stats()
    (update,) = await client.everything()
    assert len(before) == 1
    assert (update["type"], list(update["market_stats"])) == ("update/market_stats", ["1"])
    assert update["market_stats"]["1"]["mark_price"] == "52000.0"


async def test_units_are_percent_and_usd_and_milliseconds(venue, client):
    venue.set_funding_rate("BTC", -0.000005)
    venue.set_open_interest("BTC", 100.0)
    message = await client.ask("market_stats/1")
    row = message["market_stats"]
    assert (row["current_funding_rate"], row["open_interest"]) == ("-0.0005", "5150000.000000")
    assert (message["timestamp"], row["funding_timestamp"]) == (1795169703250, 1795168800001)


async def test_a_book_comes_whole_and_then_in_changes_that_build_on_one_another(venue, client):
    whole = await client.ask("order_book/1")
    assert (whole["type"], whole["channel"]) == ("subscribed/order_book", "order_book:1")
    assert whole["order_book"]["bids"]
    venue.set_last("BTC", 51_600.0)
    venue.push()
    nonces = [whole["order_book"]["nonce"]]
    for change in await client.everything():
        if change["type"] != "ping":
            assert change["type"] == "update/order_book"
            assert change["order_book"]["begin_nonce"] == nonces[-1]
            nonces.append(change["order_book"]["nonce"])
    assert len(nonces) == 3


async def test_a_level_that_is_gone_has_size_zero(venue, client):
    await client.ask("order_book/1")
    venue.set_last("BTC", 53_000.0)
    (change,) = await client.everything()
    assert [row for row in change["order_book"]["bids"] if float(row["size"]) == 0.0]


async def test_a_lost_change_leaves_a_hole_in_the_chain(venue, client):
    whole = await client.ask("order_book/1")
    venue.lose_book_change("BTC")
    venue.traded("BTC")
    venue.traded("BTC")
    (change,) = await client.everything()
    assert change["order_book"]["begin_nonce"] > whole["order_book"]["nonce"]


async def test_the_ticker_has_the_best_of_the_book(client):
    for channel in ("ticker/0", "order_book/0"):
        await client.say(type="subscribe", channel=channel)
    heard = {message["type"]: message for message in await client.everything()}
    ticker, book = heard["subscribed/ticker"]["ticker"], heard["subscribed/order_book"]["order_book"]
    assert (ticker["s"], ticker["a"]["price"], ticker["b"]["price"]) == (
        "ETH",
        book["asks"][0]["price"],
        book["bids"][0]["price"],
    )


async def test_a_liquidation_is_the_takers_and_stands_apart_from_trades(venue, client):
    await client.ask("trade/1")
    venue.print_liquidation(FORCED)
    (message,) = await client.everything()
    (row,) = message["liquidation_trades"]
    assert (message["trades"], row["type"], row["price"], row["size"]) == ([], "liquidation", "54900.0", "2.500")
    assert (row["is_maker_ask"], row["taker_position_size_before"]) == (True, "-2.500")  # a short is bought back
    assert row["transaction_time"] == 1795169703250000
    assert row["timestamp"] < 1795169703250
    assert "timestamp" not in message


async def test_the_backlog_comes_first_and_its_liquidations_once_more(venue, client):
    venue.traded("BTC")
    venue.print_liquidation(FORCED)
    backlog = await client.ask("trade/1")
    again = await client.hear()
    assert (backlog["type"], len(backlog["trades"])) == ("subscribed/trade", 1)
    assert (again["type"], again["trades"]) == ("update/trade", [])
    assert again["liquidation_trades"] == backlog["liquidation_trades"] != []


async def test_a_takeover_goes_to_the_pool_and_to_a_winner_once_its_bucket_is_empty(venue, client):
    await client.ask("trade/1")
    venue.take_over(FORCED)
    venue.deplete("BTC")
    venue.take_over(FORCED)
    rows = [message["trades"][0] for message in await client.everything()]
    assert [(row["type"], row["ask_account_id"]) for row in rows] == [
        ("deleverage", LLP_ACCOUNT),
        ("deleverage", WINNER),
    ]


async def test_what_is_unsubscribed_falls_silent(venue, client):
    await client.ask("trade/1")
    assert await client.ask("trade/1", "unsubscribe") == {"type": "unsubscribed", "channel": "trade:1"}
    venue.traded("BTC")
    assert await client.everything() == []


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", 30000),
        ("[]", 30000),
        ('{"type":"shout"}', 30001),
        ('{"type":"unsubscribe","channel":"trade/1"}', 30002),
        ('{"type":"subscribe","channel":"trade:1"}', 30005),
        ('{"type":"subscribe","channel":"trade/77"}', 30005),
        ('{"type":"subscribe","channel":"candles/1"}', 30005),
        ('{"type":"subscribe"}', 30005),
        ('{"type":"subscribe","channel":"notification/5"}', 20013),
        ('{"type":"subscribe","channel":"account_all/5"}', 21100),
    ],
)
async def test_an_error_names_neither_request_nor_channel(client, message, code):
    await client.connection.send(message)
    answer = await client.hear()
    assert set(answer) == {"error"}
    assert answer["error"]["code"] == code


async def test_what_is_subscribed_twice_is_refused(client):
    await client.ask("trade/1")
    assert (await client.ask("trade/1"))["error"]["code"] == 30003


async def test_a_connection_carries_so_many_subscriptions(opened, dial):
    client = await dial(await opened(streams_per_connection=1))
    await client.ask("trade/1")
    assert (await client.ask("trade/0"))["error"]["code"] == 23001


async def test_more_than_200_messages_a_minute_are_refused_one_by_one(client):
    for _ in range(200):
        await client.say(type="ping")
    answers = [await client.hear() for _ in range(200)]
    await client.say(type="ping")
    assert answers == [{"type": "pong"}] * 200
    assert (await client.hear())["error"]["code"] == 30009


async def test_the_server_pings_too(venue, client):
    venue.push()
    assert await client.everything() == [{"type": "ping"}]


async def test_a_client_that_says_nothing_for_two_minutes_is_closed(opened, dial):
    client = await dial(await opened(speed=400.0))
    assert await client.closed() == 1000


async def test_a_shutdown_is_announced(opened, dial):
    venue = await opened(speed=100.0)
    client = await dial(venue)
    venue.shut_down(10.0)
    assert await client.hear() == {"type": "shutdown", "close_in_ms": 10_000}
    assert await client.closed() == 1001


async def test_a_silent_market_is_missing_from_all_and_its_channels_say_nothing(venue, dial):
    venue.silence(60.0, symbol="BTC")
    client = await dial(venue)
    assert list((await client.ask("market_stats/all"))["market_stats"]) == ["0", "2"]
    await client.say(type="subscribe", channel="order_book/1")
    venue.traded("ETH")
    venue.traded("BTC")
    first, *more = await client.everything()
    assert (first["channel"], list(first["market_stats"]), more) == ("market_stats:all", ["0", "2"], [])
    venue.speak()
    venue.traded("BTC")
    book, stats = await client.everything()
    assert (book["type"], list(stats["market_stats"])) == ("update/order_book", ["1"])


async def test_no_other_address_leads_anywhere(venue, dial):
    with pytest.raises(Exception, match="404"):
        await dial(venue, "/ws")


async def test_the_pools_own_account_is_public(venue, client):
    message = await client.ask(f"user_stats/{LLP_ACCOUNT}")
    assert (message["type"], message["stats"]["collateral"]) == ("subscribed/user_stats", "700.000000")
    venue.set_fund("ETH", "USDT", 650.0)
    venue._send_pool()
    assert (await client.hear())["stats"]["collateral"] == "650.000000"
    assert (await client.ask(f"account_all/{LLP_ACCOUNT}"))["positions"] == {}


# --- REST --------------------------------------------------------------------------------------------------


async def test_the_clock_is_in_whole_seconds(venue, fetch):
    assert await fetch(venue, "/") == (200, {"status": 200, "network_id": 1, "timestamp": 1795169703})


async def test_the_details_are_in_basis_points_percent_and_coins(venue, fetch):
    status, body = await fetch(venue, "/api/v1/orderBookDetails", filter="perp")
    row = {row["symbol"]: row for row in body["order_book_details"]}["BTC"]
    assert (status, body["code"]) == (200, 200)
    assert (row["market_id"], row["maintenance_margin_fraction"], row["price_decimals"]) == (1, 40, 1)
    assert (row["liquidation_fee"], row["open_interest"]) == ("1.2500", 84211.337)
    assert row["min_initial_margin_fraction"] == 66


async def test_one_market_may_be_asked_for(venue, fetch):
    _, body = await fetch(venue, "/api/v1/orderBookDetails", market_id="2")
    assert [row["symbol"] for row in body["order_book_details"]] == ["SOL"]


async def test_new_terms_are_in_the_next_answer(venue, fetch):
    venue.set_status("ETH", "SETTLING")
    venue.delist("SOL", 86_400.0)
    venue.market.instrument("BTC").delivery_time = WALL - 1.0
    rows = (await fetch(venue, "/api/v1/orderBookDetails"))[1]["order_book_details"]
    told = {row["symbol"]: (row["status"], row["market_config"]["force_reduce_only"]) for row in rows}
    assert told == {"ETH": ("in-settlement", False), "SOL": ("active", True), "BTC": ("settled", True)}


@pytest.mark.parametrize(("bound", "pools"), [(LLP_ACCOUNT, 0), (LLP_ACCOUNT + 1, 1)])
async def test_the_bound_of_the_pools_is_exclusive(venue, fetch, bound, pools):
    _, body = await fetch(venue, "/api/v1/publicPoolsMetadata", filter="protocol", index=str(bound), limit="1")
    assert [row["total_asset_value"] for row in body["public_pools"]] == ["700.00"] * pools


async def test_an_empty_bucket_of_the_pool_has_no_collateral(venue, fetch):
    venue.deplete("BTC")
    _, body = await fetch(venue, "/api/v1/account", by="index", value=str(LLP_ACCOUNT))
    strategies = body["accounts"][0]["pool_info"]["strategies"]
    assert strategies == [{"collateral": "350.000000"}, None, {"collateral": "350.000000"}]


async def test_recent_trades_are_newest_first(venue, fetch):
    venue.traded("BTC")
    venue.traded("BTC")
    _, body = await fetch(venue, "/api/v1/recentTrades", market_id="1", limit="5")
    first, second = (row["trade_id"] for row in body["trades"])
    assert first > second


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v1/orderBookDetails", {"filter": "futures"}, 400, 20001),
        ("/api/v1/orderBookDetails", {"market_id": "99"}, 400, 20001),
        ("/api/v1/publicPoolsMetadata", {}, 400, 20001),
        ("/api/v1/recentTrades", {"market_id": "1"}, 400, 20001),
        ("/api/v1/account", {"by": "index", "value": "5"}, 400, 21100),
        ("/api/v1/liquidations", {"account_index": "5"}, 401, 20013),
        ("/api/v1/nothing", {}, 404, 20404),
    ],
)
async def test_refusals_have_code_and_message(venue, fetch, path, query, status, code):
    got, body = await fetch(venue, path, **query)
    assert (got, body["code"]) == (status, code)
    assert body["message"]


async def test_the_sixty_first_request_of_a_minute_is_refused(opened, fetch):
    venue = await opened(weight_per_minute=3)
    assert [(await fetch(venue, "/"))[0] for _ in range(4)] == [200, 200, 200, 429]


async def test_the_minute_rolls(opened, fetch):
    venue = await opened(weight_per_minute=1)
    assert [(await fetch(venue, "/"))[0] for _ in range(2)] == [200, 429]
    venue._began -= 60.0
    assert (await fetch(venue, "/"))[0] == 200


async def test_a_fault_has_the_venues_words(venue, fetch):
    venue.answer_with(429, 60.0)
    assert await fetch(venue, "/") == (429, {"code": 23000, "message": "Too Many Requests!"})
