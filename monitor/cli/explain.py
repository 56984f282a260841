"""``perp-monitor explain``: every line of the sum behind a position's liquidation and bankruptcy price, offline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from monitor.config.load import load_account_file
from monitor.config.settings import SymbolTerms
from monitor.core.account import Account, Position
from monitor.core.levels import NONE, UNAVAILABLE, Levels, Terms, closing_fee, position_levels
from monitor.numbers import shortest
from monitor.venues import VENUES
from monitor.venues.base import Venue


def add(verbs: Any) -> None:
    """Add the verb to the parser."""
    parser = verbs.add_parser("explain", help="print the sum behind each position's liquidation price, without network")
    parser.add_argument("file", metavar="FILE", help="account file (YAML or JSON): accounts, and terms for offline use")
    parser.add_argument("--json", action="store_true", help="one JSON object a position, one a line")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Explain every position of the file."""
    book = load_account_file(options.file, VENUES)
    for warning in book.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for number, account in enumerate(book.accounts):
        venue = VENUES[account.venue]
        terms = offline_terms(account, venue, book.terms.get(account.name, {}))
        for position in account.positions:
            found = position_levels(account, position, terms, venue.rule)
            if options.json:
                print(msgspec.json.encode(as_json(account, position, venue, terms, found)).decode())
            else:
                print("\n".join(as_text(account, position, venue, terms, found)))
                if position is not account.positions[-1] or number < len(book.accounts) - 1:
                    print()
    return 0


def offline_terms(account: Account, venue: Venue, said: Mapping[str, SymbolTerms]) -> dict[str, Terms]:
    """Return terms per symbol: the operator's where given, else the ladder that ships with the program."""
    nothing = SymbolTerms()
    found: dict[str, Terms] = {}
    for symbol in {p.symbol for p in account.positions}:
        own = said.get(symbol, nothing)
        table = own.table or venue.shipped_tiers(symbol)
        found[symbol] = Terms(own.mark_price, table, own.closing_fee_rate, own.kind)
    return found


def as_json(
    account: Account, position: Position, venue: Venue, terms: Mapping[str, Terms], found: Levels
) -> dict[str, object]:
    """Return the answer for machines: numbers as they are, unknown ones null."""
    return {
        "name": position.name,
        "account": account.name,
        "venue": venue.name,
        "symbol": position.symbol,
        "side": position.side,
        "margin_mode": position.margin_mode,
        "status": found.status,
        "mark_price": terms[position.symbol].mark_price,
        "liquidation_price": found.liquidation_price,
        "bankruptcy_price": found.bankruptcy_price,
        "liquidation_distance_ratio": found.liquidation_distance_ratio,
        "bankruptcy_distance_ratio": found.bankruptcy_distance_ratio,
        "notional": found.notional,
        "equity": found.equity,
        "maintenance_margin": found.maintenance_margin,
        "margin_ratio": found.margin_ratio,
        "tier": None
        if found.tier is None
        else {
            "floor": found.tier.floor,
            "maintenance_rate": found.tier.maintenance_rate,
            "deduction": found.tier.deduction,
            "notional": found.tier_notional,
        },
        "rule": {"name": venue.rule.name, "source": venue.rule.source, "date": venue.rule.date},
        "missing": found.missing,
        "approximations": found.approximations,
    }


def as_text(
    account: Account, position: Position, venue: Venue, terms: Mapping[str, Terms], found: Levels
) -> Iterator[str]:
    """Yield the sum line by line, so that it can be checked with a pocket calculator."""
    own = terms[position.symbol]
    yield f"{position.name}: {position.symbol} {position.side}, {position.margin_mode}, account {account.name} at {venue.name}"
    yield f"  status            {_STATUS[found.status]}"
    yield from _missing(found)
    yield f"  quantity          {_n(position.quantity)}"
    yield f"  entry price       {_n(position.entry_price)}"
    yield f"  mark price        {_n(own.mark_price)}"
    yield ""
    yield from _equity(account, position, own, found)
    yield from _requirement(position, own, venue, found)
    yield from _prices(account, position, own, venue, found)
    yield f"  rule              {venue.rule.name}: {venue.rule.source}, read {venue.rule.date}"
    for note in found.approximations:
        yield f"  note              {note}"


_STATUS = {
    "ok": "ok",
    NONE: "none: no positive price liquidates this position",
    "already_liquidatable": "already liquidatable: the requirement exceeds the equity at the present mark",
    UNAVAILABLE: "unavailable",
}


def _missing(found: Levels) -> Iterator[str]:
    for item in found.missing:
        yield f"  missing           {item}"


def _equity(account: Account, position: Position, own: Terms, found: Levels) -> Iterator[str]:
    if found.equity is None or found.collateral is None or own.mark_price is None:
        return
    what = "margin" if position.margin_mode != "cross" else "balance"
    if position.margin_mode == "cross" and account.balance is None:
        what = "equity - profit"
    yield f"  {what:<17} {_n(found.collateral):>20}"
    legs = [position] if position.margin_mode != "cross" else account.cross_positions()
    for leg in legs:
        if leg.symbol == position.symbol:
            sum_of = f"{_n(leg.quantity)} x ({_n(own.mark_price)} - {_n(leg.entry_price)})"
            yield f"  + profit          {_n(leg.profit_at(own.mark_price)):>20}   {sum_of}"
    if found.others_profit or found.others_maintenance:
        yield f"  + others' profit  {_n(found.others_profit):>20}   other cross positions at their present marks"
    yield f"  = equity          {_n(found.equity):>20}"
    yield ""


def _requirement(position: Position, own: Terms, venue: Venue, found: Levels) -> Iterator[str]:
    if found.maintenance_margin is None or own.table is None or own.mark_price is None or found.notional is None:
        return
    tier, fee = own.table.tier_at(found.notional), closing_fee(own, venue.rule)
    rate = _n(tier.maintenance_rate) + (f" + {_n(fee)}" if fee else "")
    yield f"  notional          {_n(found.notional):>20}   {_n(abs(position.quantity))} x {_n(own.mark_price)}"
    yield f"  x rate - deduction                       {rate}, less {_n(tier.deduction)} (tier from {_n(tier.floor)})"
    if found.others_maintenance:
        yield f"  + others' needs   {_n(found.others_maintenance):>20}"
    yield f"  = requirement     {_n(found.maintenance_margin):>20}"
    ratio = "none (equity is gone)" if found.margin_ratio is None else f"{found.margin_ratio:.6f}   1 is liquidation"
    yield f"  margin ratio      {ratio:>20}"
    yield ""


def _prices(account: Account, position: Position, own: Terms, venue: Venue, found: Levels) -> Iterator[str]:
    if found.liquidation_price is not None and found.tier is not None:
        tier = found.tier
        word = "recovery price" if found.status == "already_liquidatable" else "liquidation price"
        yield f"  {word:<17} {_n(found.liquidation_price):>20}   distance {_percent(found.liquidation_distance_ratio)}"
        yield (
            f"    tier there: from {_n(tier.floor)}, rate {_n(tier.maintenance_rate)}, deduction {_n(tier.deduction)};"
            f" notional there {_n(found.tier_notional)}"
        )
        yield from _closed_form(account, position, own, venue, found)
    if found.bankruptcy_price is not None:
        distance = _percent(found.bankruptcy_distance_ratio)
        yield f"  bankruptcy price  {_n(found.bankruptcy_price):>20}   distance {distance}"
        yield ""


def _closed_form(account: Account, position: Position, own: Terms, venue: Venue, found: Levels) -> Iterator[str]:
    """Yield the equation with its numbers, where a single position has the price to itself."""
    legs = [p for p in account.cross_positions() if p.symbol == position.symbol]
    tier = found.tier
    if (position.margin_mode == "cross" and len(legs) > 1) or tier is None or found.collateral is None:
        return
    free = found.collateral + found.others_profit - found.others_maintenance
    side, size = (1, abs(position.quantity)) if position.quantity > 0 else (-1, abs(position.quantity))
    fee = closing_fee(own, venue.rule)
    top = f"{_n(free)} + {_n(tier.deduction)} - ({side}) x {_n(size)} x {_n(position.entry_price)}"
    bottom = f"{_n(size)} x ({_n(tier.maintenance_rate)} + {_n(fee)} - ({side}))"
    yield f"    = ({top}) / ({bottom})"


def _n(value: float | None) -> str:
    """Return a number for people: at most 10 decimals, no exponent, thousands apart."""
    if value is None:
        return "unknown"
    rounded = round(value, 10) if abs(value) >= 1e-6 else value
    text = shortest(rounded)
    whole, point, fraction = text.partition(".")
    return f"{int(whole):,}".replace(",", " ") + point + fraction if abs(value) >= 1.0 else text


def _percent(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{100.0 * ratio:+.4f} % of the mark"
