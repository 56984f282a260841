"""The profiles of venues without a decoder of their own, as a plain websocket client sees them."""

from __future__ import annotations

import asyncio
import gzip
import json
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.sim.generic import GenericSim
from monitor.sim.generic_venues import SIMS
from monitor.sim.limits import Limits
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.scenario import Scenario

SYMBOLS = {
    "gate": "BTC_USDT",
    "bitget": "BTCUSDT",
    "mexc": "BTC_USDT",
    "kucoin": "XBTUSDTM",
    "htx": "BTC-USDT",
    "whitebit": "BTC_PERP",
    "bingx": "BTC-USDT",
}
PATHS = {"gate": "/v4/ws/usdt", "bitget": "/v3/ws/public", "mexc": "/edge", "htx": "/ws_index", "whitebit": "/ws", "bingx": "/swap-market"}  # fmt: skip


def still(name: str, **limits: Any) -> Scenario:
    """A market without ticks: data come with ``push``."""
    listing = Listing(symbol=SYMBOLS[name], base="BTC", quote="USDT", mark_price=90_012.5, contract_size=0.001)
    own = msgspec.structs.replace(SIMS[name].LIMITS, **limits)
    pool = Pool(symbols=(SYMBOLS[name],), balances={"USDT": 700.0})
    return Scenario(symbols=(listing,), pools=(pool,), limits=own, tick_seconds=1e6)


class Socket:
    """A websocket that unpacks what is packed."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def hear(self) -> Any:
        async with asyncio.timeout(5):
            data = await self.connection.recv()
        text = gzip.decompress(data).decode() if isinstance(data, bytes) else data
        return json.loads(text) if text[0] in "{[" else text

    async def closed(self) -> int | None:
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code


@pytest.fixture
async def opened():
    """Open a venue and a socket to it."""
    async with AsyncExitStack() as stack:

        async def open_both(name: str, path: str = "", speed: float = 1.0, **limits) -> tuple[GenericSim, Socket]:
            sim = await stack.enter_async_context(SIMS[name](still(name, **limits), speed=speed))
            url = sim.stream_url + (path or PATHS[name])
            return sim, Socket(await stack.enter_async_context(connect(url, proxy=None)))

        yield open_both


def gate(event: str, symbol: str, channel: str = "futures.tickers") -> dict[str, Any]:
    return {"time": 1, "id": 3, "channel": channel, "event": event, "payload": [symbol]}


async def test_gates_ticker_comes_in_three_shapes(opened):
    sim, socket = await opened("gate")
    await socket.say(gate("subscribe", "BTC_USDT"))
    assert (await socket.hear())["result"] == {"status": "success"}
    shapes = []
    for number in range(3):
        sim.beat(number)
        shapes.append((await socket.hear())["result"])
    assert isinstance(shapes[0], list)
    assert isinstance(shapes[1][0], list)
    assert isinstance(shapes[2], dict)
    assert shapes[0][0] == shapes[1][0][0] == shapes[2]
    assert shapes[2]["mark_price"] == "90012.5"


async def test_gate_refuses_with_the_number_of_the_request(opened):
    _, socket = await opened("gate")
    await socket.say(gate("subscribe", "NO_USDT"))
    answer = await socket.hear()
    assert (answer["id"], answer["error"]["code"], answer["result"]) == (3, 2, {"status": "fail"})


async def test_what_is_unsubscribed_comes_no_more(opened):
    sim, socket = await opened("gate")
    await socket.say(gate("subscribe", "BTC_USDT"))
    await socket.say(gate("unsubscribe", "BTC_USDT"))
    await socket.hear()
    await socket.hear()
    sim.push()
    await socket.say({"channel": "futures.ping"})
    assert (await socket.hear())["channel"] == "futures.pong"


@pytest.mark.parametrize(("side", "size"), [("buy", "12"), ("sell", "-12")])
async def test_gates_forced_orders_have_the_sign_of_the_order(opened, side, size):
    sim, socket = await opened("gate")
    await socket.say(gate("subscribe", "BTC_USDT", "futures.public_liquidates"))
    await socket.hear()
    sim.print_liquidation(LiquidationPrint("BTC_USDT", side, 12.0, 90_500.0, 90_480.5))
    assert (await socket.hear())["result"][0]["size"] == size


async def test_bitgets_rows_name_no_contract_and_forced_orders_the_position(opened):
    sim, socket = await opened("bitget")
    for topic in ({"topic": "ticker", "symbol": "BTCUSDT"}, {"topic": "liquidation"}):
        await socket.say({"op": "subscribe", "args": [{"instType": "usdt-futures", **topic}]})
        assert (await socket.hear())["event"] == "subscribe"
    sim.push()
    ticker = await socket.hear()
    assert "symbol" not in ticker["data"][0]
    assert ticker["arg"]["symbol"] == "BTCUSDT"
    sim.print_liquidation(LiquidationPrint("BTCUSDT", "sell", 2.0, 90_000.0, 89_000.0))
    row = (await socket.hear())["data"][0]
    assert (row["side"], row["amount"]) == ("buy", "178000")


async def test_bitget_answers_the_text_ping_and_refuses_by_name(opened):
    _, socket = await opened("bitget")
    await socket.say("ping")
    assert await socket.hear() == "pong"
    await socket.say({"op": "subscribe", "args": [{"instType": "usdt-futures", "topic": "ticker", "symbol": "NO"}]})
    answer = await socket.hear()
    assert (answer["event"], answer["arg"]["symbol"]) == ("error", "NO")


async def test_mexc_sends_numbers_and_refuses_without_a_number(opened):
    sim, socket = await opened("mexc")
    await socket.say({"method": "sub.ticker", "param": {"symbol": "BTC_USDT"}})
    assert (await socket.hear())["channel"] == "rs.sub.ticker"
    sim.push()
    assert (await socket.hear())["data"]["fairPrice"] == 90_012.5
    await socket.say({"method": "sub.ticker", "param": {"symbol": "NO_USDT"}})
    assert set(await socket.hear()) == {"channel", "data", "ts"}


async def test_whitebits_second_list_replaces_the_first(opened):
    sim, socket = await opened("whitebit")
    await socket.say({"id": 6, "method": "lastprice_subscribe", "params": ["BTC_PERP"]})
    assert await socket.hear() == {"id": 6, "result": {"status": "success"}, "error": None}
    sim.push()
    assert (await socket.hear())["params"] == ["BTC_PERP", "90012.5"]
    await socket.say({"id": 7, "method": "lastprice_subscribe", "params": []})
    await socket.hear()
    sim.push()
    await socket.say({"id": 0, "method": "ping", "params": []})
    assert (await socket.hear())["result"] == "pong"


async def test_htx_packs_everything_and_has_words_of_its_own_on_each_socket(opened):
    sim, socket = await opened("htx")
    await socket.say({"sub": "market.BTC-USDT.mark_price.1min", "id": "1"})
    assert (await socket.hear())["subbed"] == "market.BTC-USDT.mark_price.1min"
    sim.push()
    assert (await socket.hear())["tick"]["close"] == "90012.5"
    sim._ping_clients()
    assert set(await socket.hear()) == {"ping"}
    await socket.say({"sub": "market.BTC-USDT.detail", "id": "2"})
    assert (await socket.hear())["err-code"] == "bad-request"


async def test_htx_notifies_of_all_contracts_on_one_topic(opened):
    sim, socket = await opened("htx", "/linear-swap-notification")
    await socket.say({"op": "sub", "cid": "9", "topic": "public.*.liquidation_orders"})
    answer = await socket.hear()
    assert (answer["cid"], answer["err-code"]) == ("9", 0)
    sim.print_liquidation(LiquidationPrint("BTC-USDT", "sell", 3.0, 1.0, 88_000.0))
    row = (await socket.hear())["data"][0]
    assert (row["direction"], row["volume"], row["price"]) == ("sell", 3.0, 88_000.0)


async def test_bingx_packs_the_text_ping_and_closes_when_it_is_not_answered(opened):
    sim, socket = await opened("bingx")
    sim._ping_clients()
    assert await socket.hear() == "Ping"
    sim._ping_clients()
    assert await socket.closed() == 1000


async def test_bingx_keeps_who_answers(opened):
    sim, socket = await opened("bingx")
    for _ in range(3):
        sim._ping_clients()
        assert await socket.hear() == "Ping"
        await socket.say("Pong")
        await socket.say({"id": "u", "reqType": "sub", "dataType": "NO@markPrice"})
        assert (await socket.hear())["code"] == 80015


@pytest.mark.parametrize("name", ["gate", "bitget", "mexc", "whitebit"])
async def test_a_client_that_says_nothing_is_closed(opened, name):
    """After the time of each venue: 20, 30 or 60 seconds."""
    sim, socket = await opened(name, speed=200.0)
    assert sim.limits.idle_client_seconds == {"gate": 20.0, "bitget": 30.0}.get(name, 60.0)
    assert await socket.closed() == 1000


async def test_kucoin_lets_in_by_a_token_once():
    async with SIMS["kucoin"](still("kucoin")) as sim, aiohttp.ClientSession() as http:
        async with http.post(f"{sim.rest_url}/api/v1/bullet-public") as response:
            data = (await response.json())["data"]
        url = f"{data['instanceServers'][0]['endpoint']}?token={data['token']}&connectId=me"
        async with connect(url, proxy=None) as connection:
            socket = Socket(connection)
            assert await socket.hear() == {"id": "me", "type": "welcome"}
            await socket.say(
                {"id": "1", "type": "subscribe", "topic": "/contract/instrument:XBTUSDTM", "response": True}
            )
            assert await socket.hear() == {"id": "1", "type": "ack"}
            sim.push()
            kinds = [await socket.hear() for _ in range(3)]
            assert [frame["data"]["granularity"] for frame in kinds] == [1000, 60_000, 28_800_000]
        with pytest.raises(InvalidStatus):
            await connect(url, proxy=None)


@pytest.mark.parametrize("name", SIMS)
async def test_every_resource_answers_with_json(name):
    async with SIMS[name](still(name)) as sim, aiohttp.ClientSession() as http:
        for path in sim.resources():
            url = sim.rest_url + path.replace("*", SYMBOLS[name])
            query = {"symbol": SYMBOLS[name], "contract": SYMBOLS[name], "contract_code": SYMBOLS[name]}
            async with http.get(url, params=query) as response:
                assert response.status == 200
                assert await response.json()


async def test_one_request_too_many_is_refused_in_the_venues_words():
    async with SIMS["gate"](still("gate", weight_per_minute=1)) as sim, aiohttp.ClientSession() as http:
        url = f"{sim.rest_url}/api/v4/spot/time"
        await http.get(url)
        async with http.get(url) as response:
            assert response.status == 429
            assert int(response.headers["Retry-After"]) >= 1
            assert (await response.json())["label"] == "TOO_MANY_REQUESTS"


async def test_a_silence_of_one_contract_holds_its_data_back(opened):
    sim, socket = await opened("gate")
    await socket.say(gate("subscribe", "BTC_USDT"))
    await socket.hear()
    sim.silence(1e6, symbol="BTC_USDT")
    sim.push()
    await socket.say({"channel": "futures.ping"})
    assert (await socket.hear())["channel"] == "futures.pong"


async def test_what_is_no_json_closes(opened):
    _, socket = await opened("gate")
    await socket.say("hello")
    assert await socket.closed() == 1007


def test_the_limits_of_each_profile_are_its_own():
    assert isinstance(Limits(), Limits)
    assert {name: sim.LIMITS.idle_client_seconds for name, sim in SIMS.items()} == {
        "gate": 20.0, "bitget": 30.0, "mexc": 60.0, "kucoin": 60.0, "htx": None, "whitebit": 60.0, "bingx": None,
    }  # fmt: skip
