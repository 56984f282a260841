"""The files themselves: ``load_config`` for the daemon; ``load_account_file`` for ``explain``, which wants the accounts.

Both read everything first and then raise one ``ConfigError`` with every problem, or return settings in which
nothing is unchecked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from monitor.config.accounts import read_accounts
from monitor.config.loading import Loading
from monitor.config.places import Place
from monitor.config.plausible import check_plausible
from monitor.config.receivers import read_receivers, read_web
from monitor.config.schema import Section, open_section
from monitor.config.settings import AccountFile, Places, Rules, Settings, VenueSettings
from monitor.config.terms import read_ladder, read_terms
from monitor.config.venues import MAX_PATH, declare_venues, read_venues
from monitor.config.watchable import Live, ShippedTiers, check_watchable
from monitor.core.alerts import Ladder
from monitor.log import LEVELS

DEFAULT_STORE = "state/perp-monitor.db"

_ONLY_FOR_DAEMON = ("receivers", "web", "metrics", "store", "log")
_NOT_HERE = {"accounts_file": "this is an accounts file already", "positions": 'positions stand inside "accounts:"'}


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
    loading = Loading(dict(rules), canonical, dict(shipped_tiers or {}))
    section = _top(path, loading)
    found: AccountFile | None = None
    if section is not None:
        section.given(*_ONLY_FOR_DAEMON)
        _, accounts, venues = _watched(section, path.parent, loading)
        section.done(_NOT_HERE)
        tiers = {name: venue.tiers for name, venue in venues.items()}
        found = replace(accounts, tiers=tiers, venues=venues, warnings=tuple(loading.warnings))
    loading.problems.raise_any()
    assert found is not None
    return found


def load_config(
    path: Path | str,
    rules: Mapping[str, Rules],
    shipped_tiers: ShippedTiers | None = None,
    environ: Mapping[str, str] | None = None,
    live: Live | None = None,
    announcing: Collection[str] = (),
    canonical: Callable[[str], str] = str,
) -> Settings:
    """Return the settings of a configuration file. Raises ``ConfigError``.

    *rules* and *canonical* as in :func:`load_account_file`. With *shipped_tiers* every position must have a
    maintenance ladder: in the terms, in the venue's tiers file, or shipped. With *live*, the kinds of contract that
    can be watched at each venue, every position must be of those. Venues that are *announcing* their ladders need none.
    """
    path = Path(path)
    environ = os.environ if environ is None else environ
    loading = Loading(
        dict(rules), canonical, dict(shipped_tiers or {}), environ, None if live is None else dict(live), {*announcing}
    )
    section = _top(path, loading)
    settings: Settings | None = None
    if section is not None:
        settings = _settings(section, path, loading)
    loading.problems.raise_any()
    assert settings is not None
    return settings


def _top(path: Path, loading: Loading) -> Section | None:
    place = Place(str(path))
    node = loading.open(path, str(path), place)
    return None if node is None else open_section(node, replace(place, line=node.line), loading.problems)


def _settings(section: Section, path: Path, loading: Loading) -> Settings:
    base = path.parent
    ladder, accounts, venues = _watched(section, base, loading)
    check_watchable(
        accounts,
        loading.rules,
        venues,
        loading.shipped_tiers,
        loading.live,
        loading.problems,
        loading.warnings,
        loading.announcing,
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


def _watched(section: Section, base: Path, loading: Loading) -> tuple[Ladder, AccountFile, dict[str, VenueSettings]]:
    """Return what is watched: thresholds, accounts with their terms, and venues with their ladders."""
    ladder = read_ladder(section.section("thresholds"), Ladder())
    declare_venues(section, base, loading)
    accounts = _accounts(section, base, ladder, loading)
    venues = read_venues(section, base, accounts, loading)
    tiers = {name: venue.tiers for name, venue in venues.items()}
    check_plausible(accounts, loading.rules, tiers, loading.shipped_tiers, loading.problems, loading.warnings)
    return ladder, accounts, venues


def _accounts(section: Section, base: Path, ladder: Ladder, loading: Loading) -> AccountFile:
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
