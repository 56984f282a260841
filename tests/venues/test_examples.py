"""The account files that ship: each loads, is complete without network, and agrees with the exchange's own figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config.load import load_account_file
from monitor.core.levels import position_levels
from monitor.venues import RULES, SHIPPED_TIERS, canonical, shipped_tiers

EXAMPLES = sorted((Path(__file__).parents[2] / "config" / "accounts").glob("*.yaml"))


def answers(path):
    book = load_account_file(path, RULES, SHIPPED_TIERS, canonical)
    assert book.warnings == ()
    for account in book.accounts:
        terms = {
            symbol: said.terms(RULES[account.venue], shipped_tiers(account.venue, symbol))
            for symbol, said in book.terms[account.name].items()
        }
        for position in account.positions:
            yield position, position_levels(account, position, terms)


def test_each_venue_has_an_example():
    assert {path.stem for path in EXAMPLES} == set(RULES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_complete_and_agrees_with_what_the_exchange_shows(path):
    found = list(answers(path))
    assert found
    for position, answer in found:
        assert (position.name, answer.status, answer.missing) == (position.name, "ok", ())
        assert not answer.drifted


def test_all_but_deribit_which_publishes_none_have_a_reported_liquidation_price():
    silent = {p.stem for p in EXAMPLES if all(q.reported_liquidation_price is None for q, _ in answers(p))}
    assert silent == {"deribit"}
