"""The generic venue: frames of the presets into events, words, requests, addresses; what must give nothing, gives nothing."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.definition import read_definition
from monitor.core import events as ev
from monitor.errors import WireError
from monitor.venues.base import Venue, Word
from monitor.venues.generic import said_by_hand, venue
from monitor.venues.generic_definition import (
    Bootstrap,
    Contract,
    Definition,
    Fund,
    PollRows,
    Rows,
    Socket,
    Subscription,
)
from monitor.venues.generic_rest import admission
from monitor.venues.generic_values import Known, seconds
from monitor.venues.generic_words import unique

HERE = Path(__file__).parent / "generic"
PRESETS = Path(__file__).parents[2] / "config" / "venues"
RECORDED = Path(__file__).parents[3] / "shared" / "data" / "frames" / "gate_futures" / "recv.jsonl.gz"
TIME = 1763799999.512
NOW = 1_763_800_000.0
WATCHED = {
    "gate": ["BTC_USDT", "ETH_USDT"],
    "bitget": ["BTCUSDT"],
    "mexc": ["BTC_USDT"],
    "kucoin": ["XBTUSDTM"],
    "htx": ["BTC-USDT"],
    "whitebit": ["BTC_PERP", "ETH_PERP"],
    "bingx": ["BTC-USDT"],
}
DEFINITIONS = {name: read_definition(PRESETS / f"{name}.yaml") for name in WATCHED}


def of(name: str) -> Venue:
    return venue(DEFINITIONS[name]).watching(WATCHED[name])


def frame(file: str) -> bytes:
    return (HERE / file).read_bytes()


GATE = [
    ev.MarkPrice("gate", "BTC_USDT", 85012.35, TIME),
    ev.IndexPrice("gate", "BTC_USDT", 85020.06, TIME),
    ev.LastPrice("gate", "BTC_USDT", 85011.4, TIME),
    ev.OpenInterest("gate", "BTC_USDT", 736480012.5, TIME),
]
FRAMES: dict[str, list[ev.Event]] = {
    "gate_ws_ticker.json": GATE,
    "gate_ws_ticker_nested.json": GATE,
    "gate_ws_ticker_object.json": GATE,
    "gate_ws_ticker_unknown_fields.json": GATE,
    "gate_ws_ticker_empty_strings.json": GATE[:1],
    "gate_ws_ticker_nulls.json": GATE[:1],
    "gate_ws_ticker_no_time.json": [ev.Rejected("gate", "futures.tickers", "bad_time", "BTC_USDT")],
    "gate_ws_ticker_seconds.json": [ev.Rejected("gate", "futures.tickers", "bad_time", "BTC_USDT")],
    "gate_ws_ticker_bad_row.json": [
        ev.Rejected("gate", "futures.tickers", "bad_price", "BTC_USDT"),
        *GATE[1:],
        ev.MarkPrice("gate", "ETH_USDT", 3105.5, TIME),
        ev.IndexPrice("gate", "ETH_USDT", 85020.06, TIME),
        ev.LastPrice("gate", "ETH_USDT", 85011.4, TIME),
        ev.OpenInterest("gate", "ETH_USDT", 736480012.5, TIME),
    ],
    "gate_ws_ticker_unwatched.json": [],
    "gate_ws_ack.json": [],
    "gate_ws_refused.json": [],
    "gate_ws_other_channel.json": [],
    "gate_ws_pong.json": [],
    "gate_ws_liquidates_sell.json": [ev.Liquidation("gate", "BTC_USDT", "long", 124.0, 85215.9, "fill", TIME)],
    "gate_ws_liquidates_zero.json": [ev.Rejected("gate", "futures.public_liquidates", "bad_side", "BTC_USDT")],
    "bitget_ws_liquidation_sell.json": [ev.Liquidation("bitget", "BTCUSDT", "short", 2.0, 80000.0, "fill", TIME)],
    "bitget_ws_liquidation_no_side.json": [ev.Rejected("bitget", "liquidation", "bad_side", "BTCUSDT")],
    "kucoin_ws_settled_rate.json": [],
    "kucoin_ws_execution_ns.json": [],
    "htx_ws_zero_volume.json": [ev.MarkPrice("htx", "BTC-USDT", 85012.35, TIME)],
    "htx_ws_liquidation_buy.json": [ev.Liquidation("htx", "BTC-USDT", "short", 12.0, 85500.0, "bankruptcy", TIME)],
    "htx_ws_estimated_null.json": [],
    "whitebit_ws_bad_price.json": [ev.Rejected("whitebit", "lastprice_update", "bad_price", "BTC_PERP")],
    "bingx_ws_mark.json": [ev.MarkPrice("bingx", "BTC-USDT", 85012.0, TIME)],
    "mexc_ws_funding_old.json": [],
    "mexc_ws_tickers.json": [],
}


@pytest.mark.parametrize("file", FRAMES)
def test_each_message_gives_its_events(file):
    assert of(file.partition("_")[0]).decode(frame(file), NOW) == FRAMES[file]


def test_every_message_file_is_in_the_table():
    assert {path.name for path in HERE.iterdir()} == set(FRAMES)


BAD_PRICES = [
    '"NaN"',
    '"Infinity"',
    "0",
    '"0"',
    "-1",
    '"-85012"',
    '"1e18"',
    "1e300",
    "true",
    "[1]",
    "{}",
    '"1_000"',
    '" 7 "',
]


@pytest.mark.parametrize("raw", BAD_PRICES)
@pytest.mark.parametrize("field", ["mark_price", "index_price", "last"])
def test_what_is_no_price_is_rejected_by_itself(field, raw):
    message = json.loads(frame("gate_ws_ticker.json"))
    message["result"][0][field] = "HERE"
    data = json.dumps(message).replace('"HERE"', raw).encode()
    events = of("gate").decode(data, NOW)
    assert ev.Rejected("gate", "futures.tickers", "bad_price", "BTC_USDT") in events
    assert len(events) == len(GATE)


# --- packing -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zlib.compress])
def test_frames_may_be_packed(pack: Callable[[bytes], bytes]):
    assert len(of("gate").decode(pack(frame("gate_ws_ticker.json")), NOW)) == len(GATE)


def test_a_frame_cut_short_is_a_wire_error():
    with pytest.raises(WireError) as caught:
        of("gate").decode(gzip.compress(frame("gate_ws_ticker.json"))[:-9], NOW)
    assert caught.value.reason == "bad_compression"


@pytest.mark.parametrize(("tail", "good"), [(b"\0\0\0", True), (b"garbage", False), (gzip.compress(b"{}"), False)])
def test_what_follows_a_packed_frame_is_not_lost_in_silence(tail, good):
    """Padding is nothing; anything else might be a second message."""
    packed = gzip.compress(frame("gate_ws_ticker.json")) + tail
    if good:
        assert len(of("gate").decode(packed, NOW)) == len(GATE)
        return
    with pytest.raises(WireError) as caught:
        of("gate").decode(packed, NOW)
    assert caught.value.reason == "bad_compression"


def test_a_bomb_is_not_unpacked_to_its_end():
    with pytest.raises(WireError) as caught:
        of("gate").decode(gzip.compress(b" " * (50 << 20)), NOW)
    assert caught.value.reason == "too_big"


def test_a_packed_text_ping_is_answered():
    """BingX packs the text ``Ping``, which is no JSON."""
    packed = gzip.compress(b"Ping")
    assert of("bingx").decode(packed, NOW) == []
    assert of("bingx").hear(packed) == Word(answer="Pong")


# --- conversation ------------------------------------------------------------------------------------------

HEARD = {
    "gate: refused by number": ("gate", frame("gate_ws_refused.json"), Word(refused=("7",), reason="unknown contract NO_USDT")),
    "gate: acknowledged": ("gate", frame("gate_ws_ack.json"), None),
    "htx: ping of the market": ("htx", gzip.compress(b'{"ping":1763799999027}'), Word(answer='{"pong":1763799999027}')),
    "htx: ping of the notifications": (
        "htx", gzip.compress(b'{"op":"ping","ts":"1763799999058"}'), Word(answer='{"op":"pong","ts":"1763799999058"}'),
    ),
    "htx: the server leaves": ("htx", gzip.compress(b'{"op":"close","ts":1}'), Word(leaving=True)),
    "bitget: refused by name": (
        "bitget",
        b'{"event":"error","arg":{"topic":"ticker","symbol":"BTCUSDT"},"code":"30001","msg":"no"}',
        Word(refused=("ticker/BTCUSDT",), reason="no"),
    ),
    "mexc: refused by a text": (
        "mexc",
        b'{"channel":"rs.error","data":"Contract [BTC_USDT] not exists"}',
        Word(refused=("ticker/BTC_USDT", "fair/BTC_USDT", "funding/BTC_USDT"), reason="Contract [BTC_USDT] not exists"),
    ),
    "mexc: refused, of a contract of somebody else": (
        "mexc", b'{"channel":"rs.error","data":"Contract [DOGE_USDT] not exists"}',
        Word(reason="Contract [DOGE_USDT] not exists"),
    ),
    "garbage": ("gate", b"\x1f\x8b\x00", None),
}  # fmt: skip


@pytest.mark.parametrize(("name", "data", "word"), HEARD.values(), ids=HEARD)
def test_what_is_heard(name, data, word):
    assert of(name).hear(data) == word


def test_nothing_of_a_ping_can_break_out_of_its_answer():
    hostile = json.dumps({"op": "ping", "ts": '","x":"'}).encode()
    assert of("htx").hear(hostile) == Word(answer='{"op":"pong","ts":""}')


SUBSCRIBED = {
    "gate": '{"time":1763800000,"id":5,"channel":"futures.tickers","event":"subscribe","payload":["BTC_USDT"]}',
    "bitget": '{"op":"subscribe","args":[{"instType":"usdt-futures","topic":"ticker","symbol":"BTCUSDT"}]}',
    "mexc": '{"method":"sub.ticker","param":{"symbol":"BTC_USDT"}}',
    "kucoin": '{"id":"5","type":"subscribe","topic":"/contract/instrument:XBTUSDTM","privateChannel":false,"response":true}',
    "htx": '{"sub":"market.BTC-USDT.mark_price.1min","id":"5"}',
    "whitebit": '{"id":5,"method":"lastprice_subscribe","params":["BTC_PERP","ETH_PERP"]}',
    "bingx": f'{{"id":"{unique("bingx", 5, NOW)}","reqType":"sub","dataType":"BTC-USDT@markPrice"}}',
}


@pytest.mark.parametrize("name", SUBSCRIBED)
def test_the_first_request_is_as_the_venue_wants_it(name):
    one = of(name)
    streams = one.connections(WATCHED[name], one.stream_url)[0].streams
    request = one.subscribe(streams, 5, NOW)[0]
    assert request.text == SUBSCRIBED[name]
    assert request.streams == streams[:1]


@pytest.mark.parametrize(
    ("name", "key"), [("gate", "5"), ("bitget", ""), ("mexc", ""), ("kucoin", "5"), ("bingx", unique("bingx", 5, NOW))]
)
def test_a_request_has_the_name_that_its_answer_will_use(name, key):
    one = of(name)
    streams = one.connections(WATCHED[name], one.stream_url)[0].streams
    assert one.subscribe(streams, 5, NOW)[0].key == key


def test_each_request_has_a_number_of_its_own():
    one = of("gate")
    streams = one.connections(WATCHED["gate"], one.stream_url)[0].streams
    assert [request.key for request in one.subscribe(streams, 3, NOW)] == ["3", "4", "5", "6"]


def test_all_that_can_be_asked_for_can_be_ended_where_the_venue_knows_a_word_for_it():
    one = of("gate")
    streams = one.connections(["BTC_USDT"], one.stream_url)[0].streams
    ended = [json.loads(request.text) for request in one.unsubscribe(streams, 1, NOW)]
    assert [(e["event"], e["channel"]) for e in ended] == [
        ("unsubscribe", "futures.tickers"),
        ("unsubscribe", "futures.public_liquidates"),
    ]
    whitebit = of("whitebit")
    assert whitebit.unsubscribe(whitebit.connections(["BTC_PERP"], "")[0].streams, 1, NOW) == []


def test_the_refusal_of_an_end_blames_no_stream():
    """A silent stream is ended and asked for anew: if the venue had forgotten it, there is nothing to end."""
    one = of("htx")
    streams = one.connections(WATCHED["htx"], one.stream_url)[0].streams
    assert [request.key for request in one.unsubscribe(streams, 5, NOW)] == ["", ""]
    assert [request.key for request in one.subscribe(streams, 7, NOW)] == ["7", "8"]


def test_a_ping_is_said_with_number_and_time():
    assert of("gate").keepalive.text(3, NOW) == '{"time":1763800000,"channel":"futures.ping"}'
    assert of("kucoin").keepalive.text(3, NOW) == '{"id":"3","type":"ping"}'
    assert of("bitget").keepalive.text(3, NOW) == "ping"


# --- addresses ---------------------------------------------------------------------------------------------


def test_sockets_of_several_paths_keep_them_elsewhere():
    one = of("htx")
    at_home = [c.url for c in one.connections(["BTC-USDT"], one.stream_url)]
    assert at_home == [
        "wss://api.hbdm.com/ws_index",
        "wss://api.hbdm.com/linear-swap-ws",
        "wss://api.hbdm.com/linear-swap-notification",
    ]
    assert [c.url for c in one.connections(["BTC-USDT"], "ws://127.0.0.1:9")] == [
        "ws://127.0.0.1:9/ws_index",
        "ws://127.0.0.1:9/linear-swap-ws",
        "ws://127.0.0.1:9/linear-swap-notification",
    ]


def test_sockets_of_several_hosts_keep_them_at_home():
    first = DEFINITIONS["htx"].sockets[0]
    second = msgspec.structs.replace(DEFINITIONS["htx"].sockets[1], url="wss://other.example.com/b?c=1")
    one = venue(msgspec.structs.replace(DEFINITIONS["htx"], sockets=(first, second)))
    assert [c.url for c in one.connections(["X"], one.stream_url)] == [first.url, second.url]
    assert [c.url for c in one.connections(["X"], "ws://127.0.0.1:9")][1] == "ws://127.0.0.1:9/b?c=1"


def test_a_second_connection_is_opened_beyond_the_limit_of_the_first():
    one = of("kucoin")
    found = one.connections([f"C{number}USDTM" for number in range(91)], one.stream_url)
    assert [(c.name, len(c.streams)) for c in found] == [("market", 90), ("market-2", 1)]


def test_resources_of_one_host_are_paths():
    one = of("gate")
    assert (one.rest_url, one.polls(["BTC_USDT"])[1].path) == (
        "https://api.gateio.ws",
        "/api/v4/futures/usdt/contracts/BTC_USDT",
    )


def test_resources_of_several_hosts_are_whole_addresses_unless_all_are_elsewhere():
    at_home = of("kucoin")
    assert at_home.rest_url == ""
    assert at_home.polls(["XBTUSDTM"])[2].path == "https://api.kucoin.com/api/ua/v1/market/position-tiers"
    assert at_home.admission is not None
    assert at_home.admission.path == "https://api-futures.kucoin.com/api/v1/bullet-public"
    moved = venue(DEFINITIONS["kucoin"], "http://127.0.0.1:9").watching(["XBTUSDTM"])
    assert (moved.rest_url, moved.polls(["XBTUSDTM"])[2].path) == (
        "http://127.0.0.1:9",
        "/api/ua/v1/market/position-tiers",
    )


def test_a_resource_for_one_contract_is_read_for_each():
    found = [poll for poll in of("htx").polls(["BTC-USDT", "ETH-USDT"]) if poll.resource == "open_interest"]
    assert [poll.params for poll in found] == [{"contract_code": "BTC-USDT"}, {"contract_code": "ETH-USDT"}]


BOOTSTRAP = Bootstrap(
    path="/t", host="https://x.example.com", url="u", token="t", ping_ms="p", connect="${url}?token=${token}&id=${uuid}"
)


def test_a_token_makes_an_address_and_the_venue_sets_the_ping():
    leave = admission("x", BOOTSTRAP, whole_address=False).decode(
        b'{"u":"wss://f.example.com/","t":"a b","p":18000}', ""
    )
    assert leave.url.startswith("wss://f.example.com/?token=a%20b&id=")
    assert leave.keepalive_seconds == 18.0


@pytest.mark.parametrize(
    "body",
    [
        b'{"u":"ws://f.example.com","t":"a"}',
        b'{"u":"http://f.example.com","t":"a"}',
        b'{"u":"wss://user@f.example.com","t":"a"}',
        b'{"u":"wss://f.example.com\\n","t":"a"}',
        b'{"u":"wss://","t":"a"}',
        b'{"u":"wss://f.example.com:99999","t":"a"}',
        b'{"u":"wss://f.example.com"}',
        b'{"t":"a"}',
        b"[]",
        b"nonsense",
    ],
)
def test_an_address_that_is_not_safe_is_not_called(body):
    with pytest.raises(WireError):
        admission("x", BOOTSTRAP, whole_address=False).decode(body, "")


def test_a_token_is_not_sent_to_an_address_in_clear():
    plain = msgspec.structs.replace(BOOTSTRAP, connect="ws://f.example.com?token=${token}")
    with pytest.raises(WireError):
        admission("x", plain, whole_address=False).decode(b'{"u":"wss://f.example.com","t":"a"}', "")


def test_the_operators_address_stands_in_for_the_one_that_the_venue_names():
    """A relay must not be passed by because the address comes with a token."""
    one = of("kucoin")
    assert one.admission is not None
    body = b'{"data":{"token":"a","instanceServers":[{"endpoint":"wss://ws-api-futures.kucoin.com/"}]}}'
    home, moved = (one.connections(["XBTUSDTM"], base)[0].url for base in (one.stream_url, "wss://relay.example.com/k"))
    assert one.admission.decode(body, home).url.startswith("wss://ws-api-futures.kucoin.com/?token=a&connectId=")
    assert one.admission.decode(body, moved).url.startswith("wss://relay.example.com/k/?token=a&connectId=")


# --- units -------------------------------------------------------------------------------------------------


def small(**rows) -> Definition:
    """A venue of one stream with *rows*."""
    streams = {"x": Rows(**{"name": "x", "rows": "data[]", "symbol": "s", **rows})}
    subscription = Subscription(name="x", scope="subscribe", send="${symbol}")
    socket = Socket(name="one", url="wss://x.example.com/a", subscriptions=(subscription,), streams=streams, key="k")
    return Definition(name="small", kind="linear", source="a test", date="2026-11-22", sockets=(socket,))


def read(definition: Definition, *rows: object, known: Known | None = None) -> list[ev.Event]:
    assert known is None
    return venue(definition).decode(json.dumps({"k": "x", "data": list(rows)}).encode(), NOW)


def test_amounts_in_coins_say_nothing_until_the_contract_size_is_known():
    fields = {"open_interest_base": "oi"}
    unknown = small(fields=fields)
    sized = msgspec.structs.replace(
        unknown, contracts={"*": Contract(contract_size=0.001, source="a page", date="2026-11-22")}
    )
    assert read(unknown, {"s": "A", "oi": 5}) == []
    assert read(sized, {"s": "A", "oi": 5}) == [ev.OpenInterest("small", "A", 5000.0, NOW)]


def test_the_contract_list_teaches_the_size():
    poll = PollRows(
        name="contracts",
        path="/c",
        rows="@",
        symbol="s",
        fields={"contract_size": "size"},
        every_seconds=60.0,
        host="https://x.example.com",
    )
    one = venue(msgspec.structs.replace(small(fields={"open_interest_base": "oi"}), polls=(poll,))).watching(["A"])
    frame_of = json.dumps({"k": "x", "data": [{"s": "A", "oi": 5}]}).encode()
    assert one.decode(frame_of, NOW) == []
    one.polls(["A"])[0].decode(b'[{"s":"A","size":"0.01"}]', NOW)
    assert one.decode(frame_of, NOW) == [ev.OpenInterest("small", "A", 500.0, NOW)]


def test_amounts_in_quote_currency_are_counted_by_the_price_beside_them():
    sized = {"*": Contract(contract_size=0.001, source="a page", date="2026-11-22")}
    definition = msgspec.structs.replace(
        small(fields={"mark_price": "p", "open_interest_quote": "oi"}), contracts=sized
    )
    assert read(definition, {"s": "A", "p": 50_000, "oi": 100_000})[1:] == [ev.OpenInterest("small", "A", 2000.0, NOW)]
    assert read(definition, {"s": "A", "oi": 100_000}) == []


def test_an_inverse_contract_is_of_quote_currency():
    sized = {"*": Contract(contract_size=100.0, source="a page", date="2026-11-22")}
    definition = msgspec.structs.replace(
        small(fields={"mark_price": "p", "open_interest_base": "oi"}), contracts=sized, kind="inverse"
    )
    assert read(definition, {"s": "A", "p": 50_000, "oi": 2})[1:] == [ev.OpenInterest("small", "A", 1000.0, NOW)]


def test_best_quotes_need_all_four_values():
    fields = {"bid_price": "b", "bid_contracts": "bs", "ask_price": "a", "ask_contracts": "as"}
    assert read(small(fields=fields), {"s": "A", "b": 1, "bs": 2, "a": 3, "as": 0}) == [
        ev.BestQuote("small", "A", 1.0, 2.0, 3.0, 0.0, NOW)
    ]
    assert read(small(fields=fields), {"s": "A", "b": 1, "bs": 2, "a": 3}) == []


@pytest.mark.parametrize(
    ("field", "raw", "time"),
    [
        ("next_funding_ms", "1763812800000", 1763812800.0),
        ("next_funding_s", 1763812800, 1763812800.0),
        ("next_funding_ms_remaining", 12_800_000, 1763812800.0),
        ("next_funding_s_remaining", "12800", 1763812800.0),
    ],
)
def test_when_funding_is_charged_may_be_a_time_or_what_remains(field, raw, time):
    events = read(small(fields={"funding_rate": "r", field: "n"}), {"s": "A", "r": "0E-18", "n": raw})
    assert events == [ev.FundingRate("small", "A", 0.0, time, NOW)]


def test_a_rate_alone_takes_the_time_that_was_told_elsewhere_and_never_an_old_one():
    one = of("kucoin")
    rate = json.dumps(
        {"topic": "/contract/instrument:XBTUSDTM", "subject": "funding.rate", "data": {"granularity": 60000, "fundingRate": 0.00004, "timestamp": 1763799999000}}
    ).encode()  # fmt: skip
    assert one.decode(rate, NOW) == []
    contract = next(poll for poll in one.polls(["XBTUSDTM"]) if poll.resource == "contract")
    contract.decode(b'{"code":"200000","data":{"symbol":"XBTUSDTM","nextFundingRateTime":5000}}', NOW)
    assert one.decode(rate, NOW) == [ev.FundingRate("kucoin", "XBTUSDTM", 0.00004, NOW + 5.0, 1763799999.0)]
    assert one.decode(rate, NOW + 6.0) == []


def test_a_rate_whose_row_may_lack_the_time_takes_that_of_the_poll():
    """MEXC: older pushes have no ``nextSettleTime``."""
    one = of("mexc")
    assert one.decode(frame("mexc_ws_funding_old.json"), NOW) == []
    funding = next(poll for poll in one.polls(["BTC_USDT"]) if poll.resource == "funding")
    funding.decode(b'{"success":true,"data":{"collectCycle":8,"nextSettleTime":1763812800000}}', NOW)
    assert one.decode(frame("mexc_ws_funding_old.json"), NOW) == [
        ev.FundingRate("mexc", "BTC_USDT", 8e-05, 1763812800.0, TIME)
    ]


def test_a_bad_time_of_funding_costs_the_rate_alone():
    fields = {"funding_rate": "r", "next_funding_ms": "n", "open_interest_contracts": "oi"}
    assert read(small(fields=fields), {"s": "A", "r": 0.1, "n": 5, "oi": 7}) == [
        ev.Rejected("small", "x", "bad_time", "A"),
        ev.OpenInterest("small", "A", 7.0, NOW),
    ]


@pytest.mark.parametrize(
    ("raw", "unit", "found"),
    [
        (1763799999512, "ms", TIME),
        ("1763799999512", "auto", TIME),
        (1763799999.512, "s", TIME),
        ("1763799999.512", "auto", TIME),
        (1763799999512000, "us", TIME),
        ("1763799999512000000", "ns", TIME),
        (1763799999512000000, "auto", TIME),
        ("2025-11-22T08:26:39.512Z", "iso", TIME),
        ("2025-11-22T08:26:39.512Z", "auto", TIME),
    ],
)
def test_times_come_in_many_units(raw, unit, found):
    assert seconds(raw, unit) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize(
    ("raw", "unit"),
    [(1763799999, "ms"), (1763799999512, "s"), (0, "auto"), (-5, "s"), (True, "s"), (None, "ms"), ([], "auto"), ("nan", "s"), ("1e3", "auto"), ("x", "iso"), (float("inf"), "s")],
)  # fmt: skip
def test_what_is_no_time_is_a_wire_error(raw, unit):
    with pytest.raises(WireError) as caught:
        seconds(raw, unit)
    assert caught.value.reason == "bad_time"


# --- rows --------------------------------------------------------------------------------------------------


def test_a_map_by_contract_has_its_names_as_keys():
    definition = small(rows="data", rows_as="map", symbol="", fields={"index_price": "oraclePrice"})
    message = {"k": "x", "data": {"BTC-USD": {"oraclePrice": "85020"}, "ETH-USD": {"oraclePrice": "0"}}}
    assert venue(definition).decode(json.dumps(message).encode(), NOW) == [
        ev.IndexPrice("small", "BTC-USD", 85020.0, NOW),
        ev.Rejected("small", "x", "bad_price", "ETH-USD"),
    ]


@pytest.mark.parametrize(
    ("said", "count"), [('"business_type":"swap",', 1), ("", 1), ('"business_type":"futures",', 0)]
)
def test_a_liquidation_at_htx_need_not_say_that_it_is_one_of_a_perpetual(said, count):
    row = f'{{"contract_code":"BTC-USDT",{said}"direction":"sell","volume":3,"price":80000,"created_at":1763799999512}}'
    text = f'{{"op":"notify","topic":"public.BTC-USDT.liquidation_orders","ts":1763799999513,"data":[{row}]}}'
    assert len(of("htx").decode(text.encode(), NOW)) == count


def test_a_contract_margined_in_its_coin_is_none_of_mexcs_linear_ones():
    """It would be calculated as if its margin were dollars."""
    detail = next(poll for poll in of("mexc").polls(["BTC_USDT"]) if poll.resource == "detail")
    row = '{"symbol":"BTC_USDT","baseCoin":"BTC","quoteCoin":"USDT","settleCoin":"%s","contractSize":100,"state":0}'
    for settle, kinds in (("USDT", [ev.ContractTerms]), ("BTC", [])):
        other = (row % "USDT").replace("BTC_USDT", "ETH_USDT")
        body = f'{{"success":true,"data":[{row % settle},{other}]}}'
        events = detail.decode(body.encode(), NOW)
        assert [type(e) for e in events if type(e) is not ev.ContractStatus] == kinds


def test_an_array_by_position_is_read_by_position():
    definition = small(rows="[data]", symbol="[0]", fields={"mark_price": "[1][2]"})
    message = {"k": "x", "data": ["A", [None, 0, "8.5"]]}
    assert venue(definition).decode(json.dumps(message).encode(), NOW) == [ev.MarkPrice("small", "A", 8.5, NOW)]


def test_accounts_may_spell_a_contract_otherwise():
    definition = msgspec.structs.replace(small(fields={"mark_price": "p"}), symbols={"BTCUSDT": "XBTUSDTM"})
    one = venue(definition).watching(["BTCUSDT"])
    message = json.dumps({"k": "x", "data": [{"s": "XBTUSDTM", "p": 8}]}).encode()
    assert one.decode(message, NOW) == [ev.MarkPrice("small", "BTCUSDT", 8.0, NOW)]
    assert one.subscribe(one.connections(["BTCUSDT"], "")[0].streams, 1, NOW)[0].text == "XBTUSDTM"
    venues_own = venue(definition).watching(["XBTUSDTM"])
    assert venues_own.decode(message, NOW) == [ev.MarkPrice("small", "XBTUSDTM", 8.0, NOW)]


def test_a_complete_list_tells_what_is_not_listed():
    contracts = of("gate").polls(WATCHED["gate"])[0]
    events = contracts.decode(b'[{"name":"BTC_USDT","quanto_multiplier":"0.0001","in_delisting":true}]', NOW)
    assert [(type(e), e.symbol, e.watchable) for e in events] == [
        (ev.ContractTerms, "BTC_USDT", False),
        (ev.ContractStatus, "ETH_USDT", False),
    ]


def test_a_list_with_a_row_that_cannot_be_read_says_nothing_of_what_is_missing():
    contracts = of("gate").polls(WATCHED["gate"])[0]
    events = contracts.decode(b'[{"quanto_multiplier":"1"},{"name":"BTC_USDT","quanto_multiplier":"0.0001"}]', NOW)
    assert not [e for e in events if type(e) is ev.ContractStatus]


@pytest.mark.parametrize("body", [b"[]", b"{}", b"null", b'{"label":"X"}', b"<html>"])
def test_an_empty_list_calls_nothing_unlisted(body):
    with pytest.raises(WireError):
        of("gate").polls(WATCHED["gate"])[0].decode(body, NOW)


def test_an_error_in_an_envelope_is_no_answer():
    with pytest.raises(WireError) as caught:
        of("bitget").polls(["BTCUSDT"])[0].decode(b'{"code":"40034","msg":"no","data":[]}', NOW)
    assert caught.value.reason == "refused"


def test_a_ladder_with_a_tier_that_cannot_be_read_is_not_used_at_all():
    tiers = next(poll for poll in of("gate").polls(["BTC_USDT"]) if poll.resource == "tiers")
    events = tiers.decode(b'[{"risk_limit":"100","maintenance_rate":"0.004"},{"risk_limit":"200"}]', NOW)
    assert events == [ev.Rejected("gate", "tiers", "bad_tier", "BTC_USDT")]
    falling = b'[{"risk_limit":"100","maintenance_rate":"0.005"},{"risk_limit":"200","maintenance_rate":"0.004"}]'
    assert tiers.decode(falling, NOW) == [ev.Rejected("gate", "tiers", "bad_ladder", "BTC_USDT")]


def test_what_the_operator_wrote_in_comes_as_events():
    """Where no resource tells it: a contract size, and a fund as old as its source."""
    definition = msgspec.structs.replace(
        small(fields={"mark_price": "p"}),
        symbol_parts="(?P<base>[A-Z]+)-(?P<quote>USDT)",
        contracts={"*": Contract(contract_size=0.1, source="a page", date="2026-11-20")},
        funds=(
            Fund(pool="main", asset="USDT", balance=700.0, time=NOW - 86_400.0, source="a page", date="2025-11-21"),
        ),
    )
    terms, fund = said_by_hand(definition, ["XBT-USDT"], NOW)
    assert (terms.contract_size, terms.base, terms.settle, terms.status) == (0.1, "BTC", "USDT", "as of 2026-11-20")
    assert fund == ev.InsuranceFund("small", "main", "USDT", 700.0, ("XBT-USDT",), NOW - 86_400.0)


def test_the_table_of_venues_says_where_each_fact_comes_from():
    shown = {f.fact: (f.how, f.source) for f in of("gate").features}
    assert shown["mark"] == ("stream", "futures.tickers")
    assert shown["insurance fund"] == ("poll", "insurance")
    assert "ADL" not in shown
    assert "mark" not in {f.fact for f in of("whitebit").features}


def test_a_rule_stands_with_its_source_and_date_or_not_at_all():
    rules = {name: of(name).rules for name in WATCHED}
    assert {name for name in rules if rules[name]} == {"gate", "kucoin"}
    assert all(rule.source and rule.date for each in rules.values() for rule in each.values())


# --- whatever comes ----------------------------------------------------------------------------------------

SAMPLES = [frame(file) for file in FRAMES]


def survives(name: str, data: bytes) -> None:
    one = of(name)
    for decode in (one.decode, *(poll.decode for poll in one.polls(WATCHED[name]))):
        try:
            events = decode(data, NOW)
        except WireError:
            continue
        assert isinstance(events, list)
    one.hear(data)


@settings(max_examples=80, deadline=None)
@pytest.mark.parametrize("name", WATCHED)
@given(data=st.binary(max_size=200))
def test_garbage_is_a_wire_error_at_worst(name, data):
    survives(name, data)
    survives(name, gzip.compress(data))


@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("name", WATCHED)
@given(
    sample=st.sampled_from(SAMPLES),
    put=st.sampled_from([b"null", b"[]", b"{}", b"-1", b'"x"', b"1e999", b"true"]),
    at=st.integers(0, 30),
)
def test_a_message_with_any_value_replaced_is_a_wire_error_at_worst(name, sample, put, at):
    parts = sample.split(b":")
    at = 1 + at % (len(parts) - 1)
    survives(name, b":".join([*parts[:at], put + b"," + parts[at].partition(b",")[2], *parts[at + 1 :]]))
    survives(
        name, b":".join([*parts[:at], b" " + put + (b"}" if at == len(parts) - 1 else b', "y"'), *parts[at + 1 :]])
    )


def test_a_name_without_end_is_not_searched():
    """A pattern's cost may rise with the square of the text: this one would take hours."""
    endless = json.dumps({"topic": ":" * 900_000 + ",", "subject": "mark.index.price", "data": {"markPrice": 1}})
    assert of("kucoin").decode(endless.encode(), NOW) == [ev.Rejected("kucoin", "mark.index.price", "no_symbol")]


def test_a_frame_nested_beyond_all_measure_is_a_wire_error():
    for depth in (500, 100_000):
        survives("gate", b"[" * depth + b"]" * depth)
        survives("gate", b'{"result":' * depth + b"1" + b"}" * depth)


def test_recorded_frames_of_other_channels_give_nothing():
    if not RECORDED.exists():
        pytest.skip("the recorded frames are not here")
    one = of("gate")
    with gzip.open(RECORDED) as lines:
        frames = [json.loads(line)["frame"].encode() for line in lines]
    assert len(frames) > 200
    assert [event for data in frames for event in one.decode(data, NOW)] == []
