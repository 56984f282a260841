"""The simulated Hyperliquid venue from outside: what it echoes, refuses, drops, and answers."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.core.contract import build_deductions
from monitor.sim.hyperliquid import HyperliquidSim
from monitor.sim.hyperliquid_frames import HLP, LIQUIDATOR, STRATEGY
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.scenario import Scenario

TIERS = ((0.0, 0.0125), (150_000_000.0, 0.025))
LISTINGS = (
    Listing(symbol="BTC", base="BTC", quote="USDC", mark_price=90012.0, index_price=90031.0, tiers=TIERS),
    Listing(symbol="kPEPE", base="kPEPE", quote="USDC", mark_price=0.0043217, step_size=1.0, tiers=((0.0, 0.1),)),
    Listing(symbol="xyz:GOLD", base="GOLD", quote="USDC", mark_price=4051.9, tiers=((0.0, 0.025),)),
)
POOLS = (Pool(symbols=("BTC", "kPEPE"), balances={"USDC": 381_234_567.5}),)
LONG_LIQUIDATED = LiquidationPrint("BTC", "sell", 0.45, 89000.0, 89500.0)


class Socket:
    """A client of the venue that reads JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, words: object) -> None:
        await self.connection.send(words if isinstance(words, str) else json.dumps(words))

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def ask(self, kind: str, method: str = "subscribe", **words: object) -> dict:
        await self.say({"method": method, "subscription": {"type": kind, **words}})
        return await self.hear()

    async def everything(self) -> list[dict]:
        """Return all that was sent before a ping sent now."""
        await self.say({"method": "ping"})
        heard: list[dict] = []
        while (message := await self.hear()) != {"channel": "pong"}:
            heard.append(message)
        return heard

    async def dropped(self) -> int:
        """Wait for the end of the connection and return its close code."""
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code or 0


@pytest.fixture
async def open_venue():
    """Open the venue with a clock that ticks only when a test says so."""
    async with AsyncExitStack() as stack:

        async def open_one(*, speed: float = 1.0, tick_seconds: float = 9_999_999.0, **limits) -> HyperliquidSim:
            own = msgspec.structs.replace(HyperliquidSim.LIMITS, **limits)
            scenario = Scenario(symbols=LISTINGS, pools=POOLS, tick_seconds=tick_seconds, limits=own)
            return await stack.enter_async_context(HyperliquidSim(scenario, speed=speed))

        yield open_one


@pytest.fixture
async def venue(open_venue) -> HyperliquidSim:
    return await open_venue()


@pytest.fixture
async def open_client():
    async with AsyncExitStack() as stack:

        async def open_one(venue: HyperliquidSim) -> Socket:
            return Socket(await stack.enter_async_context(connect(venue.stream_url + "/ws", proxy=None)))

        yield open_one


@pytest.fixture
async def client(venue, open_client) -> Socket:
    return await open_client(venue)


@pytest.fixture
def info(venue, http):
    """Ask a question and return status and body."""

    async def ask(kind: str, **words: object) -> tuple[int, object]:
        async with http.post(venue.rest_url + "/info", json={"type": kind, **words}) as answer:
            return answer.status, await answer.json()

    return ask


# --- control messages ----------------------------------------------------------------------------------------


async def test_a_subscription_is_echoed_with_its_defaults(client):
    echoed = {"type": "l2Book", "coin": "BTC", "nSigFigs": None, "mantissa": None, "fast": False}
    expected = {"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": echoed}}
    assert await client.ask("l2Book", coin="BTC") == expected


async def test_the_second_time_is_answered_with_a_text_that_quotes_it(client):
    await client.ask("bbo", coin="BTC")
    again = await client.ask("bbo", coin="BTC")
    assert again == {"channel": "error", "data": 'Already subscribed: {"type":"bbo","coin":"BTC"}'}
    never = await client.ask("bbo", "unsubscribe", coin="kPEPE")
    assert never["data"].startswith("Already unsubscribed: ")


@pytest.mark.parametrize(
    "words",
    [
        "hello",
        "[]",
        '{"method":"listen"}',
        '{"method":"subscribe"}',
        '{"method":"subscribe","subscription":[{"type":"bbo","coin":"BTC"}]}',
        '{"method":"subscribe","subscription":{"type":"nothing","coin":"BTC"}}',
        '{"method":"subscribe","subscription":{"type":"bbo","coin":["BTC","ETH"]}}',
        '{"method":"subscribe","subscription":{"type":"userFills","user":"0x12"}}',
    ],
)
async def test_what_is_not_understood_is_quoted_and_harms_nothing(client, words):
    await client.say(words)
    assert await client.hear() == {
        "channel": "error",
        "data": f"Error parsing JSON into valid websocket request: {words}",
    }
    assert await client.everything() == []


@pytest.mark.parametrize("coin", ["NOPE", "btc", "GOLD", "XYZ:GOLD", "xyz:NOPE"])
async def test_an_unknown_coin_drops_the_connection_without_a_word(client, coin):
    await client.say({"method": "subscribe", "subscription": {"type": "trades", "coin": coin}})
    assert await client.dropped() == 1006


async def test_an_illegal_aggregation_drops_the_connection(client):
    await client.say({"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC", "nSigFigs": 9}})
    assert await client.dropped() == 1006


async def test_no_more_than_ten_accounts_may_be_followed_over_all_connections(venue, client, open_client):
    for number in range(10):
        assert (await client.ask("userFills", user=f"0x{number:040x}"))["channel"] == "subscriptionResponse"
        assert (await client.hear())["data"]["isSnapshot"] is True
    other = await open_client(venue)
    assert (await other.ask("userFills", user="0x" + "f" * 40))["channel"] == "error"
    assert (await other.ask("userFills", user=f"0x{3:040x}"))["channel"] == "subscriptionResponse"


async def test_a_connection_on_which_nothing_is_sent_is_dropped(open_venue, open_client):
    venue = await open_venue(speed=100.0)
    client = await open_client(venue)
    assert await client.dropped() == 1006


async def test_pings_keep_a_connection(open_venue, open_client):
    venue = await open_venue(speed=100.0)
    client = await open_client(venue)
    for _ in range(8):
        await asyncio.sleep(0.1)
        assert await client.everything() == []


async def test_there_is_one_address(venue):
    with pytest.raises(InvalidStatus):
        await connect(venue.stream_url + "/stream", proxy=None)


# --- data ----------------------------------------------------------------------------------------------------


async def test_a_state_says_neither_when_nor_the_name_inside(venue, client):
    await client.ask("activeAssetCtx", coin="BTC")
    venue.push()
    (message,) = await client.everything()
    assert message["channel"] == "activeAssetCtx"
    assert set(message["data"]) == {"coin", "ctx"}
    state = message["data"]["ctx"]
    assert (state["markPx"], state["oraclePx"], state["openInterest"]) == ("90012.0", "90031.0", "10000.0")
    assert "time" not in state


async def test_a_new_mark_comes_with_the_next_tick(venue, client):
    await client.ask("activeAssetCtx", coin="xyz:GOLD")
    venue.set_mark("xyz:GOLD", 4100.26)
    venue.beat(1)
    (message,) = await client.everything()
    assert message["data"]["ctx"]["markPx"] == "4100.3"  # five figures


async def test_trades_begin_with_a_backlog_in_no_order_of_time(venue, client):
    for price in (90010.0, 90020.0):
        venue.set_last("BTC", price)
    await client.ask("trades", coin="BTC")
    backlog = await client.hear()
    assert [row["px"] for row in backlog["data"]] == ["90020.0", "90010.0"]
    venue.set_last("BTC", 90030.0)
    (message,) = await client.everything()
    assert [row["px"] for row in message["data"]] == ["90030.0"]


async def test_books_come_whole_at_once_and_by_their_clocks(venue, client):
    await client.ask("l2Book", coin="BTC")
    first = await client.hear()
    venue.push()
    (second,) = await client.everything()
    for message in (first, second):
        bids, asks = message["data"]["levels"]
        assert (len(bids), len(asks)) == (20, 20)
        assert float(bids[1]["px"]) < float(bids[0]["px"]) < float(asks[0]["px"]) < float(asks[1]["px"])


async def test_a_fast_book_has_five_levels_and_the_same_name(venue, client):
    await client.ask("l2Book", coin="BTC", fast=True)
    message = await client.hear()
    assert message["channel"] == "l2Book"
    assert [len(side) for side in message["data"]["levels"]] == [5, 5]


async def test_fast_books_come_ten_times_as_often(open_venue, open_client):
    venue = await open_venue(speed=54.0, tick_seconds=1.0)
    quick, slow = await open_client(venue), await open_client(venue)
    await quick.ask("l2Book", coin="BTC", fast=True)
    await slow.ask("l2Book", coin="BTC")
    for _ in range(3):
        await slow.hear()
    assert len(await quick.everything()) > 9


async def test_quotes_come_only_when_they_change(venue, client):
    await client.ask("bbo", coin="kPEPE")
    venue.set_last("kPEPE", 0.0043)
    (message,) = await client.everything()
    bid, ask = message["data"]["bbo"]
    assert float(bid["px"]) < float(ask["px"])
    instrument = venue.market.instrument("kPEPE")
    instrument.trades -= 1  # the sizes of the book hang on the count of trades
    venue.traded("kPEPE")
    assert await client.everything() == []


async def test_a_lost_book_is_followed_by_a_whole_one(venue, client):
    await client.ask("l2Book", coin="BTC")
    await client.hear()
    venue.lose_book_change("BTC")
    venue.push()
    assert await client.everything() == []
    venue.push()
    assert len(await client.everything()) == 1


async def test_a_liquidation_is_a_trade_like_any_other_and_a_marked_fill_of_the_other_side(venue, client):
    await client.ask("trades", coin="BTC")
    await client.ask("userFills", user=STRATEGY)
    assert (await client.hear())["data"] == {"isSnapshot": True, "user": STRATEGY, "fills": []}
    venue.print_liquidation(LONG_LIQUIDATED)
    trades, fills = await client.everything()
    assert (trades["data"][0]["px"], trades["data"][0]["side"], trades["data"][0]["sz"]) == ("89500.0", "A", "0.45")
    (fill,) = fills["data"]["fills"]
    assert (fill["side"], fill["px"], fill["liquidation"]["method"]) == ("B", "89500.0", "market")
    assert fill["liquidation"]["liquidatedUser"] != fills["data"]["user"]


async def test_a_takeover_is_a_fill_of_the_liquidator_and_no_trade(venue, client):
    await client.ask("trades", coin="BTC")
    await client.ask("userFills", user=LIQUIDATOR)
    await client.hear()
    venue.take_over(LONG_LIQUIDATED)
    (fills,) = await client.everything()
    assert fills["data"]["fills"][0]["liquidation"]["method"] == "backstop"


async def test_a_new_subscription_to_fills_is_told_what_happened_before(venue, client):
    venue.print_liquidation(LONG_LIQUIDATED)
    await client.ask("userFills", user=STRATEGY)
    snapshot = await client.hear()
    assert snapshot["data"]["isSnapshot"] is True
    assert len(snapshot["data"]["fills"]) == 1


async def test_one_symbol_can_fall_silent(venue, client):
    await client.ask("activeAssetCtx", coin="BTC")
    await client.ask("activeAssetCtx", coin="kPEPE")
    venue.silence(60.0, symbol="BTC")
    venue.push()
    assert [message["data"]["coin"] for message in await client.everything()] == ["kPEPE"]


async def test_a_delisted_contract_keeps_its_mark_and_has_an_empty_book(venue, client, info):
    venue.set_status("BTC", "SETTLING")
    await client.ask("l2Book", coin="BTC")
    assert (await client.hear())["data"]["levels"] == [[], []]
    await client.ask("activeAssetCtx", coin="BTC")
    venue.beat(1)
    (message,) = await client.everything()
    assert (message["data"]["ctx"]["midPx"], message["data"]["ctx"]["markPx"]) == (None, "90012.0")
    _, meta = await info("meta")
    assert [row.get("isDelisted") for row in meta["universe"]] == [True, None]


# --- POST /info ----------------------------------------------------------------------------------------------


async def test_meta_lists_contracts_by_place_and_tables_from_fifty_on(info):
    status, meta = await info("meta")
    assert status == 200
    btc, pepe = meta["universe"]
    assert (btc["name"], btc["maxLeverage"], btc["szDecimals"]) == ("BTC", 40, 3)
    assert (pepe["name"], pepe["marginTableId"]) == ("kPEPE", 5)  # one tier of 5x needs no table
    assert meta["marginTables"] == [
        [
            btc["marginTableId"],
            {
                "description": "tiered 40x",
                "marginTiers": [
                    {"lowerBound": "0.0", "maxLeverage": 40},
                    {"lowerBound": "150000000.0", "maxLeverage": 20},
                ],
            },
        ]
    ]
    assert await info("marginTable", id=btc["marginTableId"]) == (200, meta["marginTables"][0][1])


async def test_new_tiers_are_read_not_announced(venue, client, info):
    await client.ask("activeAssetCtx", coin="BTC")
    venue.set_tiers("BTC", build_deductions([(0.0, 0.025)]))
    assert await client.everything() == []
    _, meta = await info("meta")
    assert (meta["universe"][0]["marginTableId"], meta["marginTables"]) == (20, [])


async def test_states_stand_in_the_places_of_their_contracts(venue, info):
    venue.set_funding_rate("BTC", -0.0000125)
    status, (meta, states) = await info("metaAndAssetCtxs", dex="")
    assert (status, len(meta["universe"])) == (200, len(states))
    assert [state["markPx"] for state in states] == ["90012.0", "0.004322"]
    assert states[0]["funding"] == "-0.0000125"


async def test_a_builder_dex_answers_for_itself(info):
    _, (meta, states) = await info("metaAndAssetCtxs", dex="xyz")
    assert [row["name"] for row in meta["universe"]] == ["xyz:GOLD"]
    assert len(states) == 1
    _, dexes = await info("perpDexs")
    assert (dexes[0], dexes[1]["name"]) == (None, "xyz")


@pytest.mark.parametrize(
    ("question", "status", "body"),
    [
        ({"type": "meta", "dex": "nope"}, 500, "null"),
        ({"type": "l2Book", "coin": "NOPE"}, 200, "null"),
        ({"type": "vaultDetails", "vaultAddress": "0x12"}, 200, "null"),
        ({"type": "nothing"}, 422, "Failed to deserialize the JSON body into the target type"),
        ([], 422, "Failed to deserialize the JSON body into the target type"),
        ("{", 400, "Failed to parse the request body as JSON"),
    ],
    ids=str,
)
async def test_what_cannot_be_answered_is_answered_so(venue, http, question, status, body):
    text = question if isinstance(question, str) else json.dumps(question)
    async with http.post(venue.rest_url + "/info", data=text) as answer:
        assert (answer.status, await answer.text()) == (status, body)


async def test_a_get_is_not_allowed(venue, http):
    async with http.get(venue.rest_url + "/info") as answer:
        assert answer.status == 405


async def test_the_vault_is_the_first_pool_and_names_its_accounts(venue, info):
    venue.set_fund("BTC", "USDC", 700.0)
    _, vault = await info("vaultDetails", vaultAddress=HLP)
    day = dict(vault["portfolio"])["day"]["accountValueHistory"]
    assert day[-1][1] == "700.0"
    assert vault["relationship"]["data"]["childAddresses"] == [STRATEGY, LIQUIDATOR]


async def test_books_mids_and_the_time_are_answered(venue, info):
    _, book = await info("l2Book", coin="BTC")
    assert [len(side) for side in book["levels"]] == [20, 20]
    _, mids = await info("allMids")
    assert mids == {"BTC": "90012.0", "kPEPE": "0.004322"}
    _, status = await info("exchangeStatus")
    assert abs(status["time"] / 1000.0 - venue.wall()) < 60.0


async def test_beyond_the_weight_of_a_minute_comes_429(open_venue, http):
    venue = await open_venue(weight_per_minute=40)
    statuses = []
    for _ in range(5):
        async with http.post(venue.rest_url + "/info", json={"type": "meta"}) as answer:
            statuses.append(answer.status)
    assert statuses[:2] == [200, 200]
    assert 429 in statuses
