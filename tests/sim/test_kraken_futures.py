"""The simulated Kraken Futures from outside: what a client is told and refused, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import aiohttp
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from monitor.core.book import OrderBook
from monitor.core.contract import Tier
from monitor.core.events import BookChange
from monitor.sim.cast import recast
from monitor.sim.kraken_futures import KrakenFuturesSim
from monitor.sim.market import LiquidationPrint, Listing
from monitor.sim.scenario import Scenario, load_scenario

PI, PF, SOL, FI = "PI_XBTUSD", "PF_XBTUSD", "PF_SOLUSD", "FI_XBTUSD_261225"
STILL = Scenario(
    symbols=(
        Listing(
            symbol=PI, base="BTC", quote="USD", product="CM", mark_price=90012.5, index_price=90000.0, tick_size=0.5,
            step_size=1.0, open_interest=30_072_580.0, funding_rate=0.00002, tiers=((0.0, 0.01), (500_000.0, 0.02)),
        ),
        Listing(
            symbol=PF, base="BTC", quote="USD", mark_price=90020.0, index_price=90000.0, tick_size=1.0,
            step_size=0.001, open_interest=812.4, funding_rate=-0.00001,
        ),
        Listing(symbol=SOL, base="SOL", quote="USD", mark_price=131.42, tick_size=0.01, step_size=0.1, quiet=True),
        Listing(
            symbol=FI, base="BTC", quote="USD", product="CM", mark_price=90611.5, step_size=1.0,
            contract_type="CURRENT_QUARTER", delivery_in_days=33,
        ),
    ),
    tick_seconds=9_999_999.0,
)  # fmt: skip
"""A market without ticks: data come with ``push`` and with what a test does."""


class Client:
    """A client that knows no venue."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def hear(self) -> dict:
        async with asyncio.timeout(5):
            return json.loads(await self.connection.recv())

    async def say(self, **said: object) -> None:
        await self.connection.send(json.dumps(said))

    async def ask(self, **said: object) -> dict:
        """Return the first frame after something said."""
        await self.say(**said)
        return await self.hear()

    async def subscribe(self, feed: str, *products: str) -> list[dict]:
        """Return all that a subscription leads to at once."""
        await self.say(event="subscribe", feed=feed, product_ids=list(products))
        return await self.everything()

    async def everything(self) -> list[dict]:
        """Return what arrived until the answer to a challenge made now."""
        await self.say(event="challenge", api_key="x")
        heard = []
        while True:
            said = await self.hear()
            if said.get("event") == "challenge":
                return heard
            heard.append(said)

    async def closed(self) -> int | None:
        async with asyncio.timeout(5):
            await self.connection.wait_closed()
        return self.connection.close_code


@pytest.fixture
async def kraken() -> AsyncIterator:
    """Open a simulated venue; it is closed when the test ends."""
    async with AsyncExitStack() as stack:

        async def open_one(scenario: Scenario = STILL, **options) -> KrakenFuturesSim:
            return await stack.enter_async_context(KrakenFuturesSim(scenario, **options))

        yield open_one


@pytest.fixture
async def venue(kraken) -> KrakenFuturesSim:
    return await kraken()


@pytest.fixture
async def dial():
    async with AsyncExitStack() as stack:

        async def open_one(venue: KrakenFuturesSim, **options) -> Client:
            url = f"{venue.stream_url}/ws/v1"
            return Client(await stack.enter_async_context(connect(url, proxy=None, **options)))

        yield open_one


@pytest.fixture
async def client(venue, dial) -> Client:
    """A client that has been greeted."""
    found = await dial(venue)
    assert await found.hear() == {"event": "info", "version": 1}
    return found


@pytest.fixture
async def get(venue):
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, **query: str) -> tuple[int, dict]:
            async with session.get(f"{venue.rest_url}/derivatives/api/v3/{path}", params=query) as answer:
                return answer.status, await answer.json()

        yield ask


# --- what is said ------------------------------------------------------------------------------------------


async def test_there_is_one_address(venue):
    with pytest.raises(InvalidStatus, match="404"):
        await connect(f"{venue.stream_url}/ws", proxy=None)


async def test_each_product_is_acknowledged_by_itself_in_capitals(client):
    heard = await client.subscribe("ticker", PF, "pi_xbtusd")
    assert [(h["event"], h["product_ids"]) for h in heard if "event" in h] == [
        ("subscribed", [PF]),
        ("subscribed", [PI]),
    ]
    assert [h["product_id"] for h in heard if "event" not in h] == [PF, PI]


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ({"event": "subscribe", "feed": "ticker", "product_ids": ["PF_NOPEUSD"]},
         {"event": "subscribed_failed", "feed": "ticker", "product_ids": ["PF_NOPEUSD"]}),
        ({"event": "subscribe", "feed": "ticker", "product_ids": ["XBT/USD"]},
         {"event": "error", "message": "Invalid product id"}),
        ({"event": "subscribe", "feed": "colours", "product_ids": [PF]}, {"event": "error", "message": "Invalid feed"}),
        ({"event": "subscribe", "feed": "trade"}, {"event": "error", "message": "Bad request"}),
        ({"event": "subscribe", "feed": "trade", "product_ids": []}, {"event": "error", "message": "Bad request"}),
        ({"event": "subscribe"}, {"event": "error", "message": "Bad request"}),
        ({"event": "dance"}, {"event": "error", "message": "Bad request"}),
        ({"event": "subscribe", "feed": "open_positions"},
         {"event": "alert", "message": "Failed to subscribe to authenticated feed"}),
        ({"event": "unsubscribe", "feed": "book", "product_ids": ["PF_NOPEUSD"]},
         {"event": "unsubscribed_failed", "feed": "book", "product_ids": ["PF_NOPEUSD"]}),
        ({"event": "subscribe", "feed": "heartbeat"}, {"event": "subscribed", "feed": "heartbeat"}),
    ],
)  # fmt: skip
async def test_what_is_refused_has_one_of_three_shapes(client, said, answer):
    assert await client.ask(**said) == answer


@pytest.mark.parametrize("text", ["{", "", "[" * 5000])
async def test_what_is_no_json_is_an_error_of_its_own(client, text):
    await client.connection.send(text)
    assert await client.hear() == {"event": "error", "message": "Json Error"}


async def test_one_impossible_id_fails_the_whole_frame(venue, client):
    assert await client.subscribe("trade", PF, "nope") == [{"event": "error", "message": "Invalid product id"}]
    venue.push()
    assert not await client.everything()


async def test_one_product_that_is_not_listed_fails_alone(venue, client):
    heard = await client.subscribe("trade", "PF_NOPEUSD", PF)
    assert [h["event"] for h in heard if "event" in h] == ["subscribed_failed", "subscribed"]


async def test_unsubscribing_ends_the_data(venue, client):
    await client.subscribe("trade", PF)
    assert await client.ask(event="unsubscribe", feed="trade", product_ids=[PF]) == {
        "event": "unsubscribed", "feed": "trade", "product_ids": [PF],
    }  # fmt: skip
    venue.push()
    assert not await client.everything()


async def test_a_client_without_a_sign_of_life_is_left_after_a_minute(kraken, dial):
    client = await dial(await kraken(speed=200.0), ping_interval=None)
    assert await client.closed() == 1000


async def test_pings_of_the_protocol_are_sign_enough(kraken, dial):
    venue = await kraken(speed=100.0)
    silent = await dial(venue, ping_interval=None)
    pinging = await dial(venue, ping_interval=0.1)
    await silent.closed()
    assert venue.clock() > 60.0
    await pinging.hear()
    assert not await pinging.everything()


async def test_the_heartbeat_comes_with_every_tick(venue, client):
    await client.ask(event="subscribe", feed="heartbeat")
    venue.push()
    (beat,) = await client.everything()
    assert (beat["feed"], beat["time"] // 1000) == ("heartbeat", int(venue.wall()))


# --- tickers -----------------------------------------------------------------------------------------------


async def test_a_ticker_begins_whole_with_the_rate_absolute_and_relative(client):
    inverse, linear = [h for h in await client.subscribe("ticker", PI, PF) if "event" not in h]
    assert (inverse["markPrice"], inverse["index"], inverse["openInterest"]) == (90012.5, 90000.0, 30_072_580.0)
    assert (inverse["relative_funding_rate"], linear["relative_funding_rate"]) == (0.00002, -0.00001)
    assert inverse["funding_rate"] == pytest.approx(0.00002 / 90000.0)
    assert linear["funding_rate"] == pytest.approx(-0.9)
    assert linear["next_funding_rate_time"] % 3_600_000 == 0
    assert (linear["last"], linear["suspended"], linear["tag"], linear["pair"]) == (0.0, False, "perpetual", "XBT:USD")
    assert linear["bid"] < 90020.0 < linear["ask"]


async def test_a_ticker_leaves_out_what_did_not_change(venue, client):
    await client.subscribe("ticker", SOL)
    venue.push()
    await client.everything()
    venue.set_open_interest(SOL, 77.0)
    venue.push()
    (row,) = await client.everything()
    assert row.keys() == {"time", "feed", "product_id", "openInterest"}


async def test_nothing_is_sent_where_nothing_changed(venue, client):
    await client.subscribe("ticker", SOL)
    venue.push()
    await client.everything()
    venue.push()
    assert not await client.everything()


async def test_a_ticker_comes_at_most_once_a_second(venue, client):
    await client.subscribe("ticker", SOL)
    for price in (132.0, 133.0, 134.0):
        venue.set_last(SOL, price)
    (row,) = await client.everything()
    assert row["last"] == 132.0
    venue.push()
    (row,) = await client.everything()
    assert row["last"] == 134.0


async def test_a_suspended_contract_keeps_its_mark_but_trades_no_more(venue, client):
    await client.subscribe("ticker", PF)
    await client.subscribe("trade", PF)
    venue.set_status(PF, "SUSPENDED")
    venue.set_mark(PF, 91000.0)
    venue.push()
    (row,) = await client.everything()
    assert (row["suspended"], row["markPrice"]) == (True, 91000.0)


async def test_a_dated_contract_has_no_funding_and_matures(client):
    row = (await client.subscribe("ticker", FI))[-1]
    assert "funding_rate" not in row
    assert (row["dtm"] in {32, 33}, row["tag"]) == (True, "quarter")


# --- trades ------------------------------------------------------------------------------------------------


def forced(symbol: str = PF, contracts: float = 0.75) -> LiquidationPrint:
    return LiquidationPrint(symbol, "sell", contracts, limit_price=88000.0, fill_price=89871.5)


async def test_a_snapshot_of_trades_has_the_newest_first_and_overlaps_with_what_follows(venue, client):
    venue.push()
    venue.push()
    _, snapshot, again = await client.subscribe("trade", PF)
    assert snapshot["feed"] == "trade_snapshot"
    assert [row["seq"] for row in snapshot["trades"]] == [41_001, 41_000]
    assert again == snapshot["trades"][0]
    venue.push()
    (row,) = await client.everything()
    assert (row["feed"], row["type"], row["seq"], row["qty"]) == ("trade", "fill", 41_002, 0.001)


async def test_forced_trades_are_orders_then_assignments_then_unwinds(venue, client):
    await client.subscribe("trade", PF)
    venue.print_liquidation(forced())
    venue.assign(forced(contracts=0.2))
    venue.unwind(forced(contracts=0.1))
    rows = await client.everything()
    assert [(r["type"], r["side"], r["qty"], r["price"]) for r in rows] == [
        ("liquidation", "sell", 0.75, 89871.5),
        ("assignment", "sell", 0.2, 88000.0),
        ("termination", "sell", 0.1, 88000.0),
    ]


async def test_a_linear_position_is_cut_in_parts(venue, client):
    await client.subscribe("trade", PF)
    venue.cut_in_parts(forced())
    assert [(r["type"], r["qty"]) for r in await client.everything()] == [("liquidation", 0.25)] * 3


async def test_a_block_trade_has_a_type_of_its_own(venue, client):
    await client.subscribe("trade", PF)
    venue.block(PF, 50.0, 88000.0)
    (row,) = await client.everything()
    assert (row["type"], row["price"]) == ("block", 88000.0)


async def test_an_old_liquidation_stands_in_the_snapshot_and_is_not_sent_again(venue, client):
    venue.print_liquidation(forced())
    _, snapshot = await client.subscribe("trade", PF)
    assert [row["type"] for row in snapshot["trades"]] == ["liquidation"]


# --- books -------------------------------------------------------------------------------------------------


def change(frame: dict) -> BookChange:
    """Return a frame as one change, read independently of any decoder."""
    if frame["feed"] == "book_snapshot":
        bids, asks = (tuple((row["price"], row["qty"]) for row in frame[side]) for side in ("bids", "asks"))
        return BookChange("v", frame["product_id"], bids, asks, 0.0, whole=True, number=frame["seq"])
    row, number = ((frame["price"], frame["qty"]),), frame["seq"]
    bids, asks = (row, ()) if frame["side"] == "buy" else ((), row)
    return BookChange("v", frame["product_id"], bids, asks, 0.0, number=number, previous=number - 1)


async def test_a_book_begins_whole_and_goes_on_level_by_level_without_ever_crossing(venue, client):
    _, snapshot = await client.subscribe("book", PF)
    book = OrderBook()
    assert book.apply(change(snapshot), 0.0)
    for price in (90050.0, 89800.0, 90021.0):
        venue.set_mark(PF, price)
        venue.push()
        for frame in await client.everything():
            assert (frame["feed"], set(frame)) == (
                "book", {"feed", "product_id", "side", "seq", "price", "qty", "timestamp"},
            )  # fmt: skip
            assert book.apply(change(frame), 0.0)
    bids, asks = venue.book(PF).snapshot(20)
    assert (book.levels("sell", 50), book.levels("buy", 50)) == (bids, asks)


async def test_a_lost_change_leaves_a_hole_that_subscribing_anew_fills(venue, client):
    _, snapshot = await client.subscribe("book", PF)
    venue.lose_book_change(PF)
    venue.push()
    assert not await client.everything()
    venue.push()
    frames = await client.everything()
    assert frames[0]["seq"] > snapshot["seq"] + 1
    _, snapshot = await client.subscribe("book", PF)
    assert snapshot["seq"] == frames[-1]["seq"]


async def test_a_change_of_a_book_that_stands_still_can_be_lost_too(venue, client):
    _, snapshot = await client.subscribe("book", SOL)
    venue.lose_book_change(SOL)
    venue.push()
    venue.set_mark(SOL, 132.0)
    venue.push()
    assert (await client.everything())[0]["seq"] == snapshot["seq"] + 2


# --- faults ------------------------------------------------------------------------------------------------


async def test_a_silence_of_one_contract_leaves_the_others_alone(venue, client):
    await client.subscribe("trade", PF, PI)
    venue.silence(1000.0, symbol=PF)
    venue.push()
    assert {row["product_id"] for row in await client.everything()} == {PI}
    venue.speak()
    venue.push()
    assert {row["product_id"] for row in await client.everything()} == {PF, PI}


async def test_a_contract_that_was_closed_says_nothing_and_cannot_be_asked_for(venue, client, get):
    await client.subscribe("ticker", PF)
    venue.set_status(PF, "CLOSE")
    venue.push()
    assert not await client.everything()
    assert (await client.subscribe("ticker", PF))[0]["event"] == "subscribed_failed"
    _, body = await get("tickers")
    assert PF not in {row["symbol"] for row in body["tickers"]}


async def test_a_limit_is_told_with_429_or_in_a_200(venue, get):
    for status in (429, 200):
        venue.answer_with(status, 1000.0)
        assert await get("tickers") == (status, {**(await get("tickers"))[1], "error": "apiLimitExceeded"})


# --- REST --------------------------------------------------------------------------------------------------


async def test_every_answer_has_the_time_of_the_server(get):
    status, body = await get("tickers/PF_XBTUSD")
    assert (status, body["result"], body["serverTime"][-1], len(body["serverTime"])) == (200, "success", "Z", 24)


async def test_tickers_have_an_absolute_rate_alone_and_rows_that_are_no_contracts(venue, get):
    venue.push()
    _, body = await get("tickers")
    rows = {row["symbol"]: row for row in body["tickers"]}
    assert rows.keys() == {PI, PF, SOL, FI, "in_xbtusd", "rr_xbtusd", "in_solusd", "rr_solusd"}
    assert rows[PF]["fundingRate"] == pytest.approx(-0.9)
    assert "relativeFundingRate" not in rows[PF]
    assert rows["in_xbtusd"].keys() == {"symbol", "last", "lastTime"}
    assert ("last" in rows[PF], "last" in rows[SOL], "fundingRate" in rows[FI]) == (True, False, False)


async def test_rest_follows_the_live_market(venue, get):
    venue.set_mark(PF, 91234.0)
    _, body = await get("tickers/pf_xbtusd")
    assert body["ticker"]["markPrice"] == 91234.0


async def test_levels_are_in_contracts_or_in_dollars(venue, get):
    venue.set_tiers(PF, (Tier(0.0, 0.004), Tier(300_000.0, 0.005)))
    _, body = await get("instruments")
    rows = {row["symbol"]: row for row in body["instruments"]}
    assert rows[PF]["marginLevels"] == [
        {"numNonContractUnits": 0.0, "initialMargin": 0.008, "maintenanceMargin": 0.004},
        {"numNonContractUnits": 300_000.0, "initialMargin": 0.01, "maintenanceMargin": 0.005},
    ]
    assert [level["contracts"] for level in rows[PI]["marginLevels"]] == [0.0, 500_000.0]
    assert (rows[PI]["type"], rows[PF]["type"], rows[PF]["base"]) == ("futures_inverse", "flexible_futures", "BTC")
    assert ("lastTradingTime" in rows[FI], "lastTradingTime" in rows[PF]) == (True, False)
    assert rows["rr_xbtusd"]["tradeable"] is False


async def test_a_delisting_and_a_suspension_stand_in_the_list(venue, get):
    venue.delist(SOL, 3600.0)
    venue.set_status(PF, "SUSPENDED")
    _, body = await get("instruments")
    rows = {row["symbol"]: row for row in body["instruments"]}
    assert "lastTradingTime" in rows[SOL]
    assert (rows[PF]["tradeable"], rows[PI]["tradeable"]) == (False, True)


async def test_extreme_volatility_is_a_flag_of_its_own(venue, get):
    venue.set_volatile(PF, extreme=True)
    assert (await get(f"instruments/{PF}/status"))[1]["experiencingExtremeVolatility"] is True
    _, body = await get("instruments/status")
    assert [row["experiencingExtremeVolatility"] for row in body["instrumentStatus"]] == [False, True, False, False]


async def test_a_book_the_history_and_past_rates_can_be_read(venue, get):
    venue.print_liquidation(forced())
    _, body = await get("orderbook", symbol=PF)
    assert body["orderBook"]["bids"][0][0] < body["orderBook"]["asks"][0][0]
    _, body = await get("history", symbol=PF)
    assert [row["type"] for row in body["history"]] == ["liquidation"]
    _, body = await get("historicalfundingrates", symbol=PF)
    assert body["rates"][-1]["relativeFundingRate"] == -0.00001
    assert body["rates"][0].keys() == {"timestamp", "fundingRate", "relativeFundingRate"}


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("orderbook", {}, 200, "requiredArgumentMissing"),
        ("orderbook", {"symbol": "PF_NOPEUSD"}, 200, "contractNotFound"),
        ("tickers/PF_NOPEUSD", {}, 200, "contractNotFound"),
        ("accounts", {}, 200, "authenticationError"),
        ("colours", {}, 404, "notFound"),
    ],
)
async def test_an_error_may_come_with_200(get, path, query, status, code):
    found, body = await get(path, **query)
    assert (found, body["result"], body["error"]) == (status, "error", code)


async def test_history_is_rationed(get):
    for _ in range(100):
        assert (await get("history", symbol=PF))[1]["result"] == "success"
    status, body = await get("history", symbol=PF)
    assert (status, body["error"]) == (200, "apiLimitExceeded")
    assert (await get("tickers"))[1]["result"] == "success"


# --- the demo's story --------------------------------------------------------------------------------------


async def test_the_story_is_cast_with_linear_contracts_of_three_coins(kraken):
    story = recast(load_scenario("demo"), KrakenFuturesSim.CAST, 50_000.0)
    venue = await kraken(msgspec.structs.replace(story, tick_seconds=9_999_999.0))
    found = venue.market.instruments
    assert found.keys() == {"PF_XBTUSD", "PF_ETHUSD", "PF_SOLUSD"}
    assert (found["PF_XBTUSD"].mark_price, found["PF_ETHUSD"].mark_price) == (51_500.0, 2_745.0)
    assert found["PF_XBTUSD"].tiers[0].maintenance_rate == 0.004
