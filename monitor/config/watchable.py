"""Whether the daemon can watch what the files name: a live venue, a kind of contract that it carries, a ladder."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from monitor.config.places import Place, Problems
from monitor.config.settings import AccountFile, Rules, SymbolTerms, VenueSettings
from monitor.config.tiers_file import venue_symbol
from monitor.core.account import Position
from monitor.core.contract import LiquidationRule, TierTable

Live = Mapping[str, Collection[str]]
"""Per venue that can be watched: the kinds of contract that its feed carries."""

ShippedTiers = Mapping[str, Callable[[str], TierTable | None]]
"""Per known venue: the ladder of a symbol that ships with the program, if there is one."""


def laddered_by_terms(accounts: AccountFile, venue: str) -> set[str]:
    """Return the symbols whose ladder is written in the terms of every account at *venue* that holds them."""
    ours = [account for account in accounts.accounts if account.venue == venue]
    held = [(p.symbol, accounts.terms[account.name].get(p.symbol)) for account in ours for p in account.positions]
    return {symbol for symbol, _ in held} - {s for s, terms in held if terms is None or terms.table is None}


def check_watchable(
    accounts: AccountFile,
    rules: Mapping[str, Rules],
    venues: Mapping[str, VenueSettings],
    shipped_tiers: ShippedTiers,
    live: Live | None,
    problems: Problems,
    warnings: list[str],
    announcing: Collection[str] = (),
) -> None:
    """Note each position that could not be watched, and warn of terms that the daemon does not use.

    Ladders are looked for only at the venues of *shipped_tiers* that are not *announcing* theirs to everybody, kinds of
    contract only with *live*.
    """
    for account in accounts.accounts:
        kinds = None if live is None else live.get(account.venue, ())
        where = accounts.places.venues.get(account.name)
        if kinds is not None and not kinds and account.venue in rules and where is not None:
            problems.add(where, f"venue {account.venue} can be explained but not watched yet")
            continue
        shipped = shipped_tiers.get(account.venue)
        fetched = venues.get(account.venue, VenueSettings()).tiers
        proxied = venues.get(account.venue, VenueSettings()).proxy_only
        for position in account.positions:
            place = accounts.places.symbols.get(position.name)
            if place is None or not position.symbol:
                continue  # that problem is noted already
            terms = accounts.terms[account.name][position.symbol]
            if live is not None:
                _check_proxy(position.symbol, terms, place, live, venues, problems, needed=proxied)
            rule = terms.rule(rules.get(account.venue, {}))
            if kinds is not None and terms.kind not in kinds:
                what = f"{terms.kind} contracts of {account.venue} cannot be watched yet ({position.name} is one)"
                theirs = [v for v, k in (live or {}).items() if v.startswith(f"{account.venue}-") and terms.kind in k]
                problems.add(terms.places.get("kind", place), what + (f": write venue: {theirs[0]}" if theirs else ""))
            elif rule is not None and rule.maintenance == "fixed":
                if position.maintenance_margin is None:
                    what = f"expected maintenance_margin beside it: {rule.name} has no requirement of its own"
                    problems.add(place, what)
            elif account.venue in announcing or shipped is None:
                continue  # the venue tells everybody its ladders, or nobody asks for one here
            elif not (terms.table or position.symbol in fetched or _told(position, rule)):
                _check_ladder(position, account.venue, place, shipped, problems)
        for asset, place in zip(account.assets, accounts.places.assets.get(account.name, ()), strict=False):
            if asset.symbol and live is not None:
                terms = accounts.terms[account.name][asset.symbol]
                _check_proxy(asset.symbol, terms, place, live, venues, problems, needed=proxied)
    warnings += _idle(accounts)


def _check_proxy(
    symbol: str,
    terms: SymbolTerms,
    place: Place,
    live: Live,
    venues: Mapping[str, VenueSettings],
    problems: Problems,
    *,
    needed: bool,
) -> None:
    """Note a contract of a venue without a feed that nothing stands in for, and a proxy that cannot be one."""
    if terms.proxy is None:
        if needed:
            how = f"write terms.{symbol}.proxy_mark: {{venue: ..., symbol: ...}}"
            problems.add(place, f"a proxy_only venue has no marks of its own: {how}")
        return
    said = terms.places.get("proxy_mark", place)
    if not needed:
        problems.add(said, "only for a venue with proxy_only: true: this one has marks of its own")
    elif not live.get(terms.proxy[0]) or venues.get(terms.proxy[0], VenueSettings()).proxy_only:
        problems.add(said, f"expected a venue with marks of its own, got {terms.proxy[0]}")


def _told(position: Position, rule: LiquidationRule | None) -> bool:
    """Return whether the rate follows from what the venue reports of the position."""
    return position.maintenance_margin is not None and rule is not None and rule.maintenance != "entry"


def _idle(accounts: AccountFile) -> Iterator[str]:
    """Yield what is said of prices that the daemon takes from the venue, or cannot follow."""
    marks: dict[Place, None] = {}
    for account in accounts.accounts:
        symbols = [position.symbol for position in account.positions] + [asset.symbol for asset in account.assets]
        for symbol in symbols:
            terms = accounts.terms[account.name].get(symbol)
            if terms is not None and terms.mark_price is not None:
                marks[terms.places["mark_price"]] = None
    yield from (f"{place}: for explain only: the daemon takes the venue's mark price" for place in marks)
    for account in accounts.accounts:
        for asset, place in zip(account.assets, accounts.places.assets.get(account.name, ()), strict=False):
            if asset.price is not None:
                what = f"the price of {asset.asset} is held as written: with symbol, its contract's mark price is taken"
                yield f"{place}: {what}"


def _check_ladder(
    position: Position, venue: str, place: Place, shipped: Callable[[str], TierTable | None], problems: Problems
) -> None:
    symbol = position.symbol
    if shipped(symbol) is None:
        meant = next((other for other in _respelt(symbol) if shipped(other) is not None), None)
        hint = f" (did you mean {meant}?)" if meant else ""
        how = f"write terms.{symbol}.tiers, or name a venues.{venue}.tiers_file that has it"
        problems.add(place, f"no maintenance tiers for {symbol}{hint}: {how}")


def _respelt(symbol: str) -> Iterator[str]:
    """Yield what may be meant by *symbol*: no small letters or separators, an ending more or less, a slip undone."""
    plain = re.sub("[^A-Z0-9]", "", venue_symbol(symbol.upper()))
    short = plain.removesuffix("PERP").removesuffix("SWAP")
    yield from (plain, short, f"{short}T", f"{short}USDT", f"1000{short}")
    for at in range(len(short)):
        yield short[:at] + short[at + 1 :]
        yield short[:at] + short[at : at + 2][::-1] + short[at + 2 :]
