"""The simulated OKX as a client meets it: by websocket and HTTP, nothing of it imported but the venue itself."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.core.contract import build_deductions
from monitor.sim.limits import Limits
from monitor.sim.market import LiquidationPrint, Listing, Pool
from monitor.sim.okx import OkxSim
from monitor.sim.scenario import Scenario

BTC, COIN, DOGE = "BTC-USDT-SWAP", "BTC-USD-SWAP", "DOGE-USDT-SWAP"
PUBLIC = "/ws/v5/public"


def market(**limits) -> Scenario:
    """Two bitcoin swaps, linear and inverse, and a quiet one; no tick but those that a test makes."""
    return Scenario(
        symbols=(
            Listing(
                symbol=BTC,
                base="BTC",
                quote="USDT",
                mark_price=90012.4,
                index_price=90031.2,
                contract_size=0.01,
                step_size=0.01,
                open_interest=2_216_113.01,
                tiers=((0.0, 0.004), (1000.0, 0.005), (2000.0, 0.0075)),
            ),
            Listing(
                symbol=COIN,
                base="BTC",
                quote="USD",
                product="CM",
                mark_price=90005.1,
                contract_size=100.0,
                step_size=1.0,
                funding_interval_hours=4,
            ),
            Listing(
                symbol=DOGE,
                base="DOGE",
                quote="USDT",
                mark_price=0.1421,
                tick_size=0.00001,
                contract_size=1000.0,
                step_size=0.01,
                quiet=True,
            ),
        ),
        pools=(Pool(symbols=(BTC,), balances={"USDT": 280_112.5}),),
        limits=Limits(**{"ping_seconds": 9e6, "control_burst": 2000, **limits}) if limits else None,
        tick_seconds=9_999_999.0,
    )


class Client:
    """A websocket that can tell when it has read everything sent so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self._marks = 0

    async def say(self, message: object) -> None:
        await self.connection.send(message if isinstance(message, str) else json.dumps(message))

    async def everything(self) -> list:
        """Return what arrived until the refusal of a question asked now."""
        self._marks += 1
        mark = f"mark{self._marks}"
        await self.say({"id": mark, "op": "nothing"})
        heard: list = []
        while True:
            async with asyncio.timeout(5):
                text = await self.connection.recv()
            message = text if text == "pong" else json.loads(text)
            if isinstance(message, dict) and message.get("id") == mark:
                return heard
            heard.append(message)

    async def subscribe(self, *arguments: dict, operation: str = "subscribe", **more: object) -> list:
        await self.say({"op": operation, "args": list(arguments), **more})
        return await self.everything()


def of(channel: str, name: str = BTC, field: str = "instId") -> dict:
    return {"channel": channel, field: name}


def rows(heard: list, channel: str) -> list[dict]:
    return [row for m in heard if m.get("arg", {}).get("channel") == channel for row in m.get("data", [])]


@pytest.fixture
async def open_okx():
    async with AsyncExitStack() as stack:

        async def open_one(scenario: Scenario | None = None, **options) -> OkxSim:
            return await stack.enter_async_context(OkxSim(scenario or market(), **options))

        yield open_one


@pytest.fixture
async def okx(open_okx) -> OkxSim:
    return await open_okx()


@pytest.fixture
async def open_client():
    async with AsyncExitStack() as stack:

        async def open_one(venue: OkxSim, path: str = PUBLIC) -> Client:
            return Client(await stack.enter_async_context(connect(venue.stream_url + path, proxy=None)))

        yield open_one


@pytest.fixture
async def client(okx, open_client) -> Client:
    return await open_client(okx)


@pytest.fixture
def ask(okx, http):
    """Return a function that asks the venue's REST and returns status and body."""

    async def get(path: str, **query: str) -> tuple[int, dict]:
        async with http.get(okx.rest_url + path, params=query) as answer:
            return answer.status, await answer.json()

    return get


# --- control messages --------------------------------------------------------------------------------------


async def test_every_argument_is_acknowledged_and_begins_with_what_there_is(client):
    mark, index, *_ = heard = await client.subscribe(of("mark-price"), of("index-tickers", "BTC-USDT"), id="7")
    assert {k: mark[k] for k in ("id", "event", "arg")} == {"id": "7", "event": "subscribe", "arg": of("mark-price")}
    assert len(mark["connId"]) == 8
    assert index["data"][0]["markPx"] == "90012.4"
    assert [m["arg"]["channel"] for m in heard] == ["mark-price", "mark-price", "index-tickers", "index-tickers"]
    assert rows(heard, "index-tickers")[0]["instId"] == "BTC-USDT"


async def test_a_wrong_argument_is_refused_by_a_sentence_and_its_neighbours_run(client):
    bad, good, data = await client.subscribe(of("mark-price", "NOPE-USDT-SWAP"), of("mark-price"), id="9")
    assert (bad["id"], bad["event"], bad["code"]) == ("9", "error", "60018")
    assert bad["msg"].startswith("Wrong URL or channel:mark-price,instId:NOPE-USDT-SWAP doesn't exist.")
    assert "arg" not in bad
    assert good["event"] == "subscribe"
    assert data["data"][0]["instId"] == BTC


@pytest.mark.parametrize(
    "argument",
    [
        of("nothing"),
        of("index-tickers", BTC),
        of("mark-price", "SWAP", "instType"),
        of("liquidation-orders"),
        {**of("mark-price"), "uly": "BTC-USDT"},
        of("mark-price", 7),
    ],
    ids=str,
)
async def test_what_does_not_exist_is_refused(client, argument):
    (answer,) = await client.subscribe(argument)
    assert (answer["event"], answer["code"]) == ("error", "60018")
    assert "id" not in answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{op", "60012"),
        ("[]", "60012"),
        ('{"op":"dance","args":[]}', "60012"),
        ('{"id":"no good","op":"subscribe","args":[]}', "60012"),
        ('{"op":"subscribe","args":[]}', "60013"),
        ('{"op":"subscribe","args":{}}', "60013"),
        ('{"op":"subscribe","args":["mark-price"]}', "60013"),
        ('{"op":"login","args":[{}]}', "60009"),
    ],
)
async def test_a_message_that_cannot_be_obeyed_gets_a_code(client, text, code):
    await client.say(text)
    (answer,) = await client.everything()
    assert (answer["event"], answer["code"]) == ("error", code)


async def test_nothing_public_is_found_on_the_other_paths(okx, open_client):
    client = await open_client(okx, "/ws/v5/business")
    (answer,) = await client.subscribe(of("mark-price"))
    assert answer["code"] == "60018"


async def test_another_address_is_not_found(okx):
    with pytest.raises(InvalidStatus) as refused:
        await connect(okx.stream_url + "/ws/v4/public", proxy=None)
    assert refused.value.response.status_code == 404


async def test_a_bare_ping_is_answered_by_a_bare_pong(client):
    await client.say("ping")
    assert await client.everything() == ["pong"]


async def test_more_than_480_frames_in_an_hour_are_refused(open_okx, open_client):
    client = await open_client(await open_okx(market(control_per_second=1000.0)))
    for _ in range(480):
        await client.say({"op": "unsubscribe", "args": [of("mark-price")]})
    assert len(await client.everything()) == 480
    (answer,) = await client.subscribe(of("mark-price"))
    assert answer["code"] == "60014"


async def test_a_connection_without_a_word_from_the_venue_ends_after_thirty_seconds(open_okx, open_client):
    client = await open_client(await open_okx(speed=100))
    async with asyncio.timeout(5):
        await client.connection.wait_closed()
    assert client.connection.close_code == 4004


async def test_pings_keep_a_silent_connection_open(open_okx, open_client):
    client = await open_client(await open_okx(speed=20))
    async with asyncio.timeout(10):
        for _ in range(5):
            await client.say("ping")
            assert await client.connection.recv() == "pong"
            await asyncio.sleep(0.4)
    assert client.connection.close_code is None


async def test_an_upgrade_is_announced_and_ends_the_connection(open_okx, open_client):
    okx = await open_okx(speed=50)
    client = await open_client(okx)
    await client.everything()
    okx.upgrade(20.0)
    async with asyncio.timeout(5):
        notice = json.loads(await client.connection.recv())
        await client.connection.wait_closed()
    assert (notice["event"], notice["code"]) == ("notice", "64008")
    assert client.connection.close_code == 1001


async def test_what_was_unsubscribed_is_sent_no_more(okx, client):
    await client.subscribe(of("tickers"))
    (answer,) = await client.subscribe(of("tickers"), operation="unsubscribe")
    assert answer["event"] == "unsubscribe"
    okx.push()
    assert await client.everything() == []


# --- data --------------------------------------------------------------------------------------------------


async def test_a_mark_is_sent_when_it_changes_and_otherwise_every_ten_seconds(okx, client):
    await client.subscribe(of("mark-price"))
    for number in range(1, 22):
        okx.beat(number)
    assert len(await client.everything()) == 3
    okx.set_mark(BTC, 90100.0)
    okx.beat(22)
    (row,) = rows(await client.everything(), "mark-price")
    assert (row["markPx"], row["instType"]) == ("90100", "SWAP")


async def test_an_index_goes_by_its_own_name_for_every_swap_on_it(okx, client):
    await client.subscribe(of("index-tickers", "BTC-USD"))
    okx.set_index(COIN, 90100.0)
    okx.beat(1)
    (row,) = rows(await client.everything(), "index-tickers")
    assert (row["instId"], row["idxPx"]) == ("BTC-USD", "90100")


async def test_a_new_last_price_is_told_at_once_with_quotes_around_it(okx, client):
    await client.subscribe(of("tickers"))
    okx.set_last(BTC, 91000.0)
    (row,) = rows(await client.everything(), "tickers")
    assert row["last"] == "91000"
    assert float(row["bidPx"]) <= 91000.0 <= float(row["askPx"])
    assert float(row["bidPx"]) < float(row["askPx"])


async def test_a_quiet_contract_has_no_tickers(okx, client):
    await client.subscribe(of("tickers", DOGE))
    okx.beat(1)
    assert await client.everything() == []


async def test_funding_says_the_next_two_settlements(okx, client):
    heard = await client.subscribe(of("funding-rate"), of("funding-rate", COIN))
    linear, coin = rows(heard, "funding-rate")
    assert int(linear["nextFundingTime"]) - int(linear["fundingTime"]) == 8 * 3_600_000
    assert int(coin["nextFundingTime"]) - int(coin["fundingTime"]) == 4 * 3_600_000
    assert linear["nextFundingRate"] == ""
    okx.beat(1)
    await client.everything()
    okx.set_funding_interval(BTC, 1)
    okx.beat(2)
    (row,) = rows(await client.everything(), "funding-rate")
    assert int(row["nextFundingTime"]) - int(row["fundingTime"]) == 3_600_000


async def test_open_interest_is_counted_in_contracts_and_told_when_it_changes(okx, client):
    (row,) = rows(await client.subscribe(of("open-interest")), "open-interest")
    assert (row["oi"], row["oiCcy"]) == ("2216113.01", "22161.1301")
    okx.beat(1)
    await client.everything()
    okx.beat(2)
    assert await client.everything() == []
    okx.set_open_interest(BTC, 5.0)
    okx.beat(3)
    assert len(await client.everything()) == 1


async def test_liquidations_of_all_swaps_come_by_the_sort_with_the_side_of_the_order(okx, client):
    (answer,) = await client.subscribe(of("liquidation-orders", "SWAP", "instType"))
    assert answer["event"] == "subscribe"
    okx.print_liquidation(LiquidationPrint(BTC, "buy", 100.0, limit_price=56500.0, fill_price=54900.0))
    okx.print_liquidation(LiquidationPrint(DOGE, "sell", 3.5, limit_price=0.13, fill_price=0.14))
    first, second = rows(await client.everything(), "liquidation-orders")
    assert (first["instId"], second["instId"]) == (BTC, DOGE)
    (detail,) = first["details"]
    assert (detail["side"], detail["sz"], detail["bkPx"], detail["posSide"]) == ("buy", "100", "54900", "net")
    assert second["details"][0]["posSide"] == "long"


async def test_adl_warnings_come_every_second_while_there_is_a_risk_and_then_stop(okx, client):
    await client.subscribe(of("adl-warning", "SWAP", "instType"))
    okx.beat(1)
    assert await client.everything() == []
    okx.set_adl_risk(BTC, "medium")
    okx.beat(2)
    okx.set_adl_risk(BTC, "high")
    okx.beat(3)
    warning, adl = rows(await client.everything(), "adl-warning")
    assert (warning["state"], warning["instFamily"], warning["bal"]) == ("warning", "BTC-USDT", "280112.5")
    assert (adl["state"], adl["ccy"]) == ("adl", "")
    okx.set_adl_risk(BTC, "low")
    okx.beat(4)
    assert await client.everything() == []


async def test_a_new_state_is_announced_and_a_new_ladder_is_not(okx, client, ask):
    await client.subscribe(of("instruments", "SWAP", "instType"))
    okx.set_tiers(BTC, build_deductions([(0, 0.01), (500, 0.02)]))
    assert await client.everything() == []
    okx.delist(BTC, 86_400)
    okx.set_status(BTC, "SETTLING")
    dated, suspended = rows(await client.everything(), "instruments")
    assert (dated["state"], suspended["state"]) == ("live", "suspend")
    assert dated["expTime"] == suspended["expTime"] != ""
    _, body = await ask("/api/v5/public/position-tiers", instType="SWAP", tdMode="cross", instFamily="BTC-USDT")
    assert [(row["minSz"], row["mmr"]) for row in body["data"]] == [("0", "0.01"), ("500.01", "0.02")]


async def test_a_silent_symbol_sends_nothing_while_its_neighbours_do(okx, client):
    await client.subscribe(of("mark-price"), of("mark-price", COIN))
    okx.silence(60, symbol=BTC)
    okx.push()
    assert {row["instId"] for row in rows(await client.everything(), "mark-price")} == {COIN}
    heard = await client.subscribe(of("tickers"))
    assert rows(heard, "tickers") == []


# --- order books -------------------------------------------------------------------------------------------


async def test_a_book_is_whole_and_then_a_chain(okx, client):
    _, begun = await client.subscribe(of("books"))
    assert begun["action"] == "snapshot"
    assert begun["data"][0]["prevSeqId"] == -1
    for number in range(1, 5):
        okx.beat(number)
    heard = await client.everything()
    assert {m["action"] for m in heard} == {"update"}
    chain = [begun["data"][0], *rows(heard, "books")]
    assert all(later["prevSeqId"] == earlier["seqId"] for earlier, later in pairwise(chain))
    assert {row["checksum"] for row in chain} == {0}
    assert all(len(level) == 4 for row in chain for level in row["bids"] + row["asks"])


async def test_a_lost_change_leaves_a_hole(okx, client):
    _, begun = await client.subscribe(of("books"))
    okx.lose_book_change(BTC)
    okx.beat(1)
    okx.beat(2)
    (row,) = rows(await client.everything(), "books")
    assert row["prevSeqId"] == begun["data"][0]["seqId"] + 1


async def test_a_book_that_does_not_change_sends_the_same_number_twice_every_minute(okx, client):
    _, begun = await client.subscribe(of("books", DOGE))
    for number in range(1, 125):
        okx.beat(number)
    beats = rows(await client.everything(), "books")
    number = begun["data"][0]["seqId"]
    assert [(r["prevSeqId"], r["seqId"], r["bids"], r["asks"]) for r in beats] == [(number, number, [], [])] * 2


async def test_maintenance_goes_on_from_a_smaller_number(okx, client):
    _, begun = await client.subscribe(of("books"))
    okx.maintain_book(BTC)
    okx.beat(1)
    reset, after = rows(await client.everything(), "books")
    assert reset["prevSeqId"] == begun["data"][0]["seqId"] > reset["seqId"] == after["prevSeqId"]


# --- REST --------------------------------------------------------------------------------------------------


async def test_the_contract_list_says_what_a_contract_is(ask):
    _, body = await ask("/api/v5/public/instruments", instType="SWAP")
    found = {row["instId"]: row for row in body["data"]}
    assert set(found) == {BTC, COIN, DOGE}
    assert (body["code"], body["msg"]) == ("0", "")
    named = ("ctType", "ctVal", "ctMult", "ctValCcy", "settleCcy", "instFamily", "uly", "state", "expTime")
    assert [found[BTC][n] for n in named] == [
        "linear", "0.01", "1", "BTC", "USDT", "BTC-USDT", "BTC-USDT", "live", "",
    ]  # fmt: skip
    assert [found[COIN][n] for n in named] == ["inverse", "100", "1", "USD", "BTC", "BTC-USD", "BTC-USD", "live", ""]


async def test_ladders_are_given_by_family_in_contracts(ask):
    _, body = await ask("/api/v5/public/position-tiers", instType="SWAP", tdMode="cross", instFamily="BTC-USDT,BTC-USD")
    linear = [row for row in body["data"] if row["instFamily"] == "BTC-USDT"]
    assert [(row["tier"], row["minSz"], row["maxSz"], row["mmr"]) for row in linear] == [
        ("1", "0", "1000", "0.004"),
        ("2", "1000.01", "2000", "0.005"),
        ("3", "2000.01", "20000", "0.0075"),
    ]
    assert linear[0]["maxLever"] == "100"
    assert {row["instFamily"] for row in body["data"]} == {"BTC-USDT", "BTC-USD"}


async def test_the_fund_is_a_figure_of_eight_in_the_morning_until_it_is_set(okx, ask):
    query = {"instType": "SWAP", "instFamily": "BTC-USDT"}
    _, body = await ask("/api/v5/public/insurance-fund", **query)
    (detail,) = body["data"][0]["details"]
    assert (detail["balance"], detail["ccy"], detail["type"]) == ("280112.5", "USDT", "regular_update")
    assert int(detail["ts"]) % 86_400_000 == 8 * 3_600_000
    okx.set_fund(BTC, "USDT", 99.0)
    _, body = await ask("/api/v5/public/insurance-fund", **query)
    assert body["data"][0]["details"][0]["balance"] == "99"


async def test_a_family_without_a_pool_has_no_details(ask):
    _, body = await ask("/api/v5/public/insurance-fund", instType="SWAP", instFamily="BTC-USD")
    assert body["data"][0]["details"] == []


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/api/v5/public/time", {}, "ts"),
        ("/api/v5/public/mark-price", {"instType": "SWAP", "instId": BTC}, "markPx"),
        ("/api/v5/public/open-interest", {"instType": "SWAP", "instFamily": "BTC-USDT"}, "oi"),
        ("/api/v5/public/funding-rate", {"instId": BTC}, "fundingRate"),
        ("/api/v5/market/ticker", {"instId": BTC}, "last"),
        ("/api/v5/market/index-tickers", {"instId": "BTC-USDT"}, "idxPx"),
        ("/api/v5/market/books", {"instId": BTC, "sz": "5"}, "seqId"),
    ],
)
async def test_what_streams_can_be_asked_for_too(ask, path, query, field):
    status, body = await ask(path, **query)
    (row,) = body["data"]
    assert (status, body["code"]) == (200, "0")
    assert row[field]


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/api/v5/public/instruments", {}, 400, "50014"),
        ("/api/v5/public/instruments", {"instType": "OPTION"}, 400, "51000"),
        ("/api/v5/public/funding-rate", {"instId": "NOPE-USDT-SWAP"}, 200, "51001"),
        ("/api/v5/public/position-tiers", {"instType": "SWAP", "instFamily": "BTC-USDT"}, 400, "51000"),
        ("/api/v5/public/position-tiers", {"instType": "SWAP", "tdMode": "cross"}, 400, "50014"),
        (
            "/api/v5/public/position-tiers",
            {"instType": "SWAP", "tdMode": "cross", "instFamily": "A,B,C,D,E,F"},
            400,
            "51000",
        ),
        ("/api/v5/nothing", {}, 404, "404"),
    ],
)
async def test_a_wrong_question_gets_a_code(ask, path, query, status, code):
    answered, body = await ask(path, **query)
    assert (answered, body["code"], body["data"]) == (status, code, [])


async def test_the_eleventh_request_within_two_seconds_is_too_many(ask):
    answers = [await ask("/api/v5/public/time") for _ in range(11)]
    assert [status for status, _ in answers] == [200] * 10 + [429]
    assert answers[-1][1] == {"code": "50011", "msg": "Too Many Requests", "data": []}
    assert (await ask("/api/v5/public/instruments", instType="SWAP"))[0] == 200


async def test_a_fault_speaks_the_venues_words(okx, ask):
    okx.answer_with(503, 60)
    status, body = await ask("/api/v5/public/time")
    assert (status, body["code"]) == (503, "50001")
