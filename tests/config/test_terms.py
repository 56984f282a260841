"""What the operator says of contracts and of how a venue calculates, and what becomes of it."""

from __future__ import annotations

import pytest

from monitor.config.settings import SymbolTerms
from monitor.core.contract import Tier, TierTable
from monitor.core.pool import Terms
from monitor.venues import RULES, canonical

ACCOUNT = """\
accounts:
  - name: main
    venue: {venue}
    margin_mode: cross
    balance: 1000
    positions:
      - {{symbol: X, side: long, contracts: 10, entry_price: 50}}
terms:
  X:
"""
ON_BINANCE = ACCOUNT.format(venue="binance")
ON_GENERIC = ACCOUNT.format(venue="generic")


def its(load, text: str, **more) -> SymbolTerms:
    return load(text, "account.yaml", **more).terms["main"]["X"]


def test_every_key_of_the_terms_reaches_the_sum(load, rules):
    keys = (
        "{kind: inverse, mark_price: 51, closing_fee_rate: 0.0005, maintenance_rate: 0.01, maintenance_slope: 0.00005, "
        "tick_size: 0.5, beta: 1.2, source: a page, date: 2026-11-22}"
    )
    said = its(load, ON_BINANCE.replace("  X:\n", f"  X: {keys}\n"))
    assert said.terms(rules["binance"], None) == Terms(
        mark_price=51.0,
        table=TierTable((Tier(0.0, 0.01),), "a page", "2026-11-22"),
        closing_fee_rate=0.0005,
        kind="inverse",
        rule=rules["binance"]["inverse"],
        maintenance_slope=0.00005,
        tick_size=0.5,
        beta=1.2,
    )


def test_the_operators_ladder_comes_before_the_one_that_is_handed_in(rules):
    ours, theirs = TierTable((Tier(0.0, 0.01),), "ours"), TierTable((Tier(0.0, 0.02),), "theirs")
    assert SymbolTerms(table=ours).terms(rules["binance"], theirs).table == ours
    assert SymbolTerms().terms(rules["binance"], theirs).table == theirs


def test_a_ladder_loses_its_deductions_where_the_rule_has_none(rules):
    tiers = (Tier(0.0, 0.01), Tier(100.0, 0.02, 1.0))
    assert SymbolTerms(table=TierTable(tiers, "")).terms(rules["okx"], None).table.tiers[1] == Tier(100.0, 0.02, 0.0)


def test_the_kind_that_is_not_said_is_the_one_that_the_venue_has(load):
    """Linear wherever there are linear contracts."""
    for venue, kind in (("binance-coinm", "inverse"), ("bybit", "linear"), ("hyperliquid", "linear")):
        text = ACCOUNT.format(venue=venue) + "    contract_size: 10\n"
        assert its(load, text, rules=RULES).kind == kind


def test_one_table_of_terms_serves_accounts_of_several_venues(load):
    """A kind that is not said is found for each of them."""
    text = ON_BINANCE + "    contract_size: 10\n"
    second = text.split("terms:")[0].replace("name: main", "name: other").replace("accounts:\n", "")
    second = second.replace("venue: binance", "venue: binance-coinm").replace("symbol: X", "name: b, symbol: X")
    file = load(text.replace("terms:", second + "terms:"), "account.yaml", rules=RULES)
    assert {name: terms["X"].kind for name, terms in file.terms.items()} == {"main": "linear", "other": "inverse"}


def test_a_kind_that_the_venue_does_not_have_is_refused_with_those_it_has(problems):
    text = ACCOUNT.format(venue="okx") + "    kind: inverse\n"
    assert problems(text, "account.yaml") == [
        "account.yaml:10: terms.X.kind: okx has no rule for inverse contracts (X): expected linear"
    ]


@pytest.mark.parametrize("name", ["Kraken", "kraken_futures", "KRAKEN-FUTURES"])
def test_a_venue_may_be_called_as_people_call_it(load, name):
    text = ACCOUNT.format(venue=name) + "    maintenance_rate: 0.01\n"
    (account,) = load(text, "account.yaml", rules=RULES, canonical=canonical).accounts
    assert account.venue == "kraken-futures"


def test_a_venue_that_nobody_knows_is_told_all_names(problems):
    (problem,) = problems(ACCOUNT.format(venue="Krakn") + "    mark_price: 1\n", "account.yaml", canonical=canonical)
    assert problem == 'account.yaml:3: accounts[0].venue: unknown venue "Krakn": expected one of binance, okx'


def test_settings_of_one_venue_under_two_names_are_refused(problems):
    text = ON_BINANCE + "    mark_price: 1\nvenues:\n  binance: {}\n  Binance: {}\n"
    assert problems(text, canonical=canonical) == [
        "config.yaml:13: venues.Binance: repeated venue: Binance is another name of binance"
    ]


def test_switches_of_a_native_rule_change_only_what_they_name_and_the_name_says_so(load):
    """Kraken's other reading, which no page settles."""
    text = ACCOUNT.format(venue="kraken-futures") + "    rule: {maintenance: entry, tier_by: entry_notional}\n"
    said, venue = its(load, text, rules=RULES), RULES["kraken-futures"]
    rule = said.rule(venue)
    assert (rule.maintenance, rule.tier_by, rule.deduction) == ("entry", "entry_notional", "none")
    assert rule.name == "Kraken Futures linear with maintenance: entry, tier_by: entry_notional"
    assert rule.source == venue["linear"].source
    assert "the operator's file sets maintenance: entry, tier_by: entry_notional" in rule.approximations[0]


def test_a_switch_that_says_what_the_venue_does_anyway_changes_nothing(rules):
    assert SymbolTerms(switches={"maintenance": "mark"}).rule(rules["binance"]) == rules["binance"]["linear"]


def test_a_rule_of_the_operators_own_has_what_the_file_says(load):
    rule = (
        "{name: Acme, maintenance: mark, closing_fee: mark_notional, rounding: tick, source: a page, date: 2026-11-22}"
    )
    own = its(load, f"{ON_GENERIC}    rule: {rule}\n", rules=RULES).rule({})
    assert (own.name, own.source, own.date) == ("Acme", "a page", "2026-11-22")
    assert (own.maintenance, own.tier_by, own.closing_fee) == ("mark", "notional", "mark_notional")
    assert (own.bankruptcy, own.deduction, own.rounding) == ("equity", "built", "tick")


@pytest.mark.parametrize(
    ("maintenance", "tier_by"),
    [("mark", "notional"), ("entry", "entry_notional"), ("fixed", "none"), ("size", "none")],
)
def test_what_selects_the_tier_follows_from_the_requirement_unless_it_is_said(maintenance, tier_by):
    said = SymbolTerms(switches={"maintenance": maintenance, "closing_fee": "none"})
    assert said.rule({}).tier_by == tier_by


def test_a_rule_inside_an_account_stands_instead_of_the_common_one(load):
    """Switches of two rules are not mixed."""
    inner = "    terms: {X: {rule: {maintenance: entry, closing_fee: none}}}\nterms:"
    text = ON_GENERIC.replace("terms:", inner) + "    rule: {maintenance: mark, closing_fee: none, rounding: tick}\n"
    assert its(load, text, rules=RULES).switches == {"maintenance": "entry", "closing_fee": "none"}


GENERIC_NEEDS = (
    "generic has no rule of its own: expected terms.X.rule: {maintenance: mark | entry | fixed | size, "
    "closing_fee: none | mark_notional | at_bankruptcy}, and if need be tier_by: notional | contracts | entry_notional "
    "| none, deduction: published | built | none, bankruptcy: equity | equity_less_fee | proportional, "
    "rounding: none | tick"
)
WRONG_RULES = {
    "no rule": ("mark_price: 50", f"account.yaml:7: accounts[0].positions[0].symbol: {GENERIC_NEEDS}"),
    "half a rule": (
        "rule: {maintenance: mark}",
        f"account.yaml:10: terms.X.rule: {GENERIC_NEEDS}; closing_fee is missing",
    ),
    "unknown switch": (
        "rule: {maintenance: mark, closing_fee: none, teir_by: none}",
        "account.yaml:10: terms.X.rule.teir_by: unknown key (did you mean tier_by?)",
    ),
    "unknown value": (
        "rule: {maintenance: mrak, closing_fee: none}",
        'account.yaml:10: terms.X.rule.maintenance: expected mark, entry, fixed or size, got "mrak" (did you mean mark?)',
    ),
    "values that do not fit together": (
        "rule: {maintenance: entry, tier_by: notional, closing_fee: none}",
        (
            "account.yaml:10: terms.X.rule: a requirement at entry has its tier by entry_notional, contracts or none: "
            "not by the moving notional"
        ),
    ),
}


@pytest.mark.parametrize(("line", "expected"), WRONG_RULES.values(), ids=WRONG_RULES)
def test_a_rule_that_says_too_little_or_nonsense_is_refused(problems, line, expected):
    assert expected in problems(f"{ON_GENERIC}    {line}\n", "account.yaml", rules=RULES)


def test_a_native_rule_with_a_switch_that_does_not_fit_is_refused(problems):
    found = problems(f"{ON_BINANCE}    rule: {{maintenance: entry}}\n", "account.yaml")
    assert found == [
        (
            "account.yaml:10: terms.X.rule: a requirement at entry has its tier by entry_notional, contracts or none: "
            "not by the moving notional"
        )
    ]


WRONG = {
    "tiers and a rate": (
        "{maintenance_rate: 0.01, tiers: [{floor: 0, maintenance_rate: 0.01}]}",
        "maintenance_rate: expected either tiers or maintenance_rate, got both",
    ),
    "rate in percent": (
        "{maintenance_rate: 0.6}",
        "maintenance_rate: expected a number > 0 and <= 0.5, got 0.6 (a fraction, not percent: 0.5 % is 0.005)",
    ),
    "slope in percent": (
        "{maintenance_slope: 0.005}",
        (
            "maintenance_slope: expected a number >= 0 and < 0.001, got 0.005 "
            "(a fraction per coin, not percent: 0.005 % is 0.00005)"
        ),
    ),
    "tick of zero": ("{tick_size: 0}", "tick_size: expected a number > 0, got 0"),
    "absurd beta": ("{beta: 120}", "beta: expected a number >= -10 and <= 10, got 120"),
    "rule as text": ("{rule: mark}", 'rule: expected a mapping (key: value), got "mark"'),
    "switches": ("{switches: {}}", "switches: unknown key"),
    "largest leverage below one": (
        "{tiers: [{floor: 0, maintenance_rate: 0.01, max_leverage: 0.5}]}",
        "tiers[0].max_leverage: expected a number >= 1, got 0.5",
    ),
}


@pytest.mark.parametrize(("terms", "expected"), WRONG.values(), ids=WRONG)
def test_a_spoiled_key_of_the_terms_is_refused(problems, terms, expected):
    assert problems(ON_BINANCE.replace("  X:\n", f"  X: {terms}\n"), "account.yaml") == [
        f"account.yaml:9: terms.X.{expected}"
    ]


def test_the_largest_leverages_of_a_ladder_are_kept_where_every_tier_says_it(load):
    tiers = "[{floor: 0, maintenance_rate: 0.004, max_leverage: 125}, {floor: 9, maintenance_rate: 0.005%s}]"
    for more, expected in ((", max_leverage: 100", (125.0, 100.0)), ("", ())):
        text = ON_BINANCE.replace("  X:\n", f"  X: {{tiers: {tiers % more}}}\n")
        assert its(load, text).table.max_leverages == expected
