"""Kraken Futures v1: whole messages of the venue's shape into the expected events, and what is said and heard."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.core.contract import Tier, ladder_problem
from monitor.errors import WireError
from monitor.venues import kraken_futures, kraken_wire
from monitor.venues.base import FACTS, Word

HERE = Path(__file__).parent / "kraken_futures"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames"
V = "kraken-futures"
PF, PI, FI, SOL = "PF_XBTUSD", "PI_XBTUSD", "FI_XBTUSD_261225", "PF_SOLUSD"
T = 1795169703.0
HOUR = 1795172400.0
VENUE = kraken_futures.VENUE
decode = VENUE.decode


def refused(channel: str, reason: str, symbol: str = PF) -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def state(word: str, watchable: bool, symbol: str = PF, time: float = T + 1.21) -> ev.ContractStatus:
    return ev.ContractStatus(V, symbol, word, watchable, time)


def whole(bids: tuple, asks: tuple) -> list[ev.Event]:
    return [ev.BookChange(V, PF, bids, asks, T + 0.12, whole=True, number=41000001)]


LINEAR = [
    ev.MarkPrice(V, PF, 90010.7519021, T + 0.21),
    ev.IndexPrice(V, PF, 90031.02, T + 0.21),
    ev.LastPrice(V, PF, 90012.5, T + 0.21),
    ev.BestQuote(V, PF, 90012.0, 1.3081, 90013.0, 0.42, T + 0.21),
    ev.FundingRate(V, PF, 2.0000133e-05, HOUR, T + 0.21),
    ev.OpenInterest(V, PF, 1423.0518, T + 0.21),
    state("tradeable", True, time=T + 0.21),
]

FRAMES = {
    "ws_ticker_linear": LINEAR,
    "ws_ticker_other_order": LINEAR,
    "ws_ticker_inverse": [
        ev.MarkPrice(V, PI, 90004.12, T + 0.21),
        ev.IndexPrice(V, PI, 90031.02, T + 0.21),
        ev.LastPrice(V, PI, 90002.0, T + 0.21),
        ev.BestQuote(V, PI, 90001.5, 2536.0, 90002.0, 13948.0, T + 0.21),
        ev.FundingRate(V, PI, -5.636374e-06, HOUR, T + 0.21),
        ev.OpenInterest(V, PI, 30072580.0, T + 0.21),
        state("tradeable", True, PI, T + 0.21),
    ],
    "ws_ticker_sparse_mark": [ev.MarkPrice(V, PF, 90011.02, T + 1.21)],
    "ws_ticker_sparse_quote": [ev.BestQuote(V, PF, 90012.2, 0.4, 90012.3, 7.215, T + 1.21)],
    "ws_ticker_sparse_one_side": [],
    "ws_ticker_sparse_rate_alone": [],
    "ws_ticker_sparse_absolute_rate": [],
    "ws_ticker_sparse_statistics": [],
    "ws_ticker_empty_strings": [],
    "ws_ticker_nulls": [ev.MarkPrice(V, PF, 90011.02, T + 1.21)],
    "ws_ticker_as_text": [ev.MarkPrice(V, PF, 90011.02, T + 1.21), ev.OpenInterest(V, PF, 1423.5, T + 1.21)],
    "ws_ticker_not_traded_yet": [
        ev.MarkPrice(V, "PF_NEWUSD", 1.3336, T + 1.21),
        ev.IndexPrice(V, "PF_NEWUSD", 1.3336, T + 1.21),
        ev.OpenInterest(V, "PF_NEWUSD", 0.0, T + 1.21),
        state("post_only", True, "PF_NEWUSD"),
    ],
    "ws_ticker_suspended": [ev.MarkPrice(V, PF, 90011.02, T + 1.21), state("suspended", False)],
    "ws_ticker_post_only": [ev.MarkPrice(V, PF, 90011.02, T + 1.21), state("post_only", True)],
    "ws_ticker_dated": [
        ev.MarkPrice(V, FI, 90610.8, T + 0.21),
        ev.IndexPrice(V, FI, 90031.02, T + 0.21),
        ev.LastPrice(V, FI, 90611.5, T + 0.21),
        ev.BestQuote(V, FI, 90610.0, 31000.0, 90612.5, 29500.0, T + 0.21),
        ev.OpenInterest(V, FI, 306200.0, T + 0.21),
        state("tradeable", True, FI, T + 0.21),
    ],
    "ws_ticker_bad_values": [
        refused("mark_price", "bad_price"),
        refused("index_price", "bad_price"),
        refused("last_price", "bad_price"),
        refused("best_quote", "bad_quantity"),
        refused("best_quote", "bad_price"),
        refused("funding_rate", "bad_rate"),
        refused("funding_rate", "bad_time"),
        refused("open_interest", "bad_quantity"),
        refused("ticker", "bad_value"),
        refused("ticker", "bad_value"),
    ],
    "ws_ticker_lite": [],
    "ws_trade": [ev.LastPrice(V, PF, 90012.5, T + 0.101)],
    "ws_trade_liquidation": [
        ev.Liquidation(V, PF, "long", 0.75, 89871.5, "fill", T + 0.102),
        ev.LastPrice(V, PF, 89871.5, T + 0.102),
    ],
    "ws_trade_liquidation_of_a_short": [
        ev.Liquidation(V, PI, "short", 12000.0, 90120.5, "fill", T + 0.102),
        ev.LastPrice(V, PI, 90120.5, T + 0.102),
    ],
    "ws_trade_assignment": [ev.Liquidation(V, PF, "long", 0.2, 89102.0, "bankruptcy", T + 0.103, method="takeover")],
    "ws_trade_termination": [ev.Liquidation(V, PF, "short", 0.1, 91950.0, "bankruptcy", T + 0.104, method="adl")],
    "ws_trade_block": [],
    "ws_trade_other_type": [],
    "ws_trade_bad_price": [refused("liquidation", "bad_price")],
    "ws_trade_bad_quantity": [refused("liquidation", "bad_quantity")],
    "ws_trade_bad_side": [refused("liquidation", "bad_side")],
    "ws_trade_no_type": [refused("trade", "bad_type")],
    "ws_trade_fill_bad_price": [refused("trade", "bad_price")],
    "ws_trade_snapshot": [ev.LastPrice(V, PF, 90013.0, T + 0.108)],
    "ws_trade_snapshot_empty": [],
    "ws_trade_snapshot_bad_rows": [
        refused("trade", "not_an_object"),
        refused("trade", "bad_price"),
        refused("trade", "bad_time"),
        ev.LastPrice(V, PF, 90014.0, T + 0.107),
    ],
    "ws_book_snapshot": whole(((90012.0, 1.3081), (90011.0, 0.4), (90009.0, 2.0)), ((90013.0, 0.42), (90015.0, 0.3))),
    "ws_book_snapshot_empty": whole((), ()),
    "ws_book_snapshot_as_text": whole(((90012.0, 1.3081),), ()),
    "ws_book_snapshot_bad_level": [refused("book_change", "bad_level")],
    "ws_book_snapshot_no_side": [refused("book_change", "bad_level")],
    "ws_book_bid": [
        ev.BookChange(V, PF, ((90012.0, 1.2081),), (), T + 0.22, number=41000002, previous=41000001),
    ],
    "ws_book_ask_gone": [
        ev.BookChange(V, PF, (), ((90013.0, 0.0),), T + 0.23, number=41000003, previous=41000002),
    ],
    "ws_book_without_time": [ev.BookChange(V, PF, ((90012.0, 1.2081),), (), 5.0, number=41000002, previous=41000001)],
    "ws_book_bad_level": [refused("book_change", "bad_level")],
    "ws_book_bad_side": [refused("book_change", "bad_level")],
    "ws_book_no_number": [refused("book_change", "bad_sequence")],
    "ws_info": [],
    "ws_ack": [],
    "ws_ack_heartbeat": [],
    "ws_unsubscribed": [],
    "ws_unsubscribed_failed": [],
    "ws_refused": [],
    "ws_refused_many": [],
    "ws_refused_without_products": [],
    "ws_error_product": [],
    "ws_error_feed": [],
    "ws_error_json": [],
    "ws_alert": [],
    "ws_challenge": [],
    "ws_heartbeat": [],
    "ws_unknown_feed": [],
}

MALFORMED = {
    "ws_ticker_microseconds": "bad_time",
    "ws_ticker_seconds": "bad_time",
    "ws_ticker_iso_time": "bad_time",
    "ws_ticker_no_time": "bad_time",
    "ws_ticker_no_product": "bad_product_id",
    "ws_trade_microseconds": "bad_time",
    "ws_trade_snapshot_no_list": "not_a_list",
    "ws_book_seconds": "bad_time",
}


def message(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def changed(name: str, **fields: object) -> bytes:
    """Return a message with other values; a field set to ... is left out."""
    said = json.loads(message(name)) | fields
    return json.dumps({key: value for key, value in said.items() if value is not ...}).encode()


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


# --- frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(decode(message(name), 5.0)) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    assert near(kraken_wire._decode_slowly(message(name), 5.0)) == near(decode(message(name), 5.0))


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    said = json.loads(message(name))
    for row in [said, *said.get("trades", []), *(said.get("bids") or []), *(said.get("asks") or [])]:
        if isinstance(row, dict):
            row["zz_new"] = {"deep": [1, "2", None]}
    assert near(decode(json.dumps(said).encode(), 5.0)) == near(FRAMES[name])


@pytest.mark.parametrize("name", MALFORMED)
def test_what_cannot_be_read_raises_with_its_reason(name):
    with pytest.raises(WireError) as error:
        decode(message(name), 5.0)
    assert error.value.reason == MALFORMED[name]


def test_every_written_frame_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} == FRAMES.keys() | MALFORMED.keys()


BAD = ["NaN", "Infinity", -1, -0.5, "1_000", "0x10", " 1", "٣", 1e18, 1e30, True, [], {}, [90012.0]]
PRICES = {"markPrice": "mark_price", "index": "index_price", "last": "last_price", "bid": "best_quote"}


@pytest.mark.parametrize("value", BAD, ids=map(repr, BAD))
@pytest.mark.parametrize("field", PRICES)
def test_what_is_no_price_never_becomes_one_and_costs_itself_alone(field, value):
    events = near(decode(changed("ws_ticker_linear", **{field: value}), 5.0))
    lost = near([LINEAR[list(PRICES).index(field)]])[0]
    assert events == near([refused(PRICES[field], "bad_price")]) + [e for e in near(LINEAR) if e != lost]


@pytest.mark.parametrize("value", [0, 0.0, "0", -0.0])
@pytest.mark.parametrize("field", ["markPrice", "index"])
def test_a_mark_or_an_index_of_zero_is_refused(field, value):
    assert refused(PRICES[field], "bad_price") in decode(changed("ws_ticker_linear", **{field: value}), 5.0)


@pytest.mark.parametrize("value", [0, 0.0, "0", None, "", ...])
@pytest.mark.parametrize("field", ["last", "bid", "ask"])
def test_there_is_no_last_price_and_no_quote_yet_where_a_zero_or_nothing_stands(field, value):
    events = decode(changed("ws_ticker_linear", **{field: value}), 5.0)
    assert len(events) == len(LINEAR) - 1
    assert not [e for e in events if isinstance(e, ev.Rejected)]


@pytest.mark.parametrize("value", [None, "", ...])
@pytest.mark.parametrize("field", ["markPrice", "index", "openInterest", "relative_funding_rate", "bid_size"])
def test_an_absent_value_is_no_event(field, value):
    events = decode(changed("ws_ticker_linear", **{field: value}), 5.0)
    assert len(events) == len(LINEAR) - 1
    assert not [e for e in events if isinstance(e, ev.Rejected)]


def test_a_literal_nan_makes_the_frame_unreadable():
    with pytest.raises(WireError):
        decode(b'{"feed":"ticker","product_id":"PF_XBTUSD","time":1795169703210,"markPrice":NaN}', 5.0)


NO_MESSAGES = [
    b"", b"{", b"<html>", b"\xff\xfe", b"[1,2", b"null x", b"[" * 100_000, b'"text"', b"7", b"null", b"[]",
    b'{"feed":"ticker","product_id":7}', b'{"feed":"trade","product_id":"PF_XBTUSD"}',
    b'{"feed":"book","product_id":["PF_XBTUSD"]}', b'{"feed":"ticker","product_id":"","time":1795169703210}',
]  # fmt: skip


@pytest.mark.parametrize("rest", ['"product_ids":null', '"product_ids":["PF_XBTUSD"],"message":null', '"feed":null'])
def test_a_refusal_is_heard_whatever_it_leaves_out(rest):
    word = VENUE.hear(b'{"event":"subscribed_failed","feed":"ticker",' + rest.encode() + b"}")
    assert word is not None
    assert word.reason == "subscribed_failed"


def test_a_snapshot_without_end_is_read_as_far_as_trades_go_back():
    """Newest first: the rest would only cost time."""
    trade = '{"side":"buy","type":"fill","time":1763799999512,"qty":1,"price":2}'
    text = f'{{"feed":"trade_snapshot","product_id":"PF_XBTUSD","trades":[{trade}{",{}" * 5000}]}}'
    events = decode(text.encode(), 0.0)
    assert events[-1] == ev.LastPrice(V, PF, 2.0, 1763799999.512)
    assert len(events) == 1000


@pytest.mark.parametrize("data", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_what_is_no_message_raises_a_wire_error_and_is_not_heard(data):
    assert VENUE.hear(data) is None
    with pytest.raises(WireError):
        decode(data, 5.0)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    mutilated = bytearray(message(data.draw(st.sampled_from(sorted(FRAMES)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutilated) - 1))
        mutilated[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    VENUE.hear(bytes(mutilated))
    try:
        events = decode(bytes(mutilated), 5.0)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


def test_a_book_is_built_from_a_snapshot_and_one_level_after_the_other():
    book = OrderBook()
    for name in ("ws_book_snapshot", "ws_book_bid", "ws_book_ask_gone"):
        (change,) = decode(message(name), 5.0)
        assert book.apply(change, 0.0)
    assert book.levels("sell", 2) == [(90012.0, 1.2081), (90011.0, 0.4)]
    assert book.levels("buy", 9) == [(90015.0, 0.3)]


def test_a_hole_in_the_sequence_ends_the_book_until_a_new_snapshot():
    book = OrderBook()
    (snapshot,), (later,) = decode(message("ws_book_snapshot"), 5.0), decode(message("ws_book_ask_gone"), 5.0)
    book.apply(snapshot, 0.0)
    assert not book.apply(later, 0.0)
    assert (book.gaps, book.best_bid) == (1, None)
    assert book.apply(snapshot, 0.0)


# --- what is said and heard --------------------------------------------------------------------------------

HEARD = {
    "ws_info": None,
    "ws_ack": None,
    "ws_ack_heartbeat": None,
    "ws_unsubscribed": None,
    "ws_unsubscribed_failed": None,
    "ws_refused": Word(refused=("ticker/PF_NOPEUSD",), reason="subscribed_failed"),
    "ws_refused_many": Word(refused=("trade/PF_NOPEUSD", "trade/PF_GONEUSD"), reason="no such market"),
    "ws_refused_without_products": Word(reason="subscribed_failed"),
    "ws_error_product": Word(reason="Invalid product id"),
    "ws_error_feed": Word(reason="Invalid feed"),
    "ws_error_json": Word(reason="Json Error"),
    "ws_alert": Word(reason="Failed to subscribe to authenticated feed"),
    "ws_challenge": None,
    "ws_heartbeat": None,
    "ws_unknown_feed": None,
    "ws_trade_block": None,
}


@pytest.mark.parametrize("name", HEARD)
def test_a_refusal_blames_only_what_it_names(name):
    assert VENUE.hear(message(name)) == HEARD[name]


def test_a_refused_stream_has_the_name_under_which_it_was_asked_for():
    (market, depth) = VENUE.connections(["PF_NOPEUSD"], "ws://x")
    word = VENUE.hear(message("ws_refused"))
    assert word is not None
    assert word.refused == (market.streams[0].name,)
    assert [s.name for s in depth.streams] == ["book/PF_NOPEUSD"]


def test_one_product_is_asked_for_in_a_frame_and_no_answer_names_it():
    (market, _) = VENUE.connections([PF, PI], "ws://x")
    requests = VENUE.subscribe(market.streams, 7, T)
    assert [json.loads(r.text) for r in requests] == [
        {"event": "subscribe", "feed": "ticker", "product_ids": [PF]},
        {"event": "subscribe", "feed": "trade", "product_ids": [PF]},
        {"event": "subscribe", "feed": "ticker", "product_ids": [PI]},
        {"event": "subscribe", "feed": "trade", "product_ids": [PI]},
    ]
    assert [(r.key, r.streams) for r in requests] == [("", (stream,)) for stream in market.streams]


def test_a_stream_is_ended_as_it_was_begun():
    (_, depth) = VENUE.connections([PF], "ws://x")
    (request,) = VENUE.unsubscribe(depth.streams, 1, T)
    assert json.loads(request.text) == {"event": "unsubscribe", "feed": "book", "product_ids": [PF]}


def test_prices_and_books_have_connections_of_their_own():
    market, depth = VENUE.connections([PF], "ws://x/")
    assert (market.name, market.url, depth.name, depth.url) == ("market", "ws://x/ws/v1", "depth", "ws://x/ws/v1")
    assert [(s.name, s.symbols, s.field) for s in market.streams] == [
        (f"ticker/{PF}", (PF,), "mark"),
        (f"trade/{PF}", (PF,), None),
    ]
    assert [(s.field, s.snapshot) for s in depth.streams] == [("depth", None)]


def test_many_symbols_are_spread_over_connections():
    found = VENUE.connections([f"PF_C{n}USD" for n in range(130)], "ws://x")
    sizes = {c.name: len(c.streams) for c in found}
    assert sizes == {
        "market": 200, "market-2": 60,
        "depth": 25, "depth-2": 25, "depth-3": 25, "depth-4": 25, "depth-5": 25, "depth-6": 5,
    }  # fmt: skip


def test_the_server_speaks_first_and_the_pings_of_the_library_are_all_it_wants_to_hear():
    assert VENUE.welcomes
    assert VENUE.keepalive is None


def test_the_table_of_what_it_gives_has_no_fund_and_no_signal_of_deleveraging():
    assert [f.fact for f in VENUE.features] == [f for f in FACTS if f not in {"insurance fund", "ADL"}]


# --- what is polled ----------------------------------------------------------------------------------------

SYMBOLS = [PF, PI, FI, SOL, "PF_GONEUSD"]
POLLS = {p.resource: p for p in VENUE.polls(SYMBOLS)}


def polled(resource: str, file: str) -> list[ev.Event]:
    return POLLS[resource].decode(message(file), T + 1.0)


def test_an_unchanged_mark_is_confirmed_before_it_is_stale():
    poll, (market, _) = POLLS["tickers"], VENUE.connections([PF], "ws://x")
    assert poll.interval_seconds == VENUE.expected_intervals["mark"] == market.streams[0].expected_interval == 8.0
    assert poll.path == "/derivatives/api/v3/tickers"


def test_time_is_that_of_any_answer_even_of_a_refusal():
    assert near(polled("time", "get_ticker")) == near([ev.VenueTime(V, T + 0.34)])
    assert near(polled("time", "get_error")) == near([ev.VenueTime(V, T + 0.34)])


def test_tickers_give_the_facts_of_watched_symbols_in_either_case_at_the_time_of_the_answer():
    assert near(polled("tickers", "get_tickers")) == near(
        [
            ev.MarkPrice(V, PF, 90010.75, T + 0.34),
            ev.IndexPrice(V, PF, 90000.0, T + 0.34),
            ev.LastPrice(V, PF, 90012.5, T + 0.34),
            ev.FundingRate(V, PF, 1.8 / 90000.0, HOUR, T + 0.34),
            ev.OpenInterest(V, PF, 1423.0518, T + 0.34),
            state("tradeable", True, PF, T + 0.34),
            ev.MarkPrice(V, PI, 90004.12, T + 0.34),
            ev.IndexPrice(V, PI, 90000.0, T + 0.34),
            ev.LastPrice(V, PI, 90002.0, T + 0.34),
            ev.FundingRate(V, PI, -6.2604214e-11 * 90000.0, HOUR, T + 0.34),
            ev.OpenInterest(V, PI, 30072580.0, T + 0.34),
            state("tradeable", True, PI, T + 0.34),
            ev.MarkPrice(V, FI, 90610.8, T + 0.34),
            ev.IndexPrice(V, FI, 90000.0, T + 0.34),
            ev.OpenInterest(V, FI, 306200.0, T + 0.34),
            state("tradeable", True, FI, T + 0.34),
            ev.MarkPrice(V, SOL, 131.4, T + 0.34),
            ev.IndexPrice(V, SOL, 131.5, T + 0.34),
            ev.LastPrice(V, SOL, 131.4, T + 0.34),
            ev.FundingRate(V, SOL, 0.0, HOUR, T + 0.34),
            ev.OpenInterest(V, SOL, 8000.0, T + 0.34),
            state("suspended", False, SOL, T + 0.34),
        ]
    )


def test_a_bad_row_of_the_tickers_costs_itself_alone_and_a_rate_without_an_index_is_none():
    events = polled("tickers", "get_tickers_bad_rows")
    assert events[:2] == [refused("tickers", "bad_row", ""), refused("tickers", "bad_row", "")]
    assert [(e.channel, e.reason) for e in events[2:] if isinstance(e, ev.Rejected)] == [
        ("mark_price", "bad_price"),
        ("index_price", "bad_price"),
        ("last_price", "bad_price"),
        ("funding_rate", "bad_rate"),
        ("open_interest", "bad_quantity"),
        ("ticker", "bad_value"),
    ]
    assert {type(e) for e in events if getattr(e, "symbol", "") == SOL} == {
        ev.MarkPrice, ev.LastPrice, ev.OpenInterest, ev.ContractStatus,
    }  # fmt: skip
    assert not [e for e in events if isinstance(e, ev.FundingRate)]


def test_linear_contracts_are_counted_in_coins_and_inverse_ones_in_dollars():
    terms = {e.symbol: e for e in polled("instruments", "get_instruments") if isinstance(e, ev.ContractTerms)}
    assert terms[PF] == ev.ContractTerms(
        V, PF, "linear", 1.0, "BTC", "USD", "USD", "post_only", watchable=True, tick_size=1.0
    )
    assert terms[PI] == ev.ContractTerms(
        V, PI, "inverse", 1.0, "BTC", "USD", "BTC", "tradeable", watchable=True, tick_size=0.5
    )
    assert (terms[FI].base, terms[FI].delivery_time) == ("BTC", 1798214400.0)
    assert (terms[SOL].status, terms[SOL].watchable) == ("not tradeable", False)


def test_perpetuals_are_charged_every_hour_within_a_cap_and_dated_contracts_never():
    found = [e for e in polled("instruments", "get_instruments") if isinstance(e, ev.FundingTerms)]
    assert found == [ev.FundingTerms(V, symbol, 3600.0, 0.0025, -0.0025) for symbol in (SOL, PF, PI)]


def test_levels_are_in_dollars_or_contracts_with_the_whole_position_at_their_rate():
    tables = {e.symbol: e for e in polled("instruments", "get_instruments") if isinstance(e, ev.TierTableChanged)}
    assert tables.keys() == {PF, PI, FI}
    assert tables[PF].rows == ((0.0, 0.01, 0.0), (2_000_000.0, 0.02, 0.0))
    assert tables[PI].rows == ((0.0, 0.01, 0.0), (500_000.0, 0.02, 0.0))
    assert tables[PI].max_leverages == (50.0, 25.0)
    assert ladder_problem([Tier(*row) for row in tables[PI].rows]) is None


def test_a_ladder_with_a_bad_row_or_in_another_unit_is_not_used_at_all():
    events = polled("instruments", "get_instruments_bad_levels")
    assert [e for e in events if isinstance(e, ev.Rejected)] == [
        refused("instruments", "bad_tiers", PF),
        refused("instruments", "bad_tiers", PI),
    ]
    assert not [e for e in events if isinstance(e, ev.TierTableChanged)]
    assert {e.symbol for e in events if isinstance(e, ev.ContractTerms)} == {PF, PI}


def test_what_a_complete_list_lacks_is_not_listed():
    found = [e for e in polled("instruments", "get_instruments") if isinstance(e, ev.ContractStatus)]
    assert found == [ev.ContractStatus(V, "PF_GONEUSD", "not listed", watchable=False, event_time=T + 1.0)]


def test_a_row_that_cannot_be_read_makes_no_symbol_unlisted():
    assert polled("instruments", "get_instruments_bad_rows") == [
        refused("instruments", "bad_row", ""),
        refused("instruments", "bad_time", FI),
        refused("instruments", "bad_kind", SOL),
        refused("instruments", "bad_row", PF),
    ]


def test_terms_are_read_at_once_where_a_price_jumps():
    assert POLLS["instruments"].terms


@pytest.mark.parametrize("resource", ["instruments", "tickers"])
@pytest.mark.parametrize(("file", "reason"), [("get_error", "refused"), ("get_no_time", "bad_time")])
def test_an_error_in_a_200_or_a_time_of_another_kind_is_an_error(resource, file, reason):
    with pytest.raises(WireError) as error:
        polled(resource, file)
    assert error.value.reason in {reason, "malformed"}


def test_a_venue_without_contracts_is_not_believed():
    with pytest.raises(WireError):
        polled("instruments", "get_instruments_none")


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize("data", [*NO_MESSAGES[:11], b'{"serverTime":7}', b'{"result":"success"}'])
def test_what_is_no_answer_raises_a_wire_error(resource, data):
    with pytest.raises(WireError):
        POLLS[resource].decode(data, 5.0)


def test_every_written_answer_is_used_here():
    text = Path(__file__).read_text()
    assert not [p.stem for p in HERE.glob("get_*.json") if f'"{p.stem}"' not in text]


# --- recorded frames ---------------------------------------------------------------------------------------


def recorded(name: str) -> list[dict]:
    path = RECORDED / name
    if not path.exists():
        pytest.skip("the recorded frames do not lie beside the checkout")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_recorded_books_keep_their_chain_and_never_cross():
    books: dict[str, OrderBook] = {}
    kinds: dict[str, int] = {}
    for line in recorded("kraken_futures/recv.jsonl.gz"):
        for event in decode(line["frame"].encode(), line["t"]):
            kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
            if isinstance(event, ev.BookChange):
                book = books.setdefault(event.symbol, OrderBook())
                assert book.apply(event, line["t"])
                assert book.best_bid is None or book.best_ask is None or book.best_bid < book.best_ask
        assert VENUE.hear(line["frame"].encode()) is None
    assert (len(books), sum(book.gaps for book in books.values())) == (10, 0)
    assert kinds == {"BookChange": 3253, "LastPrice": 13}


def test_recorded_data_frames_take_the_quick_way_but_for_the_trades_of_a_snapshot(monkeypatch):
    frames = [line["frame"].encode() for line in recorded("kraken_futures/recv.jsonl.gz")]
    monkeypatch.setattr(kraken_wire, "_decode_slowly", lambda frame, _received: [frame])
    slow = [json.loads(f) for f in frames if decode(f, 5.0) == [f]]
    assert {s["feed"] for s in slow if "event" not in s and "feed" in s} == {"trade_snapshot", "ticker_lite"}


def test_single_messages_of_other_years_give_what_they_are():
    samples = recorded("samples/derivative_frames.jsonl.gz")
    ours = [s["frame"].encode() for s in samples if s["venue"] == "cryptofacilities"]
    events = [event for frame in ours for event in decode(frame, T)]
    assert len(ours) == 15
    assert not [e for e in events if isinstance(e, ev.Rejected)]
    assert sum(isinstance(e, ev.MarkPrice) for e in events) == 7
    assert {(e.symbol, e.position_side) for e in events if isinstance(e, ev.Liquidation)} == {
        ("PI_XRPUSD", "long"),
        ("PI_ETHUSD", "short"),
    }


def test_the_recorded_list_of_contracts_in_lower_case_is_read():
    (answer,) = recorded("kraken_futures/rest.jsonl.gz")
    poll = next(p for p in VENUE.polls([PI, "FI_XBTUSD_210924", PF]) if p.resource == "instruments")
    events = poll.decode(answer["body"].encode(), T)
    assert [e.symbol for e in events if isinstance(e, ev.ContractTerms)] == ["FI_XBTUSD_210924", PI]
    assert [len(e.rows) for e in events if isinstance(e, ev.TierTableChanged)] == [8, 8]
    assert [e.symbol for e in events if isinstance(e, ev.ContractStatus)] == [PF]
