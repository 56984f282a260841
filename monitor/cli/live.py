"""What the venues say just now of the contracts in a file: connect, wait for every mark, leave."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import msgspec

from monitor.assemble import start_problems
from monitor.config.settings import AccountFile, VenueSettings
from monitor.engine.engine import Engine
from monitor.engine.views import SymbolView
from monitor.errors import ConfigError
from monitor.feed.feed import VenueFeed, resources
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot
from monitor.venues import ANNOUNCING, VENUES
from monitor.venues.base import Venue

BOOTSTRAP_SECONDS = 8.0
PATIENCE_SECONDS = 20.0
"""So long the first marks are waited for; what has not come then is unknown."""

Contract = tuple[str, str]
"""(venue, symbol)"""


def fed(book: AccountFile) -> dict[Contract, Contract]:
    """Return for every contract of the file the one whose mark counts: itself, or what stands in for it."""
    found: dict[Contract, Contract] = {}
    for account in book.accounts:
        proxied = book.venues.get(account.venue, VenueSettings()).proxy_only
        for symbol in account.symbols():
            proxy = book.terms[account.name][symbol].proxy if proxied else None
            found[account.venue, symbol] = proxy or (account.venue, symbol)
    return found


async def look(book: AccountFile) -> dict[Contract, SymbolView]:
    """Return what is known of each contract of the file; one whose venue cannot be reached has no mark.

    Raises ``ConfigError`` for what the daemon would not start with: unknown contracts, other units.
    """
    contracts = fed(book)
    own = {name: said.own for name, said in book.venues.items() if said.own is not None}
    venues: Mapping[str, Venue] = {**VENUES, **own}
    symbols: dict[str, list[str]] = {}
    for venue, symbol in sorted(set(contracts.values())):
        if venue in venues:
            symbols.setdefault(venue, []).append(symbol)
    intervals = {name: venues[name].expected_intervals for name in symbols}
    engine = Engine((), intervals, boot(), symbols=symbols)
    feeds = [_feed(engine, venues[name], names, book.venues.get(name)) for name, names in symbols.items()]
    await asyncio.gather(*(feed.bootstrap(BOOTSTRAP_SECONDS) for feed in feeds))
    if problems := start_problems(book, engine.symbol_views(boot()), ()):
        raise ConfigError(problems)
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(feed.run(), name=f"feed {feed.venue.name}") for feed in feeds]
        deadline = boot() + PATIENCE_SECONDS
        while boot() < deadline and not all(map(_complete, engine.symbol_views(boot()))):  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.1)
        for task in running:
            task.cancel()
    seen = {(view.venue, view.symbol): view for view in engine.symbol_views(boot())}
    if problems := start_problems(book, seen.values(), ()):
        raise ConfigError(problems)  # of a venue whose REST answered late
    for (venue, symbol), view in seen.items():
        if view.mark_price is None:
            print(f"warning: {venue}: no mark of {symbol} came within {PATIENCE_SECONDS:g} s", file=sys.stderr)
    return {
        contract: seen[source] if source == contract else msgspec.structs.replace(seen[source], table=None)
        for contract, source in contracts.items()
        if source in seen
    }


def _complete(view: SymbolView) -> bool:
    return view.mark_price is not None and (view.table is not None or view.venue not in ANNOUNCING)


def _feed(engine: Engine, venue: Venue, symbols: list[str], said: VenueSettings | None) -> VenueFeed:
    bound = venue.watching(symbols)
    return VenueFeed(
        bound,
        symbols,
        stream_url=(said.stream_url if said else None) or venue.stream_url,
        rest_url=(said.rest_url if said else None) or venue.rest_url,
        apply=engine.apply,
        announce=lambda _alerts: None,
        accepted_time=engine.accepted_time,
        stats=FeedStats(venue.name, resources(bound, symbols)),
        settings=FeedSettings(),
        depth=False,
    )
