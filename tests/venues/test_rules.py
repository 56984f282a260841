"""What every venue's rule has to have, and the names and ladders that go with them."""

from __future__ import annotations

import re

import pytest

from monitor.core.contract import ladder_problem, rule_problem
from monitor.venues import ALIASES, RULES, SHIPPED_TIERS, VENUES, canonical, hyperliquid, lighter, shipped_tiers

RULE_OF = {f"{venue} {kind}": (kind, rule) for venue, rules in RULES.items() for kind, rule in rules.items()}


@pytest.mark.parametrize(("kind", "rule"), RULE_OF.values(), ids=RULE_OF.keys())
def test_every_rule_names_its_page_and_day_and_has_switches_that_the_formulas_know(kind, rule):
    assert rule.name
    assert len(rule.source) > 10
    assert re.fullmatch(r"20\d\d-\d\d-\d\d", rule.date)
    assert rule_problem(rule) is None
    assert kind in {"linear", "inverse"}


@pytest.mark.parametrize("rule", [rule for _, rule in RULE_OF.values()], ids=RULE_OF.keys())
def test_what_a_rule_leaves_out_is_said_in_short_sentences_and_once(rule):
    said = (*rule.approximations, *rule.cross_approximations)
    assert len(set(said)) == len(said)
    assert all(0 < len(note) < 130 and not note.endswith(".") for note in said)


def test_the_kinds_are_those_that_each_venue_has():
    assert {venue: "+".join(sorted(rules)) for venue, rules in RULES.items()} == {
        "binance": "inverse+linear",
        "binance-coinm": "inverse",
        "bybit": "inverse+linear",
        "deribit": "inverse+linear",
        "dydx": "linear",
        "generic": "",
        "hyperliquid": "linear",
        "kraken-futures": "inverse+linear",
        "lighter": "linear",
        "okx": "inverse+linear",
    }


def test_a_live_venue_has_a_rule_for_each_kind_on_its_wire():
    for name, venue in VENUES.items():
        assert venue.rules
        assert all(RULES[name][kind] is rule for kind, rule in venue.rules.items())


def test_a_venue_is_found_by_other_spellings_of_its_name():
    assert all(canonical(name) == name for name in RULES)
    assert all(canonical(alias) == name and name in RULES for alias, name in ALIASES.items())
    assert canonical(" Kraken_Futures ") == canonical("KRAKEN") == "kraken-futures"
    assert canonical("Binance_COIN_M") == canonical("binance-cm") == "binance-coinm"


def test_an_unknown_venue_keeps_its_name_and_ships_nothing():
    assert canonical("Acme_X") == "acme-x"
    assert shipped_tiers("acme", "BTC") is None
    assert shipped_tiers("okx", "BTC-USDT-SWAP") is None


def test_every_shipped_ladder_is_sound_and_says_where_it_is_from_and_of_which_day():
    symbols = {
        "binance": ("BTCUSDT", "ETHUSDT"),
        "hyperliquid": hyperliquid.MAX_LEVERAGE,
        "lighter": lighter.MAINTENANCE_RATES,
    }
    assert set(SHIPPED_TIERS) == set(VENUES)
    assert all(SHIPPED_TIERS[name]("BTC") is None for name in VENUES.keys() - symbols.keys())
    for venue, names in symbols.items():
        for symbol in names:
            table = shipped_tiers(venue, symbol)
            assert ladder_problem(table.tiers) is None
            assert "shipped" in table.source
            assert table.date.startswith("20")
        assert shipped_tiers(venue, "NO SUCH CONTRACT") is None


def test_a_hyperliquid_requirement_is_continuous_from_one_tier_to_the_next():
    """Its page: 100 million of BTC need 1.25 million, 200 million need 3.125 million."""
    table = shipped_tiers("hyperliquid", "BTC")
    for notional, expected in ((100e6, 1.25e6), (150e6, 1.875e6), (200e6, 3.125e6)):
        tier = table.tier_at(notional)
        assert notional * tier.maintenance_rate - tier.deduction == pytest.approx(expected)
