"""The operator's files as the verbs read them: with the rules and ladders of all venues."""

from __future__ import annotations

from pathlib import Path

from monitor.config.definition import read_definition
from monitor.config.load import load_account_file, load_config
from monitor.config.settings import AccountFile, Settings
from monitor.errors import ConfigError
from monitor.venues import ANNOUNCING, RULES, SHIPPED_TIERS, VENUES, canonical, generic
from monitor.venues.base import Venue


def read_config(path: Path | str) -> Settings:
    """Return the settings of a configuration for the daemon. Raises ``ConfigError``."""
    live = {name: tuple(venue.rules) for name, venue in VENUES.items()}
    return load_config(path, RULES, SHIPPED_TIERS, live=live, announcing=ANNOUNCING, canonical=canonical)


def read_accounts(path: Path | str) -> AccountFile:
    """Return the accounts of an account file or of a configuration, of any venue. Raises ``ConfigError``."""
    return load_account_file(path, RULES, SHIPPED_TIERS, canonical=canonical)


def venue_named(said: str, rest_url: str = "") -> Venue:
    """Return a venue by one of its names, or the one that a file of the operator's own describes.

    *rest_url* is where all its resources are read, if not where it says itself. Raises ``ConfigError``.
    """
    name = canonical(said)
    if name in VENUES:
        return VENUES[name]
    if said.endswith((".yaml", ".yml")):
        return generic.venue(read_definition(said), rest_url)
    raise ConfigError([f"unknown venue {said!r}: expected one of {', '.join(sorted(VENUES))}, or a YAML file"])
