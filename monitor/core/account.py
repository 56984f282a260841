"""Accounts and positions, as the operator names them."""

from __future__ import annotations

import msgspec


class Position(msgspec.Struct, frozen=True):
    """One open position.

    ``quantity`` is signed, long > 0: base asset if linear (contracts * contract_size). ``margin`` is what an
    isolated position holds, in the settlement asset and without its own unrealised profit; None in cross.
    """

    name: str
    symbol: str
    quantity: float
    entry_price: float
    margin_mode: str
    margin: float | None = None
    contracts: float = 0.0

    @property
    def side(self) -> str:
        """Return ``long`` or ``short``."""
        return "long" if self.quantity >= 0 else "short"

    def profit_at(self, price: float) -> float:
        """Return the unrealised profit of a linear position at *price*, in the settlement asset."""
        return self.quantity * (price - self.entry_price)


class Account(msgspec.Struct, frozen=True):
    """One account at one venue.

    ``balance`` is the cross collateral without unrealised profit; an operator may give ``equity`` (with it)
    instead. Exactly one of them is set where a cross position exists.
    """

    name: str
    venue: str
    positions: tuple[Position, ...]
    position_mode: str = "one_way"
    balance: float | None = None
    equity: float | None = None

    def cross_positions(self) -> tuple[Position, ...]:
        """Return the positions that share the account's collateral."""
        return tuple(p for p in self.positions if p.margin_mode == "cross")
