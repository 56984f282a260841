"""OKX swaps: whole messages of the venue's shape into the expected events and words."""

from __future__ import annotations

import gzip
import json
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.core.contract import Tier, ladder_problem
from monitor.errors import WireError
from monitor.venues import okx
from monitor.venues.base import Stream, Word
from monitor.venues.okx_wire import OkxDecoder, hear

HERE = Path(__file__).parent / "okx"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames"
V, BTC, COIN, UM = "okx", "BTC-USDT-SWAP", "BTC-USD-SWAP", "BTC-USD_UM-SWAP"
T = 1795169703.0
FUNDING = 1795190400.0
HOUR = 3600.0
WATCHED = (BTC, COIN, UM)
DECODER = OkxDecoder(WATCHED)
UNBOUND = OkxDecoder()


def refused(channel: str, reason: str, symbol: str = BTC) -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def forced(side: str, contracts: float, price: float, time: float) -> ev.Liquidation:
    return ev.Liquidation(V, BTC, side, contracts, price, "bankruptcy", time, method="takeover")


MARK = ev.MarkPrice(V, BTC, 90012.4, T)
QUOTE = ev.BestQuote(V, BTC, 90012.4, 17.02, 90012.5, 291.44, T + 0.101)
LAST = ev.LastPrice(V, BTC, 90012.4, T + 0.101)
FUNDED = ev.FundingRate(V, BTC, 0.00007412, FUNDING, T - 0.4)

FRAMES: dict[str, list[ev.Event]] = {
    "ws_mark_price": [MARK],
    "ws_mark_price_no_price": [refused("mark-price", "no_price")],
    "ws_mark_price_empty": [refused("mark-price", "no_price")],
    "ws_mark_price_nan": [refused("mark_price", "bad_price")],
    "ws_mark_price_bad_row": [refused("mark-price", "not_an_object"), refused("mark_price", "bad_price"), MARK],
    "ws_mark_price_microseconds": [refused("mark-price", "bad_time")],
    "ws_mark_price_seconds": [refused("mark-price", "bad_time")],
    "ws_index_tickers": [ev.IndexPrice(V, BTC, 90031.2, T + 0.023)],
    "ws_index_tickers_coin_margined": [
        ev.IndexPrice(V, COIN, 90020.0, T + 0.023),
        ev.IndexPrice(V, UM, 90020.0, T + 0.023),
    ],
    "ws_index_tickers_bad": [refused("index_price", "bad_price")],
    "ws_tickers": [LAST, QUOTE],
    "ws_tickers_never_traded": [QUOTE],
    "ws_tickers_one_sided": [LAST],
    "ws_tickers_bad_values": [
        refused("last_price", "bad_price"),
        refused("best_quote", "bad_quantity"),
        refused("best_quote", "bad_price"),
    ],
    "ws_funding_rate": [FUNDED, ev.FundingTerms(V, BTC, 8 * HOUR, 0.00375, -0.00375)],
    "ws_funding_rate_four_hours": [
        ev.FundingRate(V, "ETH-USD-SWAP", -0.000012, 1795176000.0, T - 0.4),
        ev.FundingTerms(V, "ETH-USD-SWAP", 4 * HOUR),
    ],
    "ws_funding_rate_2021": [ev.FundingRate(V, BTC, 0.00021, 1640131200.0, T)],
    "ws_funding_rate_unknown_yet": [],
    "ws_funding_rate_bad": [refused("funding_rate", "bad_rate"), refused("funding_rate", "bad_interval")],
    "ws_open_interest": [ev.OpenInterest(V, BTC, 2513077.31, T - 0.129)],
    "ws_open_interest_empty": [refused("open-interest", "bad_quantity")],
    "ws_liquidation_orders": [
        forced("long", 45.5, 88641.7, T - 0.106),
        forced("short", 3.0, 91377.0, T - 2.106),
    ],
    "ws_liquidation_orders_bad_rows": [
        refused("liquidation", "bad_side"),
        refused("liquidation", "bad_quantity"),
        refused("liquidation", "bad_price"),
        refused("liquidation", "not_an_object"),
        refused("liquidation", "bad_time"),
        forced("short", 45.5, 88641.7, T - 0.106),
    ],
    "ws_books_snapshot": [
        ev.BookChange(
            V,
            BTC,
            ((90012.4, 17.02), (90012.3, 3.0)),
            ((90012.5, 291.44), (90013.0, 40.0)),
            T,
            whole=True,
            number=730001,
        )
    ],
    "ws_books_update": [
        ev.BookChange(
            V,
            BTC,
            ((90012.4, 21.5), (90012.3, 0.0)),
            ((90012.6, 5.0),),
            T + 0.1,
            number=730004,
            previous=730001,
        )
    ],
    "ws_books_heartbeat": [ev.BookChange(V, BTC, (), (), T + 60.1, number=730004, previous=730004)],
    "ws_books_maintenance": [ev.BookChange(V, BTC, ((90012.4, 22.0),), (), T + 61, number=12, previous=730004)],
    "ws_books_bad_level": [refused("books", "bad_level")],
    "ws_books_2022": [ev.BookChange(V, "UNI-USD-SWAP", (), ((5.31, 40.0),), 1652459225.464)],
    "ws_books_no_action": [refused("books", "malformed")],
    "ws_adl_warning": [ev.AdlSignal(V, BTC, "warning", T + 0.7, balance=195117301.4402)],
    "ws_adl_warning_adl": [ev.AdlSignal(V, BTC, "adl", T + 0.7)],
    "ws_adl_warning_normal_2025": [
        ev.AdlSignal(V, COIN, "normal", 1745403011.0, balance=1204.77120031),
        ev.InsuranceFund(V, COIN, "BTC", 1204.77120031, (COIN,), 1745403011.0),
    ],
    "ws_adl_warning_other_family": [],
    "ws_adl_warning_bad": [refused("adl-warning", "malformed", "")],
    "ws_instruments": [
        ev.ContractTerms(
            V,
            BTC,
            kind="linear",
            contract_size=0.01,
            base="BTC",
            quote="USDT",
            settle="USDT",
            status="suspend",
            watchable=False,
            tick_size=0.1,
        )
    ],
    "ws_instruments_bad": [refused("instruments", "bad_terms"), refused("instruments", "bad_row")],
    "ws_status": [],
    "ws_trades": [],
    "ws_ack": [],
    "ws_ack_unsubscribe": [],
    "ws_error_names_the_stream": [],
    "ws_error_names_nothing": [],
    "ws_error_2023": [],
    "ws_error_without_id": [],
    "ws_notice": [],
    "ws_conn_count": [],
}


def whole(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n) or 0.0, 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(DECODER.decode(whole(name), T)) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    assert DECODER.decode_carefully(whole(name), T) == DECODER.decode(whole(name), T)


@pytest.mark.parametrize("after", ["0", "1795219200", "soon"])
def test_a_second_settlement_that_is_no_time_costs_the_rhythm_and_not_the_rate(after):
    message = json.loads(whole("ws_funding_rate"))
    message["data"][0]["nextFundingTime"] = after
    rate, bad = DECODER.decode(json.dumps(message).encode(), T)
    assert isinstance(rate, ev.FundingRate)
    assert bad == refused("funding_rate", "bad_time")


def test_every_message_that_is_kept_is_expected_somewhere():
    assert {path.stem for path in HERE.glob("ws_*.json")} == set(FRAMES)


def test_the_answer_to_a_ping_is_neither_an_event_nor_malformed():
    assert DECODER.decode(b"pong", T) == []
    assert hear(b"pong") is None


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads(whole(name))
    message["zz_new"] = {"deep": [1, "2", None]}
    for row in message.get("data", []):
        if isinstance(row, dict):
            row["zz_new"] = {"deep": [1, "2", None]}
            for detail in row.get("details", []):
                if isinstance(detail, dict):
                    detail["zz_new"] = "x"
            for side in ("bids", "asks"):
                row[side] = [[*level, "zz_new"] for level in row[side]] if side in row else None
    assert near(DECODER.decode(json.dumps(message).encode(), T)) == near(FRAMES[name])


def changed(name: str, field: str, value: object) -> bytes:
    """Return a message with one value of its first row, or of the first detail in it, replaced."""
    message = json.loads(whole(name))
    row = message["data"][0]
    row = row["details"][0] if "details" in row else row
    row[field] = value
    return json.dumps(message).encode()


NO_PRICES = ["NaN", "Infinity", "-1", "0", "1e30", "1_000", "0x10", " 1", "٣", True, False, [], {}, 0, -5.0, 10**400]


@pytest.mark.parametrize("value", [*NO_PRICES, "", None], ids=repr)
@pytest.mark.parametrize(
    ("name", "field", "kind", "says_nothing_if_absent"),
    [
        ("ws_mark_price", "markPx", ev.MarkPrice, False),
        ("ws_index_tickers", "idxPx", ev.IndexPrice, False),
        ("ws_tickers", "last", ev.LastPrice, True),
        ("ws_tickers", "bidPx", ev.BestQuote, True),
        ("ws_tickers", "askPx", ev.BestQuote, True),
        ("ws_liquidation_orders", "bkPx", ev.Liquidation, False),
    ],
)
def test_what_is_no_price_never_becomes_one(name, field, kind, says_nothing_if_absent, value):
    before = [e for e in DECODER.decode(whole(name), T) if isinstance(e, kind)]
    events = DECODER.decode(changed(name, field, value), T)
    assert len([e for e in events if isinstance(e, kind)]) == len(before) - 1
    if not (says_nothing_if_absent and value in ("", None)):
        assert [e for e in events if isinstance(e, ev.Rejected)]


@pytest.mark.parametrize("value", ["1795169703", "1795169703000000", "2026-11-20T00:00:00.000Z", "", None, "NaN", []])
@pytest.mark.parametrize("name", ["ws_mark_price", "ws_index_tickers", "ws_tickers", "ws_open_interest"])
def test_a_time_that_is_not_milliseconds_costs_its_row(name, value):
    events = DECODER.decode(changed(name, "ts", value), T)
    assert [e.reason for e in events if isinstance(e, ev.Rejected)] == ["bad_time"] == [e.reason for e in events]


@pytest.mark.parametrize(
    "level", [["1"], "x", [["1"], "2"], ["1", "-2", "0", "1"], ["NaN", "1", "0", "1"], 5, None, [True, "1", "0", "1"]]
)
def test_one_bad_level_makes_a_book_worthless(level):
    assert DECODER.decode(changed("ws_books_snapshot", "bids", [level]), T) == [refused("books", "bad_level")]


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{",
        b"<html>",
        b"\xff\xfe",
        b"[1,2",
        b"ping",
        b"pong ",
        b"[" * 100_000,
        b'"text"',
        b"7",
        b"null",
        b'{"arg":{"channel":"mark-price"}}',
        b'{"arg":7,"data":[]}',
        b'{"arg":{"channel":["mark-price"]},"data":[]}',
        b'{"arg":{"channel":"mark-price","instId":"X"},"data":{}}',
    ],
    ids=range(15),
)
def test_what_is_no_message_raises_a_wire_error(frame):
    with pytest.raises(WireError):
        DECODER.decode(frame, T)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    frame = bytearray(whole(data.draw(st.sampled_from(sorted(FRAMES)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    hear(bytes(frame))
    try:
        events = DECODER.decode(bytes(frame), T)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_any_value_in_any_place_never_raises_anything_else(data):
    message = json.loads(whole(data.draw(st.sampled_from(sorted(FRAMES)))))
    place = message
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(JSON)
            break
        place = place[key]
    frame = json.dumps(message).encode()
    hear(frame)
    try:
        DECODER.decode(frame, T)
    except WireError:
        return


# --- words -------------------------------------------------------------------------------------------------

WORDS = {
    "ws_ack": None,
    "ws_ack_unsubscribe": None,
    "ws_conn_count": None,
    "ws_mark_price": None,
    "ws_error_names_the_stream": ("mark-price:NOPE-USDT-SWAP",),
    "ws_error_2023": ("tickers:NOPE-USDT-SWAP",),
    "ws_error_names_nothing": ("7",),
    "ws_error_without_id": None,
}


@pytest.mark.parametrize("name", WORDS)
def test_a_refusal_names_the_stream_where_its_text_does_and_else_the_request(name):
    word = hear(whole(name))
    assert (None if word is None else word.refused) == WORDS[name]
    assert word is None or word.reason.startswith("600")


def test_the_notice_of_an_upgrade_is_heard():
    assert hear(whole("ws_notice")) == Word(leaving=True)


def test_what_has_to_be_said_every_twenty_seconds_is_a_bare_ping():
    keepalive = okx.VENUE.keepalive
    assert keepalive is not None
    assert (keepalive.interval_seconds, keepalive.text(7, T)) == (20.0, "ping")


# --- subscriptions -----------------------------------------------------------------------------------------


def test_control_frames_name_channels_with_the_id_of_an_instrument_an_index_or_a_sort():
    streams = [Stream(name, (), None, 0.0) for name in (f"books:{BTC}", "index-tickers:BTC-USD", "adl-warning:SWAP")]
    (request,) = okx.subscribe(streams, 7, T)
    assert json.loads(request.text) == {
        "id": "7",
        "op": "subscribe",
        "args": [
            {"channel": "books", "instId": BTC},
            {"channel": "index-tickers", "instId": "BTC-USD"},
            {"channel": "adl-warning", "instType": "SWAP"},
        ],
    }
    assert (request.streams, request.key) == (tuple(streams), "7")
    (request,) = okx.unsubscribe(streams[:1], 8, T)
    assert request.key == ""  # the venue's no to that ("too often") must not stop what is asked for anew
    assert json.loads(request.text) == {"id": "8", "op": "unsubscribe", "args": [{"channel": "books", "instId": BTC}]}


def test_a_hundred_streams_go_into_a_frame():
    streams = [Stream(f"mark-price:S{n}-USDT-SWAP", (), "mark", 10.0) for n in range(150)]
    assert [(len(r.streams), r.key) for r in okx.subscribe(streams, 3, T)] == [(100, "3"), (50, "4")]
    assert all(len(r.text) < 64 << 10 for r in okx.subscribe(streams, 3, T))


def test_the_connections_of_three_swaps():
    found = {c.name: c for c in okx.connections(WATCHED, "ws://x/")}
    assert {c.url for c in found.values()} == {"ws://x/ws/v5/public"}
    assert [(s.name, s.symbols, s.field) for s in found["index"].streams] == [
        ("index-tickers:BTC-USDT", (BTC,), "index"),
        ("index-tickers:BTC-USD", (COIN, UM), "index"),
    ]
    marks = [s for s in found["mark"].streams if s.field is not None]
    assert [(s.name, s.field, s.expected_interval) for s in marks] == [
        (f"mark-price:{symbol}", "mark", 10.0) for symbol in WATCHED
    ]
    assert {s.name for s in found["mark"].streams if s.field is None} == {
        "adl-warning:SWAP",
        "instruments:SWAP",
        "liquidation-orders:SWAP",
        *(f"funding-rate:{symbol}" for symbol in WATCHED),
    }
    assert [(s.name, s.field) for s in found["last"].streams][:2] == [
        (f"tickers:{BTC}", "last"),
        (f"open-interest:{BTC}", None),
    ]
    assert [(s.name, s.field, s.snapshot) for s in found["depth"].streams] == [
        (f"books:{symbol}", "depth", None) for symbol in WATCHED
    ]


def test_no_connection_carries_too_much_and_every_one_that_has_funding_has_marks():
    found = okx.connections([f"S{n}-USDT-SWAP" for n in range(130)], "ws://x")
    assert len({c.name for c in found}) == len(found)
    assert max(len(c.streams) for c in found) <= 100
    assert max(len(c.streams) for c in found if c.name.startswith("depth")) == 25
    assert all(any(s.field is not None for s in c.streams) for c in found)


def test_a_feed_is_told_of_its_own_swaps_alone_and_nobody_of_whichever_are_named():
    bound = okx.VENUE.watching([UM])
    index = whole("ws_index_tickers_coin_margined")
    assert [e.symbol for e in bound.decode(index, T)] == [UM]
    assert [e.symbol for e in okx.VENUE.decode(index, T)] == [COIN]
    assert bound.decode(whole("ws_index_tickers"), T) == []
    liquidations = whole("ws_liquidation_orders")
    assert bound.decode(liquidations, T) == []
    assert [e.symbol for e in UNBOUND.decode(liquidations, T)] == [BTC, BTC, "DOGE-USDT-SWAP"]
    assert [e.symbol for e in UNBOUND.decode(whole("ws_adl_warning_other_family"), T)] == ["PEPE-USDT-SWAP"]


def test_binding_changes_nothing_but_the_decoder():
    bound = okx.VENUE.watching([BTC])
    assert (bound.name, bound.limits, bound.hear, bound.features) == (V, okx.VENUE.limits, hear, okx.FEATURES)
    assert okx.VENUE.limits.lifetime_seconds == inf


# --- REST --------------------------------------------------------------------------------------------------

SYMBOLS = [BTC, COIN, UM, "GONE-USDT-SWAP", "NEW-USDT-SWAP", "OLD-USDT-SWAP"]
POLLS = {p.resource: p for p in reversed(okx.VENUE.polls(SYMBOLS))}


def polled(resource: str, name: str) -> list[ev.Event]:
    return POLLS[resource].decode(whole(name), T)


def test_the_time_is_the_venues_own():
    assert polled("time", "get_time") == [ev.VenueTime(V, T + 0.001)]


def test_the_contract_list_says_the_terms_of_watched_swaps_and_which_are_not_listed():
    coin, btc, um, gone, new, old = polled("instruments", "get_instruments")
    assert btc == ev.ContractTerms(
        V,
        BTC,
        kind="linear",
        contract_size=0.01,
        base="BTC",
        quote="USDT",
        settle="USDT",
        status="live",
        watchable=True,
        tick_size=0.1,
    )
    assert (coin.kind, coin.contract_size, coin.base, coin.quote, coin.settle) == ("inverse", 100, "BTC", "USD", "BTC")
    assert (um.kind, um.contract_size, um.base, um.quote, um.settle) == ("linear", 0.0001, "BTC", "USD", "USD")
    assert (old.contract_size, old.status, old.watchable, old.delivery_time) == (100, "post_only", True, 1795248000.0)
    assert gone == ev.ContractStatus(V, "GONE-USDT-SWAP", "not listed", watchable=False, event_time=T)
    assert new == ev.ContractStatus(V, "NEW-USDT-SWAP", "preopen", watchable=False, event_time=T)


def test_a_row_that_cannot_be_read_makes_no_swap_unlisted():
    body = json.loads(whole("get_instruments"))
    body["data"][0]["state"] = 7
    events = POLLS["instruments"].decode(json.dumps(body).encode(), T)
    assert events[0] == refused("instruments", "bad_row", "")
    assert [e.symbol for e in events[1:]] == [COIN, UM, "NEW-USDT-SWAP", "OLD-USDT-SWAP"]


def test_a_venue_without_contracts_is_not_believed():
    with pytest.raises(WireError):
        POLLS["instruments"].decode(b'{"code":"0","msg":"","data":[]}', T)


def test_ladders_have_floors_in_contracts_where_the_tier_before_ends():
    coin, btc = polled("position-tiers", "get_position_tiers")
    assert btc == ev.TierTableChanged(
        V, BTC, ((0.0, 0.004, 0.0), (1200.0, 0.005, 0.0), (2400.0, 0.0075, 0.0)), T, (100.0, 75.0, 50.0)
    )
    assert (coin.symbol, coin.rows) == (COIN, ((0.0, 0.004, 0.0), (1000.0, 0.006, 0.0)))
    assert ladder_problem([Tier(*row) for row in btc.rows]) is None


@pytest.mark.parametrize(
    ("row", "field", "value", "reason"),
    [
        (1, "tier", "5", "bad_ladder"),
        (1, "minSz", "900", "bad_ladder"),
        (0, "minSz", "1", "bad_ladder"),
        (1, "mmr", "0", "bad_row"),
        (1, "mmr", "", "bad_row"),
        (1, "maxSz", None, "bad_row"),
    ],
)
def test_a_bad_rung_costs_its_ladder_and_no_other(row, field, value, reason):
    body = json.loads(whole("get_position_tiers"))
    body["data"][row][field] = value
    events = POLLS["position-tiers"].decode(json.dumps(body).encode(), T)
    assert [e.reason for e in events if isinstance(e, ev.Rejected)] == [reason]
    assert [e.symbol for e in events if isinstance(e, ev.TierTableChanged)] == [COIN]


def test_unknown_leverages_are_left_out_together():
    body = json.loads(whole("get_position_tiers"))
    body["data"][2]["maxLever"] = ""
    (ladder,) = [e for e in POLLS["position-tiers"].decode(json.dumps(body).encode(), T) if e.symbol == BTC]
    assert ladder.max_leverages == ()


def test_the_fund_is_the_newest_balance_of_each_coin_in_a_pool_named_after_a_watched_swap():
    assert polled("insurance-fund", "get_insurance_fund") == [
        ev.InsuranceFund(V, BTC, "USDT", 280112.5, (BTC,), 1795161600.0)
    ]


def test_ladders_and_funds_are_asked_for_family_by_family_so_that_a_delisted_one_costs_no_other():
    asked = [(p.resource, p.params) for p in okx.VENUE.polls([f"S{n}-USDT-SWAP" for n in range(6)])]
    tiers = [params["instFamily"] for resource, params in asked if resource == "position-tiers"]
    assert tiers == [f"S{n}-USDT" for n in range(6)]
    funds = [params["instFamily"] for resource, params in asked if resource == "insurance-fund"]
    assert funds == [f"S{n}-USDT" for n in range(6)]
    assert all(params["instType"] == "SWAP" for resource, params in asked if resource != "time")


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]]", b"7", b"[" * 50_000, b'{"code":"0","msg":"","data":7}', b'{"data":[]}']
)
def test_a_body_of_another_shape_raises_a_wire_error(resource, body):
    with pytest.raises(WireError):
        POLLS[resource].decode(body, T)


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize(("name", "reason"), [("get_error", "venue_error"), ("get_too_many", "rate_limited")])
def test_an_error_is_one_with_http_200_too(resource, name, reason):
    with pytest.raises(WireError) as error:
        polled(resource, name)
    assert error.value.reason == reason


# --- books -------------------------------------------------------------------------------------------------


def test_a_book_follows_changes_a_heartbeat_and_a_reset_by_maintenance():
    book = OrderBook()
    for name in ("ws_books_snapshot", "ws_books_update", "ws_books_heartbeat", "ws_books_maintenance"):
        (change,) = DECODER.decode(whole(name), T)
        assert book.apply(change, T)
    assert (book.number, book.best_bid, book.best_ask, book.gaps) == (12, 90012.4, 90012.5, 0)
    assert book.levels("sell", 1) == [(90012.4, 22.0)]


def test_a_change_that_does_not_follow_ends_the_book():
    book = OrderBook()
    (start,) = DECODER.decode(whole("ws_books_snapshot"), T)
    (later,) = DECODER.decode(changed("ws_books_update", "prevSeqId", 730002), T)
    assert book.apply(start, T)
    assert not book.apply(later, T)
    assert book.gaps == 1


# --- what was recorded -------------------------------------------------------------------------------------


def recorded(name: str) -> list[dict]:
    path = RECORDED / name
    if not path.is_file():
        pytest.skip("the recorded frames do not lie beside the checkout")
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_the_recorded_frames_give_prices_and_books_that_never_cross():
    kinds: dict[str, int] = {}
    books: dict[str, OrderBook] = {}
    for line in recorded("okx/recv.jsonl.gz"):
        for event in UNBOUND.decode(line["frame"].encode(), line["t"]):
            kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
            if isinstance(event, ev.BookChange):
                book = books.setdefault(event.symbol, OrderBook())
                assert book.apply(event, line["t"])
                assert book.best_bid < book.best_ask
                assert book.gaps == 0
    assert set(books) == {"BTC-USD-220527", "UNI-USD-SWAP", "BTC-USDT"}
    assert set(kinds) == {"LastPrice", "BestQuote", "BookChange"}
    assert kinds["LastPrice"] == kinds["BestQuote"]


def test_the_recorded_contract_list_gives_the_terms_of_linear_and_inverse_swaps():
    (body,) = [line["body"] for line in recorded("okx/rest.jsonl.gz") if "instType=SWAP" in line["url"]]
    listed = [row["instId"] for row in json.loads(body)["data"]]
    polls = {p.resource: p for p in okx.VENUE.polls(listed)}
    found = {e.symbol: e for e in polls["instruments"].decode(body.encode(), T)}
    assert set(found) == set(listed)
    assert {type(e) for e in found.values()} == {ev.ContractTerms}
    assert (found[COIN].kind, found[COIN].contract_size, found[COIN].base, found[COIN].quote) == (
        "inverse",
        100.0,
        "BTC",
        "USD",
    )
    assert (found[BTC].kind, found[BTC].contract_size, found[BTC].settle) == ("linear", 0.01, "USDT")


def test_the_single_messages_decode_and_those_of_the_present_interface_give_events():
    silent = []
    for sample in recorded("samples/derivative_frames.jsonl.gz"):
        if not sample["venue"].startswith("okex"):
            continue
        message = json.loads(sample["frame"])
        message = message.get("message", message)
        if not UNBOUND.decode(json.dumps(message).encode(), T):
            silent.append(message.get("table") or message.get("event") or message["arg"]["channel"])
    assert {name for name in silent if "/" not in name} == {
        "subscribe",
        "trades",
        "price-limit",
        "bbo-tbt",
        "books-l2-tbt",
        "liquidations",
        "funding-rate",  # of 2021, before its first rate
    }
