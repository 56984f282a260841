"""``perp-monitor check-config FILE``: the verdict that a start would give, without starting anything."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from monitor.cli.decode import count, output
from monitor.cli.files import read_config
from monitor.config.settings import Settings, VenueSettings
from monitor.venues import shipped_tiers


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("check-config", help="check a configuration file and print what is wrong with it")
    parser.add_argument("file", metavar="FILE")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load the file; a ``ConfigError`` becomes exit code 2."""
    settings = read_config(options.file)
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
        said, fetched = settings.accounts.terms[account.name], settings.venues.get(account.venue, VenueSettings()).tiers
        for symbol in dict.fromkeys(position.symbol for position in account.positions):
            own = settings.venues.get(account.venue, VenueSettings()).own
            ours = shipped_tiers(account.venue, symbol) if own is None else own.shipped_tiers(symbol)
            table = said[symbol].table or fetched.get(symbol) or ours
            if table is None:
                continue
            shipped = "the " if table == ours else ""
            source = f"tiers from {shipped}{table.source}" + (f" of {table.date}" if table.date else "")
            accounts.setdefault(symbol, {}).setdefault(source, []).append(account.name)
    for symbol, sources in sorted(accounts.items()):
        for source, names in sources.items():
            yield f"{symbol}: {source}" + (f" (in {', '.join(names)})" if len(sources) > 1 else "")
