"""The simulated Bybit venue as a client sees it, over real sockets."""

import asyncio
import json
from contextlib import AsyncExitStack

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.core.contract import build_deductions
from monitor.sim.bybit import BybitSim
from monitor.sim.cast import recast
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.scenario import Scenario, load_scenario

LINEAR, INVERSE = "/v5/public/linear", "/v5/public/inverse"
NOON = 1_795_176_000.0


class Client:
    """A websocket that reads JSON and can tell when it has read everything sent so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._pings = 0

    async def say(self, **words: object) -> None:
        await self.connection.send(json.dumps(words))

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def everything(self) -> list[dict]:
        """Return what arrived until the answer to a ping sent now: all that was sent before."""
        self._pings += 1
        mine = f"ping {self._pings}"
        await self.say(op="ping", req_id=mine)
        heard: list[dict] = []
        while (message := await self.hear()).get("req_id") != mine:
            heard.append(message)
        return heard

    async def subscribe(self, *topics: str) -> tuple[list[dict], dict]:
        """Return the data that came before the answer, and the answer."""
        await self.say(op="subscribe", req_id="s-1", args=list(topics))
        *data, answer = await self.everything()
        answer.pop("conn_id", None)
        return data, answer


@pytest.fixture
def scenario() -> Scenario:
    """A market of this venue's contracts that only moves when a test says so."""
    tiers = ((0.0, 0.004), (300_000.0, 0.005))
    perpetual = {"base": "BTC", "mark_price": 90_000.0, "open_interest": 500.0, "tiers": tiers}
    return Scenario(
        symbols=(
            Listing(symbol="BTCUSDT", quote="USDT", index_price=90_010.0, **perpetual),
            Listing(symbol="BTCPERP", quote="USDC", **perpetual),
            Listing(symbol="BTCUSD", quote="USD", product="CM", tick_size=0.5, step_size=1.0, **perpetual),
            Listing(
                symbol="BTCUSDT-25DEC26",
                quote="USDT",
                contract_type="CURRENT_QUARTER",
                delivery_in_days=30,
                **perpetual,
            ),
        ),
        pools=(
            Pool(symbols=("BTCUSDT",), balances={"USDT": 50_000.0}),
            Pool(symbols=("BTCPERP", "BTCUSDT-25DEC26"), balances={"USDC": 9_000.0}),
        ),
        tick_seconds=9_999_999.0,
    )


@pytest.fixture
async def open_sim():
    async with AsyncExitStack() as stack:

        async def open_one(scenario: Scenario, **options) -> BybitSim:
            return await stack.enter_async_context(BybitSim(scenario, **options))

        yield open_one


@pytest.fixture
async def sim(open_sim, scenario) -> BybitSim:
    return await open_sim(scenario)


@pytest.fixture
async def open_client():
    async with AsyncExitStack() as stack:

        async def open_one(sim: BybitSim, path: str = LINEAR) -> Client:
            return Client(await stack.enter_async_context(connect(sim.stream_url + path, proxy=None)))

        yield open_one


@pytest.fixture
def ask(http):
    async def ask_for(sim, path, **query):
        async with http.get(f"{sim.rest_url}/v5/market/{path}", params=query) as response:
            return response.status, json.loads(await response.text())

    return ask_for


def limited(scenario: Scenario, **limits) -> Scenario:
    return msgspec.structs.replace(scenario, limits=msgspec.structs.replace(BybitSim.LIMITS, **limits))


# --- control messages --------------------------------------------------------------------------------------


async def test_a_pong_is_an_answer_with_op_ping(sim, open_client):
    client = await open_client(sim)
    await client.say(op="ping", req_id="p-1")
    answer = await client.hear()
    assert answer.pop("conn_id")
    assert answer == {"success": True, "ret_msg": "pong", "req_id": "p-1", "op": "ping"}


async def test_one_bad_topic_fails_the_whole_frame(sim, open_client):
    client = await open_client(sim)
    data, answer = await client.subscribe("tickers.BTCUSDT", "tickers.NOPEUSDT")
    assert data == []
    assert answer == {
        "success": False,
        "ret_msg": "error:handler not found,topic:tickers.NOPEUSDT",
        "req_id": "s-1",
        "op": "subscribe",
    }
    sim.push()
    assert await client.everything() == []


@pytest.mark.parametrize(
    ("path", "topic"),
    [
        (LINEAR, "tickers.BTCUSD"),
        (INVERSE, "tickers.BTCUSDT"),
        (LINEAR, "orderbook.500.BTCUSDT"),
        (LINEAR, "liquidation.BTCUSDT"),
        (LINEAR, "adlAlert"),
        (LINEAR, "insurance.inverse"),
        (LINEAR, "tickers.btcusdt"),
    ],
)
async def test_there_is_no_such_topic(sim, open_client, path, topic):
    _, answer = await (await open_client(sim, path)).subscribe(topic)
    assert answer["success"] is False
    assert topic in answer["ret_msg"]


async def test_data_may_come_before_the_answer(sim, open_client):
    client = await open_client(sim)
    data, answer = await client.subscribe("tickers.BTCUSDT", "allLiquidation.BTCUSDT")
    assert [message["type"] for message in data] == ["snapshot"]
    assert answer == {"success": True, "ret_msg": "", "req_id": "s-1", "op": "subscribe"}


async def test_a_second_subscription_is_refused_and_the_first_lives_on(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    _, answer = await client.subscribe("tickers.BTCUSDT")
    assert "already subscribed" in answer["ret_msg"]
    sim.set_mark("BTCUSDT", 90_001.0)
    sim.push()
    assert len(await client.everything()) == 1


@pytest.mark.parametrize("words", ['{"op":"dance"}', "not json", "[1]"])
async def test_an_unknown_operation_is_answered_without_a_name(sim, open_client, words):
    client = await open_client(sim)
    await client.connection.send(words)
    answer = await client.hear()
    assert (answer["success"], answer["ret_msg"], answer["req_id"], answer["op"]) == (False, "error:invalid op", "", "")


async def test_an_unsubscribed_topic_is_sent_no_more(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    await client.say(op="unsubscribe", req_id="u-1", args=["tickers.BTCUSDT"])
    sim.set_mark("BTCUSDT", 90_001.0)
    (answer,) = await client.everything()
    sim.push()
    assert (answer["op"], answer["success"]) == ("unsubscribe", True)
    assert await client.everything() == []


async def test_other_addresses_are_not_found(sim):
    with pytest.raises(InvalidStatus) as refused:
        await connect(sim.stream_url + "/v5/private", proxy=None)
    assert refused.value.response.status_code == 404


async def test_a_client_that_says_nothing_is_cut_and_one_that_pings_is_not(open_sim, open_client, scenario):
    sim = await open_sim(limited(scenario, idle_client_seconds=40.0), speed=40)
    quiet, talking = await open_client(sim), await open_client(sim)
    async with asyncio.timeout(8):
        while quiet.connection.close_code is None:
            await talking.everything()
            await asyncio.sleep(0.1)
    assert quiet.connection.close_code == 1006
    assert await talking.everything() == []


# --- tickers -----------------------------------------------------------------------------------------------


async def test_a_ticker_begins_whole_and_goes_on_with_what_changed(sim, open_client):
    client = await open_client(sim)
    (whole,), _ = await client.subscribe("tickers.BTCUSDT")
    assert (whole["data"]["markPrice"], whole["data"]["indexPrice"]) == ("90000.00", "90010.00")
    assert (whole["data"]["openInterest"], whole["data"]["singleOpenInterest"]) == ("1000.000", "500.000")
    assert whole["data"]["preQty"] == ""
    sim.set_funding_rate("BTCUSDT", 0.0002)
    sim.push()
    (delta,) = await client.everything()
    assert delta["type"] == "delta"
    assert (delta["data"]["symbol"], delta["data"]["fundingRate"]) == ("BTCUSDT", "0.0002")
    assert "nextFundingTime" not in delta["data"]


async def test_a_mark_that_stands_still_is_not_sent(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    sim.push()
    sim.push()
    assert not [message for message in await client.everything() if "markPrice" in message["data"]]
    sim.set_mark("BTCUSDT", 90_100.0)
    sim.push()
    assert [message["data"]["markPrice"] for message in await client.everything()] == ["90100.00"]


async def test_one_side_of_the_quote_changes_with_price_and_size(open_sim, open_client, scenario):
    sim = await open_sim(scenario)
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    sim.set_spread("BTCUSDT", 0.001)
    (delta,) = await client.everything()
    assert {"bid1Price", "bid1Size", "ask1Price", "ask1Size"} <= set(delta["data"])


async def test_a_dated_contract_has_an_iso_date_and_no_funding(sim, open_client):
    (whole,), _ = await (await open_client(sim)).subscribe("tickers.BTCUSDT-25DEC26")
    assert whole["data"]["deliveryTime"].endswith("Z")
    assert (whole["data"]["fundingRate"], whole["data"]["nextFundingTime"]) == ("", "")


async def test_inverse_open_interest_is_worth_coins(sim, open_client):
    (whole,), _ = await (await open_client(sim, INVERSE)).subscribe("tickers.BTCUSD")
    assert (whole["data"]["openInterest"], whole["data"]["openInterestValue"]) == ("1000", "0.01")


async def test_a_wick_shows_in_the_last_price_alone(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    sim.wick("BTCUSDT", 91_000.0, 5)
    (delta,) = await client.everything()
    assert delta["data"]["lastPrice"] == "91000.0"
    assert "markPrice" not in delta["data"]


async def test_ticks_send_by_themselves(open_sim, open_client, scenario):
    sim = await open_sim(msgspec.structs.replace(scenario, tick_seconds=1.0), speed=50)
    client = await open_client(sim)
    await client.say(op="subscribe", req_id="s-1", args=["adlAlert.USDT"])
    await client.hear()
    assert (await client.hear())["topic"] == "adlAlert.USDT"


# --- books -------------------------------------------------------------------------------------------------


async def test_a_book_is_numbered_without_a_hole_from_its_snapshot_on(sim, open_client):
    client = await open_client(sim)
    (whole,), _ = await client.subscribe("orderbook.200.BTCUSDT")
    sim.push()
    sim.push()
    deltas = await client.everything()
    number = whole["data"]["u"]
    assert [(m["type"], m["data"]["u"]) for m in deltas] == [("delta", number + 1), ("delta", number + 2)]
    assert len({m["data"]["seq"] - 1 for m in deltas} & {m["data"]["seq"] for m in deltas}) == 0
    assert float(whole["data"]["b"][0][0]) < float(whole["data"]["a"][0][0])


async def test_a_second_follower_joins_where_the_first_one_is(sim, open_client):
    first, second = await open_client(sim), await open_client(sim)
    await first.subscribe("orderbook.200.BTCUSDT")
    sim.push()
    (delta,) = await first.everything()
    (whole,), _ = await second.subscribe("orderbook.200.BTCUSDT")
    assert whole["data"]["u"] == delta["data"]["u"]
    assert await first.everything() == []


async def test_a_lost_change_leaves_a_hole(sim, open_client):
    client = await open_client(sim)
    (whole,), _ = await client.subscribe("orderbook.200.BTCUSDT")
    sim.lose_book_change("BTCUSDT")
    sim.push()
    sim.push()
    assert [m["data"]["u"] for m in await client.everything()] == [whole["data"]["u"] + 2]


async def test_a_restart_sends_a_snapshot_with_number_1(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("orderbook.200.BTCUSDT")
    sim.restart_book("BTCUSDT")
    sim.push()
    assert [(m["type"], m["data"]["u"]) for m in await client.everything()] == [("snapshot", 1), ("delta", 2)]


async def test_the_book_of_one_level_is_repeated_whole(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("orderbook.1.BTCUSDT")
    sim.push()
    (message,) = await client.everything()
    assert message["type"] == "snapshot"
    assert (len(message["data"]["b"]), len(message["data"]["a"])) == (1, 1)


# --- liquidations, pools, ADL ------------------------------------------------------------------------------


async def test_liquidations_of_half_a_second_come_together_by_the_side_of_the_position(open_sim, open_client, scenario):
    sim = await open_sim(scenario, speed=10)
    client = await open_client(sim)
    await client.subscribe("allLiquidation.BTCUSDT")
    sim.print_liquidation(LiquidationPrint("BTCUSDT", "buy", 1.0, limit_price=93_000.0, fill_price=92_000.5))
    sim.print_liquidation(LiquidationPrint("BTCUSDT", "sell", 0.25, limit_price=87_000.0, fill_price=88_000.5))
    message = await client.hear()
    assert [(row["S"], row["v"], row["p"]) for row in message["data"]] == [
        ("Sell", "1.000", "92000.5"),
        ("Buy", "0.250", "88000.5"),
    ]


async def test_only_isolated_pools_are_streamed_and_only_when_they_change(sim, open_client):
    client = await open_client(sim)
    (whole,), _ = await client.subscribe("insurance.USDT")
    assert [(row["symbols"], row["balance"]) for row in whole["data"]] == [("BTCUSDT", "50000")]
    data, _ = await client.subscribe("insurance.USDC")
    assert data == []
    sim.push()
    sim.set_fund("BTCPERP", "USDC", 1.0)
    sim.push()
    assert await client.everything() == []
    sim.set_fund("BTCUSDT", "USDT", -700.0)
    sim.push()
    (delta,) = await client.everything()
    assert (delta["type"], delta["data"][0]["balance"]) == ("delta", "-700")


async def test_adl_alerts_are_bare_numbers_about_all_contracts_of_a_group(sim, open_client):
    client = await open_client(sim)
    await client.subscribe("adlAlert.USDT")
    sim.set_adl_risk("BTCUSDT", "high")
    sim.push()
    (message,) = await client.everything()
    rows = {row["s"]: row for row in message["data"]}
    assert set(rows) == {"BTCUSDT", "BTCUSDT-25DEC26"}
    assert rows["BTCUSDT"]["pr"] < rows["BTCUSDT"]["i_pr"] == -0.3
    assert (rows["BTCUSDT"]["b"], rows["BTCUSDT"]["mb"]) == (50_000.0, "")


# --- silences ----------------------------------------------------------------------------------------------


async def test_in_a_silence_of_a_symbol_neither_its_stream_nor_its_prices_by_rest_come(sim, open_client, ask):
    client = await open_client(sim)
    await client.subscribe("tickers.BTCUSDT")
    await client.subscribe("tickers.BTCPERP")
    sim.silence(60, symbol="BTCUSDT")
    for symbol in ("BTCUSDT", "BTCPERP"):
        sim.set_mark(symbol, 90_500.0)
    sim.push()
    assert [message["topic"] for message in await client.everything()] == ["tickers.BTCPERP"]
    _, answer = await ask(sim, "tickers", category="linear")
    assert [row["symbol"] for row in answer["result"]["list"]] == ["BTCPERP", "BTCUSDT-25DEC26"]


async def test_a_silent_topic_leaves_the_prices_by_rest(sim, ask):
    sim.silence(60, stream="tickers.BTCUSDT")
    _, answer = await ask(sim, "tickers", category="linear", symbol="BTCUSDT")
    assert [row["markPrice"] for row in answer["result"]["list"]] == ["90000.00"]


async def test_a_silent_topic_begins_without_a_snapshot(sim, open_client):
    sim.silence(60, symbol="BTCUSDT")
    data, answer = await (await open_client(sim)).subscribe("tickers.BTCUSDT", "orderbook.200.BTCUSDT")
    assert (data, answer["success"]) == ([], True)


# --- REST --------------------------------------------------------------------------------------------------


async def test_every_answer_has_the_envelope_with_the_venues_time(open_sim, scenario, ask):
    sim = await open_sim(scenario, wall=lambda: NOON)
    status, answer = await ask(sim, "time")
    assert (status, answer["retCode"], answer["retMsg"], answer["time"]) == (200, 0, "OK", int(NOON * 1000))
    assert answer["result"]["timeSecond"] == str(int(NOON))


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("tickers", {}, 10001),
        ("tickers", {"category": "option"}, 10001),
        ("tickers", {"category": "linear", "symbol": "BTCUSD"}, 10001),
        ("instruments-info", {"category": "linear", "limit": "1001"}, 10001),
        ("orderbook", {"category": "linear"}, 10001),
    ],
)
async def test_a_wrong_parameter_is_an_error_with_status_200(sim, ask, path, query, code):
    status, answer = await ask(sim, path, **query)
    assert (status, answer["retCode"], answer["result"]) == (200, code, {})


async def test_unknown_paths_and_signed_ones_have_codes_of_their_own(sim, http):
    for path, status, code in (("/v5/market/nothing", 404, 10017), ("/v5/position/list", 200, 10003)):
        async with http.get(sim.rest_url + path) as response:
            assert (response.status, json.loads(await response.text())["retCode"]) == (status, code)


async def test_tickers_are_all_of_a_category_with_dates_in_ms(sim, ask):
    _, answer = await ask(sim, "tickers", category="linear")
    rows = {row["symbol"]: row for row in answer["result"]["list"]}
    assert set(rows) == {"BTCUSDT", "BTCPERP", "BTCUSDT-25DEC26"}
    assert rows["BTCUSDT"]["deliveryTime"] == "0"
    assert rows["BTCUSDT-25DEC26"]["deliveryTime"].isdecimal()


async def test_contracts_are_listed_by_status_and_paged(sim, ask):
    sim.set_status("BTCPERP", "SETTLING")
    _, first = await ask(sim, "instruments-info", category="linear", limit="1")
    assert [row["symbol"] for row in first["result"]["list"]] == ["BTCUSDT"]
    cursor = first["result"]["nextPageCursor"]
    _, second = await ask(sim, "instruments-info", category="linear", limit="1", cursor=cursor)
    assert [row["symbol"] for row in second["result"]["list"]] == ["BTCUSDT-25DEC26"]
    assert second["result"]["nextPageCursor"] == ""
    _, delivering = await ask(sim, "instruments-info", category="linear", status="Delivering")
    assert [row["symbol"] for row in delivering["result"]["list"]] == ["BTCPERP"]


async def test_a_contract_says_its_type_its_interval_in_minutes_and_its_end(open_sim, scenario, ask):
    sim = await open_sim(scenario, wall=lambda: NOON)
    sim.set_funding_interval("BTCUSDT", 4)
    sim.delist("BTCUSDT", 3600)
    _, answer = await ask(sim, "instruments-info", category="linear")
    rows = {row["symbol"]: row for row in answer["result"]["list"]}
    btc, future = rows["BTCUSDT"], rows["BTCUSDT-25DEC26"]
    assert (btc["contractType"], btc["fundingInterval"]) == ("LinearPerpetual", 240)
    assert btc["deliveryTime"] == str(int((NOON + 3600) * 1000))
    assert (future["contractType"], future["fundingInterval"]) == ("LinearFutures", 0)


async def test_tiers_are_fractions_with_upper_bounds_and_an_empty_first_deduction(sim, ask):
    sim.set_tiers("BTCUSDT", build_deductions([(0.0, 0.004), (300_000.0, 0.005)]))
    _, answer = await ask(sim, "risk-limit", category="linear", symbol="BTCUSDT")
    rows = answer["result"]["list"]
    assert [(r["riskLimitValue"], r["maintenanceMargin"], r["mmDeduction"]) for r in rows] == [
        ("300000", "0.004", ""),
        ("1000000000", "0.005", "300"),
    ]
    assert [float(r["initialMargin"]) * float(r["maxLeverage"]) for r in rows] == pytest.approx([1.0, 1.0])


async def test_insurance_lists_isolated_and_shared_pools_of_the_day(open_sim, scenario, ask):
    sim = await open_sim(scenario, wall=lambda: NOON)
    _, answer = await ask(sim, "insurance")
    assert [(row["symbols"], row["coin"]) for row in answer["result"]["list"]] == [
        ("BTCUSDT", "USDT"),
        ("BTCPERP,BTCUSDT-25DEC26", "USDC"),
    ]
    assert answer["result"]["updatedTime"] == str(int(NOON // 86_400 * 86_400_000))


async def test_adl_alerts_by_rest_are_text(sim, ask):
    _, answer = await ask(sim, "adlAlert", symbol="BTCUSDT")
    (row,) = answer["result"]["list"]
    assert (row["insurancePnlRatio"], row["adlStopRatio"], row["balance"]) == ("-0.3", "-0.25", "50000")


async def test_too_many_requests_are_forbidden_for_ten_minutes(open_sim, scenario, ask):
    now = [NOON]
    sim = await open_sim(limited(scenario, weight_per_minute=36), wall=lambda: now[0])
    answers = [await ask(sim, "time") for _ in range(4)]
    assert [status for status, _ in answers] == [200, 200, 200, 403]
    assert answers[-1][1] == "access too frequent"
    now[0] += 599.0
    assert (await ask(sim, "time"))[0] == 403
    now[0] += 2.0
    assert (await ask(sim, "time"))[0] == 200


async def test_a_client_that_asks_slowly_is_never_forbidden(open_sim, scenario, ask):
    now = [NOON]
    sim = await open_sim(limited(scenario, weight_per_minute=36), wall=lambda: now[0])
    for _ in range(9):
        now[0] += 2.0
        assert (await ask(sim, "time"))[0] == 200


# --- the demo's story --------------------------------------------------------------------------------------


async def test_the_story_is_cast_with_contracts_of_the_venue(open_sim, ask):
    sim = await open_sim(recast(load_scenario("demo"), BybitSim.CAST, 50_000.0))
    _, answer = await ask(sim, "tickers", category="linear")
    assert {row["symbol"]: row["markPrice"] for row in answer["result"]["list"]} == {
        "BTCUSDT": "51500.00",
        "BTCPERP": "54900.00",
        "ETHUSDT": "1842.500",
    }
    _, ladder = await ask(sim, "risk-limit", category="linear", symbol="BTCUSDT")
    assert ladder["result"]["list"][0]["maintenanceMargin"] == "0.004"
