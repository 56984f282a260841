"""The simulated COIN-M host: one path, arrays of pairs, contracts instead of coins, its own REST shapes."""

import json
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from monitor.core.contract import build_deductions
from monitor.sim.binance_coinm import BinanceCoinmSim
from monitor.sim.cast import recast
from monitor.sim.market import LiquidationPrint, Listing
from monitor.sim.scenario import load_scenario

DATED = Listing(
    symbol="BTCUSD_261225", base="BTC", quote="USD", product="CM", contract_size=100.0, step_size=1.0,
    mark_price=90611.3, contract_type="CURRENT_QUARTER", delivery_in_days=33.0,
)  # fmt: skip
ETHER = Listing(
    symbol="ETHUSD_PERP", base="ETH", quote="USD", product="CM", contract_size=10.0, step_size=1.0,
    mark_price=3105.25, tick_size=0.01, funding_interval_hours=8,
)  # fmt: skip


@pytest.fixture
async def sim(still):
    scenario = msgspec.structs.replace(still, symbols=(*still.symbols, DATED, ETHER))
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(BinanceCoinmSim(scenario))


@pytest.fixture
def ask(http):
    async def ask_for(sim, path, **query):
        async with http.get(sim.rest_url + path, params=query) as response:
            return response.status, json.loads(await response.text()), response.headers

    return ask_for


async def test_one_path_has_books_and_prices(sim, open_socket):
    socket = await open_socket(sim, "/stream?streams=btcusd_perp@markPrice@1s/btcusd_perp@bookTicker/btcusd_perp@depth")
    sim.push()
    found = {m["stream"]: m["data"] for m in await socket.everything()}
    assert {data["e"] for data in found.values()} == {"markPriceUpdate", "bookTicker", "depthUpdate"}
    assert {data["st"] for data in found.values()} == {2}
    assert "ap" not in found["btcusd_perp@markPrice@1s"]


@pytest.mark.parametrize("path", ["/market/stream", "/public/ws", "/private/ws", "/nothing"])
async def test_the_paths_of_the_other_host_do_not_exist(sim, path):
    with pytest.raises(InvalidStatus) as refused:
        await connect(sim.stream_url + path, proxy=None)
    assert refused.value.response.status_code == 404


@pytest.mark.parametrize("name", ["!markPrice@arr@1s", "btcusdt@ticker", "btcusdt@depth", "BTCUSD_PERP@markPrice"])
async def test_what_the_host_does_not_have_is_acknowledged_and_silent(sim, open_socket, name):
    socket = await open_socket(sim, "/ws")
    assert await socket.ask("SUBSCRIBE", name, id=7) == {"result": None, "id": 7}
    sim.push()
    assert await socket.everything() == []


async def test_a_pair_brings_its_perpetual_and_its_dated_contracts_in_one_array(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusd@markPrice@1s")
    sim.push()
    (rows,) = await socket.everything()
    assert {row["s"]: (row["r"] == "", row["T"] == 0) for row in rows} == {
        "BTCUSD_PERP": (False, False),
        "BTCUSD_261225": (True, True),
    }


async def test_an_index_is_of_a_pair_and_comes_once_a_second(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusd@indexPrice")
    sim.beat(1)
    (row,) = await socket.everything()
    assert (row["e"], row["i"]) == ("indexPriceUpdate", "BTCUSD")


async def test_either_host_has_the_single_mark_prices_of_both_products(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusdt@markPrice@1s")
    sim.push()
    (row,) = await socket.everything()
    assert (row["s"], row["st"]) == ("BTCUSDT", 1)


@pytest.mark.parametrize("name", ["!ticker@arr", "!miniTicker@arr"])
async def test_all_market_streams_mix_both_products(sim, open_socket, name):
    socket = await open_socket(sim, f"/ws/{name}")
    sim.push()
    (rows,) = await socket.everything()
    assert {row["st"] for row in rows} == {1, 2}


async def test_tickers_come_with_every_tick(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusd_perp@ticker")
    sim.beat(1)
    sim.beat(2)
    assert len(await socket.everything()) == 2


async def test_a_liquidation_counts_contracts(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusd_perp@forceOrder")
    sim.print_liquidation(LiquidationPrint("BTCUSD_PERP", "buy", 500.0, 91000.0, 90100.0))
    (message,) = await socket.everything()
    assert (message["o"]["S"], message["o"]["z"], message["o"]["ap"]) == ("BUY", "500", "90100.0")


async def test_new_tiers_are_announced_with_floors_in_coins(sim, open_socket):
    socket = await open_socket(sim, "/ws/!contractInfo")
    sim.set_tiers("BTCUSD_PERP", build_deductions([(0, 0.004), (5, 0.005)]))
    (message,) = await socket.everything()
    assert (message["s"], message["ps"], message["st"]) == ("BTCUSD_PERP", "BTCUSD", 2)
    assert [(row["bnf"], row["mmr"]) for row in message["bks"]] == [(0, 0.004), (5, 0.005)]


async def test_a_silent_contract_is_missing_from_its_pairs_array(sim, open_socket):
    socket = await open_socket(sim, "/ws/btcusd@markPrice@1s")
    sim.silence(3600, symbol="BTCUSD_PERP")
    sim.push()
    (rows,) = await socket.everything()
    assert [row["s"] for row in rows] == ["BTCUSD_261225"]


# REST


async def test_contracts_are_listed_with_their_size_and_contract_status(sim, ask):
    _, info, _ = await ask(sim, "/dapi/v1/exchangeInfo")
    rows = {row["symbol"]: row for row in info["symbols"]}
    assert set(rows) == {"BTCUSD_PERP", "BTCUSD_261225", "ETHUSD_PERP"}
    assert (rows["BTCUSD_PERP"]["contractSize"], rows["ETHUSD_PERP"]["contractSize"]) == (100, 10)
    assert (rows["BTCUSD_PERP"]["contractStatus"], rows["BTCUSD_PERP"]["marginAsset"]) == ("TRADING", "BTC")
    assert "status" not in rows["BTCUSD_PERP"]


async def test_premium_index_is_an_array_even_for_one_symbol_and_costs_ten(sim, ask):
    _, rows, headers = await ask(sim, "/dapi/v1/premiumIndex", symbol="BTCUSD_PERP")
    assert [(row["symbol"], row["pair"]) for row in rows] == [("BTCUSD_PERP", "BTCUSD")]
    assert headers["X-MBX-USED-WEIGHT-1M"] == "10"
    _, rows, _ = await ask(sim, "/dapi/v1/premiumIndex", pair="BTCUSD")
    assert {row["symbol"] for row in rows} == {"BTCUSD_PERP", "BTCUSD_261225"}
    assert len((await ask(sim, "/dapi/v1/premiumIndex"))[1]) == 3


async def test_open_interest_counts_contracts_and_names_the_pair(sim, ask):
    _, row, _ = await ask(sim, "/dapi/v1/openInterest", symbol="BTCUSD_PERP")
    assert (row["openInterest"], row["pair"], row["contractType"]) == ("6210331", "BTCUSD", "PERPETUAL")


async def test_a_whole_book_names_its_symbol_and_pair(sim, ask):
    _, book, headers = await ask(sim, "/dapi/v1/depth", symbol="BTCUSD_PERP", limit="500")
    assert (book["symbol"], book["pair"]) == ("BTCUSD_PERP", "BTCUSD")
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert headers["X-MBX-USED-WEIGHT-1M"] == "10"


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/dapi/v1/insuranceBalance", {}, 404, -5000),
        ("/dapi/v1/symbolAdlRisk", {}, 404, -5000),
        ("/fapi/v1/time", {}, 404, -5000),
        ("/dapi/v1/openInterest", {"symbol": "BTCUSDT"}, 400, -1121),
        ("/dapi/v1/openInterest", {"pair": "BTCUSD"}, 400, -1102),
        ("/dapi/v1/depth", {"symbol": "BTCUSD_PERP", "limit": "7"}, 400, -4021),
        ("/dapi/v2/leverageBracket", {}, 401, -2014),
    ],
)
async def test_what_the_host_does_not_answer(sim, ask, path, query, status, code):
    found, error, _ = await ask(sim, path, **query)
    assert (found, error["code"]) == (status, code)


def test_the_story_is_cast_with_inverse_contracts_of_the_same_worth():
    story = recast(load_scenario("demo"), BinanceCoinmSim.CAST, 50_000.0)
    assert not list(story.problems())
    found = {listing.symbol: listing for listing in story.symbols}
    assert {s: (x.product, x.contract_size, x.settle, x.pair) for s, x in found.items()} == {
        "BTCUSD_PERP": ("CM", 100.0, "BTC", "BTCUSD"),
        "ETHUSD_PERP": ("CM", 10.0, "ETH", "ETHUSD"),
        "SOLUSD_PERP": ("CM", 10.0, "SOL", "SOLUSD"),
    }
    assert BinanceCoinmSim.CAST["BTCUSDT"].contracts(1.0, 50_000.0) == 500.0
    closes = [action for action in story.actions if type(action).__name__ == "Liquidation"]
    assert [(close.symbol, close.contracts) for close in closes] == [("BTCUSD_PERP", 500.0)] * 3
