"""dYdX v4: whole messages of the indexer's shape into the expected events, including those that must give none."""

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
from monitor.venues import dydx, dydx_rows
from monitor.venues.base import FACTS, Request, Word

HERE = Path(__file__).parent / "dydx"
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "frames" / "samples" / "derivative_frames.jsonl.gz"
V = "dydx"
NOW = 1795168905.0
UNDATED = NOW - dydx_rows.UNDATED_SECONDS
T = 1795168903.25
"""2026-11-20T10:01:43.250Z."""
HOUR = 1795172400.0
POOL = "PEPE,RAYDIUM,7XKXTG2CW87D97TXJSDPBD5JBKHETQA83TZRUJOSGASU-USD"


def oracle(symbol: str, price: float, time: float) -> list[ev.Event]:
    return [ev.MarkPrice(V, symbol, price, time), ev.IndexPrice(V, symbol, price, time)]


def refused(channel: str, reason: str, symbol: str = "BTC-USD") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def changed(bids: tuple = (), asks: tuple = (), *, whole: bool = False) -> ev.BookChange:
    return ev.BookChange(V, "BTC-USD", bids, asks, NOW, whole=whole)


BTC_FACTS = [
    *oracle("BTC-USD", 90012.45718, UNDATED),
    ev.FundingRate(V, "BTC-USD", 0.00001204166666666667, HOUR, UNDATED),
    ev.OpenInterest(V, "BTC-USD", 702.4413, UNDATED),
    ev.ContractStatus(V, "BTC-USD", "ACTIVE", watchable=True, event_time=UNDATED),
    ev.TierTableChanged(V, "BTC-USD", ((0.0, 0.012, 0.0),), UNDATED, (50.0,)),
]
POOL_FACTS = [
    ev.OpenInterest(V, POOL, 0.0, UNDATED),
    ev.ContractStatus(V, POOL, "CANCEL_ONLY", watchable=False, event_time=UNDATED),
    ev.TierTableChanged(V, POOL, ((0.0, 0.1, 0.0),), UNDATED, (5.0,)),
]

FRAMES = {
    "ws_markets_snapshot": [*BTC_FACTS, *POOL_FACTS],
    "ws_oracle_prices": [*oracle("BTC-USD", 90020.1, T), *oracle("ETH-USD", 3010.25, T)],
    "ws_oracle_prices_batch": [
        *oracle("BTC-USD", 90020.1, T),
        ev.OpenInterest(V, "ETH-USD", 15398.406, UNDATED),
    ],
    "ws_oracle_prices_bad": [
        refused("mark_price", "bad_price"),
        refused("v4_markets", "bad_time", "ETH-USD"),
        refused("v4_markets", "bad_row", "SOL-USD"),
        *oracle("DOGE-USD", 0.15, T),
    ],
    "ws_trading": [
        ev.OpenInterest(V, "ETH-USD", 15398.406, UNDATED),
        ev.FundingRate(V, "BTC-USD", -0.0000125, HOUR, UNDATED),
    ],
    "ws_trading_and_prices": [*oracle("BTC-USD", 90020.1, T), ev.OpenInterest(V, "BTC-USD", 700.0, UNDATED)],
    "ws_trading_bad": [
        refused("funding_rate", "bad_rate"),
        refused("open_interest", "bad_quantity"),
        refused("tiers", "bad_rate"),
        refused("tiers", "bad_rate"),
        refused("v4_markets", "bad_row", "ETH-USD"),
    ],
    "ws_trading_status": [
        ev.ContractStatus(V, "BTC-USD", "FINAL_SETTLEMENT", watchable=False, event_time=UNDATED),
    ],
    "ws_trading_fractions": [ev.TierTableChanged(V, "BTC-USD", ((0.0, 0.03, 0.0),), UNDATED, (20.0,))],
    "ws_trading_nothing": [],
    "ws_trades_snapshot": [ev.LastPrice(V, "BTC-USD", 90010.0, 1795168900.5)],
    "ws_trades_snapshot_empty": [],
    "ws_trades": [ev.LastPrice(V, "BTC-USD", 90011.0, T), ev.LastPrice(V, "BTC-USD", 90009.0, T)],
    "ws_trades_batch": [ev.LastPrice(V, "BTC-USD", 90011.0, T), ev.LastPrice(V, "BTC-USD", 90009.0, T)],
    "ws_trades_liquidated": [
        ev.LastPrice(V, "BTC-USD", 89870.0, T),
        ev.Liquidation(V, "BTC-USD", "long", 3.9, 89870.0, "fill", T),
    ],
    "ws_trades_deleveraged": [
        ev.Liquidation(V, "BTC-USD", "short", 0.25, 91500.0, "bankruptcy", T, method="adl"),
    ],
    "ws_trades_bad": [
        refused("v4_trades", "bad_row"),
        refused("last_price", "bad_price"),
        refused("v4_trades", "bad_time"),
        ev.LastPrice(V, "BTC-USD", 90000.0, T),
        refused("liquidation", "bad_side"),
        refused("liquidation", "bad_quantity"),
        refused("liquidation", "bad_price"),
        ev.LastPrice(V, "BTC-USD", 90001.0, T),
    ],
    "ws_book_snapshot": [
        changed(((90010.0, 0.5), (90009.0, 1.25)), ((90012.0, 0.75), (90013.0, 2.0)), whole=True),
    ],
    "ws_book_snapshot_bad": [
        *[refused("v4_orderbook", "bad_level")] * 4,
        changed(((90010.0, 0.5),), whole=True),
    ],
    "ws_book_batch": [changed(((90011.0, 0.3), (90009.0, 0.0))), changed(asks=((90012.0, 0.0),))],
    "ws_book_single": [changed(asks=((90014.0, 4.1),))],
    "ws_book_bad": [
        *[refused("v4_orderbook", "bad_level")] * 2,
        changed(((90011.0, 0.3),)),
        *[refused("v4_orderbook", "bad_level")] * 3,
        changed(asks=((90017.0, 2.0),)),
    ],
    "ws_connected": [],
    "ws_block_height": [],
    "ws_unsubscribed": [],
    "ws_error_market": [],
    "ws_error_market_in_words": [],
    "ws_error_channel": [],
    "ws_error_fetch": [],
    "ws_error_twice": [],
    "ws_error_limit": [],
    "ws_error_too_often": [],
    "ws_error_blocked": [],
}
BROKEN = {"ws_trades_no_market": "missing_field"}


def frame(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def decoded(message: object) -> list[ev.Event]:
    return dydx.VENUE.decode(json.dumps(message).encode(), NOW)


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from fractions of a second."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(dydx.VENUE.decode(frame(name), NOW)) == near(FRAMES[name])


def test_every_recorded_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} == {*FRAMES, *BROKEN}


@pytest.mark.parametrize(("name", "reason"), BROKEN.items())
def test_a_frame_that_cannot_be_used_says_why(name, reason):
    with pytest.raises(WireError) as error:
        dydx.VENUE.decode(frame(name), NOW)
    assert error.value.reason == reason


def marked(value: object) -> None:
    """Put an unknown field into every object, but for maps whose keys are symbols or prices."""
    if isinstance(value, dict):
        for inner in value.values():
            marked(inner)
        if not {"BTC-USD", "ETH-USD"} & value.keys():
            value["zz_new"] = {"deep": [1, "2", None]}
    elif isinstance(value, list):
        for inner in value:
            marked(inner)


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads(frame(name))
    marked(message)
    assert near(decoded(message)) == near(FRAMES[name])


NO_PRICES = ["NaN", "inf", "-1", "0", "1e30", "1_000", "0x10", " 1", "٣", -1, 0, 1e30, True, [], {}, [["1"]]]
ABSENT = [None, ""]

PLACES = {
    "oracle": ("ws_oracle_prices", ("contents", "oraclePrices", "BTC-USD", "oraclePrice"), ev.MarkPrice),
    "snapshot": ("ws_markets_snapshot", ("contents", "markets", "BTC-USD", "oraclePrice"), ev.MarkPrice),
    "trade": ("ws_trades_deleveraged", ("contents", "trades", 0, "price"), ev.Liquidation),
    "size": ("ws_trades_liquidated", ("contents", "trades", 0, "size"), ev.Liquidation),
    "last": ("ws_trades_liquidated", ("contents", "trades", 0, "price"), ev.LastPrice),
    "first trade": ("ws_trades_snapshot", ("contents", "trades", 1, "price"), ev.LastPrice),
    "level": ("ws_book_single", ("contents", "asks", 0, 0), ev.BookChange),
}


def spoiled(name: str, path: tuple, value: object) -> list[ev.Event]:
    message = json.loads(frame(name))
    place = message
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return decoded(message)


@pytest.mark.parametrize("value", NO_PRICES)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_price_never_becomes_one_and_is_rejected(place, value):
    name, path, kind = PLACES[place]
    events = spoiled(name, path, value)
    assert not [e for e in events if isinstance(e, kind) and e.symbol == "BTC-USD"]
    assert [e for e in events if isinstance(e, ev.Rejected)]


@pytest.mark.parametrize("value", ABSENT)
@pytest.mark.parametrize("place", PLACES)
def test_an_absent_price_is_no_event(place, value):
    name, path, kind = PLACES[place]
    assert not [e for e in spoiled(name, path, value) if isinstance(e, kind) and e.symbol == "BTC-USD"]


@pytest.mark.parametrize(
    "value",
    [None, "", 1795168903250, "1795168903", "2026-11-20", "2026-13-20T10:01:43Z", [], "2026-11-20T10:01:43+02:00"],
)
def test_a_time_that_is_none_costs_its_price_alone(value):
    events = spoiled("ws_oracle_prices", ("contents", "oraclePrices", "BTC-USD", "effectiveAt"), value)
    assert events == [refused("v4_markets", "bad_time"), *oracle("ETH-USD", 3010.25, T)]


@pytest.mark.parametrize(
    "text",
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
        b"{}",
        b'{"type":"channel_data","channel":"v4_markets"}',
        b'{"type":"channel_data","channel":"v4_markets","contents":7}',
        b'{"type":"channel_data","channel":"v4_markets","contents":{"trading":[]}}',
        b'{"type":"channel_data","channel":"v4_trades","id":"BTC-USD","contents":{"trades":{}}}',
        b'{"type":"channel_data","channel":"v4_orderbook","id":"BTC-USD","contents":{"bids":{}}}',
        b'{"type":"channel_data","channel":"v4_orderbook","id":7,"contents":{}}',
    ],
    ids=range(17),
)
def test_what_is_no_message_raises_a_wire_error(text):
    with pytest.raises(WireError):
        dydx.VENUE.decode(text, NOW)


@settings(deadline=None, max_examples=500, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    name = data.draw(st.sampled_from(sorted(FRAMES)))
    text = bytearray(frame(name))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    dydx.VENUE.hear(bytes(text))
    dydx.VENUE.frame_number(bytes(text))
    try:
        events = dydx.VENUE.decode(bytes(text), NOW)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["1", "BUY"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=500, derandomize=True)
@given(st.sampled_from(sorted(FRAMES)), st.data())
def test_any_value_anywhere_gives_events_or_a_wire_error(name, data):
    message = json.loads(frame(name))
    place, key = message, data.draw(st.sampled_from(sorted(message)))
    while isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(JSON)
    try:
        decoded(message)
    except WireError:
        return


# --- what frames without facts say ------------------------------------------------------------------------------

WORDS = {
    "ws_error_market": "v4_orderbook/XXX-USD",
    "ws_error_market_in_words": f"v4_trades/{POOL}",
    "ws_error_blocked": "v4_markets",
}


@pytest.mark.parametrize("name", FRAMES)
def test_only_an_error_that_will_not_pass_and_names_its_stream_is_a_refusal(name):
    word = dydx.VENUE.hear(frame(name))
    expected = WORDS.get(name)
    assert word == (expected and Word(refused=(expected,), reason=json.loads(frame(name))["message"]))


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b"7", b'{"type":"error"}', b'{"type":["error"]}'])
def test_what_is_no_answer_is_no_word(text):
    assert dydx.VENUE.hear(text) is None


def test_refusals_name_streams_as_they_are_subscribed():
    names = {s.name for c in dydx.VENUE.connections(["XXX-USD", POOL], "ws://x") for s in c.streams}
    assert set(WORDS.values()) <= names


def test_the_number_of_a_frame_of_the_markets_is_found_and_no_other_counts():
    numbers = {name: dydx.VENUE.frame_number(frame(name)) for name in FRAMES}
    found = {name: number for name, number in numbers.items() if number is not None}
    assert found == {
        name: json.loads(frame(name))["message_id"]
        for name in FRAMES
        if json.loads(frame(name)).get("channel") == "v4_markets"
    }
    assert found["ws_oracle_prices"] == 15


# --- subscriptions -----------------------------------------------------------------------------------------------


def test_control_frames_are_one_a_stream_and_the_book_alone_comes_in_batches():
    streams = [s for c in dydx.VENUE.connections(["BTC-USD", POOL], "wss://host/") for s in c.streams]
    said = dydx.VENUE.subscribe(streams, 1, NOW)
    assert [json.loads(r.text) for r in said] == [
        {"type": "subscribe", "channel": "v4_markets", "batched": False},
        {"type": "subscribe", "channel": "v4_trades", "id": "BTC-USD", "batched": False},
        {"type": "subscribe", "channel": "v4_trades", "id": POOL, "batched": False},
        {"type": "subscribe", "channel": "v4_orderbook", "id": "BTC-USD", "batched": True},
        {"type": "subscribe", "channel": "v4_orderbook", "id": POOL, "batched": True},
    ]
    assert [r.streams for r in said] == [(s,) for s in streams]


def test_unsubscribing_names_channel_and_market():
    streams = [s for c in dydx.VENUE.connections(["A/B-USD"], "wss://host") for s in c.streams]
    assert dydx.VENUE.unsubscribe(streams[:2], 1, NOW) == [
        Request('{"type": "unsubscribe", "channel": "v4_markets"}', (streams[0],)),
        Request('{"type": "unsubscribe", "channel": "v4_trades", "id": "A/B-USD"}', (streams[1],)),
    ]


def test_marks_have_a_connection_of_their_own_and_others_carry_32_streams():
    symbols = [f"C{number}-USD" for number in range(33)]
    found = dydx.VENUE.connections(symbols, "wss://host/")
    assert [(c.name, len(c.streams)) for c in found] == [
        ("mark", 1),
        ("trades", 32),
        ("trades-2", 1),
        ("depth", 32),
        ("depth-2", 1),
    ]
    assert {c.url for c in found} == {"wss://host/v4/ws"}
    assert found[0].streams[0].symbols == tuple(symbols)
    assert {s.field for c in found for s in c.streams} == {"mark", "last", "depth"}


def test_an_unchanged_mark_is_confirmed_before_it_is_stale():
    (confirms,) = [p for p in dydx.VENUE.polls(["BTC-USD"]) if p.resource == "oraclePrices"]
    assert confirms.interval_seconds == dydx.VENUE.expected_intervals["mark"]
    assert 3.0 * confirms.interval_seconds <= 30.0


def test_all_facts_are_told_in_the_order_in_which_people_see_them():
    assert [feature.fact for feature in dydx.VENUE.features] == list(FACTS)


# --- books -------------------------------------------------------------------------------------------------------


def book_of(*names: str) -> OrderBook:
    book = OrderBook()
    for event in (e for name in names for e in dydx.VENUE.decode(frame(name), NOW)):
        book.apply(event, 1.0)
    return book


def test_a_book_is_its_first_frame_and_the_changes_after_it():
    book = book_of("ws_book_snapshot", "ws_book_batch", "ws_book_single")
    assert book.levels("sell") == [(90011.0, 0.3), (90010.0, 0.5)]
    assert book.levels("buy") == [(90013.0, 2.0), (90014.0, 4.1)]
    assert book.gaps == 0


def test_a_newer_level_ends_the_older_ones_that_it_crosses():
    book = book_of("ws_book_snapshot")
    crossing = json.loads(frame("ws_book_batch"))
    crossing["contents"] = [{"bids": [["90012", "0.1"]]}, {"asks": [["90011", "0.2"]]}]
    for event in decoded(crossing):
        book.apply(event, 2.0)
    assert (book.best_bid, book.best_ask) == (90010.0, 90011.0)


@pytest.mark.parametrize("odd", [(), ({"price": "x", "size": "1"},)], ids=["quick", "careful"])
def test_a_book_that_begins_crossed_is_used_without_what_crosses(odd):
    whole = json.loads(frame("ws_book_snapshot"))
    whole["contents"] = {
        "bids": [{"price": p, "size": s} for p, s in (("90010", "2"), ("90014", "1"), ("90013", "0"))],
        "asks": [{"price": p, "size": s} for p, s in (("90020", "5"), ("90012", "0.75"), ("90013", "0.5"))] + [*odd],
    }
    book = OrderBook()
    for event in decoded(whole):
        if isinstance(event, ev.BookChange):
            assert book.apply(event, 1.0)
    assert (book.levels("sell"), book.levels("buy")) == ([(90010.0, 2.0)], [(90013.0, 0.25), (90020.0, 5.0)])


def test_a_chain_that_has_halted_is_noticed_as_soon_as_its_prices_are_confirmed():
    """The confirmed price of a chain that stands still looks as fresh as any."""
    assert POLLS["height"].interval_seconds <= POLLS["oraclePrices"].interval_seconds


def test_what_follows_after_a_snapshot_is_not_older_than_it():
    snapshot = dydx.VENUE.decode(frame("ws_markets_snapshot"), T + 1.5)[0]
    update = dydx.VENUE.decode(frame("ws_oracle_prices"), T + 1.6)[0]
    assert (snapshot.symbol, snapshot.event_time < update.event_time) == (update.symbol, True)


# --- REST --------------------------------------------------------------------------------------------------------

POLLS = {p.resource: p for p in dydx.VENUE.polls(["BTC-USD", "ETH-USD", "GONE-USD", POOL])}


def polled(resource: str, file: str, now: float = NOW) -> list[ev.Event]:
    return POLLS[resource].decode(frame(file), now)


def test_paths_and_what_must_be_read_before_the_start():
    assert [(p.resource, p.path, p.essential, p.interval_seconds) for p in POLLS.values()] == [
        ("time", "/v4/time", True, 600.0),
        ("perpetualMarkets", "/v4/perpetualMarkets", True, 3600.0),
        ("oraclePrices", "/v4/perpetualMarkets", False, 5.0),
        ("height", "/v4/height", False, 5.0),
        (
            "insuranceFund",
            "/cosmos/bank/v1beta1/balances/dydx1c7ptc87hkd54e3r7zjy92q29xkq7t79w64slrq",
            False,
            60.0,
        ),
    ]
    assert [p.resource for p in POLLS.values() if p.terms] == ["perpetualMarkets"]
    assert [p.resource for p in POLLS.values() if p.host] == ["insuranceFund"]


def test_time_is_the_indexers_clock():
    assert polled("time", "get_time") == [ev.VenueTime(V, 1795168903.5)]


def test_terms_count_coins_and_settle_in_usdc():
    events = polled("perpetualMarkets", "get_perpetual_markets")
    btc, eth, pool = (e for e in events if isinstance(e, ev.ContractTerms))
    assert btc == ev.ContractTerms(V, "BTC-USD", "linear", 1.0, "BTC", "USD", "USDC", "ACTIVE", True, 1.0)
    assert (eth.symbol, eth.tick_size) == ("ETH-USD", 0.1)
    assert (pool.symbol, pool.base, pool.watchable) == (POOL, "PEPE", False)


def test_a_watched_symbol_that_is_not_there_is_not_listed():
    events = polled("perpetualMarkets", "get_perpetual_markets")
    gone = [e for e in events if e.symbol == "GONE-USD"]
    assert gone == [ev.ContractStatus(V, "GONE-USD", "not listed", watchable=False, event_time=NOW)]


def test_a_list_that_ends_at_a_round_number_may_go_on_and_calls_nothing_unlisted():
    row = json.loads(frame("get_perpetual_markets"))["markets"]["ETH-USD"]
    body = json.dumps({"markets": {f"C{number}-USD": row for number in range(100)}}).encode()
    assert POLLS["perpetualMarkets"].decode(body, NOW) == []


def test_funding_is_hourly_and_held_within_an_eighth_of_the_cap_of_eight_hours():
    terms = [e for e in polled("perpetualMarkets", "get_perpetual_markets") if isinstance(e, ev.FundingTerms)]
    btc = terms[0]
    assert (btc.symbol, btc.interval_seconds) == ("BTC-USD", 3600.0)
    assert btc.rate_cap == pytest.approx(6.0 * (0.02 - 0.012) / 8.0)
    assert btc.rate_floor == -btc.rate_cap


def test_fractions_are_a_sound_ladder_of_one_row():
    tables = [e for e in polled("perpetualMarkets", "get_perpetual_markets") if isinstance(e, ev.TierTableChanged)]
    assert [(e.symbol, e.rows[0][1]) for e in tables] == [("BTC-USD", 0.012), ("ETH-USD", 0.03), (POOL, 0.1)]
    assert all(ladder_problem([Tier(*row) for row in e.rows]) is None for e in tables)


def test_the_confirming_poll_tells_the_facts_of_watched_markets_alone():
    (poll,) = [p for p in dydx.VENUE.polls(["BTC-USD"]) if p.resource == "oraclePrices"]
    assert near(poll.decode(frame("get_perpetual_markets"), NOW)) == near(BTC_FACTS)


@pytest.mark.parametrize("resource", ["perpetualMarkets", "oraclePrices"])
def test_a_bad_market_costs_itself_alone(resource):
    body = json.loads(frame("get_perpetual_markets"))
    body["markets"]["ETH-USD"] = "later"
    events = POLLS[resource].decode(json.dumps(body).encode(), NOW)
    assert [e.reason for e in events if isinstance(e, ev.Rejected)] == ["bad_row"]
    assert {e.symbol for e in events if isinstance(e, ev.OpenInterest)} == {"BTC-USD", POOL}


def test_a_market_without_a_status_or_a_price_has_no_terms_and_no_mark():
    events = polled("perpetualMarkets", "get_perpetual_markets_bad")
    assert not [e for e in events if isinstance(e, ev.ContractTerms | ev.MarkPrice)]
    confirmed = polled("oraclePrices", "get_perpetual_markets_bad")
    assert refused("mark_price", "bad_price") in confirmed


@pytest.mark.parametrize("behind", [3.0, 31.0, 4000.0])
def test_the_age_of_the_newest_block_is_told(behind):
    block = 1795168902.0
    assert polled("height", "get_height", block + behind) == [ev.VenueBehind(V, behind, block + behind)]


@pytest.mark.parametrize("resource", POLLS)
@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"null", b'{"markets":{}}', b'{"markets":[]}', b'{"time":7,"epoch":"x"}']
)
def test_an_answer_that_is_none_raises_a_wire_error(resource, body):
    with pytest.raises(WireError):
        POLLS[resource].decode(body, NOW)


@settings(deadline=None, max_examples=300, derandomize=True)
@given(st.data())
def test_a_mutilated_answer_never_raises_anything_else(data):
    resource, file = data.draw(
        st.sampled_from(
            [
                ("time", "get_time"),
                ("insuranceFund", "get_balances"),
                ("height", "get_height"),
                ("perpetualMarkets", "get_perpetual_markets"),
                ("oraclePrices", "get_perpetual_markets_bad"),
            ]
        )
    )
    text = bytearray(frame(file))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        POLLS[resource].decode(bytes(text), NOW)
    except WireError:
        return


# --- recorded frames -----------------------------------------------------------------------------------------------


def test_every_recorded_frame_gives_facts_and_none_is_rejected():
    if not SAMPLES.exists():
        pytest.skip("no recorded frames here")
    with gzip.open(SAMPLES, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    found = [e for row in rows if row["venue"] == "dydx-v4" for e in dydx.VENUE.decode(row["frame"].encode(), NOW)]
    kinds = {type(event) for event in found}
    assert {ev.MarkPrice, ev.IndexPrice, ev.FundingRate, ev.OpenInterest, ev.LastPrice, ev.BookChange} <= kinds
    assert ev.Liquidation in kinds
    assert ev.Rejected not in kinds
