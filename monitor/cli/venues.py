"""``perp-monitor venues``: what each venue gives, and how: the same data that its feed runs on."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from monitor.cli.files import venue_named
from monitor.venues import VENUES
from monitor.venues.base import FACTS, Feature, Venue

WIDTH = 160
"""Columns of the table where there is no terminal."""


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser(
        "venues",
        help="list what each venue gives: mark, funding, open interest, liquidations, depth, tiers, fund, ADL",
        description="A cell says how a fact comes and the longest normal silence: 'stream 1 s', 'poll 60 s'; a stream "
        "without a time speaks when there is news. With one venue, its channels and notes are told in full.",
    )
    parser.add_argument("venue", nargs="*", metavar="VENUE", help="a venue, or the file of one of your own")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print the table as the README has it")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the overview, or one venue in full."""
    venues = _chosen(options.venue)
    if options.json:
        found = {name: [msgspec.structs.asdict(_Row.of(f)) for f in v.features] for name, v in venues.items()}
        print(msgspec.json.format(msgspec.json.encode(found)).decode())
    elif options.markdown:
        print(markdown(venues))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDTH)
        console.print(_detail(*venues.items()) if len(venues) == 1 else _overview(venues))
    return 0


class _Row(msgspec.Struct):
    """One feature, as JSON has it."""

    fact: str
    how: str
    source: str
    interval_seconds: float | None
    note: str

    @classmethod
    def of(cls, feature: Feature) -> _Row:
        return cls(feature.fact, feature.how, feature.source, feature.interval_seconds, feature.note)


def _chosen(names: Iterable[str]) -> Mapping[str, Venue]:
    """Return the venues that are asked for: names, or files of venues of the operator's own; all without any."""
    found = {venue.name: venue for venue in map(venue_named, names)}
    return found or dict(sorted(VENUES.items()))


def cell(features: Iterable[Feature]) -> str:
    """Return how a fact comes, in a few words; "-" if it does not.

    >>> cell([Feature("mark", "stream", "ticker", 0.1), Feature("mark", "poll", "/tickers", 10.0)])
    'stream 0.1 s, poll 10 s'
    """
    told = [f.how + ("" if f.interval_seconds is None else f" {_span(f.interval_seconds)}") for f in features]
    return ", ".join(dict.fromkeys(told)) or "-"


def _span(seconds: float) -> str:
    for unit, length in (("d", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= length and seconds % length == 0.0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _cells(venue: Venue) -> list[str]:
    return [cell(f for f in venue.features if f.fact == fact) for fact in FACTS]


def markdown(venues: Mapping[str, Venue]) -> str:
    """Return the table of the README."""
    lines = [f"| venue | {' | '.join(FACTS)} |", "|---|" + "---|" * len(FACTS)]
    lines += [f"| `{name}` | {' | '.join(_cells(venue))} |" for name, venue in venues.items()]
    return "\n".join(lines)


def _overview(venues: Mapping[str, Venue]) -> Table:
    table = Table(expand=False, show_lines=True)
    table.add_column("venue", no_wrap=True)
    for fact in FACTS:
        table.add_column(fact)
    for name, venue in venues.items():
        table.add_row(name, *_cells(venue))
    return table


def _detail(named: tuple[str, Venue]) -> Table:
    name, venue = named
    kinds = ", ".join(venue.rules) or "kind and rule by the operator"
    table = Table(title=f"{name} ({kinds})", expand=False, title_justify="left")
    for column in ("fact", "how", "longest silence", "source", "note"):
        table.add_column(column)
    for fact in FACTS:
        features = [feature for feature in venue.features if feature.fact == fact]
        for feature in features:
            silence = "" if feature.interval_seconds is None else _span(feature.interval_seconds)
            table.add_row(fact, feature.how, silence, feature.source, feature.note)
        if not features:
            table.add_row(fact, "-", "", "", "the venue publishes none" if name in VENUES else "not in the file")
    return table
