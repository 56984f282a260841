"""Accounts and positions, as the operator names them."""

from __future__ import annotations

import msgspec


class Position(msgspec.Struct, frozen=True):
    """One open position.

    ``quantity`` is signed, long > 0: base asset if linear, face value in the quote asset if inverse (contracts *
    contract_size). ``margin`` is what an isolated position holds, in the settlement asset and without its own
    unrealised profit; None in cross. ``leverage`` is the one chosen at the venue, where the operator says it.

    What the venue says of the position, where the operator has copied it: ``maintenance_margin`` (amount),
    ``unsettled_funding`` (settlement asset, > 0 is still to be received) and ``reported_liquidation_price`` (0 where
    the venue shows none). ``stop_price`` and ``stop_trigger`` (mark, last or index) are of the holder's own stop.
    """

    name: str
    symbol: str
    quantity: float
    entry_price: float
    margin_mode: str
    margin: float | None = None
    contracts: float = 0.0
    leverage: float | None = None
    maintenance_margin: float | None = None
    unsettled_funding: float = 0.0
    reported_liquidation_price: float | None = None
    stop_price: float | None = None
    stop_trigger: str = ""

    @property
    def side(self) -> str:
        """Return ``long`` or ``short``."""
        return "long" if self.quantity >= 0 else "short"

    def profit_at(self, price: float, kind: str = "linear") -> float:
        """Return the unrealised profit at *price*, in the settlement asset (the coin, if inverse)."""
        if kind == "inverse":
            return self.quantity * (1.0 / self.entry_price - 1.0 / price)
        return self.quantity * (price - self.entry_price)

    def notional_at(self, price: float, kind: str = "linear") -> float:
        """Return the absolute value at *price*, in the settlement asset (the coin, if inverse)."""
        return abs(self.quantity) / price if kind == "inverse" else abs(self.quantity) * price


class CollateralAsset(msgspec.Struct, frozen=True):
    """Another asset that counts as collateral of a cross account.

    ``rate`` is what the venue counts of its value (0.9 is a haircut of 10 %); a debt (``amount`` < 0) counts whole.
    Its price is ``price``, or the mark price of the contract ``symbol``; ``beta`` is how much more than the
    market it moves in a whole-account shock.
    """

    asset: str
    amount: float
    rate: float = 1.0
    price: float | None = None
    symbol: str = ""
    beta: float = 1.0

    def value_at(self, price: float) -> float:
        """Return what the asset counts as collateral at *price*."""
        return min(self.amount * price * self.rate, self.amount * price)


class Account(msgspec.Struct, frozen=True):
    """One account at one venue: the positions in cross share one collateral.

    ``balance`` is that collateral without unrealised profit; an operator may give ``equity`` (with it) instead.
    Exactly one of them is set where a cross position exists. ``assets`` count beside the balance.
    """

    name: str
    venue: str
    positions: tuple[Position, ...]
    position_mode: str = "one_way"
    balance: float | None = None
    equity: float | None = None
    assets: tuple[CollateralAsset, ...] = ()

    def symbols(self) -> tuple[str, ...]:
        """Return the contracts whose marks the account hangs on, each once."""
        held = [p.symbol for p in self.positions]
        return tuple(dict.fromkeys([*held, *(asset.symbol for asset in self.assets if asset.symbol)]))

    def cross_positions(self) -> tuple[Position, ...]:
        """Return the positions that share the account's collateral."""
        return tuple(p for p in self.positions if p.margin_mode == "cross")
