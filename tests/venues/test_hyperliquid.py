"""Hyperliquid: whole messages of the venue's shape into the expected events, including those that must give none."""

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
from monitor.venues import hyperliquid, hyperliquid_wire
from monitor.venues.base import FACTS, Word

HERE = Path(__file__).parent / "hyperliquid"
RECORDED = Path(__file__).parents[3] / "shared" / "data"
V = "hyperliquid"
T = 1795169703.0
NOW = T + 2.5
HOUR = 1795172400.0
MAKER, LIQUIDATOR = "0x" + "a1" * 20, "0x" + "b2" * 20


def refused(channel: str, reason: str, symbol: str = "") -> ev.Rejected:
    return ev.Rejected(V, channel, reason, symbol)


def state(coin: str, mark: float, index: float, rate: float, interest: float) -> list[ev.Event]:
    return [
        ev.MarkPrice(V, coin, mark, NOW),
        ev.IndexPrice(V, coin, index, NOW),
        ev.FundingRate(V, coin, rate, HOUR, NOW),
        ev.OpenInterest(V, coin, interest, NOW),
    ]


BTC = state("BTC", 90012.0, 90031.0, 0.0000113712, 31420.55512)
PEPE = state("kPEPE", 0.004312, 0.00431, 0.0000125, 81_200_000.0)

FRAMES = {
    "ws_active_asset_ctx": BTC,
    "ws_active_asset_ctx_builder": state("xyz:GOLD", 4051.87, 4050.2, -0.00000625, 1204.5),
    "ws_active_asset_ctx_delisted": [
        ev.MarkPrice(V, "CANTO", 0.0091, NOW),
        ev.FundingRate(V, "CANTO", 0.0, HOUR, NOW),
        ev.OpenInterest(V, "CANTO", 0.0, NOW),
    ],
    "ws_active_asset_ctx_bad_values": [
        refused("mark_price", "bad_price", "BTC"),
        refused("index_price", "bad_price", "BTC"),
        refused("funding_rate", "bad_rate", "BTC"),
        refused("open_interest", "bad_quantity", "BTC"),
    ],
    "ws_active_asset_ctx_empty": [BTC[1]],
    "ws_trades": [ev.LastPrice(V, "BTC", 90012.0, T + 0.12)],
    "ws_trades_backlog": [
        ev.LastPrice(V, "BTC", 90011.0, T - 14.0),
        ev.LastPrice(V, "BTC", 90013.0, T - 2.5),
        ev.LastPrice(V, "BTC", 90014.0, T + 0.9),
    ],
    "ws_trades_bad_row": [
        refused("last_price", "not_an_object"),
        refused("last_price", "bad_time"),
        refused("last_price", "bad_price", "BTC"),
        refused("last_price", "no_price", "BTC"),
        ev.LastPrice(V, "BTC", 90015.0, T + 0.4),
    ],
    "ws_l2_book": [
        ev.BookChange(
            V,
            "BTC",
            ((90009.0, 4.11205), (90008.0, 0.5)),
            ((90010.0, 2.905), (90013.0, 12.0)),
            T + 0.546,
            whole=True,
        )
    ],
    "ws_l2_book_empty": [ev.BookChange(V, "CANTO", (), (), T + 0.546, whole=True)],
    "ws_l2_book_bad_level": [refused("book", "bad_level", "BTC")],
    "ws_bbo": [ev.BestQuote(V, "BTC", 90009.0, 4.112, 90010.0, 2.905, T + 0.101)],
    "ws_bbo_one_side": [],
    "ws_bbo_one_row": [],
    "ws_bbo_bad_price": [refused("best_quote", "bad_price", "BTC")],
    "ws_user_fills_snapshot": [],
    "ws_user_fills_ordinary": [],
    "ws_user_fills_market": [ev.Liquidation(V, "BTC", "short", 0.45, 90020.0, "fill", T + 0.894, method="market")],
    "ws_user_fills_backstop": [ev.Liquidation(V, "BTC", "long", 12.5, 89200.0, "fill", T + 0.894, method="takeover")],
    "ws_user_fills_own": [ev.Liquidation(V, "BTC", "long", 0.2, 89900.0, "fill", T + 0.894, method="market")],
    "ws_user_fills_bad_row": [
        refused("liquidation", "bad_row", "BTC"),
        refused("liquidation", "bad_row", "BTC"),
        refused("liquidation", "bad_row", "ETH"),
        refused("liquidation", "bad_row"),
        ev.Liquidation(V, "SOL", "long", 7.0, 130.1, "fill", T + 0.895, method="market"),
    ],
    "ws_user_events": [],
    "ws_ack": [],
    "ws_pong": [],
    "ws_error_already": [],
    "ws_error_parse": [],
    "ws_error_user": [],
    "ws_error_users": [],
    "ws_post": [],
    "ws_all_mids": [],
    "ws_all_dexs_asset_ctxs": [],
    "ws_active_spot_asset_ctx": [],
}


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
    assert near(hyperliquid.decode(frame(name), NOW)) == near(FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_the_quick_and_the_careful_way_agree(name):
    assert hyperliquid_wire.decode_slowly(frame(name), NOW) == hyperliquid.decode(frame(name), NOW)


def test_every_recorded_shape_is_expected_somewhere():
    assert {p.stem for p in HERE.glob("ws_*.json")} - {"ws_l2_book_microseconds"} == set(FRAMES)


def test_a_time_in_another_unit_is_refused():
    with pytest.raises(WireError) as error:
        hyperliquid.decode(frame("ws_l2_book_microseconds"), NOW)
    assert error.value.reason == "bad_time"


def test_the_plain_greeting_of_older_servers_says_nothing():
    assert hyperliquid.decode(b"Websocket connection established.", NOW) == []


@pytest.mark.parametrize("name", FRAMES)
def test_unknown_fields_change_nothing(name):
    def with_news(value):
        if isinstance(value, dict):
            return {key: with_news(inner) for key, inner in value.items()} | {"zzNew": {"deep": [1, "2", None]}}
        return [with_news(inner) for inner in value] if isinstance(value, list) else value

    message = json.dumps(with_news(json.loads(frame(name)))).encode()
    assert near(hyperliquid.decode(message, NOW)) == near(FRAMES[name])


PRICES = [
    ("ws_active_asset_ctx", ("ctx", "markPx"), ev.MarkPrice),
    ("ws_active_asset_ctx", ("ctx", "oraclePx"), ev.IndexPrice),
    ("ws_trades", (0, "px"), ev.LastPrice),
    ("ws_bbo", ("bbo", 0, "px"), ev.BestQuote),
    ("ws_bbo", ("bbo", 1, "px"), ev.BestQuote),
    ("ws_l2_book", ("levels", 0, 1, "px"), ev.BookChange),
    ("ws_l2_book", ("levels", 1, 0, "px"), ev.BookChange),
    ("ws_user_fills_market", ("fills", 1, "px"), ev.Liquidation),
]


def spoiled(name: str, path: tuple, value: object) -> bytes:
    message = json.loads(frame(name))
    place = message["data"]
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(message).encode()


@pytest.mark.parametrize(
    "value",
    ["NaN", "Infinity", "-1", "0", "1e30", "1_000", "0x10", " 1", "٣", True, [], {}, 0, -5, 1e19, 10**400],
    ids=str,
)
@pytest.mark.parametrize(("name", "path", "kind"), PRICES)
def test_what_is_no_price_never_becomes_one(name, path, kind, value):
    events = hyperliquid.decode(spoiled(name, path, value), NOW)
    assert not [e for e in events if isinstance(e, kind)]
    assert [e for e in events if isinstance(e, ev.Rejected)]


@pytest.mark.parametrize("value", ["", None, ...], ids=["empty", "null", "missing"])
@pytest.mark.parametrize(("name", "path", "kind"), PRICES)
def test_an_absent_price_is_no_event(name, path, kind, value):
    events = hyperliquid.decode(spoiled(name, path, value), NOW)
    assert not [e for e in events if isinstance(e, kind)]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"{",
        b"<html>",
        b"\xff\xfe",
        b"[1,2",
        b"[" * 100_000,
        b'"text"',
        b"7",
        b"null",
        b'{"channel":"trades","data":7}',
        b'{"channel":"bbo"}',
        b'{"channel":"l2Book","data":{"coin":"BTC","time":1795169703000,"levels":[[]]}}',
        b'{"channel":"activeAssetCtx","data":{"ctx":{}}}',
        b'{"channel":"userFills","data":{"fills":[]}}',
    ],
    ids=range(14),
)
def test_what_is_no_message_raises_a_wire_error(message):
    with pytest.raises(WireError):
        hyperliquid.decode(message, NOW)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(st.data())
def test_a_mutilated_frame_never_raises_anything_else(data):
    mutilated = bytearray(frame(data.draw(st.sampled_from(sorted(FRAMES)))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutilated) - 1))
        mutilated[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    word = hyperliquid.hear(bytes(mutilated))
    assert word is None or isinstance(word, Word)
    try:
        events = hyperliquid.decode(bytes(mutilated), NOW)
    except WireError:
        return
    for event in events:
        for field in event.__struct_fields__:
            value = getattr(event, field)
            assert not (isinstance(value, float) and not -1e18 < value < 1e18)


# --- words ---------------------------------------------------------------------------------------------------

HEARD = {
    "ws_error_parse": Word(refused=("trades:BTC",), reason="Error parsing JSON into valid websocket request: "),
    "ws_error_user": Word(refused=(f"userFills:{MAKER}",), reason="Invalid subscription "),
    "ws_error_users": Word(
        refused=tuple(f"userFills:{n}" for n in range(7)), reason="Cannot track more than 10 total users."
    ),
}


@pytest.mark.parametrize("name", [name for name, events in FRAMES.items() if not events])
def test_a_frame_without_facts_says_exactly_this(name):
    assert hyperliquid.hear(frame(name)) == HEARD.get(name)


def test_too_many_accounts_refuse_the_streams_of_fills_that_there_are():
    fills = hyperliquid.connections(["BTC"], "ws://x")[-1].streams
    word = hyperliquid.hear(frame("ws_error_users"))
    assert word is not None
    assert set(word.refused) == {stream.name for stream in fills}


# --- polls ---------------------------------------------------------------------------------------------------


def bound(*symbols: str) -> tuple[hyperliquid.Venue, dict[tuple[str, str], hyperliquid.Poll]]:
    """Return the venue for these symbols and its polls by resource and dex."""
    venue = hyperliquid.VENUE.watching(symbols)
    polls = {(p.resource.split()[0], json.loads(p.body or b"{}").get("dex", "")): p for p in venue.polls(symbols)}
    return venue, polls


SYMBOLS = ("BTC", "kPEPE", "ATOM", "CANTO", "btc", "xyz:GOLD", "nope:GOLD")
READ = {
    ("meta", ""): "get_meta",
    ("meta", "xyz"): "get_meta_builder",
    ("metaAndAssetCtxs", ""): "get_meta_and_asset_ctxs",
    ("perpDexs", ""): "get_perp_dexs",
    ("l2Book", ""): "get_l2_book",
    ("vaultDetails", ""): "get_vault_details",
    ("exchangeStatus", ""): "get_exchange_status",
}


def polled(resource: str, dex: str = "") -> list[ev.Event]:
    return bound(*SYMBOLS)[1][resource, dex].decode(frame(READ[resource, dex]), NOW)


def test_meta_says_the_terms_and_the_hour_of_watched_contracts_and_which_are_not_listed():
    events = polled("meta")
    terms = {e.symbol: e for e in events if isinstance(e, ev.ContractTerms)}
    assert terms["BTC"] == ev.ContractTerms(
        V, "BTC", "linear", 1.0, base="BTC", quote="USD", settle="USDC", status="trading", watchable=True
    )
    assert (terms["kPEPE"].base, terms["kPEPE"].contract_size) == ("KPEPE", 1.0)
    assert (terms["CANTO"].status, terms["CANTO"].watchable) == ("delisted", False)
    assert ev.FundingTerms(V, "BTC", 3600.0, 0.04, -0.04) in events
    assert [e for e in events if isinstance(e, ev.ContractStatus)] == [
        ev.ContractStatus(V, "btc", "not listed", watchable=False, event_time=NOW)
    ]


def test_a_builder_dex_keeps_its_own_collateral_and_its_own_bounds_of_funding():
    terms, funding, tiers = polled("meta", "xyz")
    assert (terms.symbol, terms.base, terms.settle) == ("xyz:GOLD", "GOLD", "USDH")
    assert funding == ev.FundingTerms(V, "xyz:GOLD", 3600.0)
    assert tiers == ev.TierTableChanged(V, "xyz:GOLD", ((0.0, 0.025, 0.0),), NOW, (20.0,))


def test_a_margin_table_is_half_of_the_smallest_initial_margin_with_the_deductions_that_join_it():
    tables = {e.symbol: e for e in polled("meta") if isinstance(e, ev.TierTableChanged)}
    assert tables["BTC"] == ev.TierTableChanged(
        V, "BTC", ((0.0, 0.0125, 0.0), (150e6, 0.025, 1_875_000.0)), NOW, (40.0, 20.0)
    )
    assert tables["ATOM"].rows == ((0.0, 0.1, 0.0),)  # a number below 50 is a leverage
    assert ladder_problem([Tier(*row) for row in tables["kPEPE"].rows]) is None
    shipped = hyperliquid.shipped_tiers("BTC")
    assert shipped is not None
    assert tables["BTC"].rows == tuple((t.floor, t.maintenance_rate, t.deduction) for t in shipped.tiers)


def test_states_belong_to_contracts_by_their_place():
    events = polled("metaAndAssetCtxs")
    assert [e for e in near(events) if e in near([*BTC, *PEPE])] == near([*BTC, *PEPE])
    assert [(e.symbol, e.watchable) for e in events if isinstance(e, ev.ContractStatus)] == [
        ("BTC", True),
        ("kPEPE", True),
        ("ATOM", True),
        ("CANTO", False),
    ]
    assert [e.mark_price for e in events if isinstance(e, ev.MarkPrice)] == [90012.0, 0.004312, 2.1315, 0.0091]


def test_fewer_states_than_contracts_are_not_believed():
    meta, states = json.loads(frame("get_meta_and_asset_ctxs"))
    with pytest.raises(WireError) as error:
        bound(*SYMBOLS)[1]["metaAndAssetCtxs", ""].decode(json.dumps([meta, states[1:]]).encode(), NOW)
    assert error.value.reason == "misaligned"


def test_a_bad_state_costs_itself_alone():
    meta, states = json.loads(frame("get_meta_and_asset_ctxs"))
    states[0]["markPx"], states[2] = "-7", "soon"
    events = bound(*SYMBOLS)[1]["metaAndAssetCtxs", ""].decode(json.dumps([meta, states]).encode(), NOW)
    assert [e for e in events if isinstance(e, ev.Rejected)] == [
        refused("mark_price", "bad_price", "BTC"),
        refused("metaAndAssetCtxs", "bad_row", "ATOM"),
    ]
    assert [e.symbol for e in events if isinstance(e, ev.IndexPrice)] == ["BTC", "kPEPE", "CANTO"]


def test_a_contract_that_cannot_be_read_moves_no_other_from_its_place():
    meta, states = json.loads(frame("get_meta_and_asset_ctxs"))
    meta["universe"][0] = {"name": 7}
    events = bound(*SYMBOLS)[1]["metaAndAssetCtxs", ""].decode(json.dumps([meta, states]).encode(), NOW)
    assert refused("meta", "bad_row") in events
    assert next((e.symbol, e.mark_price) for e in events if isinstance(e, ev.MarkPrice)) == ("kPEPE", 0.004312)


def test_a_contract_that_cannot_be_read_makes_none_unlisted():
    meta = json.loads(frame("get_meta"))
    meta["universe"][0] = 7
    events = bound(*SYMBOLS)[1]["meta", ""].decode(json.dumps(meta).encode(), NOW)
    assert not [e for e in events if isinstance(e, ev.ContractStatus)]
    assert refused("meta", "bad_row") in events


def test_a_margin_table_that_is_not_there_is_said():
    meta = json.loads(frame("get_meta"))
    meta["marginTables"] = meta["marginTables"][1:]
    events = bound("BTC")[1]["meta", ""].decode(json.dumps(meta).encode(), NOW)
    assert refused("marginTables", "no_table", "BTC") in events
    assert not [e for e in events if isinstance(e, ev.TierTableChanged)]


@pytest.mark.parametrize("leverage", [0, -3, "NaN", None, 1e9])
def test_a_leverage_that_is_none_makes_no_ladder(leverage):
    meta = json.loads(frame("get_meta"))
    meta["marginTables"][0][1]["marginTiers"][1]["maxLeverage"] = leverage
    events = bound("BTC")[1]["meta", ""].decode(json.dumps(meta).encode(), NOW)
    assert not [e for e in events if isinstance(e, ev.TierTableChanged)]
    assert refused("marginTables", "bad_row") in events


def test_a_dex_without_contracts_is_not_believed():
    with pytest.raises(WireError):
        bound("BTC")[1]["meta", ""].decode(b'{"universe": [], "marginTables": []}', NOW)


def test_a_contract_of_a_dex_that_does_not_exist_is_not_listed():
    assert polled("perpDexs") == [ev.ContractStatus(V, "nope:GOLD", "not listed", watchable=False, event_time=NOW)]


@pytest.mark.parametrize("symbols", [["BTC", "gone:GOLD"], ["aaa:GOLD", "xyz:GOLD"]])
def test_nobody_waits_for_the_contracts_of_a_builder_that_is_gone(symbols):
    venue, polls = bound(*symbols)
    waited = {c.after for c in venue.connections(symbols, "ws://x")} - {"vaultDetails"}
    builders = {p.resource for (kind, dex), p in polls.items() if kind == "meta" and dex}
    assert waited < {p.resource for p in polls.values()} - builders
    assert all(p.terms for p in polls.values() if p.resource in builders)


@pytest.mark.parametrize("behind", [0.5, 31.0, 4000.0])
def test_the_age_of_the_newest_book_is_told_since_states_have_no_time(behind):
    (event,) = bound("BTC")[1]["l2Book", ""].decode(frame("get_l2_book"), T + 0.25 + behind)
    assert event == ev.VenueBehind(V, behind, T + 0.25 + behind)


def test_the_vault_stands_behind_the_venues_own_contracts_with_its_latest_value():
    assert polled("vaultDetails") == [
        ev.InsuranceFund(V, "hlp", "USDC", 381234567.125, ("ATOM", "BTC", "CANTO", "btc", "kPEPE"), T - 600.0)
    ]


def test_no_vault_is_read_for_builders_contracts_alone():
    venue, polls = bound("xyz:GOLD")
    assert ("vaultDetails", "") not in polls
    assert "liquidations" not in {c.name for c in venue.connections(["xyz:GOLD"], "ws://x")}


def test_the_status_gives_the_venue_time():
    assert polled("exchangeStatus") == [ev.VenueTime(V, T + 0.001)]


@pytest.mark.parametrize("key", READ, ids=str)
@pytest.mark.parametrize("body", [b"", b"null", b"<html>", b"[]]", b'"Failed"', b"7", b"[" * 50_000])
def test_a_body_of_another_shape_raises_a_wire_error(key, body):
    with pytest.raises(WireError):
        bound(*SYMBOLS)[1][key].decode(body, NOW)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.data())
def test_a_mutilated_body_never_raises_anything_else(data):
    key = data.draw(st.sampled_from(sorted(READ)))
    body = bytearray(frame(READ[key]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 6))] = data.draw(st.binary(max_size=6))
    try:
        bound(*SYMBOLS)[1][key].decode(bytes(body), NOW)
    except WireError:
        return


def test_every_resource_is_a_question_posted_to_one_address():
    venue, polls = bound("BTC", "xyz:GOLD")
    assert {p.path for p in polls.values()} == {"/info"}
    assert json.loads(polls["metaAndAssetCtxs", "xyz"].body) == {"type": "metaAndAssetCtxs", "dex": "xyz"}
    spent = sum(p.weight * 60.0 / p.interval_seconds for p in polls.values())
    assert spent < venue.limits.weight_per_minute / 10


# --- subscriptions -------------------------------------------------------------------------------------------


def test_a_symbol_brings_its_prices_and_its_book_on_connections_of_their_own():
    prices, depth, liquidations = hyperliquid.connections(["BTC", "xyz:GOLD"], "ws://x/")
    assert {c.url for c in (prices, depth, liquidations)} == {"ws://x/ws"}
    assert [(s.name, s.field) for s in prices.streams] == [
        ("activeAssetCtx+trades:BTC", "mark"),
        ("bbo:BTC", "book"),
        ("activeAssetCtx+trades:xyz:GOLD", "mark"),
        ("bbo:xyz:GOLD", "book"),
    ]
    assert [(s.name, s.field) for s in depth.streams] == [("l2Book:BTC", "depth"), ("l2Book:xyz:GOLD", "depth")]
    assert (prices.after, depth.after, liquidations.after) == ("meta", "meta", "vaultDetails")
    assert {s.field for s in liquidations.streams} == {None}
    assert len(liquidations.streams) <= 10


@pytest.mark.parametrize(
    ("count", "each"), [(1, 4), (198, 4), (199, 3), (264, 3), (265, 2), (396, 2), (397, 1), (793, 1), (900, 1)]
)
def test_too_many_symbols_lose_their_books_first_and_their_marks_last(count, each):
    found = hyperliquid.connections([f"C{n}" for n in range(count)], "ws://x")
    per_line = {c.name: sum(s.name.count("+") + 1 for s in c.streams) for c in found}
    assert sum(per_line.values()) == each * min(count, 793) + 7
    assert max(per_line.values()) <= 200
    assert sum(per_line.values()) + max(per_line.values()) <= 1000  # room for a successor
    assert len(per_line) == len(found) < 10


def test_no_coin_is_named_before_its_dex_has_listed_it():
    venue, polls = bound(*SYMBOLS)
    streams = [s for c in venue.connections(SYMBOLS, "ws://x") for s in c.streams]
    assert venue.subscribe(streams, 1, NOW) == []
    polls["meta", "xyz"].decode(frame("get_meta_builder"), NOW)
    asked = [json.loads(r.text)["subscription"] for r in venue.subscribe(streams, 1, NOW)]
    assert {words["coin"] for words in asked} == {"xyz:GOLD"}
    polls["meta", ""].decode(frame("get_meta"), NOW)
    asked = [json.loads(r.text)["subscription"] for r in venue.subscribe(streams, 1, NOW)]
    assert {words["coin"] for words in asked} == {"BTC", "kPEPE", "ATOM", "CANTO", "xyz:GOLD"}
    assert {words["coin"] for words in asked} == {
        json.loads(r.text)["subscription"]["coin"] for r in venue.unsubscribe(streams, 1, NOW)
    }


def test_control_frames_ask_for_one_subscription_each():
    venue, polls = bound("BTC")
    polls["meta", ""].decode(frame("get_meta"), NOW)
    prices, depth, _ = venue.connections(["BTC"], "ws://x")
    requests = venue.subscribe([*prices.streams, *depth.streams], 7, NOW)
    assert [r.text for r in requests] == [
        '{"method": "subscribe", "subscription": {"type": "activeAssetCtx", "coin": "BTC"}}',
        '{"method": "subscribe", "subscription": {"type": "trades", "coin": "BTC"}}',
        '{"method": "subscribe", "subscription": {"type": "bbo", "coin": "BTC"}}',
        '{"method": "subscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}',
    ]
    assert [(r.key, r.streams) for r in requests][1] == ("trades:BTC", (prices.streams[0],))
    (end,) = venue.unsubscribe(depth.streams, 9, NOW)
    assert json.loads(end.text) == {"method": "unsubscribe", "subscription": {"type": "l2Book", "coin": "BTC"}}


def test_fills_are_asked_for_by_the_accounts_that_the_vault_names():
    venue, polls = bound("BTC")
    liquidations = venue.connections(["BTC"], "ws://x")[-1]
    assert venue.subscribe(liquidations.streams, 1, NOW) == []
    polls["vaultDetails", ""].decode(frame("get_vault_details"), NOW)
    requests = venue.subscribe(liquidations.streams, 1, NOW)
    assert [json.loads(r.text)["subscription"] for r in requests] == [
        {"type": "userFills", "user": MAKER},
        {"type": "userFills", "user": LIQUIDATOR},
    ]
    assert requests[1].key == f"userFills:{LIQUIDATOR}"


def test_what_is_no_address_is_not_asked_for():
    venue, polls = bound("BTC")
    body = json.loads(frame("get_vault_details"))
    body["relationship"]["data"]["childAddresses"] = ["0x12", '0x"}', LIQUIDATOR]
    polls["vaultDetails", ""].decode(json.dumps(body).encode(), NOW)
    (request,) = venue.subscribe(venue.connections(["BTC"], "ws://x")[-1].streams, 1, NOW)
    assert request.key == f"userFills:{LIQUIDATOR}"


def test_two_feeds_do_not_share_what_they_learned():
    first, polls = bound("BTC")
    polls["meta", ""].decode(frame("get_meta"), NOW)
    second, _ = bound("BTC")
    streams = first.connections(["BTC"], "ws://x")[0].streams
    assert first.subscribe(streams, 1, NOW)
    assert second.subscribe(streams, 1, NOW) == []


def test_the_venue_is_spoken_to_well_before_it_ends_a_silent_connection():
    keepalive = hyperliquid.VENUE.keepalive
    assert keepalive is not None
    assert keepalive.text(3, NOW) == '{"method":"ping"}'
    assert keepalive.interval_seconds <= 30.0


def test_features_name_facts_and_the_partial_one_says_so():
    features = {f.fact: f for f in hyperliquid.VENUE.features}
    assert set(features) == set(FACTS) - {"ADL"}
    assert "lower bound" in features["liquidations"].note


# --- recorded ------------------------------------------------------------------------------------------------

recorded = pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded frames do not lie beside the checkout")


@recorded
def test_every_recorded_state_decodes_in_its_place():
    with gzip.open(RECORDED / "frames" / "hyperliquid" / "all_dexs_asset_ctxs.json.gz") as file:
        raw = file.read()
    assert hyperliquid.decode(raw, NOW) == []  # not asked for: its rows carry no names
    count = 0
    for dex, states in json.loads(raw)["data"]["ctxs"]:
        prefix = f"{dex}:" if dex else ""
        symbols = [f"{prefix}C{n}" for n in range(len(states))]
        body = json.dumps([{"universe": [{"name": symbol} for symbol in symbols]}, states]).encode()
        events = bound(*symbols)[1]["metaAndAssetCtxs", dex].decode(body, NOW)
        assert not [e for e in events if isinstance(e, ev.Rejected)]
        marks = {e.symbol: e.mark_price for e in events if isinstance(e, ev.MarkPrice)}
        assert marks == {symbol: float(row["markPx"]) for symbol, row in zip(symbols, states, strict=True)}
        count += len(marks)
    assert count == 412


@recorded
def test_recorded_answers_of_older_days_decode_too():
    with gzip.open(RECORDED / "frames" / "hyperliquid" / "rest.jsonl.gz", "rt") as lines:
        answers = {json.loads(row["request"])["type"]: row["body"] for row in map(json.loads, lines)}
    events = bound("BTC")[1]["meta", ""].decode(answers["meta"].encode(), NOW)
    assert [type(e) for e in events] == [ev.ContractTerms, ev.FundingTerms]
    message = json.dumps({"channel": "l2Book", "data": json.loads(answers["l2Book"])}).encode()
    (change,) = hyperliquid.decode(message, NOW)
    book = OrderBook()
    assert book.apply(change, 0.0)
    assert book.best_bid < book.best_ask


@recorded
def test_the_single_messages_give_what_they_are():
    found = []
    with gzip.open(RECORDED / "frames" / "samples" / "derivative_frames.jsonl.gz", "rt") as lines:
        for line in lines:
            sample = json.loads(line)
            if sample["venue"] == V:
                found += [(type(e).__name__, e.symbol) for e in hyperliquid.decode(sample["frame"].encode(), NOW)]
    assert found == [
        ("LastPrice", "FXS"),
        ("LastPrice", "FXS"),
        ("LastPrice", "BTC"),
        ("LastPrice", "BTC"),
        ("LastPrice", "BTC"),
        ("LastPrice", "BTC"),
        ("BookChange", "SHIA"),
        ("BookChange", "BANANA"),
        ("MarkPrice", "MOODENG"),
        ("IndexPrice", "MOODENG"),
        ("FundingRate", "MOODENG"),
        ("OpenInterest", "MOODENG"),
        ("BestQuote", "@162"),
    ]
