"""What comes out of good files, and what joins several files: accounts, ladders, the hash."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from monitor.config.load import load_account_file, load_config
from monitor.core.contract import Tier, TierTable
from monitor.errors import ConfigError
from monitor.venues import RULES, canonical

SHIPPED = Path(__file__).parents[2] / "config"
ACCOUNTS = """\
accounts:
  - name: main
    venue: binance
    margin_mode: cross
    position_mode: hedge
    equity: 1000
    positions:
      - {symbol: BTCUSDT, side: long, contracts: 2, entry_price: 100}
      - {symbol: BTCUSDT, side: short, contracts: 3, entry_price: 100, thresholds: {critical: 0.03}}
      - {symbol: XUSD, side: long, contracts: 10, entry_price: 50, margin_mode: isolated, leverage: 4}
"""


def test_every_shipped_file_loads():
    """The configuration and the account file that come with the program."""
    settings = load_config(SHIPPED / "monitor.yaml", RULES, environ={}, canonical=canonical)
    assert [p.symbol for a in settings.accounts.accounts for p in a.positions] == ["BTCUSDT", "ETHUSDT"]
    example = load_account_file(SHIPPED / "account.example.yaml", RULES, canonical=canonical)
    assert example.terms["main"]["ETHUSDT"].mark_price == 1335.18


def test_positions_are_signed_named_and_margined(load):
    """A short is negative, a name follows from symbol and side, leverage becomes margin."""
    file = load(ACCOUNTS, "account.yaml")
    long, short, isolated = file.accounts[0].positions
    assert (long.name, long.quantity, long.margin) == ("btcusdt-long", 2.0, None)
    assert (short.name, short.quantity, short.contracts) == ("btcusdt-short", -3.0, 3.0)
    assert (isolated.margin_mode, isolated.margin) == ("isolated", 125.0)
    assert (file.accounts[0].position_mode, file.accounts[0].equity) == ("hedge", 1000.0)


def test_contract_size_and_kind_of_the_terms_enter_quantity_and_margin(load):
    """Inverse: quantity in quote value, margin in coin."""
    file = load(ACCOUNTS + "terms: {XUSD: {kind: inverse, contract_size: 100}}\n", "account.yaml")
    position = file.accounts[0].positions[2]
    assert position.quantity == 1000.0
    assert position.margin == 1000.0 / 50.0 / 4.0


def test_thresholds_of_a_position_stand_on_the_common_ones(load):
    """Only what is said changes."""
    text = ACCOUNTS + "thresholds: {warning: 0.1, critical: 0.04}\n"
    file = load(text).accounts
    assert (file.ladders["btcusdt-long"].warning, file.ladders["btcusdt-long"].critical) == (0.1, 0.04)
    assert (file.ladders["btcusdt-short"].warning, file.ladders["btcusdt-short"].critical) == (0.1, 0.03)


def test_terms_inside_an_account_win_key_by_key(load):
    """What the account does not say still holds from outside."""
    inner = "    terms: {BTCUSDT: {mark_price: 7}}\n"
    outer = "terms: {BTCUSDT: {mark_price: 5, closing_fee_rate: 0.001}, XUSD: {mark_price: 6}}\n"
    terms = load(ACCOUNTS + inner + outer, "account.yaml").terms["main"]
    assert (terms["BTCUSDT"].mark_price, terms["BTCUSDT"].closing_fee_rate) == (7.0, 0.001)
    assert terms["XUSD"].mark_price == 6.0


def test_a_ladder_without_deductions_gets_them_computed(load):
    """And keeps source, date and cap."""
    tiers = "[{floor: 0, maintenance_rate: 0.004}, {floor: 300000, maintenance_rate: 0.005, cap: 800000}]"
    text = f"{ACCOUNTS}terms: {{BTCUSDT: {{tiers: {tiers}, source: a page, date: 2026-02-05}}}}\n"
    assert load(text, "account.yaml").terms["main"]["BTCUSDT"].table == TierTable(
        (Tier(0.0, 0.004, 0.0), Tier(300_000.0, 0.005, 300.0)), "a page", "2026-02-05", 800_000.0
    )


def test_a_published_deduction_that_differs_is_kept_with_a_warning(load):
    """The ladder may be out of date; the operator knows better."""
    tiers = "[{floor: 0, maintenance_rate: 0.004, deduction: 0}, {floor: 100, maintenance_rate: 0.005, deduction: 9}]"
    file = load(f"{ACCOUNTS}terms:\n  BTCUSDT: {{tiers: {tiers}}}\n", "account.yaml")
    assert file.terms["main"]["BTCUSDT"].table.tiers[1].deduction == 9.0
    (warning,) = file.warnings
    assert warning.endswith(
        "account.yaml:12: terms.BTCUSDT.tiers: tier 2 has the deduction 9, but the ladder gives 0.1: "
        "is it out of date? It is used as given"
    )


def test_a_single_tier_is_an_excerpt_and_no_cause_for_a_warning():
    """As in the example of the account file."""
    assert load_account_file(SHIPPED / "account.example.yaml", RULES, canonical=canonical).warnings == ()


def test_places_name_file_line_and_key(load, folder):
    """Later checks, such as a symbol the venue does not list, can say where it stands."""
    places = load(ACCOUNTS, "account.yaml").places
    assert str(places.symbols["btcusdt-short"]) == f"{folder}/account.yaml:9: accounts[0].positions[1].symbol"
    assert str(places.accounts["main"]) == f"{folder}/account.yaml:2: accounts[0]"


def test_a_file_with_one_bare_account_is_told_what_is_missing(problems):
    """The commonest first mistake."""
    found = problems("name: main\nvenue: binance\npositions: []\n", "account.yaml")
    assert found[0] == (
        "account.yaml:1: accounts: missing: expected a list of accounts "
        '(a single account is a list as well: "accounts:" and below it "- name: ...")'
    )
    assert 'account.yaml:3: positions: unknown key: positions stand inside "accounts:"' in found


def test_an_empty_list_of_accounts_is_refused(problems):
    """A file that lost its accounts must not pass for one."""
    assert problems("accounts: []\n", "account.yaml") == ["account.yaml:1: accounts: expected at least one account"]


def test_accounts_may_stand_in_a_file_of_their_own(load, folder):
    """Its terms win over the configuration's, its problems name it."""
    (folder / "mine.yaml").write_text(ACCOUNTS + "terms: {BTCUSDT: {mark_price: 2}}\n")
    text = "accounts_file: mine.yaml\nterms: {BTCUSDT: {mark_price: 1}, XUSD: {mark_price: 3}}\n"
    terms = load(text).accounts.terms["main"]
    assert (terms["BTCUSDT"].mark_price, terms["XUSD"].mark_price) == (2.0, 3.0)


ACCOUNTS_FILE = {
    "absent": (
        "accounts_file: none.yaml\n",
        "config.yaml:1: accounts_file: none.yaml cannot be read: No such file or directory",
    ),
    "beside accounts": (
        "accounts: [{name: m, venue: okx, positions: []}]\naccounts_file: config.yaml\n",
        "config.yaml:2: accounts_file: expected either accounts or accounts_file, got both",
    ),
    "itself": (
        "accounts_file: config.yaml\n",
        "config.yaml:1: accounts_file: unknown key: this is an accounts file already",
    ),
    "of the wrong type": ("accounts_file: [a]\n", "config.yaml:1: accounts_file: expected text, got a list"),
}


@pytest.mark.parametrize(("text", "expected"), ACCOUNTS_FILE.values(), ids=ACCOUNTS_FILE)
def test_a_wrong_accounts_file_is_refused(problems, text, expected):
    """At the key that names it."""
    assert expected in problems(text)


def test_problems_of_both_files_come_together(problems, folder):
    """The configuration's first, then the accounts file's, each in its lines' order."""
    (folder / "mine.yaml").write_text(ACCOUNTS.replace("equity: 1000", "equity: x"))
    assert problems("accounts_file: mine.yaml\nlog: {level: loud}\n") == [
        'config.yaml:2: log.level: expected debug, info, warning or error, got "loud"',
        'mine.yaml:6: accounts[0].equity: expected a number, got "x"',
    ]


BRACKETS = {"symbol": "BTCUSDT", "brackets": [
    {"bracket": 1, "notionalFloor": 0, "notionalCap": 300000, "maintMarginRatio": 0.004, "cum": 0.0},
    {"bracket": 2, "notionalFloor": 300000, "notionalCap": 800000, "maintMarginRatio": 0.005, "cum": 300.0},
]}  # fmt: skip
CCXT = {"BTC/USDT:USDT": [
    {"tier": 1.0, "minNotional": 0.0, "maxNotional": 300000.0, "maintenanceMarginRate": 0.004, "info": {"cum": "0.0"}},
    {"tier": 2.0, "minNotional": 3e5, "maxNotional": 8e5, "maintenanceMarginRate": 0.005, "info": {"cum": "300.0"}},
]}  # fmt: skip
OURS = [{"floor": 0, "maintenance_rate": 0.004}, {"floor": 300000, "maintenance_rate": 0.005, "cap": 800000}]
TIERS_FILES = {
    "reply for one symbol": BRACKETS,
    "reply for all": [BRACKETS, {"symbol": "BADUSDT", "brackets": [{"bracket": 1}]}],
    "ccxt": CCXT,
    "list by symbol": {"BTCUSDT": OURS},
    "mapping by symbol": {"BTCUSDT": {"tiers": OURS}},
}


@pytest.mark.parametrize("content", TIERS_FILES.values(), ids=TIERS_FILES)
def test_a_tiers_file_is_read_in_each_of_its_shapes(load, folder, content):
    """All say the same ladder; symbols that nobody watches are not looked at."""
    (folder / "tiers.json").write_text(json.dumps(content))
    table = load(ACCOUNTS + "venues: {binance: {tiers_file: tiers.json}}\n").venues["binance"].tiers["BTCUSDT"]
    assert table.tiers == (Tier(0.0, 0.004, 0.0), Tier(300_000.0, 0.005, 300.0))
    assert table.cap == 800_000.0
    assert table.source == f"{folder}/tiers.json"


NO_TIERS = {
    "error reply": ({"code": -2014, "msg": "API-key format invalid."}, 'an error reply: code "-2014", message "API-key format invalid."'),
    "empty list": ([], "a list with nothing in it"),
    "empty mapping": ({}, "a mapping with nothing in it"),
    "empty brackets of others": ([{"symbol": "ZUSDT", "brackets": []}], "a list without tiers"),
    "another reply": ({"timezone": "UTC", "symbols": [{"symbol": "BTCUSDT"}]}, "a mapping without tiers"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "got"), NO_TIERS.values(), ids=NO_TIERS)
def test_a_tiers_file_without_a_single_tier_is_refused(problems, folder, content, got):
    (folder / "tiers.json").write_text(json.dumps(content))
    (problem,) = problems(ACCOUNTS + "venues: {binance: {tiers_file: tiers.json}}\n")
    assert problem.startswith("tiers.json:1: expected tiers by symbol (SYMBOL: [{floor, maintenance_rate}, ...]), ")
    assert problem.endswith(f"; got {got}")


def test_a_watched_symbol_that_the_tiers_file_lacks_is_warned_of_unless_its_terms_have_tiers(folder, rules):
    (folder / "tiers.json").write_text(json.dumps({"ZUSDT": OURS}))
    path = folder / "config.yaml"
    terms = "terms: {BTCUSDT: {tiers: [{floor: 0, maintenance_rate: 0.1}]}}\n"
    path.write_text(f"{ACCOUNTS}{terms}venues:\n  binance:\n    tiers_file: tiers.json\nreceivers: []\n")
    shipped = {"binance": lambda _symbol: TierTable((Tier(0.0, 0.01),), "shipped table", "2026-02-05")}
    lacking = f"{path}:14: venues.binance.tiers_file: tiers.json has no tiers for XUSD: the shipped table of 2026-02-05 is used"
    assert lacking in load_config(path, rules, shipped, {}).warnings
    assert load_account_file(path, rules, shipped).warnings == (lacking,)


@pytest.mark.parametrize("reversed_rows", [False, True])
def test_an_empty_bracket_is_left_out_with_a_warning_that_names_it(load, folder, reversed_rows):
    """Binance published one for BEAMXUSDT: from 500,000 to 500,000."""
    rows = [(0, 5e5, 0.01, 0), (5e5, 5e5, 0.02, 5e3), (5e5, 1e6, 0.05, 2e4)]
    brackets = [
        dict(zip(("notionalFloor", "notionalCap", "maintMarginRatio", "cum"), row, strict=True)) for row in rows
    ]
    if reversed_rows:
        brackets.reverse()
    (folder / "tiers.json").write_text(json.dumps([{"symbol": "BTCUSDT", "brackets": brackets}]))
    settings = load(ACCOUNTS + "venues: {binance: {tiers_file: tiers.json}}\n")
    table = settings.venues["binance"].tiers["BTCUSDT"]
    assert (table.tiers, table.cap) == ((Tier(0.0, 0.01, 0.0), Tier(500_000.0, 0.05, 20_000.0)), 1e6)
    assert settings.warnings[0] == (
        f"{folder}/tiers.json:1: [0].brackets[1]: an empty tier (the next floor is 500000 as well) is left out"
    )


def test_a_repeated_floor_in_the_terms_is_left_out_and_a_falling_one_refused(load, problems):
    tiers = (
        "[{floor: 0, maintenance_rate: 0.01}, {floor: 0, maintenance_rate: 0.02}, {floor: 9, maintenance_rate: 0.03}]"
    )
    text = f"{ACCOUNTS}terms: {{BTCUSDT: {{tiers: {tiers}}}}}\n"
    file = load(text, "account.yaml")
    assert file.terms["main"]["BTCUSDT"].table.tiers == (Tier(0.0, 0.02, 0.0), Tier(9.0, 0.03, 0.09))
    assert "account.yaml:11: terms.BTCUSDT.tiers[0]: an empty tier" in file.warnings[0]
    falling = text.replace("{floor: 0, maintenance_rate: 0.02}", "{floor: 99, maintenance_rate: 0.02}")
    assert problems(falling, "account.yaml") == [
        "account.yaml:11: terms.BTCUSDT.tiers: tier 3: floors must rise, but 9 follows 99"
    ]


def test_a_kind_that_the_feed_does_not_carry_is_refused_by_the_daemon_and_kept_for_explain(load, problems):
    text = ACCOUNTS + "terms:\n  XUSD:\n    kind: inverse\n"
    assert problems(text, live={"binance": ("linear",)}) == [
        "config.yaml:13: terms.XUSD.kind: inverse contracts of binance cannot be watched yet (xusd-long is one)"
    ]
    assert load(text, "account.yaml").terms["main"]["XUSD"].kind == "inverse"
    assert load(text, live={"binance": ("linear", "inverse")}).accounts.terms["main"]["XUSD"].kind == "inverse"


def test_a_venue_without_a_feed_is_refused_by_the_daemon_and_said_once(problems):
    assert problems(ACCOUNTS, live={"okx": ("linear",)}) == [
        "config.yaml:3: accounts[0].venue: venue binance can be explained but not watched yet"
    ]


def test_a_mark_price_in_the_terms_is_for_explain_only(load, folder):
    text = ACCOUNTS + "terms:\n  BTCUSDT: {mark_price: 100}\nreceivers: []\n"
    warning = (
        f"{folder}/config.yaml:12: terms.BTCUSDT.mark_price: for explain only: the daemon takes the venue's mark price"
    )
    assert [w for w in load(text).warnings if "explain" in w] == [warning]
    assert load(text, "account.yaml").warnings == ()


def test_an_unknown_venue_is_said_once_without_what_follows_from_it(folder, rules):
    path = folder / "config.yaml"
    path.write_text(ACCOUNTS.replace("venue: binance", "venue: binanse"))
    with pytest.raises(ConfigError) as caught:
        load_config(path, rules, {"binance": lambda _symbol: None}, {})
    assert [": unknown venue" in line for line in caught.value.problems] == [True]


@pytest.mark.parametrize(
    "slip", ["btcusdt", "BTC-USDT", "BTC/USDT:USDT", "BTCUSD", "BTC", "BTCUSTD", "BTTCUSDT", "BTC-USDT-SWAP"]
)
def test_a_symbol_that_no_table_has_gets_the_one_that_may_be_meant(folder, slip, rules):
    path = folder / "config.yaml"
    path.write_text(ACCOUNTS.replace("BTCUSDT, side: long", f"'{slip}', side: long"))
    table = TierTable((Tier(0.0, 0.01),), "shipped")
    shipped = {"binance": lambda symbol: table if symbol in {"BTCUSDT", "XUSD"} else None}
    with pytest.raises(ConfigError) as caught:
        load_config(path, rules, shipped, {})
    said = f"no maintenance tiers for {slip} (did you mean BTCUSDT?): write"
    assert [said in p for p in caught.value.problems if "no maintenance tiers" in p] == [True]


def test_a_configuration_is_read_for_its_accounts_alone(load, folder):
    """Its receivers' secrets need not be there."""
    (folder / "tiers.json").write_text(json.dumps({"BTCUSDT": OURS}))
    (folder / "mine.yaml").write_text(ACCOUNTS)
    text = (
        "accounts_file: mine.yaml\nthresholds: {warning: 0.1}\nvenues: {okx: {tiers_file: tiers.json}}\nstore: {}\n"
        "receivers: [{name: a, url: 'https://e.example.com', secret_file: not-there}]\nweb: {token_file: not-there}\n"
    )
    file = load(text, "account.yaml")
    assert [p.name for p in file.accounts[0].positions] == ["btcusdt-long", "btcusdt-short", "xusd-long"]
    assert load(text.replace("okx", "binance"), "account.yaml").tiers["binance"].keys() == {"BTCUSDT"}


VENUES = {
    "unknown venue": ("{binanse: {}}", "config.yaml:11: venues.binanse: unknown venue: expected one of binance, okx (did you mean binance?)"),
    "unknown key": ("{binance: {stream: 1}}", "config.yaml:11: venues.binance.stream: unknown key (did you mean stream_url?)"),
    "plain stream": ("{binance: {stream_url: 'ws://example.com'}}", "config.yaml:11: venues.binance.stream_url: expected wss://, or ws:// to loopback"),
    "wrong scheme": ("{binance: {rest_url: 'ftp://example.com'}}", "config.yaml:11: venues.binance.rest_url: expected https://, or http:// to loopback"),
    "user info": ("{binance: {rest_url: 'https://a:b@example.com'}}", "config.yaml:11: venues.binance.rest_url: user name and password are not allowed in the URL"),
    "no URL": ("{binance: {rest_url: example.com}}", "config.yaml:11: venues.binance.rest_url: expected a URL such as https://host/path"),
    "bad port": ("{binance: {rest_url: 'https://a:99999'}}", "config.yaml:11: venues.binance.rest_url: expected a URL, with a port from 1 to 65535 if any"),
    "absent tiers": ("{binance: {tiers_file: t.json}}", "config.yaml:11: venues.binance.tiers_file: t.json cannot be read: No such file or directory"),
}  # fmt: skip


@pytest.mark.parametrize(("venues", "expected"), VENUES.values(), ids=VENUES)
def test_wrong_venue_settings_are_refused(problems, folder, venues, expected):
    """One fault, one line."""
    assert [line.replace(f"{folder}/", "") for line in problems(f"{ACCOUNTS}venues: {venues}\n")] == [expected]


def test_a_simulator_on_loopback_needs_no_encryption(load):
    """Its address is given like any other."""
    text = f"{ACCOUNTS}venues: {{binance: {{stream_url: 'ws://127.0.0.1:1/', rest_url: 'http://[::1]:2'}}}}\n"
    venue = load(text).venues["binance"]
    assert (venue.stream_url, venue.rest_url) == ("ws://127.0.0.1:1", "http://[::1]:2")


def test_a_symbol_without_any_ladder_is_refused_with_what_to_do(folder, load, rules):
    """Terms, tiers file and shipped table are asked in turn."""
    (folder / "tiers.json").write_text(json.dumps({"BTCUSDT": OURS}))
    path = folder / "config.yaml"
    path.write_text(ACCOUNTS + "venues: {binance: {tiers_file: tiers.json}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path, rules, {"binance": lambda _symbol: None}, {})
    assert caught.value.problems == [
        (
            f"{path}:10: accounts[0].positions[2].symbol: no maintenance tiers for XUSD: "
            "write terms.XUSD.tiers, or name a venues.binance.tiers_file that has it"
        )
    ]
    shipped = TierTable((Tier(0.0, 0.01),), "shipped")
    assert load_config(path, rules, {"binance": lambda _symbol: shipped}, {})


def test_defaults_hold_where_nothing_is_said(load):
    """A configuration needs accounts only."""
    settings = load(ACCOUNTS)
    assert (settings.web.host, settings.web.port, settings.metrics_amounts) == ("127.0.0.1", 9464, False)
    assert (str(settings.store_path), settings.log_level, settings.log_format) == (
        "state/perp-monitor.db",
        "info",
        "json",
    )
    assert (settings.ladder.warning, settings.ladder.critical) == (0.05, 0.02)


def test_what_is_said_is_taken(load):
    """The small sections."""
    text = ACCOUNTS + "metrics: {amounts: true}\nstore: {path: /var/x.db}\nlog: {level: debug, format: console}\n"
    settings = load(text)
    assert settings.metrics_amounts
    assert (str(settings.store_path), settings.log_level, settings.log_format) == ("/var/x.db", "debug", "console")


def test_no_position_at_all_is_a_warning(load):
    """An account between two trades is no error."""
    warnings = load("accounts: [{name: m, venue: okx, positions: []}]\nreceivers: []\n").warnings
    assert [w.split(": ", 1)[1] for w in warnings] == [
        "receivers: none configured: alerts go to the log only",
        "accounts: no position: nothing is watched",
    ]


def test_the_hash_follows_the_bytes_of_all_files_and_no_secret(load, folder):
    """Two replicas compare it."""
    (folder / "mine.yaml").write_text(ACCOUNTS)
    text = "accounts_file: mine.yaml\nreceivers: [{name: a, url: 'https://e.example.com', secret_file: ops.secret}]\n"
    first = load(text).hash
    (folder / "ops.secret").write_text("whsec_" + "QUFB" * 8)
    assert load(text).hash == first
    (folder / "mine.yaml").write_text(ACCOUNTS + "# more\n")
    second = load(text).hash
    assert len({first, second, load(text + "# more\n").hash}) == 3
    assert len(first) == 12


def test_the_environment_is_read_where_none_is_given(folder, monkeypatch, rules):
    """As the daemon does it."""
    monkeypatch.setitem(os.environ, "PERP_TEST_SECRET", "whsec_" + "QUFB" * 8)
    path = folder / "config.yaml"
    receiver = "{name: a, url: 'https://e.example.com', secret_env: PERP_TEST_SECRET}"
    path.write_text(f"{ACCOUNTS}receivers: [{receiver}]\n")
    assert load_config(path, rules).receivers[0].secret == b"AAA" * 8
