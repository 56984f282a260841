"""``venues``: where a venue is reached if not where it says itself, its ladders, and venues of the operator's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from monitor.config.definition import read_definition
from monitor.config.loading import Loading
from monitor.config.places import nearest
from monitor.config.schema import Section, open_section
from monitor.config.settings import AccountFile, VenueSettings
from monitor.config.tiers_file import MAX_BYTES as MAX_TIERS_BYTES
from monitor.config.tiers_file import MAX_VALUES as MAX_TIERS_VALUES
from monitor.config.tiers_file import read_tiers
from monitor.config.urls import MAX_URL, check_venue_url
from monitor.config.watchable import laddered_by_terms
from monitor.core.contract import LiquidationRule, TierTable
from monitor.errors import ConfigError
from monitor.venues import generic

MAX_PATH = 1024

ANY_KIND = ("linear", "inverse")
UNREAD = LiquidationRule("a definition that could not be read", "", "", "mark", "none", "none")
"""Stands in while problems are collected: nothing is ever worked out with it."""


def declare_venues(section: Section, base: Path, loading: Loading) -> None:
    """Make known the venues that ``venues`` of *section* declares.

    One with a ``definition`` is described by that file; one that is ``proxy_only`` has no feed and is watched by another
    venue's marks.
    """
    venues = section.section("venues")
    if venues is None:
        return
    for said, node, place in venues.members():
        name = loading.canonical(said)
        venue = None if name in loading.rules else open_section(node, place, loading.problems)
        if venue is None:
            continue
        if "definition" in venue:
            _define(venue, name, base, loading)
        elif venue.flag("proxy_only"):
            loading.declare(name, {}, ANY_KIND)


def _define(section: Section, name: str, base: Path, loading: Loading) -> None:
    """Read the file that describes the venue *name*; its problems are told with its own lines."""
    place, file = section.place_of("definition"), section.text("definition", most=MAX_PATH)
    if file is None:
        return
    loading.declare(name, dict.fromkeys(ANY_KIND, UNREAD), ANY_KIND)  # its own problems are enough to tell
    try:
        definition = read_definition(base / file)
    except ConfigError as error:
        for problem in error.problems:
            loading.problems.add(place, problem)
        return
    if definition.name != name:
        loading.problems.add(place, f"{file} describes the venue {definition.name}: expected that name, got {name}")
        return
    loading.digests.append(hashlib.sha256((base / file).read_bytes()).digest())
    loading.definitions[name] = definition
    rules = {} if definition.rule is None else {definition.kind: definition.rule}
    loading.declare(name, rules, (definition.kind,))
    venue = generic.venue(definition)
    loading.shipped_tiers[name] = venue.shipped_tiers
    if any(feature.fact == "tiers" and feature.how == "poll" for feature in venue.features):
        loading.announcing.add(name)


def read_venues(section: Section, base: Path, accounts: AccountFile, loading: Loading) -> dict[str, VenueSettings]:
    """Return what is said of venues; a venue of which nothing is said needs nothing."""
    venues: dict[str, VenueSettings] = {}
    venues_section = section.section("venues")
    if venues_section is None:
        return venues
    for said, node, place in venues_section.members():
        name = loading.canonical(said)
        if name not in loading.rules:
            known = ", ".join(sorted(loading.rules))
            section.note(place, f"unknown venue: expected one of {known}{nearest(said, loading.rules)}")
            continue
        if name in venues:
            section.note(place, f"repeated venue: {said} is another name of {name}")
            continue
        venue = open_section(node, place, loading.problems)
        if venue is None:
            continue
        stream_url = _base_address(venue, "stream_url", "wss", "ws")
        rest_url = _base_address(venue, "rest_url", "https", "http")
        tiers = _tiers_file(venue, name, base, accounts, loading)
        depth = venue.flag("depth", default=True)
        proxy_only = venue.flag("proxy_only")
        if venue.given("definition") and name not in loading.declared:
            venue.note(venue.place_of("definition"), f"{name} is a venue of the program: give yours another name")
        definition = loading.definitions.get(name)
        own = None if definition is None else generic.venue(definition, rest_url or "")
        if proxy_only and name not in loading.declared:
            venue.note(venue.place_of("proxy_only"), f"{name} has a feed of its own")
        venue.done()
        venues[name] = VenueSettings(stream_url, rest_url, tiers, depth=depth, proxy_only=proxy_only, own=own)
    return venues


def _base_address(section: Section, key: str, secure: str, plain: str) -> str | None:
    url = section.text(key, most=MAX_URL)
    if url is None:
        return None
    try:
        return check_venue_url(url, secure, plain)
    except ValueError as error:
        section.note(section.place_of(key), str(error))
        return None


def _tiers_file(
    section: Section, venue: str, base: Path, accounts: AccountFile, loading: Loading
) -> dict[str, TierTable]:
    """Return the ladders of a venue's ``tiers_file``, warning of watched symbols that it does not have."""
    name, place = section.text("tiers_file", most=MAX_PATH), section.place_of("tiers_file")
    if name is None:
        return {}
    path = base / name
    node = loading.open(path, str(path), place, MAX_TIERS_BYTES, MAX_TIERS_VALUES)
    if node is None:
        return {}
    watched = {p.symbol for account in accounts.accounts if account.venue == venue for p in account.positions}
    tables = read_tiers(node, str(path), watched, loading.problems, loading.warnings)
    shipped = loading.shipped_tiers.get(venue)
    for symbol in sorted(watched - tables.keys() - laddered_by_terms(accounts, venue)):
        table = None if shipped is None else shipped(symbol)
        instead = f": the {table.source} of {table.date} is used" if table is not None else ""
        loading.warnings.append(f"{place}: {name} has no tiers for {symbol}{instead}")
    return tables
