"""The simulated dYdX indexer, from outside: over a real websocket and real HTTP."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.client import ClientProtocol

from monitor.core.contract import build_deductions
from monitor.sim.cast import recast
from monitor.sim.dydx import DydxSim
from monitor.sim.market import LiquidationPrint
from monitor.sim.scenario import load_scenario

SPEED = 20.0


class Indexer:
    """One websocket to the venue."""

    def __init__(self, connection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def hear_kind(self, kind: str) -> dict:
        """Return the next frame of that type; others are passed over."""
        while True:
            frame = await self.hear()
            if frame["type"] == kind:
                return frame

    async def subscribe(self, channel: str, market: str | None = None, *, batched: bool = False) -> dict:
        named = {} if market is None else {"id": market}
        await self.say({"type": "subscribe", "channel": channel, "batched": batched} | named)
        return await self.hear()

    async def closed(self) -> tuple[int | None, str | None]:
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code, self.connection.close_reason


@pytest.fixture
def story():
    """The demo's market in dYdX's contracts; it ticks only when a test says so."""
    scenario = recast(load_scenario("demo"), DydxSim.CAST, 50_000.0)
    return msgspec.structs.replace(scenario, tick_seconds=9_999_999.0, actions=())


@pytest.fixture
async def open_venue():
    async with AsyncExitStack() as stack:

        async def open_one(scenario, **options) -> DydxSim:
            return await stack.enter_async_context(DydxSim(scenario, **{"speed": SPEED} | options))

        yield open_one


@pytest.fixture
async def venue(open_venue, story):
    return await open_venue(story)


@pytest.fixture
async def dial():
    """Open a websocket; its greeting has been read when it is returned."""
    async with AsyncExitStack() as stack:

        async def open_one(venue: DydxSim, **options) -> Indexer:
            connection = await stack.enter_async_context(connect(f"{venue.stream_url}/v4/ws", proxy=None, **options))
            indexer = Indexer(connection)
            indexer.greeting = await indexer.hear()
            return indexer

        yield open_one


@pytest.fixture
async def indexer(venue, dial):
    return await dial(venue)


@pytest.fixture
async def get(venue, http):
    async def ask(path: str, **query: str) -> tuple[int, dict, dict]:
        async with http.get(venue.rest_url + path, params=query) as answer:
            return answer.status, await answer.json(), dict(answer.headers)

    return ask


async def test_every_connection_begins_with_a_frame_of_number_zero(indexer):
    assert (indexer.greeting["type"], indexer.greeting["message_id"]) == ("connected", 0)


async def test_the_answer_to_a_subscription_holds_what_there_is(indexer):
    answer = await indexer.subscribe("v4_markets")
    assert (answer["type"], answer["message_id"], "id" in answer) == ("subscribed", 1, False)
    rows = answer["contents"]["markets"]
    assert {symbol: row["oraclePrice"] for symbol, row in rows.items()} == {
        "BTC-USD": "51500",
        "ETH-USD": "2745",
        "SOL-USD": "184.25",
    }
    assert rows["BTC-USD"]["maintenanceMarginFraction"] == "0.004"


async def test_oracle_prices_are_sent_when_they_change_and_others_are_left_out(venue, indexer):
    await indexer.subscribe("v4_markets")
    venue.push()
    await indexer.hear_kind("channel_data")
    await indexer.hear()
    venue.set_mark("ETH-USD", 2800.5)
    venue.beat(1)
    frame = await indexer.hear()
    (row,) = frame["contents"]["oraclePrices"].items()
    assert (row[0], row[1]["oraclePrice"]) == ("ETH-USD", "2800.5")
    assert row[1]["effectiveAt"].endswith("Z")


async def test_books_come_in_batches_or_one_by_one_as_asked(venue, dial):
    batched, single = await dial(venue), await dial(venue)
    whole = await batched.subscribe("v4_orderbook", "BTC-USD", batched=True)
    assert set(whole["contents"]["bids"][0]) == {"price", "size"}
    await single.subscribe("v4_orderbook", "BTC-USD")
    venue.set_mark("BTC-USD", 51510.0)
    venue.traded("BTC-USD")
    frame = await batched.hear()
    assert (frame["type"], [list(part) for part in frame["contents"]]) == ("channel_batch_data", [["bids"], ["asks"]])
    first, second = await single.hear(), await single.hear()
    assert list(first["contents"]) == ["bids"]
    assert list(second["contents"]) == ["asks"]
    assert [row[1] for row in frame["contents"][1]["asks"] if float(row[0]) < 51505.0][-1:] == ["0"]


async def test_a_lost_change_uses_its_number(venue, indexer):
    number = (await indexer.subscribe("v4_orderbook", "BTC-USD", batched=True))["message_id"]
    venue.lose_book_change("BTC-USD")
    venue.traded("BTC-USD")
    venue.traded("BTC-USD")
    assert (await indexer.hear())["message_id"] == number + 2


async def test_frames_of_other_subscriptions_overtake_an_answer(venue, indexer):
    await indexer.subscribe("v4_trades", "BTC-USD")
    await indexer.say({"type": "subscribe", "channel": "v4_markets"})
    await indexer.say({"type": "unsubscribe", "channel": "v4_orderbook", "id": "ETH-USD"})
    frames = [await indexer.hear(), await indexer.hear()]
    assert [(f["type"], f["message_id"]) for f in frames] == [("unsubscribed", 3), ("subscribed", 2)]


async def test_answers_come_in_another_order_than_questions(indexer):
    for market in ("BTC-USD", "ETH-USD"):
        await indexer.say({"type": "subscribe", "channel": "v4_trades", "id": market})
    answers = [await indexer.hear(), await indexer.hear()]
    assert [(a["id"], a["message_id"]) for a in answers] == [("ETH-USD", 2), ("BTC-USD", 1)]


async def test_one_subscription_alone_is_numbered_in_order(venue, indexer):
    numbers = [(await indexer.subscribe("v4_markets"))["message_id"]]
    for price in (51600.0, 51700.0, 51800.0):
        venue.set_mark("BTC-USD", price)
        venue.beat(1)
        numbers.append((await indexer.hear())["message_id"])
    assert numbers == [1, 2, 3, 4]


async def test_an_unknown_market_is_refused_by_name(indexer):
    answer = await indexer.subscribe("v4_orderbook", "XXX-USD")
    assert (answer["type"], answer["channel"], answer["id"]) == ("error", "v4_orderbook", "XXX-USD")
    assert answer["message"] == "Invalid subscription id for channel: (v4_orderbook-XXX-USD)"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"type": "subscribe"}, "Invalid subscribe message: channel is required"),
        ({"type": "subscribe", "channel": "v4_weather"}, "Invalid channel: v4_weather"),
        ({"type": "subscribe", "channel": "v4_trades"}, "Invalid id: None"),
        ({"type": "unsubscribe", "channel": ["v4_trades"]}, "Invalid channel: ['v4_trades']"),
        ("{", "Invalid message: could not parse"),
        ("[]", "Invalid message: type is required"),
        ({"type": "shout"}, "Invalid message type: shout"),
    ],
)
async def test_a_message_that_is_none_is_told_with_the_number_of_the_frame_before(indexer, said, message):
    await indexer.say(said)
    answer = await indexer.hear()
    assert (answer["type"], answer["message"], answer["message_id"]) == ("error", message, 0)


async def test_a_ping_is_taken_without_a_word(indexer):
    await indexer.say({"type": "ping"})
    assert (await indexer.subscribe("v4_markets"))["message_id"] == 1


async def test_asking_twice_is_no_harm(indexer):
    await indexer.subscribe("v4_trades", "BTC-USD")
    answer = await indexer.subscribe("v4_trades", "BTC-USD")
    assert answer["message"] == "Invalid subscribe message: already subscribed (v4_trades-BTC-USD)"


async def test_asking_a_third_time_in_a_second_ends_the_connection(open_venue, story, dial):
    indexer = await dial(await open_venue(story, speed=0.1))
    for _ in range(3):
        await indexer.say({"type": "subscribe", "channel": "v4_trades", "id": "BTC-USD"})
    assert await indexer.closed() == (1008, '{"message":"Rate limited"}')


async def test_the_third_invalid_message_in_a_second_ends_the_connection(open_venue, story, dial):
    indexer = await dial(await open_venue(story, speed=0.1))
    for _ in range(3):
        await indexer.say("?")
    assert await indexer.closed() == (1008, '{"message":"Rate limited"}')


async def test_subscription_33_of_a_channel_is_refused(open_venue, story, dial):
    listing = story.symbols[0]
    many = tuple(msgspec.structs.replace(listing, symbol=f"C{number}-USD") for number in range(33))
    indexer = await dial(await open_venue(msgspec.structs.replace(story, symbols=many, pools=())))
    for listing in many:
        await indexer.say({"type": "subscribe", "channel": "v4_trades", "id": listing.symbol})
    error = await indexer.hear_kind("error")
    assert error["message"] == "Per-connection subscription limit reached for v4_trades (limit=32)."


async def test_a_subscription_that_cannot_be_read_can_be_had_later(venue, indexer):
    venue.failing_fetches = 1
    answer = await indexer.subscribe("v4_orderbook", "BTC-USD", batched=True)
    assert answer["message"] == "Internal error, could not fetch data for subscription: v4_orderbook."
    assert (answer["channel"], answer["id"]) == ("v4_orderbook", "BTC-USD")
    assert (await indexer.subscribe("v4_orderbook", "BTC-USD", batched=True))["type"] == "subscribed"


async def test_unsubscribing_ends_the_data(venue, indexer):
    await indexer.subscribe("v4_trades", "BTC-USD")
    await indexer.say({"type": "unsubscribe", "channel": "v4_trades", "id": "BTC-USD"})
    assert (await indexer.hear())["type"] == "unsubscribed"
    venue.push()
    assert (await indexer.subscribe("v4_trades", "ETH-USD"))["id"] == "ETH-USD"


def closed_short(contracts: float, price: float) -> LiquidationPrint:
    return LiquidationPrint("BTC-USD", "buy", contracts, limit_price=56500.0, fill_price=price)


async def test_a_liquidation_is_a_trade_of_its_own_type(venue, indexer):
    await indexer.subscribe("v4_trades", "BTC-USD")
    venue.print_liquidation(closed_short(1.0, 54900.0))
    (trade,) = (await indexer.hear())["contents"]["trades"]
    assert (trade["type"], trade["side"], trade["size"], trade["price"]) == ("LIQUIDATED", "BUY", "1", "54900")


async def test_with_an_empty_fund_winners_take_the_position_over(venue, indexer):
    venue.set_fund("BTC-USD", "USDT", 0.0)
    await indexer.subscribe("v4_trades", "BTC-USD")
    venue.print_liquidation(closed_short(1.0, 55000.0))
    (trade,) = (await indexer.hear())["contents"]["trades"]
    assert trade["type"] == "DELEVERAGED"


async def test_a_position_is_closed_by_a_tenth_in_every_block(venue, indexer):
    await indexer.subscribe("v4_trades", "BTC-USD")
    venue.liquidate_by_blocks(closed_short(2.0, 54900.0))
    for number in range(1, 12):
        venue.beat(number)
    trades = [(await indexer.hear())["contents"]["trades"][0] for _ in range(21)]
    assert [t["size"] for t in trades if t["type"] == "LIQUIDATED"] == ["0.2"] * 10


async def test_the_first_trades_are_repeated_to_everybody_who_asks(venue, dial):
    venue.print_liquidation(closed_short(1.0, 54900.0))
    for _ in range(2):
        answer = await (await dial(venue)).subscribe("v4_trades", "BTC-USD")
        assert [t["type"] for t in answer["contents"]["trades"]] == ["LIQUIDATED", "LIMIT"]


async def test_new_fractions_come_in_a_row_that_holds_nothing_else(venue, indexer):
    await indexer.subscribe("v4_markets")
    venue.set_tiers("BTC-USD", build_deductions([(0, 0.03)]))
    (row,) = (await indexer.hear())["contents"]["trading"].values()
    assert row == {"id": "0", "initialMarginFraction": "0.05", "maintenanceMarginFraction": "0.03"}


async def test_a_market_that_is_delisted_is_settled_when_its_time_comes(venue, indexer):
    await indexer.subscribe("v4_markets")
    venue.delist("SOL-USD", in_seconds=-1.0)
    assert (await indexer.hear())["contents"]["trading"]["SOL-USD"]["status"] == "ACTIVE"
    venue.beat(1)
    assert (await indexer.hear())["contents"]["trading"]["SOL-USD"]["status"] == "FINAL_SETTLEMENT"


async def test_silence_of_one_market_leaves_it_out_of_what_is_sent(venue, indexer):
    await indexer.subscribe("v4_markets")
    venue.silence(1000.0, symbol="ETH-USD")
    venue.push()
    assert set((await indexer.hear())["contents"]["oraclePrices"]) == {"BTC-USD", "SOL-USD"}


async def test_a_halted_chain_sends_nothing_and_the_indexer_answers_as_ever(venue, indexer, get):
    await indexer.subscribe("v4_markets")
    venue.beat(1)
    await indexer.hear()
    _, before, _ = await get("/v4/height")
    venue.halt(1000.0)
    venue.set_mark("BTC-USD", 60000.0)
    venue.beat(2)
    _, after, _ = await get("/v4/height")
    _, markets, _ = await get("/v4/perpetualMarkets", ticker="BTC-USD")
    assert (after, markets["markets"]["BTC-USD"]["oraclePrice"]) == (before, "51500")
    await indexer.say({"type": "unsubscribe", "channel": "v4_markets"})
    assert (await indexer.hear())["type"] == "unsubscribed"


async def test_blocks_are_told_to_who_wants_them(venue, indexer):
    answer = await indexer.subscribe("v4_block_height")
    venue.beat(1)
    frame = await indexer.hear()
    assert frame["contents"]["blockHeight"] == str(int(answer["contents"]["height"]) + 1)


async def test_the_server_pings_twice_a_minute(open_venue, story, dial, until):
    venue = await open_venue(story, speed=1000.0)
    parse, seen = ClientProtocol.recv_frame, []

    class Noticing(ClientConnection):
        def __init__(self, protocol, **options) -> None:
            protocol.recv_frame = lambda f: (seen.append(f.opcode.name), parse(protocol, f))
            super().__init__(protocol, **options)

    await dial(venue, create_connection=Noticing)
    await until(lambda: seen.count("PING") >= 2)
    assert DydxSim.LIMITS.ping_seconds == 30.0


# --- REST --------------------------------------------------------------------------------------------------------


async def test_resources_answer_in_the_venues_shapes(venue, get):
    assert set((await get("/v4/time"))[1]) == {"iso", "epoch"}
    assert set((await get("/v4/height"))[1]) == {"height", "time"}
    assert set((await get("/v4/perpetualMarkets"))[1]["markets"]) == {"BTC-USD", "ETH-USD", "SOL-USD"}
    assert set((await get("/v4/orderbooks/perpetualMarket/BTC-USD"))[1]) == {"bids", "asks"}
    assert (await get("/v4/trades/perpetualMarket/BTC-USD"))[1]["trades"][0]["type"] == "LIMIT"
    assert (await get("/v4/historicalFunding/BTC-USD"))[1]["historicalFunding"][0]["rate"] == "0.00012"


async def test_unknown_markets_and_paths_are_refused(get):
    status, body, _ = await get("/v4/perpetualMarkets", ticker="XXX-USD")
    assert (status, body["errors"][0]["value"]) == (400, "XXX-USD")
    assert (await get("/v4/weather"))[0] == 404
    assert (await get("/v3/time"))[0] == 404


async def test_request_101_in_ten_seconds_is_refused_with_a_wait_in_milliseconds(open_venue, story, http):
    venue = await open_venue(story, speed=0.01)
    statuses = []
    for _ in range(101):
        async with http.get(f"{venue.rest_url}/v4/time") as answer:
            statuses.append(answer.status)
            headers, body = answer.headers, await answer.json()
    assert statuses == [200] * 100 + [429]
    assert body == {"errors": [{"msg": "Too many requests"}]}
    assert 5_000 < int(headers["Retry-After"]) <= 10_000


async def test_a_node_tells_what_is_in_the_fund_and_an_empty_fund_has_no_coin(venue, get):
    path = "/cosmos/bank/v1beta1/balances/dydx1c7ptc87hkd54e3r7zjy92q29xkq7t79w64slrq"
    _, body, _ = await get(path)
    assert [coin["amount"] for coin in body["balances"] if coin["denom"].startswith("ibc/")] == ["700000000"]
    venue.set_fund("BTC-USD", "USDT", 0.0)
    _, body, _ = await get(path)
    assert [coin["denom"] for coin in body["balances"]] == ["adydx"]
    assert (await get("/cosmos/bank/v1beta1/balances/dydx1someone"))[1]["balances"] == []
