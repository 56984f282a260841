"""Lighter: whole messages of the venue's shape into the expected events, including those that must give none."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.core.book import OrderBook
from monitor.core.contract import ladder_problem
from monitor.errors import WireError
from monitor.venues import lighter
from monitor.venues.base import Venue
from monitor.venues.lighter_names import Markets
from monitor.venues.lighter_wire import decoder

HERE = Path(__file__).parent / "lighter"
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "frames" / "samples" / "derivative_frames.jsonl.gz"
V = "lighter"
T = 1795169703.0
FUNDING = 1795172400.0
U = T - 0.2
"""When the trades of the recorded messages happened."""

ETH = [
    ev.MarkPrice(V, "ETH", 3010.2, T),
    ev.IndexPrice(V, "ETH", 3012.45, T),
    ev.LastPrice(V, "ETH", 3010.11, T),
    ev.FundingRate(V, "ETH", -0.000005, FUNDING, T),
    ev.OpenInterest(V, "ETH", 25_000.0, T),
]
BTC = [
    ev.MarkPrice(V, "BTC", 90012.4, T),
    ev.IndexPrice(V, "BTC", 90031.0, T),
    ev.LastPrice(V, "BTC", 90010.7, T),
    ev.FundingRate(V, "BTC", 0.000012, FUNDING, T),
    ev.OpenInterest(V, "BTC", 2_000.0, T),
]
LONG = ev.Liquidation(V, "BTC", "long", 0.01664, 89420.1, "fill", U)
SHORT = ev.Liquidation(V, "BTC", "short", 0.5, 90551.0, "fill", U + 0.00001)


def refused(channel: str, reason: str, symbol: str = "") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def taken(side: str, contracts: float, price: float, method: str) -> ev.Liquidation:
    return ev.Liquidation(V, "BTC", side, contracts, price, "bankruptcy", U, method=method)


FRAMES = {
    "ws_connected": [],
    "ws_ping": [],
    "ws_pong": [],
    "ws_shutdown": [],
    "ws_unsubscribed": [],
    "ws_height": [],
    "ws_spot_stats": [],
    "ws_error_channel": [refused("control", "venue_error")],
    "ws_error_already": [refused("control", "venue_error")],
    "ws_stats_all": [*ETH, *BTC],
    "ws_stats_update": [ev.MarkPrice(V, "BTC", 90020.0, T + 0.4), ev.IndexPrice(V, "BTC", 90040.5, T + 0.4)],
    "ws_stats_empty_fields": ETH[:1],
    "ws_stats_one_market": ETH,
    "ws_stats_bad_values": [
        refused("mark_price", "bad_price", "ETH"),
        refused("index_price", "bad_price", "ETH"),
        refused("last_price", "bad_price", "ETH"),
        refused("funding_rate", "bad_rate", "ETH"),
        refused("funding_rate", "bad_time", "BTC"),
        refused("open_interest", "bad_quantity", "BTC"),
        ev.MarkPrice(V, "BTC", 90020.0, T),
        ev.FundingRate(V, "BTC", 0.000012, FUNDING, T),
        refused("market_stats", "bad_row"),
    ],
    "ws_stats_nothing_moved": [],
    "ws_book_whole": [
        ev.BookChange(
            V,
            "BTC",
            ((90012.4, 0.75), (90012.0, 2.0), (90011.6, 0.002)),
            ((90012.5, 0.2), (90012.9, 1.5)),
            T,
            whole=True,
            number=10382292136,
        )
    ],
    "ws_book_change": [
        ev.BookChange(
            V,
            "BTC",
            ((90012.5, 0.04881),),
            ((90012.5, 0.0), (90013.1, 0.4)),
            T + 0.05,
            number=10382292188,
            previous=10382292136,
        )
    ],
    "ws_book_bad_level": [refused("book_change", "bad_change", "BTC")],
    "ws_book_unknown_market": [],
    "ws_ticker_first": [ev.BestQuote(V, "BTC", 90012.4, 0.0012, 90012.5, 0.53087, T)],
    "ws_ticker": [ev.BestQuote(V, "BTC", 90011.9, 0.10752, 90012.5, 0.52927, T + 0.147)],
    "ws_ticker_no_bids": [],
    "ws_ticker_one_side": [],
    "ws_ticker_nothing": [],
    "ws_ticker_bad": [refused("best_quote", "bad_quantity", "BTC")],
    "ws_trade": [],
    "ws_trade_none": [],
    "ws_trade_backlog": [],
    "ws_trade_liquidation_of_a_long": [LONG],
    "ws_trade_liquidation_of_a_short": [SHORT],
    "ws_trade_liquidation_in_both_lists": [SHORT],
    "ws_trade_old_liquidation_repeated": [],
    "ws_trade_takeover_of_a_long": [taken("long", 1.25, 88310.2, "takeover")],
    "ws_trade_takeover_of_a_short": [taken("short", 0.3, 91850.0, "takeover")],
    "ws_trade_adl": [taken("long", 2.0, 88300.0, "adl")],
    "ws_trade_settlement": [],
    "ws_trade_bad_rows": [
        refused("liquidation", "bad_quantity", "BTC"),
        refused("liquidation", "bad_price", "BTC"),
        refused("liquidation", "bad_side", "BTC"),
        refused("liquidation", "bad_time", "BTC"),
        refused("liquidation", "bad_row", "BTC"),
        LONG,
    ],
}
BAD_TIMES = {"ws_stats_microseconds", "ws_book_seconds"}


def text(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def knowing(*symbols: str):
    """Return the decoder of a feed that has learned the markets' numbers."""
    markets = Markets(symbols)
    markets.replace({"0": "ETH", "1": "BTC", "7": "XRP"})
    return decoder(markets)


decode = knowing("ETH", "BTC")


def near(events: list[ev.Event]) -> list[object]:
    """Round times and rates, which come from milliseconds and percent."""
    return [
        [round(v, 9) if isinstance(v := getattr(e, n), float) and v < 1e9 else v for n in e.__struct_fields__ if "time" not in n]
        + [round(getattr(e, n), 5) for n in e.__struct_fields__ if "time" in n]
        + [type(e)]
        for e in events
    ]  # fmt: skip


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(decode(text(name), T)) == near(FRAMES[name])


def test_every_recorded_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} == set(FRAMES) | BAD_TIMES


@pytest.mark.parametrize("name", sorted(BAD_TIMES))
def test_a_time_in_another_unit_is_refused(name):
    with pytest.raises(WireError) as error:
        decode(text(name), T)
    assert error.value.reason == "bad_time"


def test_a_frame_without_a_time_happened_when_it_came():
    message = json.loads(text("ws_stats_update"))
    del message["timestamp"]
    assert decode(json.dumps(message).encode(), T + 2.0)[0] == ev.MarkPrice(V, "BTC", 90020.0, T + 2.0)


def strange(value: object) -> object:
    """Return *value* with a field more in every object of it."""
    if isinstance(value, list):
        return [strange(row) for row in value]
    if not isinstance(value, dict):
        return value
    more = {} if value and all(key.isdigit() for key in value) else {"zz_new": {"deep": [1, "2", None]}}
    return {key: strange(row) for key, row in value.items()} | more


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads(text(name))
    known = {"market_stats": strange(message["market_stats"])} if message.get("market_stats") else {}
    if message.get("market_stats") == {}:
        known = {"market_stats": {}}
    frame = json.dumps(strange(message) | known).encode()
    assert near(decode(frame, T)) == near(FRAMES[name])


NO_PRICES = ["NaN", "Infinity", "-1", "0", "0.00", 0, -3, "1e30", 1e18, "1_000", "0x10", " 1", "٣", True, [], {}]


@pytest.mark.parametrize("value", NO_PRICES, ids=repr)
@pytest.mark.parametrize("field", ["mark_price", "index_price", "last_trade_price"])
def test_what_is_no_price_never_becomes_one_and_is_rejected_aloud(field, value):
    message = json.loads(text("ws_stats_all"))
    message["market_stats"]["0"][field] = value
    channel = field.replace("_trade", "")
    events = decode(json.dumps(message).encode(), T)
    assert refused(channel, "bad_price", "ETH") in events
    assert not [e for e in events if getattr(e, channel, None) is not None and e.symbol == "ETH"]
    assert [e for e in near(events) if e in near(BTC)] == near(BTC)


@pytest.mark.parametrize("value", ["", None], ids=repr)
def test_an_absent_mark_is_no_event_and_leaves_the_open_interest_without_a_price(value):
    message = json.loads(text("ws_stats_all"))
    message["market_stats"]["0"]["mark_price"] = value
    events = decode(json.dumps(message).encode(), T)
    assert near(events) == near([*ETH[1:4], *BTC])


@pytest.mark.parametrize("value", [*NO_PRICES, None, ""], ids=repr)
@pytest.mark.parametrize("side", ["a", "b"])
def test_a_quote_without_a_price_is_none(side, value):
    message = json.loads(text("ws_ticker"))
    message["ticker"][side]["price"] = value
    expected = [] if value in (None, "") else [refused("best_quote", "bad_price", "BTC")]
    assert decode(json.dumps(message).encode(), T) == expected


@pytest.mark.parametrize("value", [v for v in NO_PRICES if v not in ("0", "0.00", 0)], ids=repr)
@pytest.mark.parametrize("field", ["price", "size"])
def test_a_level_that_cannot_be_read_breaks_the_chain(field, value):
    message = json.loads(text("ws_book_change"))
    message["order_book"]["bids"][0][field] = value
    assert decode(json.dumps(message).encode(), T) == [refused("book_change", "bad_change", "BTC")]


@pytest.mark.parametrize("value", [*NO_PRICES, None, ""], ids=repr)
@pytest.mark.parametrize(("field", "reason"), [("price", "bad_price"), ("size", "bad_quantity")])
def test_a_liquidation_without_price_or_size_is_rejected(field, reason, value):
    message = json.loads(text("ws_trade_liquidation_of_a_long"))
    message["liquidation_trades"][0][field] = value
    assert decode(json.dumps(message).encode(), T) == [refused("liquidation", reason, "BTC")]


def test_a_trade_without_its_own_time_has_that_of_its_block():
    message = json.loads(text("ws_trade_liquidation_of_a_long"))
    del message["liquidation_trades"][0]["transaction_time"]
    (event,) = decode(json.dumps(message).encode(), T)
    assert event.event_time == pytest.approx(U - 9.0)


def test_what_is_not_watched_gives_nothing():
    other = knowing("XRP")
    assert {e.symbol for e in other(text("ws_stats_all"), T)} == {"XRP"}
    for name in set(FRAMES) - {"ws_stats_all", "ws_stats_bad_values", "ws_error_channel", "ws_error_already"}:
        assert other(text(name), T) == []


def test_the_unbound_venue_decodes_what_names_its_symbol():
    assert {e.symbol for e in lighter.VENUE.decode(text("ws_stats_all"), T)} == {"ETH", "BTC", "XRP"}
    assert lighter.VENUE.decode(text("ws_book_whole"), T) == []


@pytest.mark.parametrize(
    "frame",
    [b"", b"{", b"<html>", b"\xff\xfe", b"[1,2", b"null x", b"[" * 100_000, b'"text"', b"7", b"null", b"[]"],
    ids=range(11),
)
def test_what_is_no_message_raises_a_wire_error(frame):
    with pytest.raises(WireError):
        decode(frame, T)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    frame = bytearray(text(data.draw(st.sampled_from(sorted(FRAMES)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(frame) - 1))
        frame[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    lighter.hear(bytes(frame))
    try:
        events = knowing("ETH", "BTC")(bytes(frame), T)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.data())
def test_junk_in_the_place_of_a_value_never_raises_anything_else(data):
    message = json.loads(text(data.draw(st.sampled_from(sorted(set(FRAMES) | BAD_TIMES)))))
    place = message
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(JUNK)
        break
    frame = json.dumps(message).encode()
    lighter.hear(frame)
    try:
        decode(frame, T)
    except WireError:
        return


# --- words -------------------------------------------------------------------------------------------------


def test_the_servers_ping_is_answered():
    assert lighter.hear(text("ws_ping")).answer == '{"type":"pong"}'


def test_a_shutdown_is_left_before_it_comes():
    assert lighter.hear(text("ws_shutdown")).leaving


@pytest.mark.parametrize("name", sorted(set(FRAMES) - {"ws_ping", "ws_shutdown"}))
def test_nothing_else_wants_an_answer(name):
    assert lighter.hear(text(name)) is None


def test_the_client_pings_within_the_two_minutes_that_it_may_be_silent():
    keepalive = lighter.VENUE.keepalive
    assert json.loads(keepalive.text(4, T)) == {"type": "ping"}
    assert keepalive.interval_seconds < 120.0


# --- subscriptions -----------------------------------------------------------------------------------------


def test_marks_need_no_number_and_the_rest_waits_until_numbers_are_known():
    found = {c.name: c for c in lighter.connections(["BTC", "ETH"], "ws://x/")}
    assert set(found) == {"mark", "trades", "depth", "quotes"}
    assert {c.url for c in found.values()} == {"ws://x/stream?readonly=true"}
    assert found["mark"].after == ""
    assert {found[name].after for name in ("trades", "depth", "quotes")} == {"orderBookDetails"}
    assert [(s.name, s.symbols, s.field) for s in found["mark"].streams] == [
        ("market_stats/all", ("BTC", "ETH"), "mark")
    ]
    assert [(s.name, s.field) for s in found["depth"].streams] == [
        ("order_book/BTC", "depth"),
        ("order_book/ETH", "depth"),
    ]
    assert [s.field for s in found["trades"].streams] == [None, None]


@pytest.mark.parametrize(
    ("count", "labels"),
    [
        (1, ["mark", "trades", "depth", "quotes"]),
        (100, ["mark", "trades", "depth", "quotes"]),
        (101, ["mark", "trades", "trades-2", "depth", "depth-2"]),
        (151, ["mark", "trades", "trades-2"]),
        (350, ["mark", "trades", "trades-2", "trades-3", "trades-4"]),
    ],
)
def test_no_connection_exceeds_100_streams_and_many_contracts_cost_no_more_messages_than_allowed(count, labels):
    found = lighter.connections([f"S{n}" for n in range(count)], "ws://x")
    assert [c.name for c in found] == labels
    assert max(len(c.streams) for c in found) <= 100
    assert len({s.name for c in found for s in c.streams}) == sum(len(c.streams) for c in found)


def test_requests_name_one_channel_each_by_number_and_leave_out_what_has_none():
    venue = lighter.VENUE.watching(["BTC", "ETH", "NOPE"])
    streams = [s for c in venue.connections(["BTC", "NOPE", "ETH"], "ws://x") for s in c.streams if "trade" in s.name]
    assert venue.subscribe(streams, 1, T) == []
    poll = next(p for p in venue.polls(["BTC", "ETH", "NOPE"]) if p.resource == "orderBookDetails")
    poll.decode(text("get_order_book_details"), T)
    requests = venue.subscribe(streams, 1, T)
    assert [json.loads(r.text) for r in requests] == [
        {"type": "subscribe", "channel": "trade/1"},
        {"type": "subscribe", "channel": "trade/0"},
    ]
    assert [r.streams[0].symbols for r in requests] == [("BTC",), ("ETH",)]
    (request,) = venue.unsubscribe(streams[:1], 1, T)
    assert json.loads(request.text) == {"type": "unsubscribe", "channel": "trade/1"}


def test_all_markets_are_asked_for_by_name():
    (connection,) = [c for c in lighter.connections(["BTC"], "ws://x") if c.name == "mark"]
    (request,) = lighter.VENUE.subscribe(connection.streams, 1, T)
    assert json.loads(request.text) == {"type": "subscribe", "channel": "market_stats/all"}


def test_the_stream_of_marks_teaches_the_numbers_too():
    venue = lighter.VENUE.watching(["BTC"])
    assert venue.decode(text("ws_book_whole"), T) == []
    venue.decode(text("ws_stats_all"), T)
    assert [e.symbol for e in venue.decode(text("ws_book_whole"), T)] == ["BTC"]


def test_two_feeds_share_no_names():
    lighter.VENUE.watching(["BTC"]).decode(text("ws_stats_all"), T)
    assert lighter.VENUE.watching(["BTC"]).decode(text("ws_book_whole"), T) == []


def test_a_number_that_was_given_to_another_market_is_no_longer_the_old_ones():
    markets = Markets(["OLD", "NEW"])
    markets.learn("5", "OLD")
    markets.learn("5", "NEW")
    assert (markets.symbol("5"), markets.number_of("OLD")) == ("NEW", None)
    markets.learn("6", "NEW")
    assert (markets.symbol("5"), markets.symbol("6")) == ("", "NEW")


# --- polls -------------------------------------------------------------------------------------------------

WATCHED = ["BTC", "ETH", "OLD", "GONE"]


def polled(resource: str, body: bytes) -> list[ev.Event]:
    """Return the events of an answer that comes while the stream speaks."""
    venue = lighter.VENUE.watching(WATCHED)
    venue.decode(text("ws_stats_update"), T)
    return {p.resource: p for p in venue.polls(WATCHED)}[resource].decode(body, T)


def test_the_details_give_the_terms_of_watched_markets_and_which_are_not_listed():
    events = polled("orderBookDetails", text("get_order_book_details"))
    terms = {e.symbol: e for e in events if isinstance(e, ev.ContractTerms)}
    assert terms["BTC"] == ev.ContractTerms(
        V, "BTC", "linear", 1.0, "BTC", "USDC", "USDC", "active", True, tick_size=0.1, liquidation_fee_rate=0.01
    )
    assert (terms["ETH"].status, terms["ETH"].watchable, terms["ETH"].tick_size) == ("active, reduce only", True, 0.01)
    assert (terms["OLD"].status, terms["OLD"].watchable) == ("settled", False)
    assert [e for e in events if isinstance(e, ev.ContractStatus)] == [
        ev.ContractStatus(V, "GONE", "not listed", watchable=False, event_time=T)
    ]
    assert set(terms) == {"BTC", "ETH", "OLD"}


def test_the_details_give_one_rate_a_market_and_its_largest_leverage():
    events = polled("orderBookDetails", text("get_order_book_details"))
    tiers = {e.symbol: e for e in events if isinstance(e, ev.TierTableChanged)}
    assert tiers["BTC"] == ev.TierTableChanged(V, "BTC", ((0.0, 0.012, 0.0),), T, (50.0,))
    assert (tiers["OLD"].rows, round(tiers["OLD"].max_leverages[0], 3)) == (((0.0, 0.2, 0.0),), 3.0)


def test_funding_is_hourly_and_bounded_by_an_eighth_of_the_clamp_where_that_is_told():
    events = polled("orderBookDetails", text("get_order_book_details"))
    terms = {e.symbol: e for e in events if isinstance(e, ev.FundingTerms)}
    assert terms["BTC"] == ev.FundingTerms(V, "BTC", 3600.0, 0.005, -0.005)
    assert terms["ETH"] == ev.FundingTerms(V, "ETH", 3600.0)


def test_the_prices_of_the_details_confirm_those_of_the_stream_and_never_beat_a_newer_one():
    events = polled("prices", text("get_order_book_details"))
    assert [e for e in events if e.symbol == "BTC"] == [
        ev.ContractStatus(V, "BTC", "active", watchable=True, event_time=T),
        ev.MarkPrice(V, "BTC", 90012.4, T - 1.0),
        ev.IndexPrice(V, "BTC", 90031.0, T - 1.0),
        ev.LastPrice(V, "BTC", 90010.7, T - 1.0),
        ev.OpenInterest(V, "BTC", 1999.75, T - 1.0),
    ]


@pytest.mark.parametrize(("silent", "age"), [(29.0, 1.0), (31.0, 5.0), (4000.0, 5.0)])
@pytest.mark.parametrize("update", ["ws_stats_update", "ws_stats_bad_values"])
def test_prices_of_the_details_are_late_while_the_stream_tells_of_no_market(update, silent, age):
    venue = lighter.VENUE.watching(WATCHED)
    prices = next(p for p in venue.polls(WATCHED) if p.resource == "prices")
    spoke = json.loads(text(update))["timestamp"] / 1000
    venue.decode(text(update), T)
    events = prices.decode(text("get_order_book_details"), spoke + silent)
    assert ev.MarkPrice(V, "BTC", 90012.4, spoke + silent - age) in events


def mark_of(venue: Venue, name: str, time: float) -> float:
    """Return the event time of BTC's mark in a frame sent at *time*."""
    sent = json.loads(text(name)) | {"timestamp": round(time * 1000)}
    marks = (e for e in venue.decode(json.dumps(sent).encode(), time) if isinstance(e, ev.MarkPrice))
    return next(e.event_time for e in marks if e.symbol == "BTC")


def test_a_new_connection_does_not_bring_the_marks_of_a_halted_venue_to_life():
    venue = lighter.VENUE.watching(WATCHED)
    assert mark_of(venue, "ws_stats_all", T) == T  # nothing is known yet
    assert mark_of(venue, "ws_stats_all", T + 29.0) == T + 29.0
    assert mark_of(venue, "ws_stats_all", T + 31.0) == T + 26.0
    assert mark_of(venue, "ws_stats_all", T + 62.0) == T + 57.0
    assert mark_of(venue, "ws_stats_update", T + 63.0) == T + 63.0
    assert mark_of(venue, "ws_stats_all", T + 64.0) == T + 64.0


def test_what_a_new_connection_begins_with_does_not_prove_that_anything_moves():
    venue = lighter.VENUE.watching(WATCHED)
    prices = next(p for p in venue.polls(WATCHED) if p.resource == "prices")
    for time in (T, T + 31.0):
        mark_of(venue, "ws_stats_all", time)
    events = prices.decode(text("get_order_book_details"), T + 32.0)
    assert ev.MarkPrice(V, "BTC", 90012.4, T + 27.0) in events


def test_the_firewalls_word_for_too_many_requests_is_obeyed():
    assert lighter.VENUE.limits.quiet[405] >= 60.0


def test_prices_that_the_details_do_not_have_are_no_news():
    kinds = [type(e) for e in polled("prices", text("get_order_book_details")) if e.symbol == "ETH"]
    assert kinds == [ev.ContractStatus, ev.LastPrice, ev.OpenInterest]


def test_a_market_that_never_traded_has_no_last_price():
    assert refused("last_price", "bad_price", "OLD") in polled("prices", text("get_order_book_details"))


def test_the_pool_is_the_insurance_fund_of_all_that_is_watched():
    assert polled("publicPoolsMetadata", text("get_public_pools_metadata")) == [
        ev.InsuranceFund(V, "llp", "USDC", 701200450.75, tuple(sorted(WATCHED)), T)
    ]


def test_another_pool_is_not_the_fund():
    body = text("get_public_pools_metadata").replace(b'"account_index": 281474976710654', b'"account_index": 7')
    assert polled("publicPoolsMetadata", body) == []


def test_a_pool_without_a_value_is_rejected():
    body = text("get_public_pools_metadata").replace(b'"701200450.75"', b'"NaN"')
    assert polled("publicPoolsMetadata", body) == [refused("publicPoolsMetadata", "bad_balance")]


def test_the_clock_is_in_whole_seconds_so_half_a_second_is_added():
    assert polled("time", text("get_time")) == [ev.VenueTime(V, T + 0.5)]


def test_the_pool_is_asked_for_by_the_number_after_its_own():
    (poll,) = [p for p in lighter.VENUE.polls(["BTC"]) if p.resource == "publicPoolsMetadata"]
    assert poll.params == {"filter": "protocol", "index": "281474976710655", "limit": "1"}


def test_all_polls_together_leave_most_of_the_sixty_requests_a_minute():
    requests = sum(60.0 / p.interval_seconds * p.weight for p in lighter.VENUE.polls([f"S{n}" for n in range(300)]))
    assert requests < 10


@pytest.mark.parametrize("resource", ["time", "orderBookDetails", "prices", "publicPoolsMetadata"])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]]", text("get_error"), b"[" * 50_000, b"null", b'{"code":200}'])
def test_a_body_of_another_shape_raises_a_wire_error(resource, body):
    with pytest.raises(WireError):
        polled(resource, body)


@pytest.mark.parametrize("stamp", [b"1795169703000", b"0", b"-5", b'"soon"', b"1e300"])
def test_a_clock_in_another_unit_is_refused(stamp):
    with pytest.raises(WireError):
        polled("time", b'{"status":200,"timestamp":' + stamp + b"}")


def spoiled(symbol: str, field: str, value: object) -> bytes:
    body = json.loads(text("get_order_book_details"))
    (row,) = [row for row in body["order_book_details"] if row["symbol"] == symbol]
    row[field] = value
    return json.dumps(body).encode()


@pytest.mark.parametrize("value", [*NO_PRICES], ids=repr)
@pytest.mark.parametrize("field", ["mark_price", "index_price", "last_trade_price"])
def test_what_is_no_price_in_an_answer_never_becomes_one(field, value):
    events = polled("prices", spoiled("BTC", field, value))
    channel = field.replace("_trade", "")
    assert not [e for e in events if getattr(e, channel, None) is not None and e.symbol == "BTC"]
    assert [e for e in events if isinstance(e, ev.Rejected) and e.symbol in ("BTC", "")]
    assert [e for e in events if e.symbol == "ETH"]


def test_a_row_that_cannot_be_read_makes_no_symbol_unlisted_and_costs_itself_alone():
    events = polled("orderBookDetails", spoiled("BTC", "status", 7))
    assert refused("orderBookDetails", "bad_row") in events
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]
    assert {e.symbol for e in events if isinstance(e, ev.ContractTerms)} == {"ETH", "OLD"}


@pytest.mark.parametrize("value", [0, -120, 10_000])
def test_a_rate_that_is_none_is_rejected_and_the_rest_of_the_row_is_used(value):
    events = polled("orderBookDetails", spoiled("BTC", "maintenance_margin_fraction", value))
    assert refused("orderBookDetails", "bad_tiers", "BTC") in events
    assert "BTC" not in {e.symbol for e in events if isinstance(e, ev.TierTableChanged)}
    assert "BTC" in {e.symbol for e in events if isinstance(e, ev.ContractTerms)}


def test_a_venue_without_contracts_is_not_believed():
    with pytest.raises(WireError):
        polled("orderBookDetails", b'{"code":200,"order_book_details":[]}')


def test_the_shipped_rates_are_sound_ladders():
    for symbol in lighter.MAINTENANCE_RATES:
        assert ladder_problem(lighter.shipped_tiers(symbol).tiers) is None


# --- recorded ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_file(), reason="the recorded frames do not lie beside the checkout")
def test_the_recorded_messages_give_what_they_are():
    read = decoder(markets := Markets(["BTC", "ETH"]))
    markets.replace({"0": "ETH", "1": "BTC"})
    book, kinds = OrderBook(), []
    with gzip.open(SAMPLES, "rt") as lines:
        samples = [sample for sample in map(json.loads, lines) if sample["venue"] == "lighter"]
    for sample in samples:
        for event in read(sample["frame"].encode(), 1776696000.0):
            kinds.append((type(event).__name__, event.symbol))
            if isinstance(event, ev.BookChange):
                assert book.apply(event, 0.0)
                assert book.best_bid < book.best_ask
    everything = ["MarkPrice", "IndexPrice", "LastPrice", "FundingRate", "OpenInterest"]
    assert book.gaps == 0
    assert kinds == [
        ("BookChange", "BTC"),
        ("BookChange", "BTC"),
        *[(kind, symbol) for _ in range(2) for symbol in ("ETH", "BTC") for kind in everything],
        ("BestQuote", "BTC"),
        ("BestQuote", "BTC"),
    ]


@pytest.mark.skipif(not SAMPLES.is_file(), reason="the recorded frames do not lie beside the checkout")
def test_the_recorded_liquidation_closed_a_short():
    read = decoder(markets := Markets(["BTC"]))
    markets.replace({"1": "BTC"})
    found = []
    with gzip.open(SAMPLES, "rt") as lines:
        for sample in map(json.loads, lines):
            if sample["venue"] == "lighter":
                found += read(sample["frame"].encode(), 1776687660.0)
    assert [e for e in found if isinstance(e, ev.Liquidation)] == [
        ev.Liquidation("lighter", "BTC", "short", 0.01664, 75602.8, "fill", 1776687656.681222)
    ]
