"""``perp-monitor watch``: the live facts of contracts with their ages, no position needed."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from monitor import log
from monitor.cli.files import venue_named
from monitor.cli.run import loop_factory
from monitor.config.urls import check_venue_url
from monitor.engine.engine import Engine
from monitor.engine.views import SymbolView
from monitor.errors import ConfigError
from monitor.feed.feed import VenueFeed, resources
from monitor.feed.settings import FeedSettings
from monitor.feed.stats import FeedStats
from monitor.net.clock import boot, wall
from monitor.venues.base import Venue

BOOTSTRAP_SECONDS = 8.0
ONCE_SECONDS = 15.0
"""How long ``--once`` waits for the first mark of every contract."""

WIDTH = 120
STALE = 3.0
"""An age beyond this many normal silences is coloured."""


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "watch",
        help="show the live facts of contracts with their ages; no position needed",
        description="Connects to the venue's public feed and shows what comes in until Ctrl-C.",
    )
    parser.add_argument("venue", metavar="VENUE", help="a venue (see perp-monitor venues), or the file of your own")
    parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="contracts in the venue's own spelling")
    parser.add_argument("--once", action="store_true", help="print once every mark is in, and stop")
    parser.add_argument("--json", action="store_true", help="print one JSON object a contract and second")
    parser.add_argument("--stream-url", metavar="URL", type=_address("wss", "ws"), help="another websocket address")
    parser.add_argument("--rest-url", metavar="URL", type=_address("https", "http"), help="another REST address")
    parser.set_defaults(run=run)


def _address(secure: str, plain: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        try:
            return check_venue_url(text, secure, plain)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return check


def run(options: argparse.Namespace) -> int:
    """Watch until interrupted; with ``--once`` 0 if every contract had a mark."""
    log.configure("error", "console")
    venue = venue_named(options.venue, options.rest_url or "")
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_watch(venue, list(dict.fromkeys(options.symbols)), options))


async def _watch(venue: Venue, symbols: Sequence[str], options: argparse.Namespace) -> int:
    engine = Engine((), {venue.name: venue.expected_intervals}, boot(), symbols={venue.name: symbols})
    bound = venue.watching(symbols)
    feed = VenueFeed(
        bound,
        symbols,
        stream_url=options.stream_url or venue.stream_url,
        rest_url=options.rest_url or venue.rest_url,
        apply=engine.apply,
        announce=lambda _alerts: None,
        accepted_time=engine.accepted_time,
        broken_books=engine.broken_books,
        stats=FeedStats(venue.name, resources(bound, symbols)),
        settings=FeedSettings(),
    )
    read = await feed.bootstrap(BOOTSTRAP_SECONDS)
    unknown = [view.symbol for view in engine.symbol_views(boot()) if view.status == "not listed"]
    if unknown:
        raise ConfigError([f"{venue.name} lists no contract {symbol!r}" for symbol in unknown])
    if not read:
        print(f"{venue.name}: not all of its REST resources could be read; they are tried again", file=sys.stderr)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(feed.run(), name="feed")
        try:
            return await _show(engine, feed, options)
        except BrokenPipeError:  # whoever read has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        finally:
            running.cancel()


async def _show(engine: Engine, feed: VenueFeed, options: argparse.Namespace) -> int:
    if options.once:
        complete = await _first_marks(engine)
        _print_once(engine, feed, as_json=options.json)
        return 0 if complete else 1
    if options.json or not sys.stdout.isatty():
        while True:
            await asyncio.sleep(1.0)
            _print_once(engine, feed, as_json=options.json)
    with Live(_picture(engine, feed), console=Console(highlight=False), auto_refresh=False) as live:
        while True:
            await asyncio.sleep(0.5)
            live.update(_picture(engine, feed), refresh=True)


async def _first_marks(engine: Engine) -> bool:
    """Wait until every contract has its mark, its funding and its open interest, but not for ever."""
    deadline = boot() + ONCE_SECONDS
    while boot() < deadline:
        await asyncio.sleep(0.2)
        views = list(engine.symbol_views(boot()))
        if all(v.mark_price is not None and len(v.fact_ages) >= 2 and v.contract is not None for v in views):
            return True
    return all(view.mark_price is not None for view in engine.symbol_views(boot()))


def _print_once(engine: Engine, feed: VenueFeed, *, as_json: bool) -> None:
    if as_json:
        for view in engine.symbol_views(boot()):
            print(msgspec.json.encode(view).decode(), flush=True)
    else:
        console = Console(highlight=False)
        (console if console.is_terminal else Console(highlight=False, width=WIDTH)).print(_picture(engine, feed))


def _picture(engine: Engine, feed: VenueFeed) -> Group:
    now = boot()
    parts: list[Table | Text] = [_head(feed)]
    parts += [_table(view, feed.venue) for view in engine.symbol_views(now)]
    return Group(*parts)


def _head(feed: VenueFeed) -> Text:
    stats = feed.stats
    drops = ", ".join(f"{count} {reason}" for (reason,), count in stats.drops.items() if count) or "none"
    told = f"{feed.venue.name}: {stats.open_connections} connections, {sum(stats.messages.values()):,} messages"
    return Text(f"{told}, {sum(stats.rejected.values()):,} values refused, drops: {drops}")


def _table(view: SymbolView, venue: Venue) -> Table:
    contract = view.contract
    common = "" if contract is None else f" = {contract.base}/{contract.quote} settled in {contract.settle}"
    table = Table(title=f"{view.symbol}{common}", title_justify="left", expand=False)
    table.add_column("fact")
    table.add_column("value", justify="right")
    table.add_column("age", justify="right")
    table.add_column("from")
    for fact, value, age in _rows(view):
        table.add_row(fact, value, _age(fact, age, venue), _sources(fact, venue))
    return table


def _rows(view: SymbolView) -> list[tuple[str, str, float | None]]:
    """Return the facts that are known: name, value, seconds since they came in."""
    ages, rows = view.ages, list[tuple[str, str, float | None]]()
    for fact, price in (("mark", view.mark_price), ("index", view.index_price), ("last", view.last_price)):
        rows.append((fact, "unknown" if price is None else f"{price:,.10g}", ages.get(fact)))
    if view.funding_rate is not None:
        rows.append(("funding", _funding(view), view.fact_ages.get("funding")))
    if view.open_interest_contracts is not None:
        interest = f"{view.open_interest_contracts:,.10g} contracts"
        rows.append(("open interest", interest, view.fact_ages.get("open interest")))
    if view.bid_price is not None and view.ask_price is not None:
        rows.append(("depth", f"{view.bid_price:,.10g} / {view.ask_price:,.10g}", view.fact_ages.get("depth")))
    if any(view.liquidated_contracts.values()):
        told = " / ".join(f"{view.liquidated_contracts[side]:,.10g} {side}" for side in ("long", "short"))
        rows.append(("liquidations", told, view.fact_ages.get("liquidations")))
    if view.adl is not None:
        rows.append(("ADL", view.adl.state, view.fact_ages.get("ADL")))
    if view.contract is not None:
        contract = view.contract
        unit = contract.base if contract.kind == "linear" else contract.quote
        told = f"{contract.kind}, {contract.contract_size:g} {unit} a contract, {contract.status}"
        rows.append(("contracts", told, None))
    if view.table is not None:
        tiers = view.table.tiers
        told = f"{len(tiers)} tiers from {tiers[0].maintenance_rate:.3%} to {tiers[-1].maintenance_rate:.3%}"
        rows.append(("tiers", told, None))
    return rows


def _funding(view: SymbolView) -> str:
    told = f"{view.funding_rate:+.5%}"
    if view.funding_interval_seconds is not None:
        told += f" per {view.funding_interval_seconds / 3600.0:g} h"
    if view.next_funding_time is not None:
        left = max(0.0, view.next_funding_time - wall())
        told += f", in {int(left // 3600)}:{int(left % 3600 // 60):02d} h"
    return told


def _age(fact: str, age: float | None, venue: Venue) -> Text:
    if age is None:
        return Text("")
    normal = venue.expected_intervals.get(fact)
    late = normal is not None and age > STALE * max(normal, 1.0)
    return Text(f"stale, {age:.1f} s" if late else f"{age:.1f} s", "bold magenta" if late else "green")


def _sources(fact: str, venue: Venue) -> str:
    return ", ".join(f.source for f in venue.features if f.fact == fact)
