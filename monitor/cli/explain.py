"""``perp-monitor explain``: every line of the sum behind a position's liquidation and bankruptcy price, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.cli.decode import output
from monitor.cli.sum import Sum
from monitor.config.load import load_account_file
from monitor.config.settings import SymbolTerms
from monitor.core.account import Account, Position
from monitor.core.contract import TierTable
from monitor.core.levels import Levels, Terms, position_levels
from monitor.venues import VENUES
from monitor.venues.base import Venue


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("explain", help="print the sum behind each position's liquidation price, without network")
    parser.add_argument("file", metavar="FILE", help="account file or configuration (YAML or JSON)")
    parser.add_argument("--json", action="store_true", help="one JSON object a position, one a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain every position of the file."""
    book = load_account_file(options.file, VENUES, {name: venue.shipped_tiers for name, venue in VENUES.items()})
    for warning in book.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    answers: list[str] = []
    for account in book.accounts:
        venue = VENUES[account.venue]
        terms = offline_terms(account, venue, book.terms.get(account.name, {}), book.tiers.get(account.venue, {}))
        for position in account.positions:
            found = position_levels(account, position, terms, venue.rule)
            if options.json:
                answers.append(msgspec.json.encode(as_json(account, position, venue, terms, found)).decode())
            else:
                answers.append("\n".join(Sum(account, position, venue, terms, found).lines()) + "\n")
    with output() as out:
        out.write("".join(f"{answer}\n" for answer in answers).encode())
    return 0


def offline_terms(
    account: Account, venue: Venue, said: Mapping[str, SymbolTerms], fetched: Mapping[str, TierTable]
) -> dict[str, Terms]:
    """Return terms per symbol: the operator's where given; ladders else *fetched* or shipped with the program."""
    nothing = SymbolTerms()
    found: dict[str, Terms] = {}
    for symbol in {p.symbol for p in account.positions}:
        own = said.get(symbol, nothing)
        table = own.table or fetched.get(symbol) or venue.shipped_tiers(symbol)
        found[symbol] = Terms(own.mark_price, table, own.closing_fee_rate, own.kind)
    return found


def as_json(
    account: Account, position: Position, venue: Venue, terms: Mapping[str, Terms], found: Levels
) -> dict[str, object]:
    """Return the answer for machines: numbers as they are, unknown ones null."""
    return {
        "name": position.name,
        "account": account.name,
        "venue": venue.name,
        "symbol": position.symbol,
        "side": position.side,
        "margin_mode": position.margin_mode,
        "status": found.status,
        "mark_price": terms[position.symbol].mark_price,
        "liquidation_price": found.liquidation_price,
        "bankruptcy_price": found.bankruptcy_price,
        "liquidation_distance_ratio": found.liquidation_distance_ratio,
        "bankruptcy_distance_ratio": found.bankruptcy_distance_ratio,
        "notional": found.notional,
        "equity": found.equity,
        "maintenance_margin": found.maintenance_margin,
        "margin_ratio": found.margin_ratio,
        "tier": None
        if found.tier is None
        else {
            "floor": found.tier.floor,
            "maintenance_rate": found.tier.maintenance_rate,
            "deduction": found.tier.deduction,
            "notional": found.tier_notional,
        },
        "rule": {"name": venue.rule.name, "source": venue.rule.source, "date": venue.rule.date},
        "missing": found.missing,
        "approximations": found.approximations,
    }
