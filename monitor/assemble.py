"""What a configuration means for the rooms below: which venues, contracts and accounts there are, and what the venues'
own words say against it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import partial
from math import isclose

import msgspec

from monitor.config.settings import AccountFile, Settings
from monitor.core.account import Account, Position
from monitor.core.contract import ladder_for
from monitor.core.events import ContractTerms
from monitor.engine.book import WatchedAccount
from monitor.engine.views import SymbolView
from monitor.numbers import shortest
from monitor.venues import RULES, VENUES, shipped_tiers
from monitor.venues.base import Venue


def live_venues(settings: Settings) -> dict[str, Venue]:
    """Return the venues that can be watched: those of the program and the operator's own."""
    own = {name: said.own for name, said in settings.venues.items() if said.own is not None}
    return {**VENUES, **own}


def watched_symbols(settings: Settings) -> dict[str, list[str]]:
    """Return the contracts to be fed by venue, those among them whose marks stand in for others'."""
    found: dict[str, set[str]] = {}
    for account in settings.accounts.accounts:
        for symbol in account.symbols():
            proxy = proxy_of(settings, account, symbol)
            venue, fed = (account.venue, symbol) if proxy is None else proxy
            found.setdefault(venue, set()).add(fed)
    return {venue: sorted(found[venue]) for venue in sorted(found)}


def proxy_of(settings: Settings, account: Account, symbol: str) -> tuple[str, str] | None:
    """Return the contract by whose mark *symbol* is watched, None where its venue has a feed."""
    said = settings.venues.get(account.venue)
    return settings.accounts.terms[account.name][symbol].proxy if said is not None and said.proxy_only else None


def watched_accounts(settings: Settings) -> list[WatchedAccount]:
    """Return the accounts as the engine takes them: ladders from the operator, else from the shipped tables."""
    found = []
    for account in settings.accounts.accounts:
        said = settings.venues.get(account.venue)
        own = said.own if said is not None else None
        rules = own.rules if own is not None else RULES.get(account.venue, {})
        terms = {s: t.terms(rules, None) for s, t in settings.accounts.terms[account.name].items()}
        fetched = said.tiers if said else {}
        shipped = partial(shipped_tiers, account.venue) if own is None else own.shipped_tiers
        tables = {s: ladder_for(fetched.get(s) or shipped(s), t.rule) for s, t in terms.items()}
        found.append(
            WatchedAccount(
                account,
                {s: msgspec.structs.replace(t, mark_price=None) for s, t in terms.items()},
                settings.ladder,
                {s: table for s, table in tables.items() if table is not None},
                settings.accounts.ladders,
                {s: t.contract_size for s, t in settings.accounts.terms[account.name].items()},
                {s: proxy for s in account.symbols() if (proxy := proxy_of(settings, account, s)) is not None},
            )
        )
    return found


def start_problems(accounts: AccountFile, views: Iterable[SymbolView], known: Collection[str]) -> list[str]:
    """Return what the venues, which were just read, say against the file: unknown contracts, and other units.

    Subjects that are *known* from an earlier run stop nobody: their contract was not misspelt, it has changed or gone,
    which the engine announces.
    """
    contracts: dict[tuple[str, str], ContractTerms] = {}
    missing: set[tuple[str, str]] = set()
    for view in views:
        if view.status == "not listed":
            missing.add((view.venue, view.symbol))
        elif view.contract is not None:
            contracts[view.venue, view.symbol] = view.contract
    problems = [
        problem
        for account in accounts.accounts
        for position in account.positions
        if f"{account.name}/{position.name}" not in known
        for problem in _position_problems(accounts, account, position, contracts, missing)
    ]
    problems += _asset_problems(accounts, known, missing)
    return [*dict.fromkeys(problems)]


def _position_problems(
    accounts: AccountFile,
    account: Account,
    position: Position,
    contracts: Mapping[tuple[str, str], ContractTerms],
    missing: Collection[tuple[str, str]],
) -> Iterator[str]:
    """Yield why the figures of *position* would mean nothing."""
    said, symbol, venue = accounts.terms[account.name][position.symbol], position.symbol, account.venue
    place = accounts.places.symbols[position.name]
    if (venue, symbol) in missing:
        yield f"{place}: {venue} lists no contract {symbol!r}"
    if said.proxy is not None and said.proxy in missing:
        yield f"{said.places.get('proxy_mark', place)}: {said.proxy[0]} lists no contract {said.proxy[1]!r}"
    contract = contracts.get((venue, symbol))
    if contract is None:
        return
    if said.kind != contract.kind:
        what = f"{venue} says that {symbol} is {contract.kind}: expected terms.{symbol}.kind {contract.kind}"
        yield f"{said.places.get('kind', place)}: {what}, got {said.kind}"
    elif not isclose(said.contract_size, contract.contract_size, rel_tol=1e-9):
        unit = contract.base if contract.kind == "linear" else contract.quote
        theirs, ours = shortest(contract.contract_size), shortest(said.contract_size)
        what = f"{venue} says that a contract of {symbol} is {theirs} {unit}: expected terms.{symbol}.contract_size"
        yield f"{said.places.get('contract_size', place)}: {what} {theirs}, got {ours}"


def _asset_problems(
    accounts: AccountFile, known: Collection[str], missing: Collection[tuple[str, str]]
) -> Iterator[str]:
    """Yield which collateral follows a contract that is not there; of an account watched before, it has been delisted."""
    for account in accounts.accounts:
        if any(f"{account.name}/{position.name}" in known for position in account.positions):
            continue
        for asset, place in zip(account.assets, accounts.places.assets.get(account.name, ()), strict=False):
            if (account.venue, asset.symbol) in missing:
                yield f"{place}: {account.venue} lists no contract {asset.symbol!r}"
