"""What each venue sends about one contract, in its own shape: the marks, and whatever else a connection expects."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from market import PRICE

MS, ISO, NUMBER = 1795169703000, "2026-11-20T10:01:43.250Z", 987654321
"""What stands in a message until it goes out: its time, and its number on the connection."""

chance = random.Random(8)

Said = Iterable[tuple[str, dict[str, Any]]]
"""Part of the name of the stream that carries a message, and the message."""


def _price() -> float:
    return PRICE * (1.0 + chance.uniform(-0.001, 0.001))


def _text(decimals: int = 2) -> str:
    return f"{_price():.{decimals}f}"


def binance_mark(symbol: str, product: int) -> dict[str, Any]:
    row = {"e": "markPriceUpdate", "E": MS, "s": symbol, "p": _text(8), "ap": _text(8), "P": _text(8), "i": _text(8)}
    return row | {"r": "0.00007412", "T": 1795190400000, "st": product}


def _binance(symbol: str, _number: int, product: int = 1) -> Said:
    name = symbol.lower()
    ticker = {"e": "24hrTicker", "E": MS, "s": symbol, "p": "-812.40", "P": "-0.894", "w": _text(), "c": _text()}
    ticker |= {"Q": "0.015", "o": _text(), "h": _text(), "l": _text(), "v": "154221.007", "q": "13963210001.55"}
    yield (
        "@ticker",
        {"stream": f"{name}@ticker", "data": ticker | {"O": 1, "C": 2, "F": 1, "L": 2, "n": 2, "st": product}},
    )
    bid = _price()
    quote = {"e": "bookTicker", "u": 7788990011, "E": MS, "T": MS, "s": symbol, "ps": symbol, "b": f"{bid:.2f}"}
    quote |= {"B": "4.112", "a": f"{bid + 0.1:.2f}", "A": "2.905", "st": product}
    yield "ookTicker", {"stream": f"{name}@bookTicker", "data": quote}


def _coin_m(symbol: str, number: int) -> Said:
    yield "@markPrice", {"stream": f"{symbol.lower()}@markPrice@1s", "data": binance_mark(symbol, 2)}
    yield from _binance(symbol, number, 2)


def _bybit(symbol: str, _number: int) -> Said:
    bid = _price()
    data = {"symbol": symbol, "markPrice": _text(), "indexPrice": _text(), "lastPrice": _text()}
    data |= {"bid1Price": f"{bid:.2f}", "bid1Size": "2.950", "ask1Price": f"{bid + 0.1:.2f}", "ask1Size": "1.022"}
    topic = f"tickers.{symbol}"
    yield topic, {"topic": topic, "type": "delta", "data": data, "cs": 620011223390, "ts": MS}


def _okx(symbol: str, _number: int) -> Said:
    def message(channel: str, name: str, row: dict[str, Any]) -> dict[str, Any]:
        return {"arg": {"channel": channel, "instId": name}, "data": [{"instId": name, **row, "ts": str(MS)}]}

    index, bid = symbol.removesuffix("-SWAP"), _price()
    yield f"mark-price:{symbol}", message("mark-price", symbol, {"instType": "SWAP", "markPx": _text(1)})
    quote = {"last": _text(1), "lastSz": "0.37", "askPx": f"{bid + 0.1:.1f}", "askSz": "291.44", "bidPx": f"{bid:.1f}"}
    quote |= {"bidSz": "17.02", "open24h": "49400", "high24h": "51200", "low24h": "48150.3", "vol24h": "8123420"}
    yield f"tickers:{symbol}", message("tickers", symbol, {"instType": "SWAP", **quote})
    yield f"index-tickers:{index}", message("index-tickers", index, {"idxPx": _text(1), "high24h": "51200"})


def _hyperliquid(symbol: str, _number: int) -> Said:
    ctx = {"funding": "0.0000113712", "openInterest": "31420.55512", "prevDayPx": "48104.0", "premium": "-0.0004011"}
    ctx |= {"dayNtlVlm": "2911400521.7715", "oraclePx": _text(1), "markPx": _text(1), "midPx": _text(1)}
    yield "activeAssetCtx", {"channel": "activeAssetCtx", "data": {"coin": symbol, "ctx": ctx}}
    bid = _price()
    bbo = [{"px": f"{at:.1f}", "sz": "4.112", "n": 3} for at in (bid, bid + 1.0)]
    yield "bbo", {"channel": "bbo", "data": {"coin": symbol, "time": MS, "bbo": bbo}}
    trade = {"coin": symbol, "side": "B", "px": _text(1), "sz": "0.01", "time": MS, "hash": "0x" + "1f" * 32, "tid": 5}
    yield "trades", {"channel": "trades", "data": [trade | {"users": ["0x" + "a" * 40, "0x" + "b" * 40]}]}


def _lighter(symbol: str, number: int) -> Said:
    for _ in range(3):
        row = {"symbol": symbol, "market_id": number, "mark_price": _text(1), "index_price": _text(1)}
        stats = {str(number): row | {"last_trade_price": _text(1)}}
        message = {"channel": "market_stats:all", "market_stats": stats, "timestamp": MS}
        yield "market_stats", message | {"type": "update/market_stats"}
    trade = {"trade_id": 18240999145, "tx_hash": "00000011bd66332a0000019dab062502", "type": "trade"}
    trade |= {"market_id": number, "size": "0.00006", "price": _text(1), "usd_amount": "5.400744", "timestamp": MS}
    message = {"channel": f"trade:{number}", "nonce": 10380968790, "trades": [trade], "liquidation_trades": []}
    yield f"trade/{symbol}", message | {"type": "update/trade"}


def _dydx(symbol: str, number: int) -> Said:
    said = {"type": "channel_data", "connection_id": "6b1f0c52-8d0e-4f57-9a43-0d7f1a2b3c4d", "message_id": NUMBER}
    for _ in range(3):
        row = {"oraclePrice": _text(), "effectiveAt": ISO, "effectiveAtHeight": "61234567", "marketId": number}
        prices = {"oraclePrices": {symbol: row}}
        yield "v4_markets", {**said, "channel": "v4_markets", "version": "1.0.0", "contents": prices}
    trade = {"id": "03a65d4800000002000000b2", "side": "BUY", "size": "0.002", "price": _text(0), "type": "LIMIT"}
    contents = {"trades": [trade | {"createdAt": ISO}]}
    yield "v4_trades", {**said, "id": symbol, "channel": "v4_trades", "version": "1.0.0", "contents": contents}


def _deribit(symbol: str, _number: int) -> Said:
    def message(channel: str, data: object) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}

    for _ in range(4):
        bid = round(_price(), 1)
        data = {"instrument_name": symbol, "timestamp": MS, "state": "open", "mark_price": round(_price(), 2)}
        data |= {"index_price": round(_price(), 2), "last_price": bid, "settlement_price": 49874.13}
        data |= {"open_interest": 912.5, "current_funding": 7.412e-05, "funding_8h": 2.105e-05, "best_bid_price": bid}
        data |= {"best_bid_amount": 4.112, "best_ask_price": bid + 0.5, "best_ask_amount": 2.905}
        yield f"ticker.{symbol}", message(f"ticker.{symbol}.100ms", data)
    trade = {"trade_id": "312066460", "trade_seq": 240781986, "timestamp": MS, "instrument_name": symbol}
    trade |= {"price": round(_price(), 1), "amount": 1.2, "direction": "sell", "tick_direction": 3}
    yield f"trades.{symbol}", message(f"trades.{symbol}.100ms", [trade])


def _kraken(symbol: str, _number: int) -> Said:
    for _ in range(4):
        bid = round(_price(), 1)
        row = {
            "time": MS,
            "feed": "ticker",
            "product_id": symbol,
            "funding_rate": 0.61,
            "relative_funding_rate": 1.2e-5,
        }
        row |= {"relative_funding_rate_prediction": 1.1e-5, "next_funding_rate_time": 1795172400000, "bid": bid}
        row |= {"ask": bid + 0.5, "bid_size": 2.5, "ask_size": 1.4, "index": round(_price(), 2), "last": bid}
        row |= {"markPrice": _price(), "openInterest": 3007.25, "suspended": False, "post_only": False}
        yield "ticker", row | {"tag": "perpetual", "pair": "XBT:USD", "leverage": "50x", "volume": 31403.9}
    trade = {"feed": "trade", "product_id": symbol, "uid": "3ee209b8-bc9f-4ed5-965b-8c6208b26411", "side": "sell"}
    yield "trade", trade | {"type": "fill", "seq": 41799, "time": MS, "qty": 0.01, "price": round(_price(), 1)}


SHAPES: dict[str, Callable[[str, int], Said]] = {
    "binance": _binance,
    "bybit": _bybit,
    "okx": _okx,
    "hyperliquid": _hyperliquid,
    "lighter": _lighter,
    "dydx": _dydx,
    "deribit": _deribit,
    "kraken-futures": _kraken,
    "binance-coinm": _coin_m,
}
