"""ccxt's exchanges as an anchor, without a network: hand-made markets, and a client that was never connected.

The client is ccxt's own: a text frame goes in as it comes from aiohttp, is parsed by the parser that ccxt has found
(orjson where it is installed) and handed to the exchange, whose handler builds its ticker, trade, liquidation or book
and keeps it. Nobody waits for it: waking the user's task would cost extra.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Take = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """What ccxt calls a venue: its class, the address its frames come from, (our symbol, its id, base, quote, settle)."""

    name: str
    url: str
    markets: tuple[tuple[str, str, str, str, str], ...]


def _linear(symbol: str, quote: str = "USDT", number: str = "") -> tuple[str, str, str, str, str]:
    return (symbol, number or symbol, "BTC", quote, quote)


PEERS: dict[str, Peer] = {
    "binance": Peer("binanceusdm", "wss://fstream.binance.com/ws/1", (_linear("BTCUSDT"),)),
    "binance-coinm": Peer(
        "binancecoinm", "wss://dstream.binance.com/ws/1", (("BTCUSD_PERP", "BTCUSD_PERP", "BTC", "USD", "BTC"),)
    ),
    "bybit": Peer("bybit", "wss://stream.bybit.com/v5/public/linear", (_linear("BTCUSDT"),)),
    "okx": Peer("okx", "wss://ws.okx.com:8443/ws/v5/public", (_linear("BTC-USDT-SWAP"),)),
    "hyperliquid": Peer("hyperliquid", "wss://api.hyperliquid.xyz/ws", (_linear("BTC", "USDC", "0"),)),
    "lighter": Peer("lighter", "wss://mainnet.zklighter.elliot.ai/stream", (_linear("BTC", "USDC", "1"),)),
    "dydx": Peer("dydx", "wss://indexer.dydx.trade/v4/ws", (_linear("BTC-USD", "USDC"),)),
    "deribit": Peer(
        "deribit", "wss://www.deribit.com/ws/api/v2", (("BTC-PERPETUAL", "BTC-PERPETUAL", "BTC", "USD", "BTC"),)
    ),
    "kraken-futures": Peer(
        "krakenfutures", "wss://futures.kraken.com/ws/v1", (("PF_XBTUSD", "PF_XBTUSD", "BTC", "USD", "USD"),)
    ),
}


def version() -> str | None:
    """Return the version of ccxt, None where it is not installed."""
    try:
        return str(importlib.import_module("ccxt").__version__)
    except ImportError:
        return None


def _market(number: str, base: str, quote: str, settle: str) -> dict[str, Any]:
    inverse = settle == base
    coins = {"base": base, "quote": quote, "settle": settle, "baseId": base, "quoteId": quote, "settleId": settle}
    kind = {"type": "swap", "spot": False, "margin": False, "swap": True, "future": False, "option": False}
    return {
        "id": number,
        "symbol": f"{base}/{quote}:{settle}",
        **coins,
        **kind,
        "active": True,
        "contract": True,
        "linear": not inverse,
        "inverse": inverse,
        "contractSize": 1.0,
        "precision": {"price": 0.01, "amount": 0.001},
    }


class Offline:
    """One exchange of ccxt with a client of its own. Made and used inside a running event loop."""

    def __init__(self, peer: Peer) -> None:
        self.exchange = getattr(importlib.import_module(f"ccxt.pro.{peer.name}"), peer.name)()
        self.exchange.set_markets([_market(*rest) for _symbol, *rest in peer.markets])
        self.exchange.orderbooks = self.exchange.orderbooks or {}
        client = importlib.import_module("ccxt.async_support.base.ws.client").Client
        self._client = client(peer.url, self.exchange.handle_message, _failed, _failed, print)
        self.take: Take = self._client.handle_text_or_binary_message
        self.symbols = [market["symbol"] for market in self.exchange.markets.values()]

    def begin_books(self, number: int | None) -> None:
        """Begin every book anew, empty, with the number that the first change builds on."""
        for symbol in self.symbols:
            self.exchange.orderbooks.pop(symbol, None)
            if number is not None:
                self.exchange.orderbooks[symbol] = self.exchange.order_book({"nonce": number})
            self._client.subscriptions[f"books:{symbol}"] = True  # okx drops a book that nobody asked for

    def kept(self) -> Sequence[str]:
        """Return what the handlers have kept so far: proof that they did their work."""
        return [
            name
            for name in ("tickers", "bidsasks", "trades", "liquidations", "orderbooks")
            if getattr(self.exchange, name, None)
        ]


def _failed(_client: object, error: Exception) -> None:
    raise error
