"""``perp-monitor explain``: every line of the sum behind a position's liquidation and bankruptcy price."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from monitor import log
from monitor.cli.case import Case, case_of
from monitor.cli.decode import output
from monitor.cli.explain_json import as_json
from monitor.cli.live import Contract, look
from monitor.cli.run import loop_factory
from monitor.cli.sum import lines
from monitor.cli.what_if import at_marks, read_marks
from monitor.config.load import load_account_file
from monitor.config.settings import AccountFile, SymbolTerms, VenueSettings
from monitor.core.account import Account
from monitor.core.contract import TierTable, ladder_for
from monitor.core.pool import Terms
from monitor.core.shock import Shock
from monitor.engine.views import SymbolView
from monitor.errors import ConfigError
from monitor.numbers import parse_decimal
from monitor.venues import RULES, canonical, shipped_tiers
from monitor.venues.base import Venue


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("explain", help="print the sum behind each position's liquidation price")
    parser.add_argument("file", metavar="FILE", help="account file or configuration (YAML or JSON)")
    parser.add_argument("--json", action="store_true", help="one JSON object a position, one a line")
    parser.add_argument(
        "--live", action="store_true", help="take marks and ladders from the venues, as the daemon does (else: offline)"
    )
    parser.add_argument(
        "--at", action="append", default=[], metavar="SYMBOL=PRICE", help="what if the mark were there; may be repeated"
    )
    parser.add_argument(
        "--target", metavar="RATIO", help="distance to bring back, 0.1 is 10 %% (default: where a warning resolves)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain every position of the file."""
    book = open_book(options.file)
    marks = read_marks(options.at, _symbols(book), options.file)
    target = None if options.target is None else read_target(options.target)
    for warning in book.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    seen: Mapping[Contract, SymbolView] = {}
    if options.live:
        log.configure("error", "console")
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            seen = runner.run(look(book))
    with output() as out:
        for case in cases(book, marks, target, seen):
            text = msgspec.json.encode(as_json(case)) if options.json else "\n".join([*lines(case), ""]).encode()
            out.write(text + b"\n")
    return 0


def open_book(file: Path | str) -> AccountFile:
    """Return the accounts of a file, with the rules and ladders that ship with the program. Raises ``ConfigError``."""
    shipped = {name: partial(shipped_tiers, name) for name in RULES}
    return load_account_file(file, RULES, shipped, canonical=canonical)


def cases(
    book: AccountFile,
    marks: Mapping[str, float],
    target: float | None = None,
    seen: Mapping[Contract, SymbolView] | None = None,
) -> Iterator[Case]:
    """Yield what is found of every position, at *marks* where they differ from the file's.

    Without a *target* it is the distance at which a position's warning resolves. *seen* is what the venues say now.
    """
    for account in book.accounts:
        said, fetched = book.terms.get(account.name, {}), book.tiers.get(account.venue, {})
        terms = offline_terms(account, said, fetched, book.venues.get(account.venue, VenueSettings()).own)
        terms = {
            symbol: _now(its, said, symbol, (seen or {}).get((account.venue, symbol))) for symbol, its in terms.items()
        }
        given_equity = None
        held = account
        if marks.keys() & terms.keys():
            held, terms = at_marks(account, terms, marks)
            given_equity = account.equity if held.balance is not None else None
        moves: Shock | None = None
        for position in held.positions:
            ladder = book.ladders[position.name]
            aim = ladder.warning * (1.0 + ladder.hysteresis) if target is None else target
            cross = position.margin_mode == "cross"
            case = case_of(held, position, terms, aim, marks, given_equity, moves if cross else None)
            moves = case.shock if cross else moves  # all that share the collateral share it
            yield case


def offline_terms(
    account: Account, said: Mapping[str, SymbolTerms], fetched: Mapping[str, TierTable], venue: Venue | None = None
) -> dict[str, Terms]:
    """Return terms per symbol: the operator's where given; ladders else *fetched*, or shipped with the program.

    *venue* is the account's, where it is one of the operator's own.
    """
    rules = RULES.get(account.venue, {}) if venue is None else venue.rules
    shipped = partial(shipped_tiers, account.venue) if venue is None else venue.shipped_tiers
    found: dict[str, Terms] = {}
    for symbol in sorted(_held(account)):
        own = said.get(symbol, SymbolTerms())
        table = own.table or fetched.get(symbol) or shipped(symbol)
        found[symbol] = own.terms(rules, table)
    return found


def _now(its: Terms, said: Mapping[str, SymbolTerms], symbol: str, view: SymbolView | None) -> Terms:
    """Return *its* with the mark of now, and the ladder that the venue tells everybody unless the file has one."""
    if view is None:
        return its
    written = said.get(symbol, SymbolTerms()).table is not None
    table = its.table if written else ladder_for(view.table, its.rule) or its.table
    return msgspec.structs.replace(its, mark_price=view.mark_price, table=table)


def read_target(text: str) -> float:
    """Return the distance that *text* says. Raises ``ConfigError``.

    >>> read_target("0.1")
    0.1
    """
    try:
        ratio = parse_decimal(text)
    except ValueError:
        ratio = 0.0
    if not 0.0 < ratio < 1.0:
        raise ConfigError(
            [f"--target: expected a ratio of the mark price between 0 and 1 (0.1 is 10 %), got {text[:40]!r}"]
        )
    return ratio


def _held(account: Account) -> set[str]:
    """Return the symbols whose marks count in *account*."""
    return {p.symbol for p in account.positions} | {asset.symbol for asset in account.assets if asset.symbol}


def _symbols(book: AccountFile) -> set[str]:
    return set[str]().union(*(_held(account) for account in book.accounts))
