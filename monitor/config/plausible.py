"""Whether figures can be meant as they stand: every position with what its venue makes of it, then each account.

A slip that leaves no sensible reading is a problem; what could be true is a warning that names the other reading
(``monitor.config.slips``, ``.unsaid``, ``.settlement``). Good figures of any venue give neither.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from monitor.config import slips, unsaid
from monitor.config.places import Problems
from monitor.config.settings import AccountFile, Rules
from monitor.config.settlement import shared_balance
from monitor.config.slips import Case, Finding
from monitor.config.unsaid import unknown_kind
from monitor.config.watchable import ShippedTiers
from monitor.core.account import Account, Position
from monitor.core.contract import TierTable
from monitor.core.pool import Terms, asset_price, pool_of, tier_for


def check_plausible(
    accounts: AccountFile,
    rules: Mapping[str, Rules],
    tiers: Mapping[str, Mapping[str, TierTable]],
    shipped_tiers: ShippedTiers,
    problems: Problems,
    warnings: list[str],
) -> None:
    """Note what cannot be meant, and warn of what hardly is. *tiers* are those of the venues' tiers files."""
    found: dict[Finding, None] = {}
    for account in accounts.accounts:
        if account.venue not in rules:
            continue
        fetched, shipped = tiers.get(account.venue, {}), shipped_tiers.get(account.venue)
        terms: dict[str, Terms] = {}
        for symbol, said in accounts.terms[account.name].items():
            table = said.table or fetched.get(symbol) or (None if shipped is None else shipped(symbol))
            terms[symbol] = said.terms(rules[account.venue], table)
        readable = [p for p in account.positions if p.name in accounts.places.symbols and _complete(p)]
        whole = msgspec.structs.replace(account, positions=tuple(readable))
        for position in readable:
            case = _case(whole, position, accounts, terms, rules[account.venue])
            found.update(dict.fromkeys(_findings(case)))
        found.update(dict.fromkeys(shared_balance(whole, accounts, terms)))
    for place, message, fatal in found:
        if fatal:
            problems.add(place, message)
        else:
            warnings.append(f"{place}: {message}")


def _complete(position: Position) -> bool:
    """Return whether the file says everything of *position*; what is bad or missing is noted already."""
    known = position.symbol and position.margin_mode and position.entry_price > 0.0 and position.quantity != 0.0
    return bool(known) and (position.margin_mode == "cross" or bool(position.margin))


def _case(
    account: Account, position: Position, accounts: AccountFile, terms: Mapping[str, Terms], rules: Rules
) -> Case:
    its = terms[position.symbol]
    notional = position.notional_at(position.entry_price, its.kind)
    isolated = position.margin_mode == "isolated"
    tier = tier_for(position, its, notional)
    allowed = None
    if tier is not None and its.table is not None and its.table.max_leverages:
        allowed = its.table.max_leverages[its.table.tiers.index(tier)]
    pool = (position,) if isolated else account.cross_positions()
    notionals = [p.notional_at(p.entry_price, terms[p.symbol].kind) for p in pool]
    alike = len({terms[p.symbol].kind for p in pool}) == 1
    return Case(
        position=position,
        said=accounts.terms[account.name][position.symbol],
        terms=its,
        rules=rules,
        keys=accounts.places.keys[position.name],
        symbol_place=accounts.places.symbols[position.name],
        notional=notional,
        requirement=_requirement(account, position, its),
        max_leverage=allowed,
        collateral=position.margin if isolated else _collateral(account, terms) if alike else None,
        pooled_notional=sum(notionals),
        leads=notional >= max(notionals),
    )


def _requirement(account: Account, position: Position, its: Terms) -> float | None:
    """Return what the ladder asks of the position alone while the mark is at its entry price; None without a ladder.

    What the venue reports is no substitute: that is an amount of another moment.
    """
    if its.table is None or its.rule is None or its.rule.maintenance == "fixed":
        return None
    notional = position.notional_at(position.entry_price, its.kind)
    alone = msgspec.structs.replace(position, margin_mode="isolated", margin=position.margin or notional)
    pool = pool_of(account, alone, {position.symbol: msgspec.structs.replace(its, mark_price=position.entry_price)})
    return pool.requirement() if pool.tiered else None


def _collateral(account: Account, terms: Mapping[str, Terms]) -> float | None:
    """Return the equity of a cross account as far as the file tells: without profit where a mark price is unknown."""
    if account.balance is None:
        return account.equity
    total = account.balance
    for asset in account.assets:
        price = asset_price(asset, terms)
        if price is None:
            return None
        total += asset.value_at(price)
    for position in account.cross_positions():
        mark = terms[position.symbol].mark_price
        total += 0.0 if mark is None else position.profit_at(mark, terms[position.symbol].kind)
    return total


def _findings(case: Case) -> Iterator[Finding]:
    """Return what is odd in one position: where its kind is unknown, that alone."""
    kind = list(unknown_kind(case))
    yield from kind or (finding for check in (*slips.CHECKS, *unsaid.CHECKS) for finding in check(case))
