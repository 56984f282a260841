"""The operator's files as the verbs read them: with the rules and ladders of all venues."""

from __future__ import annotations

from pathlib import Path

from monitor.config.load import load_account_file, load_config
from monitor.config.settings import AccountFile, Settings
from monitor.venues import ANNOUNCING, RULES, SHIPPED_TIERS, VENUES, canonical
from monitor.venues.base import Venue


def read_config(path: Path | str) -> Settings:
    """Return the settings of a configuration for the daemon. Raises ``ConfigError``."""
    live = {name: tuple(venue.rules) for name, venue in VENUES.items()}
    return load_config(path, RULES, SHIPPED_TIERS, live=live, announcing=ANNOUNCING, canonical=canonical)


def read_accounts(path: Path | str) -> AccountFile:
    """Return the accounts of an account file or of a configuration, of any venue. Raises ``ConfigError``."""
    return load_account_file(path, RULES, SHIPPED_TIERS, canonical=canonical)


def read_venue(path: Path | str) -> Venue:
    """Return the venue that a file of the operator's own describes. Raises ``ConfigError``."""
    from monitor.config.definition import read_definition  # noqa: PLC0415
    from monitor.venues import generic  # noqa: PLC0415

    return generic.venue(read_definition(path))
