"""Deribit: whole messages of the venue's shape into the expected events, and what is said to it and heard from it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.errors import WireError
from monitor.venues import deribit
from monitor.venues.base import Word

HERE = Path(__file__).parent / "deribit"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames"
V = "deribit"
BTC, SOL, USDC = "BTC-PERPETUAL", "SOL_USDC-PERPETUAL", "BTC_USDC-PERPETUAL"
WATCHED = (BTC, USDC, SOL, "ETH-PERPETUAL")
T = 1795169703.25
TRADED = T - 0.044


def refused(channel: str, reason: str, symbol: str = "") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def state(symbol: str, word: str, watchable: bool, time: float = T) -> ev.ContractStatus:
    return ev.ContractStatus(V, symbol, word, watchable, time)


def quote(symbol: str, *values: float) -> ev.BestQuote:
    return ev.BestQuote(V, symbol, *values, T)


def forced(symbol: str, side: str, contracts: float, price: float, time: float = TRADED) -> ev.Liquidation:
    return ev.Liquidation(V, symbol, side, contracts, price, "fill", time)


def prices(symbol: str, mark: float, index: float, last: float) -> list[ev.Event]:
    return [ev.MarkPrice(V, symbol, mark, T), ev.IndexPrice(V, symbol, index, T), ev.LastPrice(V, symbol, last, T)]


PERPETUAL = [
    *prices(BTC, 90012.41, 90031.02, 90010.5),
    quote(BTC, 90012.0, 4112.0, 90012.5, 2905.0),
    ev.FundingRate(V, BTC, 0.00007412, T, T),
    ev.OpenInterest(V, BTC, 91234567.0, T),
    state(BTC, "open", True),
]

FRAMES = {
    "ws_ticker_inverse": PERPETUAL,
    "ws_ticker_linear": [
        *prices(SOL, 131.4216, 131.45, 131.42),
        quote(SOL, 131.41, 212.4, 131.43, 98.1),
        ev.FundingRate(V, SOL, -0.00001, T, T),
        ev.OpenInterest(V, SOL, 84211.3, T),
        state(SOL, "open", True),
    ],
    "ws_ticker_exponents": [
        *prices("DOGE_USDC-PERPETUAL", 0.12345, 0.1235, 0.12344),
        quote("DOGE_USDC-PERPETUAL", 0.12343, 5000.0, 0.12346, 10000.0),
        ev.FundingRate(V, "DOGE_USDC-PERPETUAL", 0.000002, T, T),
        ev.OpenInterest(V, "DOGE_USDC-PERPETUAL", 15e6, T),
        state("DOGE_USDC-PERPETUAL", "open", True),
    ],
    "ws_ticker_new_contract": [
        ev.IndexPrice(V, USDC, 90031.02, T),
        ev.OpenInterest(V, USDC, 0.0, T),
        ev.FundingRate(V, USDC, 0.0, T, T),
        state(USDC, "open", True),
    ],
    "ws_ticker_one_sided": [
        *prices(USDC, 90012.41, 90031.02, 90010.5),
        ev.OpenInterest(V, USDC, 812.4, T),
        ev.FundingRate(V, USDC, 0.00007412, T, T),
        state(USDC, "open", True),
    ],
    "ws_ticker_halted": [*PERPETUAL[:-1], state(BTC, "halted", False)],
    "ws_ticker_dated": [
        *prices("BTC-25DEC26", 90012.41, 90031.02, 90010.5),
        quote("BTC-25DEC26", 90012.0, 4112.0, 90012.5, 2905.0),
        ev.OpenInterest(V, "BTC-25DEC26", 91234567.0, T),
        state("BTC-25DEC26", "open", True),
    ],
    "ws_ticker_option": [
        *prices("BTC-25DEC26-90000-C", 0.0412, 90031.02, 0.041),
        quote("BTC-25DEC26-90000-C", 0.0405, 12.3, 0.042, 4.0),
        ev.OpenInterest(V, "BTC-25DEC26-90000-C", 533.2, T),
        state("BTC-25DEC26-90000-C", "open", True),
    ],
    "ws_ticker_bad_values": [
        refused("mark_price", "bad_price", BTC),
        refused("index_price", "bad_price", BTC),
        refused("last_price", "bad_price", BTC),
        refused("best_quote", "bad_price", BTC),
        refused("best_quote", "bad_quantity", BTC),
        refused("open_interest", "bad_quantity", BTC),
        refused("funding_rate", "bad_rate", BTC),
    ],
    "ws_ticker_no_unit": [
        *prices("XYZ-PERPETUAL", 90012.41, 90031.02, 90010.5),
        refused("ticker", "no_contract_size", "XYZ-PERPETUAL"),
        ev.FundingRate(V, "XYZ-PERPETUAL", 0.00007412, T, T),
        state("XYZ-PERPETUAL", "open", True),
    ],
    "ws_trades": [ev.LastPrice(V, BTC, 89840.0, T - 0.04)],
    "ws_trades_taker_liquidated": [forced(BTC, "long", 1120.0, 89840.5), ev.LastPrice(V, BTC, 89840.5, TRADED)],
    "ws_trades_maker_liquidated": [forced(BTC, "short", 1120.0, 89840.5), ev.LastPrice(V, BTC, 89840.5, TRADED)],
    "ws_trades_both_liquidated": [
        forced(SOL, "short", 40.5, 131.4),
        forced(SOL, "long", 40.5, 131.4),
        ev.LastPrice(V, SOL, 131.4, TRADED),
    ],
    "ws_trades_cascade": [
        forced(BTC, "long", 1120.0, 89840.5),
        forced(BTC, "short", 50.0, 89820.5, T - 0.012),
        ev.LastPrice(V, BTC, 89820.5, T - 0.012),
    ],
    "ws_trades_bad_rows": [
        refused("trades", "bad_price", BTC),
        refused("trades", "malformed"),
        refused("trades", "bad_time"),
        refused("liquidation", "bad_quantity", BTC),
        refused("liquidation", "bad_side", BTC),
        refused("liquidation", "bad_side", BTC),
        forced(BTC, "short", 10.0, 89841.5),
        ev.LastPrice(V, BTC, 89841.5, TRADED),
    ],
    "ws_trades_all_futures": [ev.LastPrice(V, BTC, 89840.5, TRADED), ev.LastPrice(V, SOL, 131.4, TRADED)],
    "ws_book_snapshot": [
        ev.BookChange(
            V, BTC, ((90012.0, 4112.0), (90011.5, 150.0)), ((90012.5, 2905.0), (90013.0, 7.0)), T, True, 91500000100
        )
    ],
    "ws_book_snapshot_previous_null": [ev.BookChange(V, SOL, ((131.41, 212.4),), (), T, True, 7200)],
    "ws_book_snapshot_previous_number": [ev.BookChange(V, SOL, ((131.41, 212.4),), (), T, True, 7200)],
    "ws_book_change": [
        ev.BookChange(
            V, BTC, ((90012.0, 0.0), (90011.0, 100.0)), ((90012.5, 10.0),), T, False, 91500000107, 91500000100
        )
    ],
    "ws_book_delete_with_amount": [ev.BookChange(V, SOL, ((131.41, 0.0),), (), T, False, 7201, 7200)],
    "ws_book_change_without_type": [
        ev.BookChange(V, "ETH-PERPETUAL", ((3105.25, 400.0),), (), T, False, 88, 87),
    ],
    "ws_book_snapshot_without_type": [
        ev.BookChange(V, "ETH-PERPETUAL", ((3105.25, 500.0),), ((3105.3, 20.0),), T, True, 87),
    ],
    "ws_book_bad_level": [refused("book", "bad_row", BTC)],
    "ws_book_unknown_word": [refused("book", "bad_row", BTC)],
    "ws_book_no_number": [refused("book", "bad_row", BTC)],
    "ws_book_grouped": [],
    "ws_instrument_closed": [state(SOL, "closed", False)],
    "ws_instrument_started": [state(SOL, "started", True)],
    "ws_instrument_settled": [state(BTC, "settled", True)],
    "ws_platform_locked": [state(BTC, "locked", False, 5.0)],
    "ws_platform_unlocked": [state(BTC, "unlocked", True, 5.0)],
    "ws_platform_locked_whole": [state(symbol, "locked", False, 5.0) for symbol in WATCHED],
    "ws_platform_maintenance": [state(symbol, "maintenance", False, 5.0) for symbol in WATCHED],
    "ws_platform_no_maintenance": [],
    "ws_perpetual": [],
    "ws_price_index": [],
    "ws_quote": [],
    "ws_ack": [],
    "ws_ack_lacks_one": [],
    "ws_ack_heartbeat": [],
    "ws_ack_test": [],
    "ws_heartbeat": [],
    "ws_test_request": [],
    "ws_error_too_many": [],
    "ws_error_maintenance": [],
    "ws_error_subscribe": [],
    "ws_error_params": [],
    "ws_error_unasked": [],
}

MALFORMED = {
    "ws_ticker_microseconds": "bad_time",
    "ws_ticker_seconds": "bad_time",
    "ws_ticker_no_name": "malformed",
    "ws_book_microseconds": "bad_time",
    "ws_trades_object": "malformed",
}


def message(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.fixture
def venue():
    return deribit.VENUE.watching(WATCHED)


# --- frames ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(venue, name):
    assert near(venue.decode(message(name), 5.0)) == near(FRAMES[name])


def test_every_written_message_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} == FRAMES.keys() | MALFORMED.keys()


@pytest.mark.parametrize("name", MALFORMED)
def test_what_cannot_be_read_raises_with_its_reason(venue, name):
    with pytest.raises(WireError) as error:
        venue.decode(message(name), 5.0)
    assert error.value.reason == MALFORMED[name]


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(venue, name):
    whole = json.loads(message(name))
    whole["extra"] = {"deep": [1, None]}
    params = whole.get("params", {})
    params["more"] = "x"
    data = params.get("data", [])
    for row in data if isinstance(data, list) else [data]:
        if isinstance(row, dict):
            row["brand_new"] = [{"a": 1}]
    assert near(venue.decode(json.dumps(whole).encode(), 5.0)) == near(FRAMES[name])


@pytest.mark.parametrize("field", ["mark_price", "index_price", "last_price"])
@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", 0, 0.0, -1.5, 1e18, True, [90012.0], {"price": 1}, "1_000", "ninety", "9" * 70]
)
def test_what_is_no_price_is_refused_by_itself(venue, field, value):
    whole = json.loads(message("ws_ticker_inverse"))
    whole["params"]["data"][field] = value
    events = venue.decode(json.dumps(whole).encode(), 5.0)
    assert refused(field, "bad_price", BTC) in events
    assert len(events) == len(PERPETUAL)
    assert not [e for e in events if getattr(e, field, None) is not None]


@pytest.mark.parametrize("field", ["mark_price", "index_price", "last_price", "open_interest", "current_funding"])
@pytest.mark.parametrize("absent", ["missing", None, ""])
def test_an_absent_value_is_no_event(venue, field, absent):
    whole = json.loads(message("ws_ticker_inverse"))
    whole["params"]["data"][field] = absent
    if absent == "missing":
        del whole["params"]["data"][field]
    events = venue.decode(json.dumps(whole).encode(), 5.0)
    assert len(events) == len(PERPETUAL) - 1
    assert not [e for e in events if isinstance(e, ev.Rejected)]


def test_the_careful_way_gives_what_the_quick_one_does(venue):
    """The quick way takes numbers alone; the same values as text are read value by value."""
    whole = json.loads(message("ws_ticker_inverse"))
    for field in ("mark_price", "best_bid_amount", "current_funding"):
        whole["params"]["data"][field] = repr(whole["params"]["data"][field])
    slow = venue.decode(json.dumps(whole).encode(), 5.0)
    assert sorted(map(repr, near(slow))) == sorted(map(repr, near(PERPETUAL)))


@pytest.mark.parametrize(
    "frame",
    [
        b"", b"{", b"<html>", b"\xff\xfe", b"[1,2", b"null x", b"[" * 100_000, b'"text"', b"7", b"null", b"[]",
        b'{"params":7}', b'{"params":{"channel":7}}', b'{"params":{"channel":"ticker.X.100ms"}}',
        b'{"params":{"channel":"ticker.X.100ms","data":[]}}', b'{"params":{"channel":"trades.X.100ms","data":7}}',
        b'{"params":{"channel":"book.X.100ms","data":null}}', b'{"params":{"channel":"platform_state","data":[]}}',
        b'{"params":{"channel":"instrument.state.future.any","data":{"state":"open"}}}',
    ],
    ids=range(19),
)  # fmt: skip
def test_what_is_no_message_raises_a_wire_error(venue, frame):
    with pytest.raises(WireError):
        venue.decode(frame, 5.0)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    venue = deribit.VENUE.watching(WATCHED)
    name = data.draw(st.sampled_from(sorted(FRAMES)))
    frame = bytearray(message(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    venue.hear(bytes(frame))
    try:
        events = venue.decode(bytes(frame), 5.0)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


# --- asking and hearing ------------------------------------------------------------------------------------


@pytest.fixture
def channels(venue):
    """Ask for two channels of one contract."""
    streams = venue.connections([BTC], "ws://x")[0].streams[:2]
    (request,) = venue.subscribe(streams, 9, T)
    assert request.key == "1"
    return [stream.name for stream in streams]


def test_a_subscription_names_all_channels_in_one_call(venue):
    (market, _) = venue.connections([BTC, SOL], "ws://x")
    (request,) = venue.subscribe(market.streams, 9, T)
    assert json.loads(request.text) == {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "public/subscribe",
        "params": {
            "channels": [
                "ticker.BTC-PERPETUAL.100ms",
                "ticker.SOL_USDC-PERPETUAL.100ms",
                "trades.BTC-PERPETUAL.100ms",
                "trades.SOL_USDC-PERPETUAL.100ms",
                "instrument.state.future.any",
                "platform_state",
            ]
        },
    }
    assert request.streams == market.streams


def test_unsubscribing_expects_nothing_of_the_answer(venue, channels):
    (request,) = venue.unsubscribe(venue.connections([BTC], "ws://x")[1].streams, 3, T)
    assert json.loads(request.text) == {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "public/unsubscribe",
        "params": {"channels": ["book.BTC-PERPETUAL.100ms"]},
    }
    assert request.key == ""
    assert venue.hear(b'{"jsonrpc":"2.0","id":2,"result":[]}') is None


def test_no_two_connections_share_a_request_number(venue):
    market, depth = venue.connections([BTC], "ws://x")
    keys = [venue.subscribe(c.streams, 1, T)[0].key for c in (market, depth, market)]
    assert len(set(keys)) == 3


def test_the_greeting_asks_for_heartbeats(venue):
    (greeting,) = venue.greeting
    assert json.loads(greeting)["method"] == "public/set_heartbeat"
    assert json.loads(greeting)["params"] == {"interval": 30}


MISSING = "not among the channels that were taken"
HEARD = {
    "ws_ack": None,
    "ws_ack_lacks_one": Word(refused=("trades.BTC-PERPETUAL.100ms",), reason=MISSING),
    "ws_ack_heartbeat": None,
    "ws_ack_test": None,
    "ws_heartbeat": None,
    "ws_test_request": Word(answer='{"jsonrpc":"2.0","id":0,"method":"public/test","params":{}}'),
    "ws_error_too_many": Word(reason="10028 too_many_requests"),
    "ws_error_maintenance": Word(reason="11051 system_maintenance"),
    "ws_error_subscribe": Word(refused=("1",), reason="11052 subscribe_error"),
    "ws_error_params": Word(refused=("1",), reason="-32602 Invalid params"),
    "ws_error_unasked": Word(reason="-32601 Method not found"),
    "ws_perpetual": None,
    "ws_book_grouped": None,
}


@pytest.mark.parametrize("name", HEARD)
def test_what_a_frame_without_facts_says(venue, channels, name):
    assert channels == ["ticker.BTC-PERPETUAL.100ms", "trades.BTC-PERPETUAL.100ms"]
    assert venue.hear(message(name)) == HEARD[name]


def test_an_empty_acknowledgement_refuses_everything(venue, channels):
    word = venue.hear(b'{"jsonrpc":"2.0","id":1,"result":[],"usIn":1,"usOut":2,"usDiff":1}')
    assert word is not None
    assert word.refused == tuple(channels)


def test_an_answer_is_taken_once(venue, channels):
    assert venue.hear(message("ws_ack_lacks_one")) is not None
    assert venue.hear(message("ws_ack_lacks_one")) is None


@pytest.mark.parametrize(
    "frame", [b"", b"{", b"null", b"[" * 100_000, b"\xff", b'{"id":{"a":1}}', b'{"id":1,"result":[{}, 7]}', b'{"id":1,"error":7}']
)  # fmt: skip
def test_hearing_never_raises(venue, frame):
    venue.hear(frame)


def test_what_was_asked_is_not_remembered_for_ever(venue, channels):
    for _ in range(deribit.REMEMBERED):
        venue.subscribe((), 1, T)
    assert venue.hear(message("ws_ack_lacks_one")) is None


# --- connections -------------------------------------------------------------------------------------------


def test_prices_and_books_have_connections_of_their_own():
    market, depth = deribit.connections([BTC], "ws://x/")
    assert (market.name, depth.name) == ("market", "depth")
    assert {market.url, depth.url} == {"ws://x/ws/api/v2"}
    assert [(s.name, s.symbols, s.field, s.expected_interval) for s in (*market.streams, *depth.streams)] == [
        ("ticker.BTC-PERPETUAL.100ms", (BTC,), "mark", 5.0),
        ("trades.BTC-PERPETUAL.100ms", (BTC,), None, 0.0),
        ("instrument.state.future.any", (), None, 0.0),
        ("platform_state", (), None, 0.0),
        ("book.BTC-PERPETUAL.100ms", (BTC,), "depth", 20.0),
    ]


def test_many_symbols_are_spread_over_connections_and_the_venues_news_come_once():
    symbols = [f"C{n}_USDC-PERPETUAL" for n in range(250)]
    found = deribit.connections(symbols, "ws://x")
    assert [c.name for c in found] == ["market", "depth", "market-2", "depth-2", "market-3", "depth-3"]
    assert max(len(c.streams) for c in found) == 202
    names = [s.name for c in found for s in c.streams]
    assert len(names) == len(set(names)) == 752


# --- REST --------------------------------------------------------------------------------------------------

LISTED = (*WATCHED, "BTC-25DEC26", "ODD-PERPETUAL", "GONE_USDC-PERPETUAL")


def polled(resource: str, file: str, symbols=LISTED, venue=deribit.VENUE) -> list[ev.Event]:
    (poll,) = [p for p in venue.watching(symbols).polls(symbols) if p.resource == resource]
    return poll.decode(message(file), 5.0)


def terms(symbol: str, kind: str, size: float, base: str, quoted: str, settle: str, tick: float, **more) -> ev.Event:
    said = {"status": "active", "watchable": True, "liquidation_fee_rate": 0.01} | more
    return ev.ContractTerms(V, symbol, kind, size, base, quoted, settle, tick_size=tick, **said)


def test_the_list_says_the_terms_of_watched_contracts_and_which_are_not_in_it():
    """Linear contracts are counted in coins, whatever the step of their amounts is."""
    idle = {"status": "inactive", "watchable": False}
    assert polled("instruments", "get_instruments") == [
        terms("BTC-25DEC26", "inverse", 10.0, "BTC", "USD", "BTC", 2.5, delivery_time=1798185600.0),
        terms(BTC, "inverse", 10.0, "BTC", "USD", "BTC", 0.5),
        ev.FundingTerms(V, BTC, 28800.0, 0.005, -0.005),
        terms(USDC, "linear", 1.0, "BTC", "USDC", "USDC", 1.0),
        ev.FundingTerms(V, USDC, 28800.0, 0.05, -0.05),
        terms("ETH-PERPETUAL", "inverse", 1.0, "ETH", "USD", "ETH", 0.05),
        ev.FundingTerms(V, "ETH-PERPETUAL", 28800.0, 0.01, -0.01),
        state("GONE_USDC-PERPETUAL", "not listed", False, 5.0),
        refused("instruments", "bad_kind", "ODD-PERPETUAL"),
        terms(SOL, "linear", 1.0, "SOL", "USDC", "USDC", 0.001, **idle),
        ev.FundingTerms(V, SOL, 28800.0, 0.05, -0.05),
    ]


def test_a_row_that_cannot_be_read_makes_nothing_unlisted():
    assert polled("instruments", "get_instruments_bad_row", (BTC, "ETH-PERPETUAL")) == [
        refused("instruments", "bad_row"),
        terms("ETH-PERPETUAL", "inverse", 1.0, "BTC", "USD", "BTC", None, liquidation_fee_rate=None),
        ev.FundingTerms(V, "ETH-PERPETUAL", 28800.0, 0.005, -0.005),
    ]


def test_amounts_are_divided_by_the_contract_size_that_the_list_gave():
    symbols = (BTC, "XYZ-PERPETUAL")
    venue = deribit.VENUE.watching(symbols)
    (poll,) = [p for p in venue.polls(symbols) if p.resource == "instruments"]
    poll.decode(message("get_instruments_of_another_size"), 5.0)
    found = {e.symbol: e.contracts for e in venue.decode(message("ws_ticker_inverse"), 5.0) if "contracts" in dir(e)}
    found |= {e.symbol: e.contracts for e in venue.decode(message("ws_ticker_no_unit"), 5.0) if "contracts" in dir(e)}
    assert found == {BTC: 9123456.7, "XYZ-PERPETUAL": 182469134.0}


def test_one_feed_learns_nothing_from_another():
    polled("instruments", "get_instruments_of_another_size", (BTC,))
    fresh = deribit.VENUE.watching((BTC,))
    assert near(fresh.decode(message("ws_ticker_inverse"), 5.0)) == near(PERPETUAL)


def test_time_gives_the_venue_time():
    assert polled("time", "get_time") == [ev.VenueTime(V, T)]


@pytest.mark.parametrize("resource", ["time", "instruments"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]]", b"[" * 50_000, message("get_error"), message("get_instruments_empty")]
)
def test_a_body_of_another_shape_raises_a_wire_error(resource, body):
    (poll,) = [p for p in deribit.VENUE.polls(WATCHED) if p.resource == resource]
    with pytest.raises(WireError):
        poll.decode(body, 5.0)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"result":{}}', b"[" * 50_000, message("get_error")])
def test_a_summary_of_another_shape_raises_a_wire_error(body):
    with pytest.raises(WireError):
        deribit.VENUE.polls((BTC,))[-1].decode(body, 5.0)


def test_the_polls_ask_for_all_futures_at_once_and_for_marks_by_currency():
    summary = "/api/v2/public/get_book_summary_by_currency"
    assert [
        (p.resource, p.path, dict(p.params), p.essential) for p in deribit.VENUE.polls((*WATCHED, "X-PERPETUAL"))
    ] == [
        ("time", "/api/v2/public/get_time", {}, True),
        ("instruments", "/api/v2/public/get_instruments", {"currency": "any", "kind": "future"}, True),
        ("book_summary", summary, {"currency": "BTC", "kind": "future"}, False),
        ("book_summary", summary, {"currency": "ETH", "kind": "future"}, False),
        ("book_summary", summary, {"currency": "USDC", "kind": "future"}, False),
    ]


def test_a_summary_confirms_the_marks_of_watched_contracts_with_the_time_of_the_answer():
    assert polled("book_summary", "get_book_summary", (USDC, SOL)) == [
        refused("book_summary", "bad_row"),
        ev.MarkPrice(V, USDC, 90012.41, T),
        refused("mark_price", "bad_price", SOL),
    ]


def test_a_contract_of_which_nothing_changes_keeps_its_connection_and_its_mark():
    """Tickers come with changes alone: silences of nine seconds were seen."""
    (confirms,) = [p for p in deribit.VENUE.polls((SOL,)) if p.resource == "book_summary"]
    mark = deribit.connections([SOL], "ws://x")[0].streams[0]
    assert confirms.interval_seconds == mark.expected_interval == deribit.VENUE.expected_intervals["mark"]
    assert 9.0 < 3.0 * mark.expected_interval <= 30.0


# --- recorded frames ---------------------------------------------------------------------------------------

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded frames do not lie beside the checkout")


@recorded
def test_recorded_books_follow_their_chains_and_never_cross():
    books: dict[str, OrderBook] = {}
    kinds: dict[str, int] = {}
    with gzip.open(RECORDED / "deribit" / "recv.jsonl.gz", "rt") as lines:
        for line in lines:
            for event in deribit.VENUE.decode(json.loads(line)["frame"].encode(), 5.0):
                kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
                if isinstance(event, ev.BookChange):
                    book = books.setdefault(event.symbol, OrderBook())
                    assert book.apply(event, 1.0)
                    assert book.best_bid is None or book.best_ask is None or book.best_bid < book.best_ask
    assert (len(books), kinds["BookChange"], kinds["MarkPrice"]) == (10, 31, 50)
    assert sum(book.gaps for book in books.values()) == 0
    assert "Rejected" not in kinds


@recorded
def test_the_single_messages_of_perpetuals_give_what_they_are():
    found = []
    with gzip.open(RECORDED / "samples" / "derivative_frames.jsonl.gz", "rt") as lines:
        for line in lines:
            sample = json.loads(line)
            if sample["venue"].startswith("deribit"):
                events = deribit.VENUE.decode(sample["frame"].encode(), 5.0)
                found += [(type(e).__name__, e.symbol) for e in events if e.symbol.endswith("-PERPETUAL")]
    ticker = ["MarkPrice", "IndexPrice", "LastPrice", "BestQuote", "FundingRate", "OpenInterest", "ContractStatus"]
    assert found == [
        ("LastPrice", BTC),
        ("BookChange", "ETH-PERPETUAL"),
        ("BookChange", "ETH-PERPETUAL"),
        *[(kind, BTC) for kind in ticker],
        *[(kind, BTC) for kind in ticker],
        ("Liquidation", BTC),
        ("LastPrice", BTC),
        ("Liquidation", BTC),
        ("LastPrice", BTC),
        ("BookChange", "LINK_USDC-PERPETUAL"),
    ]
