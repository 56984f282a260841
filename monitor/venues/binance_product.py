"""The two futures products of Binance, which share one wire: what differs between them, as data.

Since June 2026 the all-market streams of either host carry rows of both: ``st`` 1 is USD-M, 2 is COIN-M, and each
venue here takes its own rows only. Frames from before have no ``st``; there the symbol tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_COIN_M = re.compile(r"(?!(?:BTC|ETH)BUSD_)[A-Z0-9]{1,20}USD_(?:PERP|\d{6})", re.ASCII)
_DATED = re.compile(r".+_\d{6}", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Product:
    """One product: its venue name, the number by which rows say that they are its, and where its data are.

    ``book_path`` and ``market_path`` are websocket paths, ``rest_path`` begins every REST path. ``arrays``: there are
    all-market streams of marks and quotes that are worth having. ``ticker_seconds`` is how long a ticker may be silent.
    """

    name: str
    number: int
    kind: str
    book_path: str
    market_path: str
    rest_path: str
    arrays: bool
    ticker_seconds: float


USD_M = Product(
    "binance",
    number=1,
    kind="linear",
    book_path="/public/stream",
    market_path="/market/stream",
    rest_path="/fapi/v1",
    arrays=True,
    ticker_seconds=20.0,
)
COIN_M = Product(
    "binance-coinm",
    number=2,
    kind="inverse",
    book_path="/stream",
    market_path="/stream",
    rest_path="/dapi/v1",
    arrays=False,
    ticker_seconds=60.0,
)


def number_of(symbol: str) -> int:
    """Return the product to which a symbol belongs.

    >>> number_of("BTCUSD_PERP"), number_of("BTCUSDT_261225"), number_of("BTCBUSD_210129")
    (2, 1, 1)
    """
    return COIN_M.number if _COIN_M.fullmatch(symbol) else USD_M.number


def dated(symbol: str) -> bool:
    """Return whether a contract is delivered on a date, and so has no funding.

    >>> dated("BTCUSD_261225"), dated("BTCUSD_PERP")
    (True, False)
    """
    return _DATED.fullmatch(symbol) is not None
