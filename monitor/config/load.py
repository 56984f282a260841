"""The files themselves: ``load_config`` for the daemon; ``load_account_file`` for ``explain``, which wants the accounts.

Both read everything first and then raise one ``ConfigError`` with every problem, or return settings in which
nothing is unchecked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from monitor.config.accounts import read_accounts
from monitor.config.nodes import Node
from monitor.config.places import Place, Problems, nearest
from monitor.config.plausible import check_plausible
from monitor.config.receivers import read_receivers, read_web
from monitor.config.schema import Section, open_section
from monitor.config.settings import AccountFile, Places, Rules, Settings, VenueSettings
from monitor.config.source import MAX_BYTES, MAX_VALUES, parse, read_bytes
from monitor.config.terms import read_ladder, read_terms
from monitor.config.tiers_file import MAX_BYTES as MAX_TIERS_BYTES
from monitor.config.tiers_file import MAX_VALUES as MAX_TIERS_VALUES
from monitor.config.tiers_file import read_tiers
from monitor.config.urls import MAX_URL, check_venue_url
from monitor.config.watchable import Live, ShippedTiers, check_watchable, laddered_by_terms
from monitor.core.alerts import Ladder
from monitor.core.contract import TierTable
from monitor.log import LEVELS

MAX_PATH = 1024
DEFAULT_STORE = "state/perp-monitor.db"

_ONLY_FOR_DAEMON = ("receivers", "web", "metrics", "store", "log")
_NOT_HERE = {"accounts_file": "this is an accounts file already", "positions": 'positions stand inside "accounts:"'}


@dataclass(slots=True)
class _Loading:
    """What comes together while files are read."""

    rules: Mapping[str, Rules]
    canonical: Callable[[str], str]
    shipped_tiers: ShippedTiers
    environ: Mapping[str, str] = field(default_factory=dict)
    live: Live | None = None
    problems: Problems = field(default_factory=Problems)
    warnings: list[str] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)

    def open(
        self, path: Path, name: str, asked_at: Place, limit: int = MAX_BYTES, max_values: int = MAX_VALUES
    ) -> Node | None:
        """Return the top node of a file, None after noting at *asked_at*, or in the file, why there is none."""
        self.problems.order(name)
        try:
            data = read_bytes(path, limit)
        except ValueError as error:
            named = "" if asked_at.file == name else f"{name} "
            self.problems.add(asked_at, f"{named}{error}")
            return None
        self.digests.append(hashlib.sha256(data).digest())
        return parse(data, name, self.problems, max_values)


def load_account_file(
    path: Path | str,
    rules: Mapping[str, Rules],
    shipped_tiers: ShippedTiers | None = None,
    canonical: Callable[[str], str] = str,
) -> AccountFile:
    """Return the accounts of an account file or of a configuration, with the ladders of its tiers files.

    *rules* are those of each known venue by kind of contract; *canonical* turns other spellings of a venue's name into
    the one there. The rest of a configuration is not looked at: its secrets need not be readable. Raises ``ConfigError``.
    """
    path = Path(path)
    loading = _Loading(rules, canonical, shipped_tiers or {})
    section = _top(path, loading)
    found: AccountFile | None = None
    if section is not None:
        section.given(*_ONLY_FOR_DAEMON)
        _, accounts, venues = _watched(section, path.parent, loading)
        section.done(_NOT_HERE)
        tiers = {name: venue.tiers for name, venue in venues.items()}
        found = replace(accounts, tiers=tiers, warnings=tuple(loading.warnings))
    loading.problems.raise_any()
    assert found is not None
    return found


def load_config(
    path: Path | str,
    rules: Mapping[str, Rules],
    shipped_tiers: ShippedTiers | None = None,
    environ: Mapping[str, str] | None = None,
    live: Live | None = None,
    canonical: Callable[[str], str] = str,
) -> Settings:
    """Return the settings of a configuration file. Raises ``ConfigError``.

    *rules* and *canonical* as in :func:`load_account_file`. With *shipped_tiers* every position must have a
    maintenance ladder: in the terms, in the venue's tiers file, or shipped. With *live*, the kinds of contract that
    can be watched at each venue, every position must be of those.
    """
    path = Path(path)
    environ = os.environ if environ is None else environ
    loading = _Loading(rules, canonical, shipped_tiers or {}, environ, live)
    section = _top(path, loading)
    settings: Settings | None = None
    if section is not None:
        settings = _settings(section, path, loading)
    loading.problems.raise_any()
    assert settings is not None
    return settings


def _top(path: Path, loading: _Loading) -> Section | None:
    place = Place(str(path))
    node = loading.open(path, str(path), place)
    return None if node is None else open_section(node, replace(place, line=node.line), loading.problems)


def _settings(section: Section, path: Path, loading: _Loading) -> Settings:
    base = path.parent
    ladder, accounts, venues = _watched(section, base, loading)
    check_watchable(
        accounts, loading.rules, venues, loading.shipped_tiers, loading.live, loading.problems, loading.warnings
    )
    receivers = read_receivers(section, base, loading.environ)
    web = read_web(section.section("web"), base, loading.environ)
    amounts, store_path, log_level, log_format = _small_sections(section)
    section.done()
    if not receivers:
        loading.warnings.append(f"{section.place_of('receivers')}: none configured: alerts go to the log only")
    if not any(account.positions for account in accounts.accounts):
        loading.warnings.append(f"{section.place_of('accounts')}: no position: nothing is watched")
    return Settings(
        accounts=accounts,
        venues=venues,
        ladder=ladder,
        receivers=receivers,
        web=web,
        metrics_amounts=amounts,
        store_path=store_path,
        log_level=log_level,
        log_format=log_format,
        hash=hashlib.sha256(b"".join(loading.digests)).hexdigest()[:12],
        warnings=tuple(loading.warnings),
    )


def _watched(section: Section, base: Path, loading: _Loading) -> tuple[Ladder, AccountFile, dict[str, VenueSettings]]:
    """Return what is watched: thresholds, accounts with their terms, and venues with their ladders."""
    ladder = read_ladder(section.section("thresholds"), Ladder())
    accounts = _accounts(section, base, ladder, loading)
    venues = _venues(section, base, accounts, loading)
    tiers = {name: venue.tiers for name, venue in venues.items()}
    check_plausible(accounts, loading.rules, tiers, loading.shipped_tiers, loading.problems, loading.warnings)
    return ladder, accounts, venues


def _accounts(section: Section, base: Path, ladder: Ladder, loading: _Loading) -> AccountFile:
    """Return the accounts, from here or from the file that ``accounts_file`` names."""
    name = section.text("accounts_file", most=MAX_PATH)
    if "accounts_file" not in section or "accounts" in section:
        if "accounts_file" in section:
            section.note(section.place_of("accounts_file"), "expected either accounts or accounts_file, got both")
        return read_accounts(section, {}, ladder, loading.rules, loading.canonical, loading.warnings)
    terms = read_terms(section.section("terms"), {}, loading.warnings)
    path = base / (name or "")
    place = Place(str(path))
    node = None if name is None else loading.open(path, str(path), section.place_of("accounts_file"))
    file = None if node is None else open_section(node, replace(place, line=node.line), loading.problems)
    if file is None:
        return AccountFile((), {}, {}, Places({}, {}, {}))
    accounts = read_accounts(file, terms, ladder, loading.rules, loading.canonical, loading.warnings)
    file.done(_NOT_HERE)
    return accounts


def _venues(section: Section, base: Path, accounts: AccountFile, loading: _Loading) -> dict[str, VenueSettings]:
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
        venue.done()
        venues[name] = VenueSettings(stream_url, rest_url, tiers)
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
    section: Section, venue: str, base: Path, accounts: AccountFile, loading: _Loading
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


def _small_sections(section: Section) -> tuple[bool, Path, str, str]:
    """Return the values of ``metrics``, ``store`` and ``log``."""
    amounts, store_path, level, form = False, None, None, None
    metrics = section.section("metrics")
    if metrics is not None:
        amounts = metrics.flag("amounts")
        metrics.done()
    store = section.section("store")
    if store is not None:
        store_path = store.text("path", most=MAX_PATH)
        store.done()
    log = section.section("log")
    if log is not None:
        level = log.text("level", one_of=tuple(LEVELS))
        form = log.text("format", one_of=("json", "console"))
        log.done()
    return amounts, Path(store_path or DEFAULT_STORE), level or "info", form or "json"
