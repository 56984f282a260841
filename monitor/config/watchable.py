"""Whether the daemon can watch what the files name: a known venue, a linear contract, a maintenance ladder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from monitor.config.places import Place, Problems
from monitor.config.settings import AccountFile, SymbolTerms, VenueSettings
from monitor.config.tiers_file import venue_symbol
from monitor.core.account import Position
from monitor.core.contract import TierTable

ShippedTiers = Mapping[str, Callable[[str], TierTable | None]]
"""Per known venue: the ladder of a symbol that ships with the program, if there is one."""


def laddered_by_terms(accounts: AccountFile, venue: str) -> set[str]:
    """Return the symbols whose ladder is written in the terms of every account at *venue* that holds them."""
    ours = [account for account in accounts.accounts if account.venue == venue]
    held = [(p.symbol, accounts.terms[account.name].get(p.symbol)) for account in ours for p in account.positions]
    return {symbol for symbol, _ in held} - {s for s, terms in held if terms is None or terms.table is None}


def check_watchable(
    accounts: AccountFile,
    venues: Mapping[str, VenueSettings],
    shipped_tiers: ShippedTiers | None,
    problems: Problems,
    warnings: list[str],
) -> None:
    """Note each position that could not be watched, and warn of terms that the daemon does not use.

    Ladders are looked for only with *shipped_tiers*, and only at the venues that it knows.
    """
    idle: dict[Place, None] = {}
    for account in accounts.accounts:
        shipped = None if shipped_tiers is None else shipped_tiers.get(account.venue)
        fetched = venues.get(account.venue, VenueSettings()).tiers
        for position in account.positions:
            terms = accounts.terms[account.name].get(position.symbol, SymbolTerms())
            place = accounts.places.symbols.get(position.name)
            if terms.mark_price is not None:
                idle[terms.places["mark_price"]] = None
            if place is None or not position.symbol:
                continue  # that problem is noted already
            if terms.kind != "linear":
                where = terms.places["kind"]
                problems.add(where, f"{terms.kind} contracts cannot be watched yet ({position.name} is one)")
            elif terms.table is None and position.symbol not in fetched and shipped is not None:
                _check_ladder(position, account.venue, place, shipped, problems)
    warnings += [f"{place}: for explain only: the daemon takes the venue's mark price" for place in idle]


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
