"""Binance USD-M: whole messages of the venue's shape into the expected events, including those that must give none."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.core.contract import ladder_problem
from monitor.errors import WireError
from monitor.venues import binance, binance_wire
from monitor.venues.base import FACTS, Word
from monitor.venues.binance_product import USD_M

HERE = Path(__file__).parent / "binance"
RECORDED = Path(__file__).parents[3] / "shared" / "data"
V = "binance"
T = 1795169703.0
FUNDING = 1795190400.0

BTC_MARK = [
    ev.MarkPrice(V, "BTCUSDT", 90012.4, T),
    ev.IndexPrice(V, "BTCUSDT", 90031.02173913, T),
    ev.FundingRate(V, "BTCUSDT", 0.00007412, FUNDING, T),
]
DATED = [ev.MarkPrice(V, "BTCUSDT_261225", 90611.35812345, T), ev.IndexPrice(V, "BTCUSDT_261225", 90031.02173913, T)]
ETH = [
    ev.MarkPrice(V, "ETHUSDT", 3010.25, T),
    ev.IndexPrice(V, "ETHUSDT", 3010.9, T),
    ev.FundingRate(V, "ETHUSDT", -0.000012, FUNDING, T),
]


DEPTH = ev.BookChange(
    V, "BTCUSDT", ((90012.3, 4.112), (90010.0, 0.0)), ((90012.4, 2.905),), T + 0.2, number=9100000140,
    previous=9100000100, first=9100000101,
)  # fmt: skip


def refused(channel: str, reason: str, symbol: str = "") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


FRAMES = {
    "ws_mark_price": BTC_MARK,
    "ws_mark_price_raw": BTC_MARK,
    "ws_mark_price_2019": [
        ev.MarkPrice(V, "BTCUSDT", 8291.5, 1569888003.001),
        ev.FundingRate(V, "BTCUSDT", 0.0001, 1569916800.0, 1569888003.001),
    ],
    "ws_mark_price_dated": DATED,
    "ws_mark_price_array": [*BTC_MARK, *DATED, *ETH],
    "ws_mark_price_array_bad_row": [
        refused("mark_price", "bad_price", "BTCUSDT"),
        *BTC_MARK[1:],
        ETH[0],
        refused("index_price", "bad_price", "ETHUSDT"),
        ETH[2],
        refused("array", "not_an_object"),
        refused("array", "bad_E"),
    ],
    "ws_mark_price_nan": [
        refused("mark_price", "bad_price", "BTCUSDT"),
        refused("index_price", "bad_price", "BTCUSDT"),
        refused("funding_rate", "bad_rate", "BTCUSDT"),
    ],
    "ws_mark_price_no_price": [refused("mark_price", "no_price", "BTCUSDT"), *BTC_MARK[1:]],
    "ws_book_ticker": [ev.BestQuote(V, "BTCUSDT", 90012.3, 4.112, 90012.4, 2.905, T + 0.101)],
    "ws_ticker": [ev.LastPrice(V, "BTCUSDT", 90012.4, T + 0.5)],
    "ws_ticker_array_mixed": [ev.LastPrice(V, "BTCUSDT", 90012.4, T)],
    "ws_agg_trade": [ev.LastPrice(V, "BTCUSDT", 90012.4, T + 0.12)],
    "ws_force_order": [ev.Liquidation(V, "BTCUSDT", "long", 0.45, 89981.25, "fill", T + 0.894, 89640.1)],
    "ws_force_order_single_stream": [ev.Liquidation(V, "BTCUSDT", "short", 0.45, 89981.25, "fill", T + 0.894, 89640.1)],
    "ws_force_order_unfilled": [],
    "ws_force_order_coin_m": [],
    "ws_contract_info": [
        ev.ContractStatus(V, "FOOUSDT", "TRADING", watchable=True, event_time=T + 0.9),
        ev.TierTableChanged(V, "FOOUSDT", ((0.0, 0.01, 0.0), (5000.0, 0.025, 75.0)), T + 0.9, (50.0, 20.0)),
    ],
    "ws_contract_info_bad_tier": [
        refused("contractinfo", "bad_value", "FOOUSDT"),
        ev.ContractStatus(V, "FOOUSDT", "TRADING", watchable=True, event_time=T + 0.9),
    ],
    "ws_contract_info_delisting": [ev.ContractStatus(V, "FOOUSDT", "SETTLING", watchable=False, event_time=T + 0.9)],
    "ws_ack": [],
    "ws_list": [],
    "ws_error_nested": [],
    "ws_error_too_many": [],
    "ws_error_no_id": [refused("control", "venue_error")],
    "ws_error_flat": [refused("control", "venue_error")],
    "ws_depth": [DEPTH],
    "ws_depth_jump": [DEPTH],
    "ws_depth_2019": [
        ev.BookChange(
            V,
            "BTCUSDT",
            ((8493.5, 0.162),),
            ((8495.0, 0.0),),
            1573948821.952,
            number=687690840,
            previous=687690799,
            first=687690800,
        )
    ],
    "ws_depth_bad_level": [refused("book_change", "bad_level", "BTCUSDT")],
    "ws_depth_coin_m": [],
    "ws_index_price": [],
    "ws_trading_session": [],
}


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(binance.decode((HERE / f"{name}.json").read_bytes())) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    frame = (HERE / f"{name}.json").read_bytes()
    assert binance_wire.Builder(USD_M).slowly(frame) == binance.decode(frame)


def test_every_recorded_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} - {"ws_mark_price_microseconds"} == set(FRAMES)


def test_a_time_in_another_unit_is_refused():
    with pytest.raises(WireError) as error:
        binance.decode((HERE / "ws_mark_price_microseconds.json").read_bytes())
    assert error.value.reason == "bad_time"


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads((HERE / f"{name}.json").read_text())
    rows = message.get("data", message) if isinstance(message, dict) else message
    for row in rows if isinstance(rows, list) else [rows]:
        if isinstance(row, dict):
            row["zz_new"] = {"deep": [1, "2", None]}
    assert near(binance.decode(json.dumps(message).encode())) == near(FRAMES[name])


@pytest.mark.parametrize("value", ["NaN", "-1", "0", "1e30", "", "1_000", "0x10", " 1", "٣", None, True, [], {}])
@pytest.mark.parametrize("field", ["p", "i"])
def test_what_is_no_price_never_becomes_one(field, value):
    message = json.loads((HERE / "ws_mark_price.json").read_text())
    message["data"][field] = value
    events = binance.decode(json.dumps(message).encode())
    kind = ev.MarkPrice if field == "p" else ev.IndexPrice
    assert not [e for e in events if isinstance(e, kind)]
    if not (field == "i" and value is None):  # an absent index is absent
        assert [e for e in events if isinstance(e, ev.Rejected)]


@pytest.mark.parametrize("time", [-5, 7, 1795190400, 1795190400000000, 10**30, -(10**30)])
def test_a_funding_time_that_is_none_costs_the_funding_rate_alone(time):
    message = json.loads((HERE / "ws_mark_price.json").read_text())
    message["data"]["T"] = time
    single = binance.decode(json.dumps(message).encode())
    assert near(single)[:2] == near(BTC_MARK[:2])
    assert [type(e) for e in single[2:]] == [ev.Rejected]
    array = binance.decode(json.dumps([message["data"], message["data"]]).encode())
    assert near([e for e in array if not isinstance(e, ev.Rejected)]) == near(BTC_MARK[:2] * 2)


def test_the_symbol_says_whose_a_liquidation_is_wherever_its_pair_stands():
    message = json.loads((HERE / "ws_force_order_single_stream.json").read_text())
    message["data"]["o"]["ps"] = "BTCUSDT"
    assert near(binance.decode(json.dumps(message).encode())) == near(FRAMES["ws_force_order_single_stream"])


@pytest.mark.parametrize("value", ["NaN", "-1", "inf", "1e30", "", "1_000", "0x10", None, True, [], {}])
@pytest.mark.parametrize("place", [0, 1], ids=["price", "quantity"])
@pytest.mark.parametrize("side", ["b", "a"])
def test_a_book_change_with_a_bad_level_is_left_out_as_a_whole(side, place, value):
    message = json.loads((HERE / "ws_depth.json").read_text())
    message["data"][side][0][place] = value
    assert binance.decode(json.dumps(message).encode()) == [refused("book_change", "bad_level", "BTCUSDT")]


def test_a_book_level_of_price_zero_is_none():
    message = json.loads((HERE / "ws_depth.json").read_text())
    message["data"]["b"][0][0] = "0"
    assert binance.decode(json.dumps(message).encode()) == [refused("book_change", "bad_level", "BTCUSDT")]


@pytest.mark.parametrize("kind", ["ws_mark_price", "ws_depth", "ws_book_ticker", "ws_ticker", "ws_agg_trade"])
def test_no_kind_takes_a_time_in_seconds(kind):
    message = json.loads((HERE / f"{kind}.json").read_text())
    message["data"]["E"] //= 1000
    with pytest.raises(WireError) as error:
        binance.decode(json.dumps(message).encode())
    assert error.value.reason == "bad_time"


WORDS = {
    "ws_error_nested": Word(refused=("11",), reason="2 Invalid request: ..."),
    "ws_error_too_many": Word(refused=("3",), reason="4 Too many subscriptions"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_only_an_error_that_names_its_request_is_a_word(name):
    assert binance.VENUE.hear((HERE / f"{name}.json").read_bytes()) == WORDS.get(name)


@pytest.mark.parametrize("frame", [b"", b"{", b"\xff", b"[" * 100_000, b"7", b'{"error": 1, "id": 1}', b'{"id": 7}'])
def test_what_is_no_answer_is_no_word(frame):
    assert binance.VENUE.hear(frame) is None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"<html>",
        b"\xff\xfe",
        b"[1,2",
        b"null x",
        b"[" * 100_000,
        b'"text"',
        b"7",
        b"null",
        b'{"data":7,"stream":"x"}',
    ],
    ids=range(11),
)
def test_what_is_no_message_raises_a_wire_error(frame):
    with pytest.raises(WireError):
        binance.decode(frame)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    name = data.draw(st.sampled_from(sorted(FRAMES)))
    frame = bytearray((HERE / f"{name}.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        events = binance.decode(bytes(frame))
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


POLLS = {p.resource: p for p in binance.VENUE.polls(["BTCUSDT", "FOOUSDT", "GONEUSDT"])}


def polled(resource: str, file: str) -> list[ev.Event]:
    return POLLS[resource].decode((HERE / f"{file}.json").read_bytes(), T)


def test_exchange_info_says_the_terms_of_watched_symbols_and_which_are_not_listed():
    btc, foo, gone = polled("exchangeInfo", "get_exchange_info")
    assert (btc.symbol, btc.status, btc.watchable, btc.tick_size, btc.settle, btc.liquidation_fee_rate) == (
        "BTCUSDT", "TRADING", True, 0.1, "USDT", 0.0125,
    )  # fmt: skip
    assert (foo.status, foo.watchable) == ("SETTLING", False)
    assert (gone.symbol, gone.status, gone.watchable) == ("GONEUSDT", "not listed", False)


def test_premium_index_gives_the_running_estimate_as_funding_rate():
    events = polled("premiumIndex", "get_premium_index")
    assert near(events) == near(
        [
            *BTC_MARK,
            refused("premiumIndex", "bad_price", "FOOUSDT"),
            ev.IndexPrice(V, "FOOUSDT", 90031.02173913, T),
            ev.FundingRate(V, "FOOUSDT", 0.00007412, FUNDING, T),
        ]
    )


@pytest.mark.parametrize("time", [7, 1795190400])
def test_a_polled_funding_time_that_is_none_costs_the_funding_rate_alone(time):
    body = spoiled("get_premium_index", [0, "nextFundingTime"], time)
    events = [e for e in POLLS["premiumIndex"].decode(body, T) if e.symbol == "BTCUSDT"]
    assert near(events) == near([*BTC_MARK[:2], refused("premiumIndex", "bad_time", "BTCUSDT")])


@pytest.mark.parametrize("date", [0, -1, 4133404800, 10**30, 10**400])
def test_a_delivery_date_that_is_none_is_absent(date):
    body = spoiled("get_exchange_info", ["symbols", 0, "deliveryDate"], date)
    (btc, *_) = POLLS["exchangeInfo"].decode(body, T)
    assert (btc.symbol, btc.status, btc.delivery_time) == ("BTCUSDT", "TRADING", None)


@pytest.mark.parametrize("value", ["", "NaN", "-1", "1e30", None])
def test_a_contract_without_a_usable_fee_or_tick_has_terms_all_the_same(value):
    body = json.loads((HERE / "get_exchange_info.json").read_text())
    btc = body["symbols"][0]
    btc["liquidationFee"] = value
    for found in btc["filters"]:
        found["tickSize"] = value
    (terms, *_) = POLLS["exchangeInfo"].decode(json.dumps(body).encode(), T)
    assert (terms.symbol, terms.watchable) == ("BTCUSDT", True)
    assert (terms.tick_size, terms.liquidation_fee_rate) == (None, None)


@pytest.mark.parametrize("value", ["", "NaN", "7", None])
def test_a_cap_that_is_none_costs_itself_alone(value):
    body = json.loads((HERE / "get_funding_info.json").read_text())
    (btc,) = [row for row in body if row["symbol"] == "BTCUSDT"]
    btc["adjustedFundingRateCap"] = value
    events = POLLS["fundingInfo"].decode(json.dumps(body).encode(), T)
    assert events[0] == ev.FundingTerms(V, "BTCUSDT", 4 * 3600.0, None, -0.003)


def test_funding_info_gives_the_interval_and_eight_hours_where_a_symbol_is_absent():
    assert polled("fundingInfo", "get_funding_info") == [
        ev.FundingTerms(V, "BTCUSDT", 4 * 3600.0, 0.003, -0.003),
        ev.FundingTerms(V, "FOOUSDT", 8 * 3600.0),
        ev.FundingTerms(V, "GONEUSDT", 8 * 3600.0),
    ]


def test_open_interest_is_counted_in_contracts():
    assert near(polled("openInterest", "get_open_interest")) == near(
        [ev.OpenInterest(V, "BTCUSDT", 84211.337, T - 0.129)]
    )


def test_a_pool_is_named_after_the_first_watched_symbol_it_backs_and_others_are_left_out():
    events = polled("insuranceBalance", "get_insurance_balance")
    assert [(e.pool, e.asset, e.balance) for e in events] == [
        ("BTCUSDT", "USDT", 801234567.12345678),
        ("BTCUSDT", "BTC", 58.4021),
    ]


def test_the_adl_rating_of_watched_symbols_is_said_in_lower_case_and_an_unknown_one_is_not_passed_on():
    assert polled("symbolAdlRisk", "get_symbol_adl_risk") == [
        ev.AdlSignal(V, "BTCUSDT", "low", 1795168800.0),
        ev.AdlSignal(V, "FOOUSDT", "high", 1795168800.0),
        refused("symbolAdlRisk", "unknown_state", "GONEUSDT"),
    ]


def test_a_dated_contract_has_no_funding_interval():
    (poll,) = [p for p in binance.VENUE.polls(["BTCUSDT_261225"]) if p.resource == "fundingInfo"]
    assert poll.decode((HERE / "get_funding_info.json").read_bytes(), T) == []


def depth_streams(symbols):
    return [s for c in binance.VENUE.connections(symbols, "ws://x") for s in c.streams if s.field == "depth"]


def test_the_whole_book_joins_the_changes_that_cover_its_number():
    (stream,) = depth_streams(["BTCUSDT"])
    poll = stream.snapshot
    assert (poll.path, poll.params, poll.weight) == ("/fapi/v1/depth", {"symbol": "BTCUSDT", "limit": "500"}, 10)
    book = OrderBook()
    book.apply(DEPTH, 1.0)
    (whole,) = poll.decode((HERE / "get_depth.json").read_bytes(), T)
    assert book.apply(whole, 2.0)
    assert (book.levels("sell"), book.levels("buy")) == ([(90012.3, 4.112)], [(90012.4, 2.905)])
    assert book.number == DEPTH.number


def test_a_change_joins_a_whole_book_of_the_number_before_it_however_far_the_ids_jumped():
    (jump,) = binance.decode((HERE / "ws_depth_jump.json").read_bytes())
    book = OrderBook()
    book.apply(ev.BookChange(V, "BTCUSDT", ((90000.0, 1.0),), ((90020.0, 1.0),), T, whole=True, number=9100000100), 1.0)
    assert book.apply(jump, 2.0)
    assert book.gaps == 0


@pytest.mark.parametrize("where", [["bids", 0, 0], ["asks", 0, 1]])
@pytest.mark.parametrize("value", ["NaN", "-1", "1e30", "", None, True])
def test_a_whole_book_with_a_bad_level_is_not_used(where, value):
    (stream,) = depth_streams(["BTCUSDT"])
    with pytest.raises(WireError):
        stream.snapshot.decode(spoiled("get_depth", where, value), T)


def test_time_gives_the_venue_time():
    assert polled("time", "get_time") == [ev.VenueTime(V, T + 0.001)]


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]]", b'{"code":-1121,"msg":"Invalid symbol."}', b"[" * 50_000])
def test_a_body_of_another_shape_raises_a_wire_error(resource, body):
    with pytest.raises(WireError):
        POLLS[resource].decode(body, T)


def test_each_stream_stands_on_its_own_path():
    found = {c.name: c for c in binance.VENUE.connections(["BTCUSDT", "币安人生USDT"], "ws://x/")}
    assert found["mark"].url == "ws://x/market/stream"
    assert found["last"].url == "ws://x/market/stream"
    assert found["book"].url == found["depth"].url == "ws://x/public/stream"
    assert [s.name for s in found["depth"].streams] == ["btcusdt@depth@500ms", "币安人生usdt@depth@500ms"]
    assert [s.name for s in found["mark"].streams][:2] == ["btcusdt@markPrice@1s", "币安人生usdt@markPrice@1s"]
    assert all(s.field is None for s in found["mark"].streams if "forceOrder" in s.name or "!" in s.name)


def test_many_symbols_share_the_array_stream_and_no_connection_exceeds_200_streams():
    symbols = [f"S{n}USDT" for n in range(450)]
    found = binance.VENUE.connections(symbols, "ws://x")
    assert found[0].streams[0].name == "!markPrice@arr@1s"
    assert set(found[0].streams[0].symbols) == set(symbols)
    assert max(len(c.streams) for c in found) == 200
    assert len({c.name for c in found}) == len(found)


def test_control_frames_name_the_streams_with_an_unsigned_id():
    (connection,) = [c for c in binance.VENUE.connections(["BTCUSDT"], "ws://x") if c.name == "last"]
    (request,) = binance.VENUE.subscribe(connection.streams, 7, 0.0)
    assert json.loads(request.text) == {"method": "SUBSCRIBE", "params": ["btcusdt@ticker"], "id": 7}
    assert (request.key, request.streams) == ("7", connection.streams)
    (request,) = binance.VENUE.unsubscribe(connection.streams, 8, 0.0)
    assert json.loads(request.text)["method"] == "UNSUBSCRIBE"


def test_every_fact_that_the_venue_gives_has_one_row_in_its_table():
    assert [feature.fact for feature in binance.VENUE.features] == list(FACTS)


def test_the_shipped_ladders_are_sound_and_dated():
    table = binance.shipped_tiers("BTCUSDT")
    assert table is not None
    assert (table.date, table.tiers[1].floor, table.tiers[1].deduction) == ("2026-02-05", 300_000.0, 300.0)
    for symbol in binance._table()["tiers"]:
        ladder = binance.shipped_tiers(symbol)
        assert ladder is not None
        assert ladder_problem(ladder.tiers) is None, symbol
    assert binance.shipped_tiers("NOSUCHUSDT") is None


recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded frames do not lie beside the checkout")


@recorded
def test_the_recorded_usd_m_frames_decode_into_quotes_trades_and_books():
    kinds: dict[str, int] = {}
    symbols = set()
    with gzip.open(RECORDED / "frames" / "binance_um" / "recv.jsonl.gz", "rt") as lines:
        for line in lines:
            for event in binance.decode(json.loads(line)["frame"].encode()):
                kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
                symbols.add(event.symbol)
    assert kinds == {"BestQuote": 181, "BookChange": 325, "LastPrice": 35}
    assert symbols <= {"SUSHIUSDT", "AKROUSDT", "KEEPUSDT", "CTKUSDT"}


@recorded
def test_books_built_from_the_recording_never_cross_and_never_miss_a_message():
    folder = RECORDED / "frames" / "binance_um"
    books, waiting = {}, []
    with gzip.open(folder / "rest.jsonl.gz", "rt") as lines:
        for line in lines:
            answer = json.loads(line)
            if asked := re.search(r"/depth\?symbol=(\w+)", answer["url"]):
                (stream,) = depth_streams([asked[1]])
                waiting.append((answer["t"], *stream.snapshot.decode(answer["body"].encode(), T)))
                books[asked[1]] = OrderBook()
    with gzip.open(folder / "recv.jsonl.gz", "rt") as lines:
        for line in lines:
            received = json.loads(line)
            while waiting and waiting[0][0] <= received["t"]:
                at, whole = waiting.pop(0)
                assert books[whole.symbol].apply(whole, at)
            for event in binance.decode(received["frame"].encode()):
                if isinstance(event, ev.BookChange):
                    book = books[event.symbol]
                    assert book.apply(event, received["t"]) or book.number is None
                    assert book.number is None or book.best_bid < book.best_ask
    assert len(books) == 4
    assert [(book.valid, book.gaps) for book in books.values()] == [(True, 0)] * 4


@recorded
def test_recorded_coin_m_frames_give_nothing_here():
    with gzip.open(RECORDED / "frames" / "binance_cm" / "recv.jsonl.gz", "rt") as lines:
        assert not [e for line in lines for e in binance.decode(json.loads(line)["frame"].encode())]


@recorded
def test_the_single_messages_give_what_they_are():
    found = []
    with gzip.open(RECORDED / "frames" / "samples" / "derivative_frames.jsonl.gz", "rt") as lines:
        for line in lines:
            sample = json.loads(line)
            if sample["venue"].startswith("binance"):
                found += [(type(e).__name__, e.symbol) for e in binance.decode(sample["frame"].encode())]
    assert found == [
        ("LastPrice", "BTCUSDT"),
        ("LastPrice", "BTCUSDT"),
        ("MarkPrice", "BTCUSDT"),
        ("FundingRate", "BTCUSDT"),
        ("LastPrice", "BTCUSDT"),
        ("BookChange", "BTCUSDT"),
        ("BookChange", "BTCUSDT"),
        ("MarkPrice", "BTCUSDT"),
        ("IndexPrice", "BTCUSDT"),
        ("FundingRate", "BTCUSDT"),
        ("Liquidation", "BTCUSDT"),
        ("MarkPrice", "BTCBUSD_210129"),
        ("IndexPrice", "BTCBUSD_210129"),
        ("BestQuote", "BTCUSDT"),
    ]


@recorded
def test_the_recorded_brackets_carry_the_deductions_that_we_build():
    with gzip.open(RECORDED / "leverage_tiers" / "binance_um_2026-02-05.json.gz", "rt") as file:
        published = json.load(file)
    for name, rows in published.items():
        if "-" in name:
            continue
        table = binance.shipped_tiers(name.split(":")[0].replace("/", ""))
        assert table is not None
        wide = [r for r in rows if r["maxNotional"] > r["minNotional"]]  # one symbol has a bracket of no width
        assert [t.deduction for t in table.tiers] == pytest.approx([float(r["info"]["cum"]) for r in wide], rel=1e-9)
        assert [t.maintenance_rate for t in table.tiers] == [r["maintenanceMarginRate"] for r in wide]


def spoiled(file: str, where: list, value: object) -> bytes:
    """Return a recorded answer with one value replaced."""
    body = json.loads((HERE / f"{file}.json").read_text())
    *path, last = where
    place = body
    for key in path:
        place = place[key]
    place[last] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize(
    ("resource", "file", "where"),
    [
        ("exchangeInfo", "get_exchange_info", ["symbols", 2, "deliveryDate"]),
        ("premiumIndex", "get_premium_index", [1, "time"]),
        ("insuranceBalance", "get_insurance_balance", [1, "assets"]),
    ],
)
def test_a_bad_row_of_an_answer_costs_itself_alone(resource, file, where):
    good = polled(resource, file)
    events = POLLS[resource].decode(spoiled(file, where, "soon"), T)
    assert refused(resource, "bad_row") in events
    kept = [e for e in good if not isinstance(e, ev.ContractStatus)]
    assert [e for e in near(events) if e in near(kept)] == near(kept)


def test_a_row_that_cannot_be_read_makes_no_symbol_unlisted():
    body = spoiled("get_exchange_info", ["symbols", 0, "status"], 7)
    events = POLLS["exchangeInfo"].decode(body, T)
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]
    assert [e.symbol for e in events if isinstance(e, ev.ContractTerms)] == ["FOOUSDT"]


def test_a_row_that_cannot_be_read_makes_no_interval_the_default():
    body = spoiled("get_funding_info", [0, "fundingIntervalHours"], None)
    assert POLLS["fundingInfo"].decode(body, T) == [refused("fundingInfo", "bad_row")]


def test_a_venue_without_contracts_is_not_believed():
    with pytest.raises(WireError):
        POLLS["exchangeInfo"].decode(b'{"symbols": []}', T)
