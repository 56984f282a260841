"""The simulated Deribit from outside: what a client is told, refused and charged, over real sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.sim.cast import recast
from monitor.sim.deribit import DeribitSim
from monitor.sim.deribit_methods import Credits, RpcError
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.scenario import Scenario, load_scenario

BTC, USDC, SOL = "BTC-PERPETUAL", "BTC_USDC-PERPETUAL", "SOL_USDC-PERPETUAL"
STILL = Scenario(
    symbols=(
        Listing(
            symbol=BTC, base="BTC", quote="USD", product="CM", contract_size=10.0, mark_price=90012.5, tick_size=0.5,
            step_size=1.0, open_interest=91_234_567.0, funding_rate=0.00007412, liquidation_fee_rate=0.01,
        ),
        Listing(symbol=USDC, base="BTC", quote="USDC", mark_price=90020.0, tick_size=1.0, open_interest=812.4),
        Listing(symbol=SOL, base="SOL", quote="USDC", mark_price=131.42, tick_size=0.01, step_size=0.1, quiet=True),
        Listing(
            symbol="BTC-25DEC26", base="BTC", quote="USD", product="CM", contract_size=10.0, mark_price=90611.5,
            step_size=1.0, contract_type="CURRENT_QUARTER", delivery_in_days=33,
        ),
    ),
    pools=(Pool(symbols=(BTC, USDC, SOL), balances={"USDC": 700.0}),),
    tick_seconds=9_999_999.0,
)  # fmt: skip
"""A market without ticks: data come with ``push`` and with what a test does."""


class Rpc:
    """A JSON-RPC client that knows no venue."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._number = 0

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def ask(self, method: str, **params: object) -> dict:
        """Return the answer to a call made now."""
        return (await self._until_answer(method, params))[1]

    async def everything(self) -> list[dict]:
        """Return the notices that arrived until an answer to a question asked now."""
        return (await self._until_answer("public/unsubscribe", {"channels": []}))[0]

    async def _until_answer(self, method: str, params: dict) -> tuple[list[dict], dict]:
        self._number += 1
        call = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        await self.connection.send(json.dumps(call))
        heard = []
        while True:
            said = await self.hear()
            if said.get("id") == self._number:
                return heard, said
            heard.append(said)

    async def subscribe(self, *channels: str) -> dict:
        return await self.ask("public/subscribe", channels=list(channels))

    async def closed(self) -> int | None:
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code


def data(notices: list[dict]) -> list:
    return [notice["params"]["data"] for notice in notices if notice.get("method") == "subscription"]


@pytest.fixture
async def deribit() -> AsyncIterator:
    """Open a simulated venue and clients of it; all are closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(scenario: Scenario = STILL, **options) -> DeribitSim:
            return await stack.enter_async_context(DeribitSim(scenario, **options))

        yield open_one


@pytest.fixture
async def venue(deribit) -> DeribitSim:
    return await deribit()


@pytest.fixture
async def client():
    async with AsyncExitStack() as stack:

        async def open_one(venue: DeribitSim) -> Rpc:
            url = f"{venue.stream_url}/ws/api/v2"
            return Rpc(await stack.enter_async_context(connect(url, proxy=None)))

        yield open_one


@pytest.fixture
async def rpc(venue, client) -> Rpc:
    return await client(venue)


# --- calls -------------------------------------------------------------------------------------------------


async def test_there_is_one_address(venue):
    with pytest.raises(InvalidStatus, match="404"):
        await connect(f"{venue.stream_url}/ws", proxy=None)


async def test_an_acknowledgement_lists_the_channels_that_were_taken_and_no_others(rpc):
    said = await rpc.subscribe(f"trades.{BTC}.100ms", "ticker.NOPE-PERPETUAL.100ms", "platform_state", "colour")
    assert said["result"] == [f"trades.{BTC}.100ms", "platform_state"]
    assert said["usDiff"] == said["usOut"] - said["usIn"]
    assert said["testnet"] is False


async def test_a_raw_channel_needs_a_login(rpc):
    assert (await rpc.subscribe(f"ticker.{BTC}.raw"))["error"]["code"] == 13778


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("public/subscribe", {}, -32602),
        ("public/subscribe", {"channels": [7]}, -32602),
        ("public/set_heartbeat", {"interval": 5}, -32602),
        ("public/dance", {}, -32601),
        ("private/get_positions", {"currency": "any"}, 13009),
        ("public/auth", {"grant_type": "client_credentials"}, 13004),
        ("public/ticker", {"instrument_name": "NOPE-PERPETUAL"}, 13020),
        ("public/ticker", {}, -32602),
        ("public/get_instruments", {"currency": "DOGE"}, -32602),
    ],
)
async def test_a_call_that_cannot_be_obeyed_says_why(rpc, method, params, code):
    assert (await rpc.ask(method, **params))["error"]["code"] == code


@pytest.mark.parametrize(
    ("text", "code"),
    [("{", -32700), ("[]", -32600), ('{"id":1}', -32600), ('{"method":"public/test","params":[1],"id":1}', -32602)],
)
async def test_what_is_no_call_is_answered_too(rpc, text, code):
    await rpc.connection.send(text)
    assert (await rpc.hear())["error"]["code"] == code


async def test_many_channels_in_one_call_cost_as_one(rpc):
    for _ in range(9):
        await rpc.subscribe(*[f"{kind}.{symbol}.100ms" for kind in ("ticker", "trades") for symbol in (BTC, USDC, SOL)])
    assert "result" in await rpc.subscribe(f"ticker.{BTC}.100ms")


async def test_too_many_subscriptions_are_answered_and_end_the_session(rpc):
    answers = [await rpc.subscribe(f"trades.{BTC}.100ms") for _ in range(10)]
    assert all("result" in answer for answer in answers)
    said = await rpc.subscribe(f"trades.{BTC}.100ms")
    assert (said["error"]["code"], said["error"]["message"]) == (10028, "too_many_requests")
    assert await rpc.closed() == 1008


def test_credits_come_back_with_time():
    now = 0.0
    purse = Credits(lambda: now)
    for _ in range(10):
        purse.spend("public/subscribe")
    with pytest.raises(RpcError):
        purse.spend("public/subscribe")
    purse.spend("public/test")  # another pool
    now = 0.3
    purse.spend("public/subscribe")
    with pytest.raises(RpcError):
        purse.spend("public/subscribe")


async def test_unsubscribing_ends_the_data(venue, rpc):
    await rpc.subscribe(f"trades.{BTC}.100ms", f"trades.{USDC}.100ms")
    assert (await rpc.ask("public/unsubscribe", channels=[f"trades.{BTC}.100ms", "x"]))["result"] == [
        f"trades.{BTC}.100ms"
    ]
    venue.push()
    assert [rows[0]["instrument_name"] for rows in data(await rpc.everything())] == [USDC]
    assert (await rpc.ask("public/unsubscribe_all"))["result"] == "ok"
    venue.push()
    assert not await rpc.everything()


# --- heartbeats --------------------------------------------------------------------------------------------


async def test_a_test_request_that_is_not_answered_ends_the_connection(deribit, client):
    rpc = await client(await deribit(speed=100.0))
    assert (await rpc.ask("public/set_heartbeat", interval=10))["result"] == "ok"
    assert (await rpc.hear())["params"] == {"type": "heartbeat"}
    assert (await rpc.hear()) == {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}}
    assert await rpc.closed() == 1000


async def test_who_answers_lives_on(deribit, client):
    rpc = await client(await deribit(speed=25.0))
    await rpc.ask("public/set_heartbeat", interval=10)
    for _ in range(3):
        while (await rpc.hear()).get("params") != {"type": "test_request"}:
            pass
        await rpc.connection.send('{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}')


async def test_who_wants_no_heartbeats_is_not_asked_any_more(deribit, client, until):
    venue = await deribit(speed=100.0)
    rpc = await client(venue)
    await rpc.ask("public/set_heartbeat", interval=10)
    assert (await rpc.ask("public/disable_heartbeat"))["result"] == "ok"
    await until(lambda: not [task for task in venue._tasks if task.get_name() == "sim:heartbeat"])
    assert not await rpc.everything()


# --- data --------------------------------------------------------------------------------------------------


async def test_a_ticker_begins_at_once_and_counts_in_dollars_or_coins(rpc):
    await rpc.subscribe(f"ticker.{BTC}.100ms", f"ticker.{USDC}.100ms")
    inverse, linear = data([await rpc.hear(), await rpc.hear()])
    assert (inverse["instrument_name"], inverse["mark_price"], inverse["state"]) == (BTC, 90012.5, "open")
    assert (inverse["open_interest"], linear["open_interest"]) == (912_345_670.0, 812.4)
    assert (inverse["current_funding"], inverse["last_price"]) == (0.00007412, None)
    assert inverse["best_bid_price"] < 90012.5 < inverse["best_ask_price"]
    assert inverse["best_bid_amount"] % 10.0 == 0.0


async def test_a_ticker_that_would_say_the_same_again_is_not_sent(venue, rpc):
    await rpc.subscribe(f"ticker.{SOL}.100ms")
    venue.push()
    assert len(await rpc.everything()) == 2
    venue.beat(1)
    assert not await rpc.everything()
    venue.set_mark(SOL, 131.5)
    venue.beat(2)
    assert [row["mark_price"] for row in data(await rpc.everything())] == [131.5]


async def test_a_dated_future_has_no_funding(rpc):
    await rpc.subscribe("ticker.BTC-25DEC26.100ms")
    (row,) = data([await rpc.hear()])
    assert "current_funding" not in row


async def test_a_new_mark_price_goes_out_with_the_next_push(venue, rpc):
    await rpc.subscribe(f"ticker.{USDC}.100ms", f"ticker.{USDC}.agg2", f"perpetual.{USDC}.100ms")
    await rpc.everything()
    venue.set_mark(USDC, 91000.0)
    venue.push()
    ticker, rate, slow = data(await rpc.everything())
    assert (ticker["mark_price"], slow["mark_price"]) == (91000.0, 91000.0)
    assert rate["interest"] == 0.0001


async def test_a_book_begins_whole_and_goes_on_in_a_chain(venue, rpc):
    await rpc.subscribe(f"book.{BTC}.100ms")
    (whole,) = data([await rpc.hear()])
    assert whole["type"] == "snapshot"
    assert {row[0] for row in whole["bids"] + whole["asks"]} == {"new"}
    venue.set_mark(BTC, 90020.0)
    venue.push()
    venue.push()
    first, second = data(await rpc.everything())
    assert (first["type"], first["prev_change_id"]) == ("change", whole["change_id"])
    assert second["prev_change_id"] == first["change_id"]
    assert {"new", "delete"} <= {row[0] for row in first["bids"] + first["asks"]}


async def test_a_lost_change_leaves_a_hole_that_subscribing_anew_fills(venue, rpc):
    await rpc.subscribe(f"book.{BTC}.100ms")
    (whole,) = data([await rpc.hear()])
    venue.lose_book_change(BTC)
    venue.push()
    venue.push()
    (change,) = data(await rpc.everything())
    assert change["prev_change_id"] > whole["change_id"]
    await rpc.ask("public/unsubscribe", channels=[f"book.{BTC}.100ms"])
    await rpc.subscribe(f"book.{BTC}.100ms")
    (whole,) = data([await rpc.hear()])
    assert (whole["type"], whole["change_id"]) == ("snapshot", change["change_id"])


async def test_a_grouped_book_is_whole_every_time(venue, rpc):
    await rpc.subscribe(f"book.{USDC}.none.10.100ms")
    venue.push()
    for book in data(await rpc.everything()):
        assert (len(book["bids"]), len(book["bids"][0])) == (10, 2)


def forced(contracts: float, symbol: str = BTC, side: str = "buy") -> LiquidationPrint:
    return LiquidationPrint(symbol, side, contracts, 92000.0, 91500.0)


async def test_a_liquidation_is_a_trade_with_a_mark_in_it(venue, rpc):
    await rpc.subscribe(f"trades.{BTC}.100ms", "trades.future.any.100ms")
    venue.print_liquidation(forced(1000.0))
    own, together = data(await rpc.everything())
    assert own == together
    (row,) = own
    assert (row["liquidation"], row["direction"], row["price"], row["amount"]) == ("T", "buy", 91500.0, 10_000.0)


async def test_a_cascade_comes_in_rounds_marked_t_m_and_mt(deribit, client):
    """The order of a closed short buys: as a maker it shows in a trade that sold."""
    venue = await deribit(speed=100.0)
    rpc = await client(venue)
    await rpc.subscribe(f"trades.{BTC}.100ms")
    venue.cascade(forced(300.0))
    rows = [data([await rpc.hear()])[0][0] for _ in range(3)]
    assert [(row["liquidation"], row["direction"], row["amount"]) for row in rows] == [
        ("T", "buy", 1000.0),
        ("M", "sell", 1000.0),
        ("MT", "buy", 1000.0),
    ]


async def test_a_wick_moves_the_last_price_alone(venue, rpc):
    await rpc.subscribe(f"ticker.{USDC}.100ms", f"trades.{USDC}.100ms")
    await rpc.everything()
    venue.wick(USDC, 95000.0, 60.0)
    trades, ticker = data(await rpc.everything())
    assert (trades[0]["price"], ticker["last_price"], ticker["mark_price"]) == (95000.0, 95000.0, 90020.0)


async def test_a_quiet_contract_trades_only_when_it_is_told_to(venue, rpc):
    await rpc.subscribe(f"trades.{SOL}.100ms")
    venue.push()
    assert not await rpc.everything()


async def test_one_contract_can_fall_silent_beside_the_others(venue, rpc):
    venue.silence(60.0, symbol=BTC)
    await rpc.subscribe(f"ticker.{BTC}.100ms", f"ticker.{USDC}.100ms")
    venue.push()
    assert {row["instrument_name"] for row in data(await rpc.everything())} == {USDC}


async def test_a_halt_is_announced_and_shows_in_the_ticker(venue, rpc):
    await rpc.subscribe("instrument.state.future.any", f"ticker.{BTC}.100ms")
    await rpc.everything()
    venue.set_status(BTC, "halted")
    venue.push()
    told, ticker = data(await rpc.everything())
    assert (told["state"], told["instrument_name"], ticker["state"]) == ("deactivated", BTC, "halted")
    venue.set_status(BTC, "TRADING")
    assert data(await rpc.everything())[0]["state"] == "started"


async def test_a_ladder_is_announced_to_nobody(venue, rpc):
    await rpc.subscribe("instrument.state.future.any")
    venue.set_tiers(BTC, ())
    assert not await rpc.everything()


async def test_a_lock_is_announced_by_index(venue, rpc):
    await rpc.subscribe("platform_state")
    venue.lock("btc_usdc")
    assert data(await rpc.everything()) == [{"price_index": "btc_usdc", "locked": True}]
    assert (await rpc.ask("public/status"))["result"] == {"locked": "partial", "locked_indices": ["btc_usdc"]}
    venue.lock("btc_usdc", locked=False)
    assert data(await rpc.everything()) == [{"price_index": "btc_usdc", "locked": False}]


async def test_maintenance_closes_every_socket_and_answers_nothing_for_a_while(venue, rpc, client):
    await rpc.subscribe("platform_state")
    venue.maintain(60.0)
    assert data([await rpc.hear()]) == [{"maintenance": True}]
    assert await rpc.closed() == 1001
    after = await client(venue)
    assert (await after.subscribe("platform_state"))["error"]["code"] == 11051


# --- REST --------------------------------------------------------------------------------------------------


@pytest.fixture
async def ask(venue, http):
    async def request(method: str, **params: str) -> tuple[int, dict]:
        async with http.get(f"{venue.rest_url}/api/v2/{method}", params=params) as answer:
            return answer.status, await answer.json()

    return request


async def test_the_time_is_given_in_milliseconds(ask, venue):
    status, said = await ask("public/get_time")
    assert status == 200
    assert abs(said["result"] / 1000 - venue.wall()) < 5.0
    assert said["jsonrpc"] == "2.0"


async def test_the_list_tells_inverse_from_linear_and_how_contracts_end(ask):
    _, said = await ask("public/get_instruments", currency="any", kind="future")
    found = {row["instrument_name"]: row for row in said["result"]}
    assert [(found[s]["instrument_type"], found[s]["contract_size"], found[s]["price_index"]) for s in (BTC, USDC)] == [
        ("reversed", 10.0, "btc_usd"),
        ("linear", 0.001, "btc_usdc"),
    ]
    assert (found[BTC]["settlement_currency"], found[USDC]["settlement_currency"]) == ("BTC", "USDC")
    assert (found[BTC]["settlement_period"], found[BTC]["expiration_timestamp"]) == ("perpetual", 32_503_708_800_000)
    assert found["BTC-25DEC26"]["settlement_period"] == "month"
    assert found[BTC]["max_liquidation_commission"] == 0.01


async def test_one_currency_can_be_asked_for(ask):
    _, said = await ask("public/get_instruments", currency="USDC", kind="future")
    assert [row["instrument_name"] for row in said["result"]] == [USDC, SOL]


async def test_a_delisting_shows_as_a_date(ask, venue):
    venue.delist(SOL, 86_400.0)
    _, said = await ask("public/get_instrument", instrument_name=SOL)
    assert said["result"]["expiration_timestamp"] / 1000 == pytest.approx(venue.wall() + 86_400.0, abs=5.0)


async def test_answers_come_from_the_market_as_it_is(ask, venue):
    venue.set_mark(USDC, 91234.0)
    _, ticker = await ask("public/ticker", instrument_name=USDC)
    _, book = await ask("public/get_order_book", instrument_name=USDC, depth="2")
    _, summary = await ask("public/get_book_summary_by_currency", currency="USDC")
    _, index = await ask("public/get_index_price", index_name="btc_usdc")
    assert ticker["result"]["mark_price"] == 91234.0
    assert len(book["result"]["bids"]) == 2
    assert summary["result"][0]["mark_price"] == 91234.0
    assert index["result"]["index_price"] == pytest.approx(91234.0)


async def test_a_call_can_be_posted(venue, http):
    call = {"jsonrpc": "2.0", "id": 12, "method": "public/ticker", "params": {"instrument_name": BTC}}
    async with http.post(f"{venue.rest_url}/api/v2", json=call) as answer:
        said = await answer.json()
    assert (said["id"], said["result"]["instrument_name"]) == (12, BTC)


@pytest.mark.parametrize(
    ("method", "params", "status", "code"),
    [
        ("public/ticker", {"instrument_name": "NOPE"}, 400, 13020),
        ("public/dance", {}, 400, -32601),
        ("private/get_positions", {}, 401, 13009),
    ],
)
async def test_a_request_that_cannot_be_obeyed_has_a_status_and_a_code(ask, method, params, status, code):
    answered, said = await ask(method, **params)
    assert (answered, said["error"]["code"]) == (status, code)


async def test_too_many_lists_are_refused_with_429(ask, venue):
    for _ in range(50):
        venue.credits.spend("public/get_instruments")
    status, said = await ask("public/get_instruments", currency="any")
    assert (status, said["error"]["code"]) == (429, 10028)
    assert (await ask("public/get_time"))[0] == 200


async def test_what_the_fund_pays_and_cannot_pay_shows_as_bankruptcies(ask, venue):
    venue.set_fund(USDC, "USDC", 500.0)
    venue.set_fund(USDC, "USDC", -300.0)
    _, said = await ask("public/get_last_settlements_by_currency", currency="USDC", type="bankruptcy")
    assert [(row["funded"], row["socialized"]) for row in said["result"]["settlements"]] == [
        (500.0, 300.0),
        (200.0, 0.0),
    ]
    _, none = await ask("public/get_last_settlements_by_currency", currency="BTC", type="bankruptcy")
    assert none["result"]["settlements"] == []


async def test_a_fault_is_worded_as_the_venue_does(ask, venue):
    venue.answer_with(429, 60.0)
    status, said = await ask("public/get_time")
    assert (status, said["error"]["message"]) == (429, "too_many_requests")


# --- the demo's story --------------------------------------------------------------------------------------


def test_the_story_plays_in_the_venues_own_contracts():
    story = recast(load_scenario("demo"), DeribitSim.CAST, 50_000.0)
    assert [listing.symbol for listing in story.symbols] == [USDC, "BTC_USDT-PERPETUAL", "ETH_USDC-PERPETUAL"]
    assert {listing.contract_size for listing in story.symbols} == {1.0}
    closes = [action for action in story.actions if hasattr(action, "fill_price")]
    assert [(close.symbol, close.contracts, close.fill_price) for close in closes] == [
        (USDC, 1.0, price) for price in (54_900.0, 55_200.0, 56_000.0)
    ]
