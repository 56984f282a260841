"""What every live venue owes the rest of the house, whatever its wire."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core import events as ev
from monitor.errors import MonitorError, WireError
from monitor.numbers import LIMIT
from monitor.venues import VENUES
from monitor.venues.base import FACTS, Word

NOW = 1795169710.0
HERE = Path(__file__).parent

pytestmark = pytest.mark.parametrize("name", sorted(VENUES))

WATCHED = {
    "binance": ("BTCUSDT", "ETHUSDT"),
    "binance-coinm": ("BTCUSD_PERP", "ETHUSD_PERP"),
    "bybit": ("BTCUSDT", "BTCUSD"),
    "deribit": ("BTC-PERPETUAL", "BTC_USDC-PERPETUAL"),
    "dydx": ("BTC-USD", "ETH-USD"),
    "hyperliquid": ("BTC", "ETH"),
    "kraken-futures": ("PF_XBTUSD", "PI_XBTUSD"),
    "lighter": ("BTC", "ETH"),
    "okx": ("BTC-USDT-SWAP", "BTC-USD-SWAP"),
}

BAD = [
    math.nan,
    math.inf,
    -math.inf,
    0,
    -1,
    1e18,
    1e300,
    "NaN",
    "Infinity",
    "1_000",
    " 7 ",
    "0x10",
    "",
    None,
    True,
    [1],
    {},
]


def folder(name: str) -> Path:
    return HERE / name.replace("-", "_")


def frames(name: str) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in sorted(folder(name).glob("ws_*.json"))}


def spoilt(value, replace_with):
    """Yield copies of *value* in which one leaf is replaced, each leaf in turn."""
    if isinstance(value, dict):
        for key, inner in value.items():
            for changed in spoilt(inner, replace_with):
                yield {**value, key: changed}
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            for changed in spoilt(inner, replace_with):
                yield [*value[:index], changed, *value[index + 1 :]]
    elif not isinstance(value, list):
        yield replace_with


def numbers(event):
    for field in event.__struct_fields__:
        value = getattr(event, field)
        if isinstance(value, float):
            yield field, value
        elif isinstance(value, tuple):
            yield from ((field, number) for row in value if isinstance(row, tuple) for number in row)


def check(event) -> None:
    """Hold one event against what every event promises."""
    for field, value in numbers(event):
        assert math.isfinite(value), (field, event)
        assert abs(value) < LIMIT, (field, event)
        if field.endswith("price") and field != "limit_price":
            assert value > 0.0, (field, event)
    if isinstance(event, ev.FundingRate):
        assert -1.0 < event.funding_rate < 1.0
    if isinstance(event, ev.BookChange):
        assert all(price > 0.0 and contracts >= 0.0 for price, contracts in (*event.bids, *event.asks))
    if isinstance(event, ev.Liquidation):
        assert event.position_side in {"long", "short"}
        assert event.price_kind in {"fill", "bankruptcy"}
        assert event.method in {"market", "takeover", "adl"}


def test_the_registry_knows_it_by_its_own_name(name):
    assert VENUES[name].name == name


def test_its_rules_have_a_source_and_a_date(name):
    for rule in VENUES[name].rules.values():
        assert rule.source
        assert rule.date


def test_what_it_gives_is_told_in_the_words_that_all_venues_use(name):
    features = VENUES[name].features
    assert {feature.fact for feature in features} <= set(FACTS)
    assert {"mark", "funding", "contracts", "last"} <= {feature.fact for feature in features}
    assert {feature.how for feature in features} <= {"stream", "poll", "shipped", "file"}
    assert all(feature.source for feature in features)


def test_every_stream_has_a_name_of_its_own_and_a_rhythm_where_data_are_expected(name):
    venue = VENUES[name].watching(WATCHED[name])
    streams = [s for c in venue.connections(WATCHED[name], "ws://x") for s in c.streams]
    assert len({stream.name for stream in streams}) == len(streams)
    assert all(stream.expected_interval > 0.0 for stream in streams if stream.field is not None)
    for symbol in WATCHED[name]:
        assert any(symbol in stream.symbols and stream.field == "mark" for stream in streams), symbol


def test_connections_have_names_of_their_own_and_lie_below_the_address_they_are_given(name):
    venue = VENUES[name].watching(WATCHED[name])
    found = venue.connections(WATCHED[name], "ws://host:1")
    assert len({connection.name for connection in found}) == len(found)
    assert all(connection.url.startswith("ws://host:1/") for connection in found)


def test_a_mark_that_may_stand_still_is_confirmed_before_it_looks_stale(name):
    venue = VENUES[name].watching(WATCHED[name])
    streams = [s for c in venue.connections(WATCHED[name], "ws://x") for s in c.streams if s.field == "mark"]
    assert all(stream.expected_interval <= venue.expected_intervals["mark"] for stream in streams)
    assert venue.expected_intervals["mark"] <= 10.0, "three of them must fit into the longest T_stale"


def test_its_terms_are_read_before_the_streams_start_and_again_when_a_price_jumps(name):
    polls = VENUES[name].watching(WATCHED[name]).polls(WATCHED[name])
    assert any(poll.essential and poll.terms for poll in polls)
    assert any(poll.essential for poll in polls)


def test_it_is_asked_for_everything_in_control_frames_that_say_what_they_are_about(name):
    venue = VENUES[name].watching(WATCHED[name])
    for connection in venue.connections(WATCHED[name], "ws://x"):
        if connection.after:
            continue  # what it is called is not known yet
        for words in (venue.subscribe, venue.unsubscribe):
            requests = words(connection.streams, 1, NOW)
            assert {s.name for request in requests for s in request.streams} == {s.name for s in connection.streams}
            keys = [request.key for request in requests if request.key]
            assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "garbage", [b"", b"{", b"[]", b"null", b"7", b'"x"', b"<html>", b"\xff\xfe", b"[" * 5000, b"{}"]
)
def test_garbage_gives_a_wire_error_or_nothing(name, garbage):
    venue = VENUES[name].watching(WATCHED[name])
    found: list[ev.Event] = []
    with suppress(WireError):
        found = venue.decode(garbage, NOW)
    assert all(isinstance(event, ev.Rejected) for event in found)
    venue.hear(garbage)


@pytest.mark.parametrize("bad", BAD, ids=repr)
def test_no_bad_value_in_any_place_of_any_frame_becomes_a_fact(name, bad):
    venue = VENUES[name].watching(WATCHED[name])
    text = json.dumps(bad)
    seen = 0
    for frame in frames(name).values():
        try:
            message = json.loads(frame)
        except ValueError:
            continue
        if len(frame) > 6000:
            continue  # its rows are like those of the short ones
        for changed in spoilt(message, "\x00here"):
            data = json.dumps(changed).replace('"\\u0000here"', text).encode()
            seen += 1
            try:
                found = venue.decode(data, NOW)
            except WireError:
                found = []
            for event in found:
                check(event)
            venue.hear(data)
    assert seen > 50


def test_unknown_fields_change_nothing(name):
    venue = VENUES[name].watching(WATCHED[name])

    def widened(value):
        if isinstance(value, dict):
            return {**{key: widened(inner) for key, inner in value.items()}, "zz_unknown": {"a": [1, None, "x"]}}
        return [widened(inner) for inner in value] if isinstance(value, list) else value

    compared = 0
    for label, frame in frames(name).items():
        try:
            message = json.loads(frame)
            expected = venue.decode(frame, NOW)
        except (ValueError, MonitorError):
            continue
        if not isinstance(message, dict) or not expected or "map" in label or "all" in label:
            continue
        outer = {**message, "zz_unknown": {"a": 1}}
        assert venue.decode(json.dumps(outer).encode(), NOW) == expected, label
        compared += 1
    assert compared >= 3


@settings(deadline=None, max_examples=150, derandomize=True)
@given(data=st.data())
def test_mutilated_frames_raise_nothing_but_wire_errors(name, data):
    venue = VENUES[name].watching(WATCHED[name])
    frame = bytearray(data.draw(st.sampled_from(list(frames(name).values()))))
    for _ in range(data.draw(st.integers(1, 6))):
        if frame:
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    try:
        for event in venue.decode(bytes(frame), NOW):
            check(event)
    except WireError:
        pass
    word = venue.hear(bytes(frame))
    assert word is None or isinstance(word, Word)


@settings(deadline=None, max_examples=100, derandomize=True)
@given(
    body=st.one_of(st.binary(max_size=60), st.from_regex(rb'\{"(code|result|data|retCode)":.{0,30}\}', fullmatch=True))
)
def test_bodies_of_any_kind_raise_nothing_but_wire_errors(name, body):
    for poll in VENUES[name].watching(WATCHED[name]).polls(WATCHED[name]):
        try:
            for event in poll.decode(body, NOW):
                check(event)
        except WireError:
            pass


def test_events_survive_the_journey_through_json(name):
    venue = VENUES[name].watching(WATCHED[name])
    for frame in frames(name).values():
        try:
            events = venue.decode(frame, NOW)
        except WireError:
            continue
        assert msgspec.json.decode(msgspec.json.encode(events), type=list[ev.Event]) == events
