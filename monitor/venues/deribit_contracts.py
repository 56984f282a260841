"""Deribit: what its contracts are called and how they are counted.

Amounts come in USD for inverse contracts and in coins for linear ones and options, under one name. Here inverse ones are
counted in contracts of ``contract_size`` USD and linear ones in coins, as the venue counts a position in them.
"""

from __future__ import annotations

from collections.abc import Sequence

NAME = "deribit"

INVERSE_SIZES = {"BTC": 10.0, "ETH": 1.0}
"""USD a contract of an inverse future, as the venue has always had it: what counts until its list was read."""


class Contracts:
    """The contracts of one feed: their names, and how much of an amount is one contract (USD if inverse, else coins)."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self.symbols = tuple(symbols)
        self._sizes: dict[str, float] = {}

    def learn(self, symbol: str, size: float) -> None:
        """Take the size that the venue's list gives."""
        self._sizes[symbol] = size

    def size(self, symbol: str) -> float | None:
        """Return the amount that is one contract; None for an inverse one that nothing is known of.

        >>> Contracts(()).size("BTC-PERPETUAL"), Contracts(()).size("BTC_USDC-PERPETUAL")
        (10.0, 1.0)
        """
        known = self._sizes.get(symbol)
        if known is not None:
            return known
        coin, *rest = symbol.split("-")
        inverse = len(rest) == 1 and "_" not in coin  # an option has four parts, and is counted in coins
        return INVERSE_SIZES.get(coin) if inverse else 1.0

    def on_index(self, index: object) -> list[str]:
        """Return the watched symbols on an index; all of them where none is named.

        >>> Contracts(["BTC-PERPETUAL", "BTC_USDC-PERPETUAL"]).on_index("btc_usd")
        ['BTC-PERPETUAL']
        """
        if not isinstance(index, str):
            return [*self.symbols]
        return [symbol for symbol in self.symbols if index_of(symbol) == index]


def index_of(symbol: str) -> str:
    """Return the name of a contract's price index.

    >>> index_of("ETH-PERPETUAL"), index_of("SOL_USDC-PERPETUAL")
    ('eth_usd', 'sol_usdc')
    """
    pair = symbol.partition("-")[0].lower()
    return pair if "_" in pair else f"{pair}_usd"


def settled_in(symbol: str) -> str:
    """Return the currency in which a contract settles, by which the venue groups its contracts.

    >>> settled_in("ETH-PERPETUAL"), settled_in("SOL_USDC-PERPETUAL")
    ('ETH', 'USDC')
    """
    return symbol.partition("-")[0].rpartition("_")[2]
