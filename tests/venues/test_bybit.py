"""Bybit v5: whole messages of the venue's shape into the expected events, including those that must give none."""

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
from monitor.venues import bybit, bybit_wire
from monitor.venues.base import FACTS, Word

HERE = Path(__file__).parent / "bybit"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames"
V = "bybit"
T = 1795169703.0
FUNDING = 1795190400.0
DAILY = 1795132800.0


def refused(channel: str, reason: str, symbol: str = "") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def ticker(symbol: str, time: float) -> list[ev.Event]:
    return [
        ev.MarkPrice(V, symbol, 90010.75, time),
        ev.IndexPrice(V, symbol, 90031.02, time),
        ev.LastPrice(V, symbol, 90012.4, time),
        ev.BestQuote(V, symbol, 90012.3, 3.108, 90012.4, 1.022, time),
        ev.FundingRate(V, symbol, 0.00008125, FUNDING, time),
        ev.OpenInterest(V, symbol, 25610.168, time),
    ]


def dated(time: float) -> list[ev.Event]:
    symbol = "BTCUSDT-25DEC26"
    return [
        ev.MarkPrice(V, symbol, 90610.8, time),
        ev.IndexPrice(V, symbol, 90031.02, time),
        ev.LastPrice(V, symbol, 90611.3, time),
        ev.BestQuote(V, symbol, 90610.1, 0.31, 90612.5, 0.295, time),
        ev.OpenInterest(V, symbol, 306.2, time),
    ]


FRAMES = {
    "ws_ticker_snapshot": ticker("BTCUSDT", T + 0.1),
    "ws_ticker_other_order": ticker("BTCUSDT", T + 0.1),
    "ws_ticker_delta_mark": [ev.MarkPrice(V, "BTCUSDT", 90011.02, T + 0.2)],
    "ws_ticker_delta_quote": [ev.BestQuote(V, "BTCUSDT", 90012.2, 0.4, 90012.3, 7.215, T + 0.2)],
    "ws_ticker_delta_one_side": [],
    "ws_ticker_delta_rate_alone": [],
    "ws_ticker_delta_statistics": [],
    "ws_ticker_delta_both_sides_counted": [ev.OpenInterest(V, "BTCUSDT", 25610.25, T + 0.2)],
    "ws_ticker_inverse": [
        ev.MarkPrice(V, "BTCUSD", 90004.12, T + 0.1),
        ev.IndexPrice(V, "BTCUSD", 90031.02, T + 0.1),
        ev.LastPrice(V, "BTCUSD", 90005.5, T + 0.1),
        ev.BestQuote(V, "BTCUSD", 90005.0, 220145.0, 90005.5, 48012.0, T + 0.1),
        ev.FundingRate(V, "BTCUSD", -0.00001, FUNDING, T + 0.1),
        ev.OpenInterest(V, "BTCUSD", 406002205.0, T + 0.1),
    ],
    "ws_ticker_dated": dated(T + 0.1),
    "ws_ticker_dated_zero_time": dated(T + 0.1),
    "ws_ticker_empty_book": [
        ev.MarkPrice(V, "FOOUSDT", 0.04112, T + 0.2),
        ev.LastPrice(V, "FOOUSDT", 0.0411, T + 0.2),
    ],
    "ws_ticker_bad_values": [
        refused("mark_price", "bad_price", "BTCUSDT"),
        refused("index_price", "bad_price", "BTCUSDT"),
        refused("last_price", "bad_price", "BTCUSDT"),
        refused("funding_rate", "bad_rate", "BTCUSDT"),
        refused("funding_rate", "bad_time", "BTCUSDT"),
        refused("open_interest", "bad_quantity", "BTCUSDT"),
        refused("best_quote", "bad_price", "BTCUSDT"),
        refused("best_quote", "bad_quantity", "BTCUSDT"),
        ev.OpenInterest(V, "BTCUSDT", 25610.167, T + 0.2),
    ],
    "ws_liquidations": [
        ev.Liquidation(V, "BTCUSDT", "long", 0.45, 89120.5, "bankruptcy", T + 0.32),
        ev.Liquidation(V, "BTCUSDT", "short", 0.012, 91240.0, "bankruptcy", T + 0.401),
    ],
    "ws_liquidation_inverse": [ev.Liquidation(V, "BTCUSD", "long", 25000.0, 88950.5, "bankruptcy", T + 0.32)],
    "ws_liquidations_bad_rows": [
        refused("liquidation", "not_an_object"),
        refused("liquidation", "bad_side", "BTCUSDT"),
        refused("liquidation", "bad_quantity", "BTCUSDT"),
        refused("liquidation", "bad_price", "BTCUSDT"),
        refused("liquidation", "bad_time"),
        refused("liquidation", "bad_s"),
        ev.Liquidation(V, "BTCUSDT", "short", 0.012, 91240.0, "bankruptcy", T + 0.401),
    ],
    "ws_book_snapshot": [
        ev.BookChange(
            V,
            "BTCUSDT",
            ((90012.3, 3.108), (90012.2, 0.4), (90011.0, 2.0)),
            ((90012.4, 1.022), (90012.9, 0.3)),
            T + 0.12,
            whole=True,
            number=18000101,
        )
    ],
    "ws_book_delta": [
        ev.BookChange(
            V,
            "BTCUSDT",
            ((90012.2, 0.0),),
            ((90012.4, 0.99), (90013.0, 2.0)),
            T + 0.22,
            number=18000102,
            previous=18000101,
        )
    ],
    "ws_book_restart": [
        ev.BookChange(V, "BTCUSDT", ((90010.0, 1.5),), ((90010.1, 0.7),), T + 0.9, whole=True, number=1)
    ],
    "ws_book_bad_level": [refused("book_change", "bad_level", "BTCUSDT")],
    "ws_book_no_number": [refused("book_change", "bad_sequence", "BTCUSDT")],
    "ws_book_other_depth": [],
    "ws_insurance_delta": [
        ev.InsuranceFund(V, "FOOUSDT", "USDT", 25514.92972633, ("FOOUSDT",), T),
        ev.InsuranceFund(V, "BARUSDT", "USDT", -120.5, ("BARUSDT",), T - 1.0),
    ],
    "ws_insurance_bad_rows": [
        refused("insurance_fund", "not_an_object"),
        refused("insurance_fund", "bad_balance", "FOOUSDT"),
        refused("insurance_fund", "bad_time"),
        refused("insurance_fund", "bad_symbols"),
    ],
    "ws_adl_alert": [
        ev.AdlSignal(V, "FOOUSDT", "", T, -0.0412, -0.3, -0.25, 19873.46),
        ev.AdlSignal(V, "BTCUSDT", "", T, 0.0021, -0.3, -0.25, 203112233.55),
    ],
    "ws_adl_alert_strings": [ev.AdlSignal(V, "BTCUSD", "", T, -0.31, -0.3, -0.25, 120.5)],
    "ws_adl_alert_empty_pool": [ev.AdlSignal(V, "FOOUSDT", "", T, -0.5, None, None, -12.5)],
    "ws_adl_alert_bad_rows": [
        refused("adl_signal", "bad_value", "FOOUSDT"),
        ev.AdlSignal(V, "FOOUSDT", "", T, -0.0412, -0.3, -0.25, None),
        refused("adl_signal", "bad_s"),
    ],
    "ws_ack": [],
    "ws_refused": [],
    "ws_refused_op": [],
    "ws_refused_twice": [],
    "ws_refused_unsubscribe": [],
    "ws_pong": [],
    "ws_trades": [],
    "ws_candle": [],
    "ws_price_limit": [],
    "ws_system_status": [],
}
NO_MESSAGE = {"ws_ticker_microseconds": "bad_time", "ws_ticker_no_symbol": "bad_symbol"}


def frame(name: str) -> bytes:
    return (HERE / f"{name}.json").read_bytes()


def near(events: list[ev.Event]) -> list[object]:
    """Round times, which come from milliseconds."""
    return [
        [getattr(e, n) if "time" not in n else round(getattr(e, n), 6) for n in e.__struct_fields__] + [type(e)]
        for e in events
    ]


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_gives_exactly_these_events(name):
    assert near(bybit.decode(frame(name))) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    assert bybit_wire._decode_slowly(frame(name)) == bybit.decode(frame(name))


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    message = json.loads(frame(name))
    rows = message.get("data", message)
    for row in [message, *(rows if isinstance(rows, list) else [rows])]:
        if isinstance(row, dict):
            row["zz_new"] = {"deep": [1, "2", None]}
    assert near(bybit.decode(json.dumps(message).encode())) == near(FRAMES[name])


@pytest.mark.parametrize("name", NO_MESSAGE)
def test_a_message_without_a_time_or_a_symbol_is_refused(name):
    with pytest.raises(WireError) as error:
        bybit.decode(frame(name))
    assert error.value.reason == NO_MESSAGE[name]


def test_every_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} == {*FRAMES, *NO_MESSAGE}


BAD = ["NaN", "Infinity", "-1", "0", "1e30", "1_000", "0x10", " 1", "٣", True, [], {}]
PRICES = {"markPrice": ev.MarkPrice, "indexPrice": ev.IndexPrice, "lastPrice": ev.LastPrice, "bid1Price": ev.BestQuote}


@pytest.mark.parametrize("value", BAD, ids=map(repr, BAD))
@pytest.mark.parametrize("field", PRICES)
def test_what_is_no_price_never_becomes_one_and_costs_itself_alone(field, value):
    message = json.loads(frame("ws_ticker_snapshot"))
    message["data"][field] = value
    good = [e for e in near(FRAMES["ws_ticker_snapshot"]) if e[-1] is not PRICES[field]]
    events = near(bybit.decode(json.dumps(message, separators=(",", ":")).encode()))
    assert events[0][1:3] in ([c, "bad_price"] for c in ("mark_price", "index_price", "last_price", "best_quote"))
    assert events[1:] == good


@pytest.mark.parametrize("value", ["", None])
@pytest.mark.parametrize("field", PRICES)
def test_an_empty_price_is_absent_and_no_error(field, value):
    message = json.loads(frame("ws_ticker_snapshot"))
    message["data"][field] = value
    good = [e for e in near(FRAMES["ws_ticker_snapshot"]) if e[-1] is not PRICES[field]]
    assert near(bybit.decode(json.dumps(message).encode())) == good


NO_MESSAGES = [b"", b"{", b"<html>", b"\xff\xfe", b"[1,2", b"null x", b"[" * 100_000, b'"text"', b"7", b"null", b"[]"]
NO_MESSAGES += [b'{"topic":"tickers.BTCUSDT","ts":1795169703000,"data":7}', b'{"topic":"allLiquidation.X","data":[]}']


@pytest.mark.parametrize("data", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_what_is_no_message_raises_a_wire_error(data):
    with pytest.raises(WireError):
        bybit.decode(data)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    mutilated = bytearray(frame(data.draw(st.sampled_from(sorted(FRAMES)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutilated) - 1))
        mutilated[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    bybit.hear(bytes(mutilated))
    try:
        events = bybit.decode(bytes(mutilated))
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


def test_of_a_whole_market_only_watched_symbols_are_told():
    bound = bybit.VENUE.watching(["BTCUSDT"])
    assert [e.symbol for e in bound.decode(frame("ws_adl_alert"), T)] == ["BTCUSDT"]
    assert bound.decode(frame("ws_insurance_delta"), T) == []


def test_a_book_is_built_from_a_snapshot_and_the_changes_that_follow_it():
    book = OrderBook()
    for name in ("ws_book_snapshot", "ws_book_delta"):
        (change,) = bybit.decode(frame(name))
        assert book.apply(change, 0.0)
    assert (book.levels("sell", 9), book.levels("buy", 9)[0]) == ([(90012.3, 3.108), (90011.0, 2.0)], (90012.4, 0.99))


def test_a_change_after_a_hole_ends_the_book_until_a_new_snapshot():
    book = OrderBook()
    (whole,), (change,), (restart,) = (
        bybit.decode(frame(name)) for name in ("ws_book_snapshot", "ws_book_delta", "ws_book_restart")
    )
    book.apply(whole, 0.0)
    late = json.loads(frame("ws_book_delta"))
    late["data"]["u"] += 1
    (beyond,) = bybit.decode(json.dumps(late).encode())
    assert not book.apply(beyond, 0.0)
    assert not book.apply(change, 0.0)
    assert book.apply(restart, 0.0)
    assert (book.best_bid, book.number) == (90010.0, 1)


# --- what is heard -----------------------------------------------------------------------------------------

HEARD = {
    "ws_ack": None,
    "ws_pong": None,
    "ws_refused": Word(refused=("4",), reason="error:handler not found,topic:tickers.NOPEUSDT"),
    "ws_refused_op": None,
    "ws_refused_twice": None,
    "ws_refused_unsubscribe": None,
    "ws_trades": None,
}


@pytest.mark.parametrize("name", HEARD)
def test_a_refusal_names_its_request_and_nothing_else_is_heard(name):
    assert bybit.hear(frame(name)) == HEARD[name]


@pytest.mark.parametrize("data", NO_MESSAGES, ids=range(len(NO_MESSAGES)))
def test_garbage_is_not_heard(data):
    assert bybit.hear(data) is None


# --- what is said ------------------------------------------------------------------------------------------


def test_linear_and_inverse_have_sockets_of_their_own_and_so_have_the_books():
    found = {c.name: c for c in bybit.connections(["BTCUSDT", "BTCPERP", "BTCUSD"], "ws://x/")}
    assert {name: c.url for name, c in found.items()} == {
        "linear": "ws://x/v5/public/linear",
        "depth-linear": "ws://x/v5/public/linear",
        "inverse": "ws://x/v5/public/inverse",
        "depth-inverse": "ws://x/v5/public/inverse",
    }
    assert [s.name for s in found["inverse"].streams] == [
        "tickers.BTCUSD",
        "allLiquidation.BTCUSD",
        "adlAlert.inverse",
        "insurance.inverse",
    ]
    assert {s.name for s in found["linear"].streams if not s.symbols} == {
        "adlAlert.USDC",
        "adlAlert.USDT",
        "insurance.USDC",
        "insurance.USDT",
    }
    assert [(s.name, s.field) for s in found["depth-inverse"].streams] == [("orderbook.200.BTCUSD", "depth")]


def test_silence_is_normal_of_everything_but_marks_and_books():
    streams = [s for c in bybit.connections(["BTCUSDT"], "ws://x") for s in c.streams]
    assert {s.name: s.field for s in streams if s.field} == {
        "tickers.BTCUSDT": "mark",
        "orderbook.200.BTCUSDT": "depth",
    }


def test_a_hundred_symbols_share_a_connection():
    found = bybit.connections([f"S{n}USDT" for n in range(250)], "ws://x")
    assert [c.name for c in found] == [
        "linear", "depth-linear", "linear-2", "depth-linear-2", "linear-3", "depth-linear-3",
    ]  # fmt: skip
    assert sum(s.name == "adlAlert.USDT" for c in found for s in c.streams) == 1
    assert max(sum(len(s.name) for s in c.streams) for c in found) < 21_000


def test_a_subscribe_frame_is_about_one_symbol_or_one_market_and_is_known_by_its_number():
    (linear, _) = bybit.connections(["BTCUSDT", "ETHUSDT"], "ws://x")
    requests = bybit.subscribe(linear.streams, 7, 0.0)
    assert [json.loads(r.text) for r in requests] == [
        {"req_id": "7", "op": "subscribe", "args": ["tickers.BTCUSDT", "allLiquidation.BTCUSDT"]},
        {"req_id": "8", "op": "subscribe", "args": ["tickers.ETHUSDT", "allLiquidation.ETHUSDT"]},
        {"req_id": "9", "op": "subscribe", "args": ["adlAlert.USDT"]},
        {"req_id": "10", "op": "subscribe", "args": ["insurance.USDT"]},
    ]
    assert [r.key for r in requests] == ["7", "8", "9", "10"]


def test_an_unsubscribe_frame_has_no_key_since_nothing_follows_from_its_refusal():
    (linear, _) = bybit.connections(["BTCUSDT"], "ws://x")
    (request,) = bybit.unsubscribe(linear.streams[:1], 8, 0.0)
    assert json.loads(request.text) == {"req_id": "8", "op": "unsubscribe", "args": ["tickers.BTCUSDT"]}
    assert request.key == ""


def test_the_client_pings_in_json_every_twenty_seconds():
    keepalive = bybit.VENUE.keepalive
    assert keepalive is not None
    assert (keepalive.interval_seconds, json.loads(keepalive.text(3, T))) == (20.0, {"req_id": "3", "op": "ping"})


def test_the_table_of_what_it_gives_has_each_fact_once():
    assert [f.fact for f in bybit.VENUE.features] == list(FACTS)


# --- what is polled ----------------------------------------------------------------------------------------

SYMBOLS = ["BTCUSDT", "BTCUSDT-25DEC26", "FOOUSDT", "GONEUSDT", "BTCUSD", "BTCUSDZ26"]
POLLS = {(p.resource, p.params.get("symbol", "")): p for p in bybit.VENUE.polls(SYMBOLS)}


def polled(resource: str, file: str, symbol: str = "") -> list[ev.Event]:
    return POLLS[resource, symbol].decode(frame(file), T + 1.0)


def test_marks_are_confirmed_by_a_poll_as_often_as_they_are_expected():
    assert POLLS["linear tickers", ""].interval_seconds == bybit.VENUE.expected_intervals["mark"] == 5.0
    assert POLLS["linear tickers", ""].params == {"category": "linear"}
    assert POLLS["inverse tickers", ""].params == {"category": "inverse"}


def test_a_category_without_symbols_is_not_asked_for():
    assert not [p for p in bybit.VENUE.polls(["BTCUSDT"]) if p.params.get("category") == "inverse"]


def test_time_is_that_of_the_envelope():
    assert polled("time", "get_time") == [ev.VenueTime(V, T + 0.123)]


def test_tickers_give_the_facts_of_watched_symbols_at_the_time_of_the_answer():
    assert near(polled("linear tickers", "get_tickers_linear")) == near(
        [
            *ticker("BTCUSDT", T + 0.21),
            *dated(T + 0.21),
            ev.IndexPrice(V, "FOOUSDT", 90031.02, T + 0.21),
            ev.LastPrice(V, "FOOUSDT", 90012.4, T + 0.21),
            ev.FundingRate(V, "FOOUSDT", 0.0001, FUNDING, T + 0.21),
            ev.OpenInterest(V, "FOOUSDT", 25610.168, T + 0.21),
        ]
    )


def test_linear_contracts_are_counted_in_coins():
    terms = {e.symbol: e for e in polled("linear Trading", "get_instruments_linear") if isinstance(e, ev.ContractTerms)}
    assert terms["BTCUSDT"] == ev.ContractTerms(
        V, "BTCUSDT", "linear", 1.0, "BTC", "USDT", "USDT", "Trading", watchable=True, tick_size=0.1
    )
    assert (terms["FOOUSDT"].tick_size, terms["FOOUSDT"].delivery_time) == (0.0001, 1795600800.0)  # to be delisted
    assert terms["BTCUSDT-25DEC26"].delivery_time == 1798185600.0
    assert "BTCPERP" not in terms


def test_inverse_contracts_are_counted_in_dollars_and_settled_in_coins():
    btc, funding, future = polled("inverse Trading", "get_instruments_inverse")
    assert (btc.kind, btc.contract_size, btc.settle, btc.quote, btc.tick_size) == ("inverse", 1.0, "BTC", "USD", 0.5)
    assert funding == ev.FundingTerms(V, "BTCUSD", 8 * 3600.0, 0.005, -0.005)
    assert (future.kind, future.delivery_time) == ("inverse", 1798185600.0)


def test_funding_intervals_come_in_minutes_and_dated_contracts_have_none():
    found = [e for e in polled("linear Trading", "get_instruments_linear") if isinstance(e, ev.FundingTerms)]
    assert found == [
        ev.FundingTerms(V, "BTCUSDT", 8 * 3600.0, 0.005, -0.005),
        ev.FundingTerms(V, "FOOUSDT", 4 * 3600.0, 0.02, -0.02),
    ]


def test_what_a_complete_list_lacks_is_not_listed():
    found = [e for e in polled("linear Trading", "get_instruments_linear") if isinstance(e, ev.ContractStatus)]
    assert found == [ev.ContractStatus(V, "GONEUSDT", "not listed", watchable=False, event_time=T + 1.0)]


def test_a_list_with_another_page_makes_no_symbol_unlisted():
    events = polled("linear Trading", "get_instruments_another_page")
    assert refused("instruments-info", "another_page") in events
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]
    assert [e.symbol for e in events if isinstance(e, ev.ContractTerms)] == ["BTCUSDT"]


def test_a_row_that_cannot_be_read_makes_no_symbol_unlisted():
    body = json.loads(frame("get_instruments_linear"))
    body["result"]["list"][1]["deliveryTime"] = "soon"
    events = POLLS["linear Trading", ""].decode(json.dumps(body).encode(), T)
    assert refused("instruments-info", "bad_row") in events
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]


@pytest.mark.parametrize("end", ["1798185600", "1798185600000000", "9" * 400, "-1"])
def test_an_end_of_trading_in_another_unit_is_rejected_and_the_terms_are_used(end):
    body = json.loads(frame("get_instruments_linear"))
    body["result"]["list"][0]["deliveryTime"] = end
    events = POLLS["linear Trading", ""].decode(json.dumps(body).encode(), T)
    symbol = body["result"]["list"][0]["symbol"]
    (terms,) = [e for e in events if isinstance(e, ev.ContractTerms) and e.symbol == symbol]
    assert terms.delivery_time is None
    assert refused("instruments-info", "bad_time", symbol) in events


def test_a_venue_without_contracts_is_not_believed_but_none_may_be_delivering():
    with pytest.raises(WireError):
        polled("linear Trading", "get_instruments_none")
    assert polled("linear Delivering", "get_instruments_none") == []


def test_a_contract_that_is_delivering_is_asked_for_separately_and_cannot_be_watched():
    poll = next(p for p in bybit.VENUE.polls(["OLDUSDT"]) if p.params.get("status") == "Delivering")
    terms = poll.decode(frame("get_instruments_delivering"), T)[0]
    assert (terms.status, terms.watchable, terms.delivery_time) == ("Delivering", False, 1795168800.0)


def test_what_is_known_of_other_statuses_is_said_after_what_is_not_listed():
    order = [p.params["status"] for p in bybit.VENUE.polls(["OLDUSDT"]) if "status" in p.params]
    assert order == ["Trading", "PreLaunch", "Delivering"]


def test_tiers_begin_where_the_one_before_ends_and_carry_the_published_deductions():
    assert polled("risk-limit", "get_risk_limit", "BTCUSDT") == [
        ev.TierTableChanged(
            V,
            "BTCUSDT",
            ((0.0, 0.0033, 0.0), (300000.0, 0.005, 510.0), (2000000.0, 0.0056, 1710.0)),
            T + 0.21,
            (150.0, 100.0, 90.0),
        )
    ]


def test_tiers_in_percent_become_fractions():
    (table,) = polled("risk-limit", "get_risk_limit_percent", "BTCUSD")
    assert table.rows == ((0.0, 0.005, 0.0), (150.0, 0.01, 0.75))
    assert ladder_problem([Tier(*row) for row in table.rows]) is None


def test_a_ladder_with_a_bad_row_or_two_units_is_not_used_at_all():
    assert polled("risk-limit", "get_risk_limit_bad_row", "BTCUSDT") == [refused("risk-limit", "bad_row")]
    assert polled("risk-limit", "get_risk_limit_mixed_units", "BTCUSDT") == [
        refused("risk-limit", "bad_tiers", "BTCUSDT")
    ]


def test_a_pool_is_named_after_the_first_watched_symbol_it_backs_and_may_be_negative():
    assert polled("insurance", "get_insurance") == [
        ev.InsuranceFund(V, "BTCUSDT", "USDT", 203112233.55, ("BTCUSDT", "ETHUSDT", "SOLUSDT"), DAILY),
        ev.InsuranceFund(V, "FOOUSDT", "USDT", -25514.92972633, ("FOOUSDT",), DAILY),
        ev.InsuranceFund(V, "BTCUSD", "BTC", 812.5, ("BTCUSD", "BTCUSDZ26"), DAILY),
    ]


@pytest.mark.parametrize("key", POLLS, ids=map(" ".join, POLLS))
def test_an_error_with_status_200_is_an_error(key):
    with pytest.raises(WireError) as error:
        POLLS[key].decode(frame("get_error"), T)
    assert error.value.reason == "refused"


@pytest.mark.parametrize("key", POLLS, ids=map(" ".join, POLLS))
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]]", b"[]", b'{"retCode":0,"time":7}', b"[" * 50_000])
def test_a_body_of_another_shape_raises_a_wire_error(key, body):
    with pytest.raises(WireError):
        POLLS[key].decode(body, T)


# --- recorded ----------------------------------------------------------------------------------------------


def recorded(name: str) -> list[dict]:
    file = RECORDED / name
    if not file.is_file():
        pytest.skip("the recorded frames do not lie beside the checkout")
    with gzip.open(file, "rt") as lines:
        return [json.loads(line) for line in lines]


def test_recorded_books_keep_their_chain_and_never_cross():
    books: dict[str, OrderBook] = {}
    for line in recorded("bybit/recv.jsonl.gz"):
        for event in bybit.decode(line["frame"].encode(), line["t"]):
            if isinstance(event, ev.BookChange):
                book = books.setdefault(event.symbol, OrderBook())
                assert book.apply(event, line["t"])
                assert book.best_bid is not None
                assert book.best_ask is not None
                assert book.best_bid < book.best_ask
    assert set(books) == {"BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"}
    assert all(not book.gaps for book in books.values())


def test_recorded_frames_decode_into_known_facts_without_a_rejection():
    kinds: dict[str, int] = {}
    for line in recorded("bybit/recv.jsonl.gz"):
        for event in bybit.decode(line["frame"].encode(), line["t"]):
            kinds[type(event).__name__] = kinds.get(type(event).__name__, 0) + 1
        assert bybit.hear(line["frame"].encode()) is None
    assert kinds.pop("BookChange") == 810
    assert kinds == {
        "MarkPrice": 45, "IndexPrice": 34, "LastPrice": 19, "BestQuote": 71, "FundingRate": 4, "OpenInterest": 12,
    }  # fmt: skip


def test_recorded_frames_take_the_quick_way(monkeypatch):
    lines = [line["frame"].encode() for line in recorded("bybit/recv.jsonl.gz")]
    monkeypatch.setattr(bybit_wire, "_decode_slowly", lambda frame, _watched=None: [frame])
    slow = [f for f in lines if bybit.decode(f) == [f]]
    assert not [f for f in slow if b'"tickers.' in f[:40] or b'"orderbook.200.' in f[:40]]


def test_the_recorded_list_of_contracts_is_complete_and_knows_its_dated_ones():
    (answer,) = recorded("bybit/rest.jsonl.gz")
    body = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
    symbols = ["BTCUSDT", "BTCUSDT-25DEC26", "1000BONKPERP", "NOPEUSDT"]
    poll = next(p for p in bybit.VENUE.polls(symbols) if p.params.get("status") == "Trading")
    events = poll.decode(body.encode(), T)
    assert [e.symbol for e in events if isinstance(e, ev.ContractTerms)] == sorted(symbols[:3])
    assert [e.symbol for e in events if isinstance(e, ev.ContractStatus)] == ["NOPEUSDT"]
    assert not [e for e in events if isinstance(e, ev.Rejected)]


def test_single_messages_of_other_years_decode_or_give_nothing():
    found = {}
    for line in recorded("samples/derivative_frames.jsonl.gz"):
        if line["venue"] == "bybit":
            topic = json.loads(line["frame"]).get("topic", "")
            found.setdefault(topic, []).extend(bybit.decode(line["frame"].encode()))
    assert {topic for topic, events in found.items() if events} == {
        "tickers.BTCUSD",
        "tickers.BTCUSDT",
        "tickers.BTCUSDU23",
        "allLiquidation.PIPPINUSDT",
    }
    interests = [e.contracts for e in found["tickers.BTCUSD"] if isinstance(e, ev.OpenInterest)]
    assert interests == [449736676 / 2, 449736674 / 2]
    assert {e.position_side for e in found["allLiquidation.PIPPINUSDT"]} == {"short"}
