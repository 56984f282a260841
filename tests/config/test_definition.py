"""Definitions of venues: every preset loads, the template once it is filled in, and each slip is named with its line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.config.definition import read_definition
from monitor.core.contract import Tier
from monitor.core.events import MarkPrice
from monitor.errors import ConfigError
from monitor.venues.generic import venue

PRESETS = Path(__file__).parents[2] / "config" / "venues"
NAMES = sorted(path.stem for path in PRESETS.glob("*.yaml"))

SMALL = """\
name: acme
kind: linear
source: a page
date: "2026-11-22"
rest_url: https://api.acme.example
expected_seconds: {mark: 3}
ping: {every_seconds: 20, send: '{"op":"ping","t":${ts_ms}}', answer: "op=='pong'"}
sockets:
  - name: market
    url: wss://ws.acme.example/feed
    subscribe:
      - name: ticker
        send: '{"op":"sub","id":${id},"symbol":"${symbol}"}'
        refreshes: mark
    refused: "op=='no'"
    refused_key: id
    key: ch
    samples:
      - {frame: '{"op":"no","id":7}', refused: "7"}
    streams:
      - key: ticker
        rows: data[]
        symbol: s
        time: $.ts
        unit: ms
        fields: {mark_price: p}
        sample: '{"ch":"ticker","ts":1763799999512,"data":[{"s":"BTC-USDT","p":"85012.5"}]}'
        gives:
          - {event: mark_price, symbol: BTC-USDT, mark_price: 85012.5, event_time: 1763799999.512}
polls:
  - name: funding
    path: /funding/${symbol}
    every_seconds: 60
    fields: {funding_rate: rate, next_funding_ms: next}
    sample: '{"rate":"0.0001","next":1763812800000}'
    gives:
      - {event: funding_rate, symbol: BTC-USDT, funding_rate: 0.0001, next_funding_time: 1763812800}
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable:
    def load_text(text: str):
        path = tmp_path / "acme.yaml"
        path.write_text(text)
        return read_definition(path)

    return load_text


@pytest.fixture
def problems(tmp_path: Path, load: Callable) -> Callable[[str], list[str]]:
    def problems_of(text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        return [line.replace(f"{tmp_path}/", "") for line in caught.value.problems]

    return problems_of


@pytest.mark.parametrize("name", [name for name in NAMES if name != "xxkk"])
def test_each_preset_loads(name):
    assert read_definition(PRESETS / f"{name}.yaml").name == name


def test_the_small_definition_makes_a_venue(load):
    one = venue(load(SMALL))
    data = b'{"ch":"ticker","ts":1763799999512,"data":[{"s":"BTC-USDT","p":"85012.5"}]}'
    assert one.decode(data, 0.0) == [MarkPrice("acme", "BTC-USDT", 85012.5, 1763799999.512)]
    assert one.rules == {}


# --- the template ------------------------------------------------------------------------------------------

FILLED = {
    "<fill in: who told": "a capture of my own",
    "<fill in: the day,": "2026-11-22",
    "<fill in: where the contract": "the page of the contract",
    "<fill in: the day on": "2026-11-22",
    "<fill in: wss://": "wss://feed.example.com/ws",
    "<fill in: the frame": '{"op":"sub","id":${id},"topic":"ticker.${symbol}"}',
    "<fill in: path of what tells": "topic",
    "<fill in: what stands there": "ticker",
    "<fill in: path of the rows": "[data]",
    "<fill in: path of the contract": "s",
    "<fill in: path of the time": "$.ts",
    "<fill in: path of the mark": "mark",
    "<fill in: path of the index": "index",
    "<fill in: one whole": '{"topic":"ticker","ts":1763799999512,"data":{"s":"BTC-USDT","mark":"85012.5","index":"85020"}}',
    "<fill in the contract": "BTC-USDT",
    "<fill in its mark": "85012.5",
    "<fill in the same": "BTC-USDT",
    "<fill in its index": "85020",
}


def test_the_template_is_refused_until_it_is_filled_in():
    """With every place that is still open, and nothing else."""
    with pytest.raises(ConfigError) as caught:
        read_definition(PRESETS / "xxkk.yaml")
    assert len(caught.value.problems) == (PRESETS / "xxkk.yaml").read_text().count("<fill in") - 1
    assert all("still to be filled in" in line for line in caught.value.problems)


def test_the_template_loads_once_it_is_filled_in(load):
    text = (PRESETS / "xxkk.yaml").read_text()
    head, rest = text.split("\nname: xxkk", 1)
    for begin, value in FILLED.items():
        rest = re.sub(re.escape(begin) + "[^>]*>", lambda _, value=value: value, rest)
    assert "<fill in" not in rest
    definition = load(head + "\nname: xxkk" + rest)
    sample = FILLED["<fill in: one whole"].encode()
    assert len(venue(definition).decode(sample, 0.0)) == 2


def test_what_the_template_shows_as_a_comment_loads_too(load):
    """Each section that is commented out is taken in: what is shown must work."""
    shown = """\
symbols: {BTCUSDT: BTC-USDT}
tiers:
  BTC-USDT:
    source: the page
    date: "2026-11-22"
    tiers: [{floor: 0, maintenance_rate: 0.004, max_leverage: 125}, {floor: 300000, maintenance_rate: 0.005}]
funds:
  - {pool: main, asset: USDT, balance: 1000000, source: the page, date: "2026-11-22"}
limits: {requests_per_minute: 60, messages_per_second: 5, connections_per_minute: 30, lifetime_seconds: 86400}
headers: {X-Something: value}
bootstrap:
  path: /token
  url: data.url
  token: data.token
  connect: '${url}?token=${token}&id=${uuid}'
  sample: '{"data":{"url":"wss://feed.example.com","token":"abc"}}'
  leads_to: 'wss://feed.example.com?token=abc'
"""
    text = SMALL.replace("BTC-USDT, ", "BTCUSDT, ").replace("    url: wss://ws.acme.example/feed\n", "") + shown
    one = venue(load(text))
    table = one.shipped_tiers("BTC-USDT")
    assert table is not None
    assert (table.tiers, table.source, table.date) == (
        (Tier(0.0, 0.004), Tier(300000.0, 0.005, 300.0)),
        "the page",
        "2026-11-22",
    )
    assert dict(one.headers) == {"X-Something": "value"}


# --- one slip each -----------------------------------------------------------------------------------------

SLIPS = {
    "an unknown key": ("rest_url:", "rest_ur1:", "acme.yaml:5: rest_ur1: unknown key (did you mean rest_url?)"),
    "an unknown field": (
        "{mark_price: p}",
        "{markprice: p}",
        "acme.yaml:26: sockets[0].streams[0].fields.markprice: unknown key (did you mean mark_price?)",
    ),
    "no kind": ("kind: linear\n", "", "acme.yaml:1: kind: missing: expected linear or inverse"),
    "a kind there is not": ("kind: linear", "kind: liner", 'acme.yaml:2: kind: expected linear or inverse, got "liner" (did you mean linear?)'),
    "a path that is none": ("data[]", "data[", "acme.yaml:22: sockets[0].streams[0].rows: expected a JMESPath expression"),
    "plain text over the network": ("wss://ws", "ws://ws", "acme.yaml:10: sockets[0].url: expected wss://, or ws:// to loopback"),
    "a name that no frame knows": ("${symbol}\"}'", "${symbl}\"}'", "acme.yaml:13: sockets[0].subscribe[0].send: unknown name ${symbl}"),
    "a frame that is no JSON": ('"id":${id},', '"id":${id}', "acme.yaml:13: sockets[0].subscribe[0].send: this is not JSON once it is filled in"),
    "an interval that is missing": ("expected_seconds: {mark: 3}\n", "", "acme.yaml:13: sockets[0].subscribe[0].refreshes: how often is not said: expected_seconds.mark is missing"),
    "no sample": ("        sample: '{\"ch\"", "        #", "acme.yaml:21: sockets[0].streams[0].sample: missing: expected text"),
    "a rate without its time": (", next_funding_ms: next", "", "acme.yaml:1: a funding rate needs when it is charged"),
    "rows without a contract": ("        symbol: s\n", "", "acme.yaml:25: sockets[0].streams[0].fields: the rows name no contract"),
    "a name that is no label": ("name: acme", "name: Acme Inc", "acme.yaml:1: name: expected up to 32 small letters"),
    "a misspelt path": ("{mark_price: p}", "{mark_price: price}", "acme.yaml:29: sockets[0].streams[0].gives: expected 1 event, but the sample gives nothing"),
    "a wrong unit": ("unit: ms", "unit: s", 'acme.yaml:29: sockets[0].streams[0].gives[0]: event 1 of the sample: expected the event "mark_price", got rejected'),
    "another value": ("mark_price: 85012.5", "mark_price: 85012.6", "acme.yaml:29: sockets[0].streams[0].gives[0]: event 1 of the sample: expected mark_price 85012.6, got 85012.5"),
    "a value that is not said": (
        ", next_funding_time: 1763812800", "",
        "acme.yaml:37: polls[0].gives[0]: event 1 of the sample: it also has next_funding_time 1763812800.0: say so if that is right",
    ),
    "a refusal that is not heard": ("refused_key: id", "refused_key: idd", 'acme.yaml:19: sockets[0].samples[0]: expected refused "7", got ""'),
    "a refusal that no sample shows": ("op=='no'", "op=='nope'", "acme.yaml:19: sockets[0].samples[0]: none of the samples of socket market is one for refused: op=='nope'"),
    "a sample that is no JSON": ("'{\"ch\":\"ticker\",", "'{\"ch\":\"ticker\"", "acme.yaml:27: sockets[0].streams[0].sample: cannot be read"),
    "a name used twice": (
        "    refused: ", "      - {name: ticker, send: '${symbol}'}\n    refused: ", "acme.yaml:1: two subscriptions have the name ticker",
    ),
    "a frame of the conversation that is no JSON": ('{"op":"no","id":7}\', r', '{"op":"no","id":7\', r', "acme.yaml:19: sockets[0].samples[0]: cannot be read: not JSON"),
    "a sample that is said to give nothing": (
        "gives:\n          - {event: mark_price, symbol: BTC-USDT, mark_price: 85012.5, event_time: 1763799999.512}", "gives: []",
        'acme.yaml:28: sockets[0].streams[0].gives: expected all that must come out, but the sample gives mark_price symbol="BTC-USDT"',
    ),
    "an event of another contract": (
        "symbol: BTC-USDT, mark_price", "symbol: BTCUSDT, mark_price",
        'acme.yaml:29: sockets[0].streams[0].gives: expected 1 event, but the sample gives nothing of these contracts: mark_price symbol="BTC-USDT"',
    ),
    "a list of one contract": ("    subscribe:", "    subscribe_list:", "acme.yaml:13: sockets[0].subscribe_list[0].send: a frame for all contracts has ${symbols}"),
    "a contract in a frame for none": ("    subscribe:", "    subscribe_once:", "acme.yaml:13: sockets[0].subscribe_once[0].send: a frame that is sent once names no contract"),
    "a refreshed book that nothing gives": (
        "refreshes: mark", "expected_seconds: 3\n        refreshes: book", "acme.yaml:15: sockets[0].subscribe[0].refreshes: no stream of this socket gives bid_price",
    ),
    "a name in a query that no request knows": ("    every_seconds: 60", "    query: {t: '${ts_ms}'}\n    every_seconds: 60", "acme.yaml:33: polls[0].query.t: unknown name ${ts_ms}"),
    "a lone dollar in a query": ("    every_seconds: 60", "    query: {t: 'US$'}\n    every_seconds: 60", "acme.yaml:33: polls[0].query.t: a dollar sign that begins no name"),
    "a mark that is always stale": ("{mark: 3}", "{mark: 60}", "acme.yaml:6: expected_seconds.mark: expected a number > 0 and <= 30, got 60"),
    "a day that is none": ('"2026-11-22"', "yesterday", 'acme.yaml:4: date: expected a day such as 2026-11-22, got "yesterday"'),
    "a query in a base address": ("https://api.acme.example", "https://api.acme.example?key=1", "acme.yaml:5: rest_url: a query (?...) is not allowed"),
    "a header of the connection's own": ("ping: ", "headers: {Accept-Encoding: br}\nping: ", "acme.yaml:7: headers.Accept-Encoding: expected the name of a header"),
    "a header that no header can be": ("ping: ", "headers: {X Key: a}\nping: ", 'acme.yaml:7: headers["X Key"]: expected the name of a header'),
    "two names for one contract": ("ping: ", "symbols: {A: BTC-USDT, B: BTC-USDT}\nping: ", "acme.yaml:7: symbols: two names for BTC-USDT"),
    "a ping of the server that no sample shows": (
        "    key: ch", "    server_pings: [{when: ping, answer: '{\"pong\":${pong}}'}]\n    key: ch",
        "acme.yaml:20: sockets[0].samples[0]: none of the samples of socket market is one for server_pings: ping",
    ),
    "a path outside its host": ("path: /funding", "path: funding", "acme.yaml:32: polls[0].path: expected a path that begins with /"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), SLIPS.values(), ids=SLIPS)
def test_a_slip_is_named_with_its_line(problems, old, new, message):
    assert old in SMALL
    found = problems(SMALL.replace(old, new, 1))
    assert any(line.startswith(message) for line in found), found


def test_a_price_that_is_polled_less_often_than_it_is_expected_is_said_so(problems):
    poll = """\
  - name: index
    path: /index
    every_seconds: 60
    rows: "[@]"
    symbol: s
    fields: {index_price: i}
    sample: '{"s":"A","i":1}'
    gives: [{event: index_price, symbol: A, index_price: 1}]
"""
    found = problems(SMALL.replace("{mark: 3}", "{mark: 3, index: 3}") + poll)
    assert found == ["acme.yaml:6: expected_seconds: index is only polled, every 60 s: expected that at least"]


BOOTSTRAP = """\
bootstrap:
  path: /token
  url: data.url
  token: data.token
  ping_ms: data.ping
  connect: '${url}?token=${token}'
  sample: '{"data":{"url":"wss://feed.example.com","token":"abc"}}'
  leads_to: wss://feed.example.com?token=abc
"""


def test_a_socket_has_an_address_of_its_own_or_one_that_is_asked_for(problems):
    """Both would mean that one of them is never called."""
    assert problems(SMALL + BOOTSTRAP) == [
        "acme.yaml:1: socket market has a url, but the bootstrap says where: expected none"
    ]


def test_a_period_of_pings_needs_pings(problems):
    text = "".join(line for line in SMALL.splitlines(keepends=True) if "url: wss" not in line and "ping:" not in line)
    assert problems(text + BOOTSTRAP) == ["acme.yaml:37: bootstrap: ping_ms needs ping: what is said that often"]


def test_a_token_never_goes_out_in_clear(problems):
    text = SMALL.replace("    url: wss://ws.acme.example/feed\n", "") + BOOTSTRAP
    hostile = text.replace("'${url}?", "'ws://feed.example.com?").replace("leads_to: wss:", "leads_to: ws:")
    assert any("bootstrap.sample: cannot be read: what is called with the token" in line for line in problems(hostile))


def test_a_limit_of_bytes_may_be_set_to_what_it_is_unsaid(load):
    limits = load(f"{SMALL}limits: {{frame_bytes: {4 << 20}, body_bytes: {16 << 20}}}\n").limits
    assert (limits.frame_bytes, limits.body_bytes) == (4 << 20, 16 << 20)


def test_a_number_may_tell_streams_apart(load):
    text = SMALL.replace("- key: ticker", "- key: 5").replace('"ch":"ticker"', '"ch":5')
    data = b'{"ch":5,"ts":1763799999512,"data":[{"s":"BTC-USDT","p":"85012.5"}]}'
    assert len(venue(load(text)).decode(data, 0.0)) == 1


def test_all_slips_are_said_at_once(problems):
    text = SMALL.replace("kind: linear", "kind: liner").replace("data[]", "data[").replace("rest_url", "rest_ur1")
    assert len(problems(text)) >= 3


def test_a_file_that_is_not_there_is_said_so(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_definition(tmp_path / "no.yaml")


RULE = 'rule: {name: Acme, maintenance: mark, closing_fee: none, source: a page, date: "2026-11-22"}\n'


def test_a_rule_is_that_of_its_kind(load):
    rule = venue(load(SMALL + RULE)).rules["linear"]
    assert (rule.name, rule.maintenance, rule.tier_by, rule.source) == ("Acme", "mark", "notional", "a page")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("maintenance: mark, ", "", "a rule needs maintenance: there is no default"),
        ("source: a page, ", "", "rule.source: missing: expected text"),
        (
            "maintenance: mark",
            "maintenance: size, tier_by: notional",
            "a requirement that rises with the size has no tiers",
        ),
    ],
)
def test_a_rule_has_no_defaults(problems, old, new, message):
    assert any(message in line for line in problems(SMALL + RULE.replace(old, new)))


@pytest.mark.parametrize(
    "section",
    [
        "contracts: {A: {contract_size: 1}}",
        "tiers: {A: {maintenance_rate: 0.01}}",
        "funds: [{pool: a, asset: USDT, balance: 1}]",
    ],
)
def test_what_is_written_in_needs_source_and_date(problems, section):
    found = problems(f"{SMALL}{section}\n")
    assert [line.rpartition(": missing")[0][-6:] for line in found if "missing" in line] == ["source", ".date"] or any(
        "source: missing" in line for line in found
    )


def test_a_secret_in_a_header_is_never_quoted(problems):
    for said in ("X-Key: [very-secret]", 'X-Key: "very-secret é"', "X Key: very-secret"):
        found = problems(f"{SMALL}headers: {{{said}}}\n")
        assert found
        assert not any("very-secret" in line for line in found)
