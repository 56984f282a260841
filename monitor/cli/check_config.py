"""``perp-monitor check-config FILE``: the verdict that a start would give, without starting anything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from monitor.cli.decode import count, output
from monitor.cli.explain import offline_terms
from monitor.config.load import load_config
from monitor.config.settings import Settings, VenueSettings
from monitor.venues import VENUES


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("check-config", help="check a configuration file and print what is wrong with it")
    parser.add_argument("file", metavar="FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load the file; a ``ConfigError`` becomes exit code 2."""
    settings = load_config(options.file, VENUES, {name: venue.shipped_tiers for name, venue in VENUES.items()})
    for warning in settings.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    accounts = settings.accounts.accounts
    positions = sum(len(account.positions) for account in accounts)
    receivers = len(settings.receivers)
    with output() as out:
        counts = ", ".join(
            (count(len(accounts), "account"), count(positions, "position"), count(receivers, "receiver"))
        )
        lines = [f"{options.file}: ok: {counts}", *ladders(settings)]
        out.write("".join(f"{line}\n" for line in lines).encode())
    return 0


def ladders(settings: Settings) -> Iterator[str]:
    """Yield which maintenance ladder counts for each watched symbol, and in which accounts if they differ."""
    accounts: dict[str, dict[str, list[str]]] = {}
    for account in settings.accounts.accounts:
        venue, said = VENUES[account.venue], settings.venues.get(account.venue, VenueSettings())
        for symbol, terms in offline_terms(account, venue, settings.accounts.terms[account.name], said.tiers).items():
            table = terms.table
            if table is None:
                continue
            shipped = "the " if table == venue.shipped_tiers(symbol) else ""
            source = f"tiers from {shipped}{table.source}" + (f" of {table.date}" if table.date else "")
            accounts.setdefault(symbol, {}).setdefault(source, []).append(account.name)
    for symbol, sources in sorted(accounts.items()):
        for source, names in sources.items():
            yield f"{symbol}: {source}" + (f" (in {', '.join(names)})" if len(sources) > 1 else "")
