"""Decode and normalise one frame, validation included, beside ``orjson.loads`` of the same bytes.

Frames have the venue's shape of 2026; each kind comes in many different ones, taken in turn, so that no warm string
helps. ``decoder`` is the part of ours that msgspec spends on bytes to rows; the rest makes the events, one a fact:
three a mark. The array has dated contracts and rows of another product in it, as the venue's has.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from statistics import median

import orjson
from rounds import in_turns, ratio, rounded, show

from monitor.venues import binance, binance_wire

ROUNDS = 15
chance = random.Random(1)


def mark(symbol: str, price: float, *, dated: bool = False, product: int = 1) -> dict[str, object]:
    return {
        "e": "markPriceUpdate",
        "E": 1795169703000,
        "s": symbol,
        "p": f"{price:.8f}",
        "ap": f"{price * 0.9999:.8f}",
        "P": f"{price * 1.0001:.8f}",
        "i": f"{price * 1.0002:.8f}",
        "r": "" if dated else f"{chance.uniform(-2e-4, 3e-4):.8f}",
        "T": 0 if dated else 1795190400000,
        "st": product,
    }


def book(price: float) -> dict[str, object]:
    return {
        "e": "bookTicker",
        "u": chance.randrange(10**12, 10**13),
        "s": "BTCUSDT",
        "ps": "BTCUSDT",
        "b": f"{price:.2f}",
        "B": f"{chance.uniform(0, 90):.3f}",
        "a": f"{price + 0.1:.2f}",
        "A": f"{chance.uniform(0, 90):.3f}",
        "T": 1795169703099,
        "E": 1795169703101,
        "st": 1,
    }


def trade(price: float) -> dict[str, object]:
    return {
        "e": "aggTrade",
        "E": 1795169703120,
        "s": "BTCUSDT",
        "a": chance.randrange(10**9, 10**10),
        "p": f"{price:.2f}",
        "q": f"{chance.uniform(0, 2):.3f}",
        "f": 100,
        "l": 105,
        "T": 1795169703118,
        "m": True,
        "st": 1,
    }


def array(rows: int) -> list[dict[str, object]]:
    """Return rows of many magnitudes: one in 50 dated, one in 25 of another product."""
    return [
        mark(f"SYM{n}USDT", 10 ** chance.uniform(-4, 5), dated=n % 50 == 7, product=2 if n % 25 == 3 else 1)
        for n in range(rows)
    ]


def frames(stream: str, data: Sequence[object]) -> list[bytes]:
    return [json.dumps({"stream": stream, "data": each}, separators=(",", ":")).encode() for each in data]


def each(decode: Callable[[bytes], object], taken: list[bytes]) -> Callable[[], None]:
    def work() -> None:
        for frame in taken:
            decode(frame)

    return work


def measure(what: str, taken: list[bytes], repeat: int, aim: float | None = None) -> None:
    """Print the figures for *what*, in microseconds a frame."""
    events = [len(binance.decode(frame)) for frame in taken]
    work = {"anchor": orjson.loads, "ours": binance.decode, "decoder": binance_wire._wrapped}
    took = in_turns({name: each(decode, taken * repeat) for name, decode in work.items()}, ROUNDS)
    us = {name: rounded(median(seconds) / (len(taken) * repeat) * 1e6) for name, seconds in took.items()}
    show(
        bench="decode",
        what=what,
        bytes=round(median(map(len, taken))),
        events=round(median(events)),
        anchor="orjson.loads",
        anchor_us=us["anchor"],
        ours_us=us["ours"],
        decoder_us=us["decoder"],
        ratio=rounded(ratio(took["ours"], took["anchor"])),
        aim=aim,
    )


if __name__ == "__main__":
    prices = [chance.uniform(20_000, 90_000) for _ in range(500)]
    measure("markPriceUpdate", frames("btcusdt@markPrice@1s", [mark("BTCUSDT", p) for p in prices]), 20, aim=1.0)
    measure("!markPrice@arr, 500 rows", frames("!markPrice@arr@1s", [array(500) for _ in range(10)]), 2, aim=0.75)
    measure("bookTicker", frames("btcusdt@bookTicker", [book(p) for p in prices]), 20)
    measure("aggTrade", frames("btcusdt@aggTrade", [trade(p) for p in prices]), 20)
