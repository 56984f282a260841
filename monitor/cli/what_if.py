"""``explain --at``: the same accounts at other mark prices.

What an operator copied from a venue belongs to the marks of the file: an equity becomes a balance, and a reported
maintenance margin a rate, before the marks move.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import msgspec

from monitor.config.places import nearest
from monitor.core.account import Account, Position
from monitor.core.margin import coordinate
from monitor.core.pool import Terms, asset_price, pool_of
from monitor.errors import ConfigError
from monitor.numbers import parse_decimal


def read_marks(said: Sequence[str], symbols: Collection[str], file: str) -> dict[str, float]:
    """Return the prices of ``SYMBOL=PRICE`` texts. Raises ``ConfigError`` with every problem.

    >>> read_marks(["BTCUSDT=50000"], {"BTCUSDT"}, "account.yaml")
    {'BTCUSDT': 50000.0}
    """
    marks: dict[str, float] = {}
    problems: list[str] = []
    for text in said:
        symbol, equals, number = text.partition("=")
        try:
            price = parse_decimal(number.strip())
        except ValueError:
            price = 0.0
        symbol = symbol.strip()
        if not equals or not symbol or price <= 0.0:
            problems.append(f"--at: expected SYMBOL=PRICE with a price above 0 (BTCUSDT=50000), got {text[:80]!r}")
        elif symbol not in symbols:
            problems.append(f"--at: nothing in {file} has the symbol {symbol[:40]!r}{nearest(symbol, symbols)}")
        elif symbol in marks:
            problems.append(f"--at: more than one price for {symbol}")
        else:
            marks[symbol] = price
    if problems:
        raise ConfigError(problems)
    return marks


def at_marks(
    account: Account, terms: Mapping[str, Terms], marks: Mapping[str, float]
) -> tuple[Account, dict[str, Terms]]:
    """Return *account* and its terms as they are once the marks of *terms* have become *marks*.

    Where the terms have no mark of a symbol, what the file says is taken to belong to the new one.
    """
    before = {s: its if its.mark_price is not None else _moved(its, marks.get(s)) for s, its in terms.items()}
    after = {symbol: _moved(its, marks.get(symbol)) for symbol, its in before.items()}
    account = _with_balance(account, before)
    positions = tuple(_at_its_rate(p, before[p.symbol], after[p.symbol]) for p in account.positions)
    return msgspec.structs.replace(account, positions=positions), after


def _moved(its: Terms, price: float | None) -> Terms:
    return its if price is None else msgspec.structs.replace(its, mark_price=price)


def _with_balance(account: Account, terms: Mapping[str, Terms]) -> Account:
    """Return *account* with the balance that its equity means at the marks of *terms*, itself where that is unknown."""
    members = account.cross_positions()
    if account.balance is not None or account.equity is None or not members:
        return account
    collateral = pool_of(account, members[0], terms).collateral
    if collateral is None:
        return account
    assets = tuple(asset for asset in account.assets if asset_price(asset, terms) is not None)
    worth = sum(asset.value_at(asset_price(asset, terms) or 0.0) for asset in assets)
    balance = collateral - worth - sum(p.unsettled_funding for p in members if p.quantity)
    return msgspec.structs.replace(account, balance=balance, equity=None, assets=assets)


def _at_its_rate(position: Position, before: Terms, after: Terms) -> Position:
    """Return *position* with its reported maintenance margin at the new mark, where that stands for a rate."""
    rule, reported = before.rule, position.maintenance_margin
    if reported is None or before.table is not None or rule is None or rule.maintenance not in {"mark", "size"}:
        return position
    if before.mark_price is None or after.mark_price is None:
        return position
    share = coordinate(after.mark_price, after.kind) / coordinate(before.mark_price, before.kind)
    return msgspec.structs.replace(position, maintenance_margin=reported * share)
