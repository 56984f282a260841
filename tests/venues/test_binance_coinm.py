"""Binance COIN-M: whole messages of the venue's shape into the expected events; rows of USD-M give nothing here."""

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
from monitor.errors import WireError
from monitor.venues import binance, binance_coinm, binance_wire
from monitor.venues.base import FACTS, Word
from monitor.venues.binance_product import COIN_M

HERE = Path(__file__).parent / "binance_coinm"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames"
V = "binance-coinm"
T = 1795169703.0
FUNDING = 1795190400.0
VENUE = binance_coinm.VENUE

MARK = [
    ev.MarkPrice(V, "BTCUSD_PERP", 90005.1122, T),
    ev.IndexPrice(V, "BTCUSD_PERP", 90031.02173913, T),
    ev.FundingRate(V, "BTCUSD_PERP", 0.0001, FUNDING, T),
]
DATED = [ev.MarkPrice(V, "BTCUSD_261225", 90611.35812345, T), ev.IndexPrice(V, "BTCUSD_261225", 90031.02173913, T)]


def refused(channel: str, reason: str, symbol: str = "BTCUSD_PERP") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def last(time: float) -> list[ev.Event]:
    return [ev.LastPrice(V, "BTCUSD_PERP", 90005.1, time)]


FRAMES = {
    "ws_mark_price": MARK,
    "ws_mark_price_raw": MARK,
    "ws_mark_price_before_st": MARK,
    "ws_mark_price_2020": [ev.MarkPrice(V, "BTCUSD_200925", 9501.25, 1592265602.0)],
    "ws_mark_price_dated": DATED,
    "ws_mark_price_pair": [*DATED, *MARK],
    "ws_mark_price_mixed": MARK,
    "ws_mark_price_usd_m": [],
    "ws_mark_price_nan": [
        refused("mark_price", "bad_price"),
        refused("index_price", "bad_price"),
        refused("funding_rate", "bad_rate"),
    ],
    "ws_index_price": [],
    "ws_index_price_renamed": [],
    "ws_book_ticker": [ev.BestQuote(V, "BTCUSD_PERP", 90005.1, 1811.0, 90005.2, 207.0, T + 0.101)],
    "ws_ticker": last(T + 0.5),
    "ws_mini_ticker_mixed": last(T),
    "ws_agg_trade": last(T + 0.12),
    "ws_depth": [
        ev.BookChange(
            V, "BTCUSD_PERP", ((90005.1, 1811.0), (90004.0, 0.0)), ((90005.2, 207.0),), T + 0.2,
            number=9100000140, previous=9100000100, first=9100000101,
        ),
    ],
    "ws_depth_bad_level": [refused("book_change", "bad_level")],
    "ws_force_order": [ev.Liquidation(V, "BTCUSD_PERP", "short", 320.0, 90031.9, "fill", T + 0.894, 90420.5)],
    "ws_force_order_single_stream": [
        ev.Liquidation(V, "BTCUSD_PERP", "long", 320.0, 90031.9, "fill", T + 0.894, 90420.5)
    ],
    "ws_force_order_usd_m": [],
    "ws_force_order_unfilled": [],
    "ws_contract_info": [
        ev.ContractStatus(V, "ETHUSD_PERP", "TRADING", watchable=True, event_time=T + 0.9),
        ev.TierTableChanged(V, "ETHUSD_PERP", ((0.0, 0.004, 0.0), (5.0, 0.005, 0.005)), T + 0.9, (125.0, 100.0)),
    ],
    "ws_contract_info_halt": [
        ev.ContractStatus(V, "ETHUSD_PERP", "TRADING_HALT", watchable=False, event_time=T + 0.9)
    ],
    "ws_contract_info_usd_m": [],
    "ws_ack": [],
    "ws_list": [],
    "ws_error_nested": [],
    "ws_error_flat": [refused("control", "venue_error", "")],
}  # fmt: skip


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(VENUE.decode((HERE / f"{name}.json").read_bytes(), T)) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    frame = (HERE / f"{name}.json").read_bytes()
    assert binance_wire.Builder(COIN_M).slowly(frame) == VENUE.decode(frame, T)


def test_every_recorded_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} - {"ws_mark_price_microseconds"} == set(FRAMES)


@pytest.mark.parametrize("name", [n for n in FRAMES if n not in {"ws_mark_price_mixed", "ws_mini_ticker_mixed"}])
def test_no_frame_is_news_to_both_products(name):
    frame = (HERE / f"{name}.json").read_bytes()
    ours, theirs = VENUE.decode(frame, T), binance.VENUE.decode(frame, T)
    assert not ours or not theirs or "error" in name


def test_a_time_in_another_unit_is_refused():
    with pytest.raises(WireError) as error:
        VENUE.decode((HERE / "ws_mark_price_microseconds.json").read_bytes(), T)
    assert error.value.reason == "bad_time"


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads((HERE / f"{name}.json").read_text())
    rows = message.get("data", message) if isinstance(message, dict) else message
    for row in rows if isinstance(rows, list) else [rows]:
        row["zz_new"] = {"deep": [1, "2", None]}
    assert near(VENUE.decode(json.dumps(message).encode(), T)) == near(FRAMES[name])


BAD = ["NaN", "-1", "0", "inf", "1e30", "", "1_000", "0x10", " 1", None, True, [], {}]


@pytest.mark.parametrize("value", BAD)
@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("ws_mark_price", ["p"]),
        ("ws_mark_price", ["i"]),
        ("ws_ticker", ["c"]),
        ("ws_agg_trade", ["p"]),
        ("ws_book_ticker", ["b"]),
        ("ws_book_ticker", ["a"]),
        ("ws_depth", ["b", 0, 0]),
        ("ws_force_order", ["o", "ap"]),
    ],
    ids=str,
)
def test_what_is_no_price_is_rejected_aloud_and_never_becomes_one(file, place, value):
    message = json.loads((HERE / f"{file}.json").read_text())
    *path, name = place
    row = message["data"]
    for key in path:
        row = row[key]
    good = float(row[name])
    row[name] = value
    try:
        events = VENUE.decode(json.dumps(message).encode(), T)
    except WireError as error:
        assert error.reason == "bad_o"  # noqa: PT017 - a liquidation whose order cannot be read has nothing else in it
        return
    assert all(good not in (getattr(e, f) for f in e.__struct_fields__) for e in events)
    if (place, value) != (["i"], None):  # an absent index is absent
        assert [e for e in events if isinstance(e, ev.Rejected)]


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    name = data.draw(st.sampled_from(sorted(FRAMES)))
    frame = bytearray((HERE / f"{name}.json").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        events = VENUE.decode(bytes(frame), T)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


def test_an_error_with_an_id_refuses_that_request():
    heard = VENUE.hear((HERE / "ws_error_nested.json").read_bytes())
    assert heard == Word(refused=("11",), reason="2 Invalid request: ...")
    assert VENUE.hear((HERE / "ws_ack.json").read_bytes()) is None


# --- REST ----------------------------------------------------------------------------------------------------

POLLS = {p.resource: p for p in VENUE.polls(["BTCUSD_PERP", "ETHUSD_261225", "XRPUSD_PERP", "GONEUSD_PERP"])}


def polled(resource: str, file: str) -> list[ev.Event]:
    return POLLS[resource].decode((HERE / f"{file}.json").read_bytes(), T)


def test_terms_count_contracts_of_100_or_10_usd_and_settle_in_the_coin():
    btc, eth, gone, xrp = polled("exchangeInfo", "get_exchange_info")
    assert (btc.kind, btc.contract_size, btc.base, btc.quote, btc.settle) == ("inverse", 100.0, "BTC", "USD", "BTC")
    assert (btc.watchable, btc.tick_size, btc.liquidation_fee_rate) == (True, 0.1, 0.015)
    assert (eth.contract_size, eth.status, eth.watchable) == (10.0, "TRADING_CANCEL_ONLY", False)
    assert eth.delivery_time == 1798185600.0
    assert (xrp.status, xrp.watchable) == ("TRADING", False)  # being delivered: the contract type says so
    assert (gone.symbol, gone.status, gone.watchable) == ("GONEUSD_PERP", "not listed", False)


@pytest.mark.parametrize("value", [0, -10, "NaN", None, "many"])
def test_a_contract_without_a_usable_size_is_not_taken_for_one_of_another_size(value):
    body = json.loads((HERE / "get_exchange_info.json").read_text())
    body["symbols"][0]["contractSize"] = value
    events = POLLS["exchangeInfo"].decode(json.dumps(body).encode(), T)
    assert [e.symbol for e in events if isinstance(e, ev.ContractTerms)] == ["ETHUSD_261225", "XRPUSD_PERP"]
    assert refused("exchangeInfo", "bad_row", "") in events
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]


def test_premium_index_takes_watched_symbols_only_and_an_empty_rate_is_absent():
    assert near(polled("premiumIndex", "get_premium_index")) == near(
        [*MARK, ev.MarkPrice(V, "ETHUSD_261225", 3105.25, T), ev.IndexPrice(V, "ETHUSD_261225", 3100.1, T)]
    )


def test_funding_intervals_are_eight_hours_where_absent_and_none_for_dated_contracts():
    assert polled("fundingInfo", "get_funding_info") == [
        ev.FundingTerms(V, "BTCUSD_PERP", 8 * 3600.0, 0.003, -0.003),
        ev.FundingTerms(V, "GONEUSD_PERP", 8 * 3600.0),
        ev.FundingTerms(V, "XRPUSD_PERP", 8 * 3600.0),
    ]


def test_open_interest_is_counted_in_contracts():
    assert near(polled("openInterest", "get_open_interest")) == near(
        [ev.OpenInterest(V, "BTCUSD_PERP", 6210331.0, T - 0.129)]
    )


def test_time_gives_the_venue_time():
    assert polled("time", "get_time") == [ev.VenueTime(V, T + 0.001)]


def test_what_is_asked_for_stands_under_dapi_and_nothing_that_coin_m_does_not_have():
    assert set(POLLS) == {"time", "exchangeInfo", "fundingInfo", "premiumIndex", "openInterest"}
    assert {p.path.rpartition("/")[0] for p in POLLS.values()} == {"/dapi/v1"}
    assert POLLS["premiumIndex"].weight == 10


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]]", b'{"code":-1121,"msg":"Invalid symbol."}', b"[" * 50_000])
def test_a_body_of_another_shape_raises_a_wire_error(resource, body):
    with pytest.raises(WireError):
        POLLS[resource].decode(body, T)


# --- subscriptions and books ---------------------------------------------------------------------------------


def test_everything_stands_on_one_path_in_four_connections():
    found = {c.name: c for c in VENUE.connections(["BTCUSD_PERP"], "ws://x/")}
    assert {c.url for c in found.values()} == {"ws://x/stream"}
    assert {name: [s.name for s in c.streams] for name, c in found.items()} == {
        "mark": ["btcusd_perp@markPrice@1s", "btcusd_perp@forceOrder", "!contractInfo"],
        "last": ["btcusd_perp@ticker"],
        "book": ["btcusd_perp@bookTicker"],
        "depth": ["btcusd_perp@depth@500ms"],
    }


def test_many_symbols_are_still_asked_for_one_by_one_except_for_liquidations():
    symbols = [f"S{n}USD_PERP" for n in range(120)]
    found = {c.name: c for c in VENUE.connections(symbols, "ws://x")}
    assert len([s for s in found["mark"].streams if s.field == "mark"]) == 120
    assert [s.name for s in found["mark"].streams if s.field is None] == ["!forceOrder@arr", "!contractInfo"]
    assert len(found["book"].streams) == len(found["depth"].streams) == 120


def depth_stream(symbol):
    return next(s for c in VENUE.connections([symbol], "ws://x") for s in c.streams if s.field == "depth")


def test_the_whole_book_joins_the_changes_that_cover_its_number():
    poll = depth_stream("BTCUSD_PERP").snapshot
    assert (poll.path, poll.params) == ("/dapi/v1/depth", {"symbol": "BTCUSD_PERP", "limit": "500"})
    book = OrderBook()
    book.apply(FRAMES["ws_depth"][0], 1.0)
    (whole,) = poll.decode((HERE / "get_depth.json").read_bytes(), T)
    assert book.apply(whole, 2.0)
    assert (book.levels("sell"), book.levels("buy")) == ([(90005.1, 1811.0)], [(90005.2, 207.0)])


def test_a_fact_stands_once_in_the_table_and_what_is_unknown_not_at_all():
    facts = [feature.fact for feature in VENUE.features]
    assert facts == [fact for fact in FACTS if fact not in {"insurance fund", "ADL"}]


recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded frames do not lie beside the checkout")


@recorded
def test_books_built_from_the_recording_never_cross_and_never_miss_a_message():
    books, waiting, kinds = {}, [], {}
    with gzip.open(RECORDED / "binance_cm" / "rest.jsonl.gz", "rt") as lines:
        for line in lines:
            answer = json.loads(line)
            if asked := re.search(r"/depth\?symbol=(\w+)", answer["url"]):
                poll = depth_stream(asked[1]).snapshot
                waiting.append((answer["t"], *poll.decode(answer["body"].encode(), T)))
                books[asked[1]] = OrderBook()
    with gzip.open(RECORDED / "binance_cm" / "recv.jsonl.gz", "rt") as lines:
        for line in lines:
            received = json.loads(line)
            while waiting and waiting[0][0] <= received["t"]:
                at, whole = waiting.pop(0)
                assert books[whole.symbol].apply(whole, at)
            for event in VENUE.decode(received["frame"].encode(), T):
                kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
                if isinstance(event, ev.BookChange):
                    book = books[event.symbol]
                    assert book.apply(event, received["t"]) or book.number is None
                    assert book.number is None or book.best_bid < book.best_ask
    assert kinds == {"BestQuote": 1331, "BookChange": 1036, "LastPrice": 35}
    assert [(book.valid, book.gaps) for book in books.values()] == [(True, 0)] * 10


@recorded
def test_the_recorded_contract_list_of_2021_still_reads():
    with gzip.open(RECORDED / "binance_cm" / "rest.jsonl.gz", "rt") as lines:
        body = next(a["body"] for a in map(json.loads, lines) if "exchangeInfo" in a["url"])
    poll = next(p for p in VENUE.polls(["BTCUSD_PERP", "ETHUSD_210924"]) if p.resource == "exchangeInfo")
    events = poll.decode(body.encode(), T)
    assert [(e.symbol, e.contract_size, e.watchable) for e in events] == [
        ("BTCUSD_PERP", 100.0, True),
        ("ETHUSD_210924", 10.0, True),
    ]


@recorded
def test_the_single_messages_give_what_they_are():
    found = []
    with gzip.open(RECORDED / "samples" / "derivative_frames.jsonl.gz", "rt") as lines:
        for line in lines:
            sample = json.loads(line)
            if sample["venue"].startswith("binance"):
                found += [(type(e).__name__, e.symbol) for e in VENUE.decode(sample["frame"].encode(), T)]
    assert found == [
        ("BookChange", "BTCUSD_200925"),
        ("MarkPrice", "BTCUSD_200925"),
        ("BookChange", "BTCUSD_200925"),
        ("LastPrice", "BTCUSD_200925"),
        ("Liquidation", "BTCUSD_200925"),
        ("BestQuote", "BNBUSD_PERP"),
    ]
