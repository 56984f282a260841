"""Contracts, ladders and funds in the rows of a message, for a venue without a module of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from monitor.core import events as ev
from monitor.core.contract import Tier, ladder_problem
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues.generic_definition import STEPS, Definition, Rows
from monitor.venues.generic_facts import SMALLEST, Build, Row
from monitor.venues.generic_values import Find, Known, absent, finder, plain, seconds, value
from monitor.venues.wire import common_coin

MAX_TIERS = 500

TierRow = tuple[float | None, float | None, float, float, float | None]
"""floor, cap, maintenance rate, deduction, largest leverage."""
Ladders = dict[str, list[TierRow]]


def contract_parts(definition: Definition) -> Callable[[str, Mapping[str, str]], tuple[str, str, str]]:
    """Return what finds base, quote and settlement asset of a contract, in common names.

    What the row says counts, then what the definition says of the contract, then what its symbol is made of.
    """
    pattern = re.compile(definition.symbol_parts) if definition.symbol_parts else None

    def parts(symbol: str, said: Mapping[str, str]) -> tuple[str, str, str]:
        fixed = definition.contract(symbol)
        found = None if pattern is None else pattern.fullmatch(definition.symbols.get(symbol, symbol))
        named = {} if found is None else found.groupdict()

        def coin(part: str) -> str:
            word = said.get(part) or (getattr(fixed, part) if fixed else "") or named.get(part) or ""
            return common_coin(word) if word else ""

        base, quote = coin("base"), coin("quote")
        return base, quote, coin("settle") or (base if definition.kind == "inverse" else quote)

    return parts


def contracts(rows: Rows, known: Known) -> Build | None:
    """Return what makes ``ContractTerms`` of a row, None if the rows have no contract size."""
    if "contract_size" not in rows.fields:
        return None
    fields = {name: finder(text) for name, text in rows.fields.items()}
    texts = {name: finder(text) for name, text in rows.text.items()}
    parts, kind = contract_parts(known.definition), known.definition.kind

    def optional(name: str, at: Row) -> float | None:
        raw = fields[name](at.row, at.message) if name in fields else None
        return None if absent(raw) else value(raw, 0.0, LIMIT)

    def build(at: Row) -> None:
        size = optional("contract_size", at)
        if size is None:
            at.out.append(ev.Rejected(known.venue, rows.name, "bad_contract_size", at.symbol))
            return
        said = {name: plain(find(at.row, at.message)) for name, find in texts.items()}
        status = said.get("status") or "listed"
        base, quote, settle = parts(at.symbol, said)
        known.sizes[at.symbol] = size
        at.out.append(
            ev.ContractTerms(
                known.venue,
                at.symbol,
                kind=kind,
                contract_size=size,
                base=base,
                quote=quote,
                settle=settle,
                status=status,
                watchable=not rows.trading or status in rows.trading,
                tick_size=optional("tick_size", at),
                liquidation_fee_rate=optional("liquidation_fee_rate", at),
                delivery_time=_delivery(fields, at),
            )
        )

    return build


def _delivery(fields: Mapping[str, Find], at: Row) -> float | None:
    for name in ("delivery_s", "delivery_ms"):
        raw = fields[name](at.row, at.message) if name in fields else None
        if not absent(raw) and plain(raw) != "0":
            return seconds(raw, name.removeprefix("delivery_"))
    return None


def fund(rows: Rows, known: Known) -> Build | None:
    """Return what makes ``InsuranceFund`` of a row, None if the rows have no balance.

    Without a ``pool`` of the definition it is named after the first watched contract that it stands behind.
    """
    if "fund_balance" not in rows.fields:
        return None
    balance, asset = finder(rows.fields["fund_balance"]), rows.text.get("fund_asset")
    asset_find = None if asset is None else finder(asset)
    backed = rows.text.get("fund_symbols")
    backed_find = None if backed is None else finder(backed)

    def build(at: Row) -> None:
        amount = value(balance(at.row, at.message), -LIMIT, LIMIT)
        if amount is None:
            at.out.append(ev.Rejected(known.venue, rows.name, "bad_balance", at.symbol))
            return
        if backed_find is not None:
            named = backed_find(at.row, at.message)
            wires = [plain(each) for each in named] if isinstance(named, list) else [plain(named)]
            symbols = tuple(sorted(filter(None, map(known.ours, wires))))
        else:
            symbols = (at.symbol,) if at.symbol else tuple(sorted(known.watched or ()))
        coin = plain(asset_find(at.row, at.message)) if asset_find is not None else rows.asset
        if symbols and coin:
            pool = rows.pool or symbols[0]
            at.out.append(ev.InsuranceFund(known.venue, pool, common_coin(coin), amount, symbols, at.time))

    return build


def tiers(rows: Rows) -> Callable[[Any, Any, str, Ladders], None] | None:
    """Return what takes the tiers of a row into a symbol's ladder, None if the rows have none.

    Raises ``WireError`` for a tier that cannot be read: a ladder with a hole would be wrong.
    """
    fields = {name: finder(text) for name, text in rows.fields.items()}

    def read(name: str, row: Any, message: Any, low: float, high: float) -> float | None:
        raw = fields[name](row, message) if name in fields else None
        if absent(raw):
            return None
        found = value(raw, low, high)
        if found is None:
            raise WireError(f"{name} has no usable value", reason="bad_tier")
        return found

    def take_steps(row: Any, message: Any, symbol: str, ladders: Ladders) -> None:
        first, step, rate, more, count = (read(name, row, message, SMALLEST, LIMIT) for name in STEPS)
        if first is None and step is None and rate is None:
            return
        if first is None or step is None or rate is None or more is None or count is None:
            raise WireError("a ladder in steps without one of its values", reason="bad_tier")
        for number in range(min(int(count), MAX_TIERS)):
            floor = 0.0 if number == 0 else first + (number - 1) * step
            ladders.setdefault(symbol, []).append((floor, None, round(rate + number * more, 12), 0.0, None))

    def take(row: Any, message: Any, symbol: str, ladders: Ladders) -> None:
        rate = read("tier_maintenance_rate", row, message, 0.0, 1.0)
        floor = read("tier_floor", row, message, SMALLEST, LIMIT)
        cap = read("tier_cap", row, message, 0.0, LIMIT)
        if rate is None or (floor is None and cap is None):
            raise WireError("a tier without rate or bounds", reason="bad_tier")
        deduction = read("tier_deduction", row, message, SMALLEST, LIMIT) or 0.0
        leverage = read("tier_max_leverage", row, message, 0.0, LIMIT)
        ladders.setdefault(symbol, []).append((floor, cap, rate, deduction, leverage))

    if all(name in rows.fields for name in STEPS):
        return take_steps
    return take if "tier_maintenance_rate" in rows.fields else None


def ladder(venue: str, channel: str, symbol: str, rows: list[TierRow], time: float) -> Event:
    """Return a ladder whose rows came in any order; a tier without a floor begins where the one below ends."""
    rows = sorted(rows, key=lambda row: (row[1] if row[0] is None else row[0]) or 0.0)
    floors = [row[0] if row[0] is not None else (rows[at - 1][1] or 0.0) if at else 0.0 for at, row in enumerate(rows)]
    tiers = tuple(Tier(floor, row[2], row[3]) for floor, row in zip(floors, rows, strict=True))
    if ladder_problem(tiers) is not None:
        return ev.Rejected(venue, channel, "bad_ladder", symbol)
    table = tuple((tier.floor, tier.maintenance_rate, tier.deduction) for tier in tiers)
    leverages = tuple(row[4] for row in rows if row[4] is not None)
    return ev.TierTableChanged(venue, symbol, table, time, leverages if len(leverages) == len(rows) else ())
