"""``perp-monitor check-config FILE``: the verdict that a start would give, without starting anything."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from monitor.config.load import load_config
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
    print(f"{options.file}: ok: {len(accounts)} accounts, {positions} positions, {len(settings.receivers)} receivers")
    return 0
