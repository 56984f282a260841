"""What Lighter calls its markets: an integer in channels and trades, a symbol everywhere else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

NAME = "lighter"

SILENT_SECONDS = 30.0
"""Of some 150 markets one always moves: when the stream has told of none for so long, the sequencer may have halted."""

DOUBTFUL_SECONDS = 5.0
"""The age given to prices then that have no time of their own: late enough to prove nothing, good enough to alarm."""


class Markets:
    """The names of the watched markets, learned from the venue's own answers, and when the venue last spoke of any
    market. No facts.

    >>> markets = Markets(["ETH"])
    >>> markets.learn("0", "ETH")
    >>> markets.symbol_of_channel("order_book:0"), markets.number_of("ETH"), markets.number_of("BTC")
    ('ETH', '0', None)
    """

    def __init__(self, watched: Iterable[str] | None) -> None:
        self._watched = None if watched is None else frozenset(watched)
        """None: all of them."""
        self._symbols: dict[str, str] = {}
        self._numbers: dict[str, str] = {}
        self.spoke: float | None = None
        """Venue time of the latest frame that told of markets which moved, watched or not; at first, of any."""

    def watches(self, symbol: str) -> bool:
        """Return whether *symbol* is one that somebody watches."""
        return symbol != "" and (self._watched is None or symbol in self._watched)

    def silent(self, now: float) -> bool:
        """Return whether no market has moved for too long: what is repeated then proves nothing."""
        return self.spoke is not None and now - self.spoke > SILENT_SECONDS

    def learn(self, number: str, symbol: str) -> None:
        """Note that the market *number* is *symbol*, and no other is; what is not watched is not noted."""
        if self._symbols.get(number) != symbol and self.watches(symbol):
            self._numbers.pop(self._symbols.pop(number, ""), None)
            self._symbols.pop(self._numbers.pop(symbol, ""), None)
            self._symbols[number], self._numbers[symbol] = symbol, number

    def replace(self, symbols: Mapping[str, str]) -> None:
        """Take a complete list, symbols by number: what is not in it is forgotten."""
        self._symbols = {number: symbol for number, symbol in symbols.items() if self.watches(symbol)}
        self._numbers = {symbol: number for number, symbol in self._symbols.items()}

    def symbol(self, number: str) -> str:
        """Return the symbol of the market *number*, "" if it is not watched or not known yet."""
        return self._symbols.get(number, "")

    def symbol_of_channel(self, channel: str) -> str:
        """Return the symbol that a channel such as ``trade:1`` is about, "" if that is not known."""
        return self._symbols.get(channel.partition(":")[2], "")

    def number_of(self, symbol: str) -> str | None:
        """Return the number of a symbol, None while it is not known."""
        return self._numbers.get(symbol)
