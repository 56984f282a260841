"""The load of the end-to-end bench: who is watched, and which frame goes out when.

Every symbol has positions far from their lines and a few *canaries*, shorts whose warning lines lie one above the
other close by. Nearly all frames move nothing; the frames in ``alarms`` take a symbol over its next canary.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

from market import PRICE, positions

from monitor.core.account import Account, Position
from monitor.core.alerts import Ladder
from monitor.venues.binance import VENUE

CONNECTIONS = 8
SYMBOLS = [f"SYM{number:03d}USDT" for number in range(25 * CONNECTIONS)]
POSITIONS_PER_SYMBOL = 500
CANARIES = 10
STEP = 0.001
"""The warning lines of a symbol's canaries are this far apart, as a ratio."""

RATE = VENUE.shipped_tiers("BTCUSDT").tiers[0].maintenance_rate


def connection_of(symbol: str) -> int:
    return int(symbol[3:6]) % CONNECTIONS


def canary(symbol: str, number: int) -> Position:
    """Return a short of 1 whose warning line lies at ``PRICE * (1 + STEP * (number + 1))``."""
    liquidation = PRICE * (1.0 + STEP * (number + 1)) * (1.0 + Ladder().warning)
    margin = liquidation * (1.0 + RATE) - PRICE
    return Position(f"canary-{symbol}-{number}", symbol, -1.0, PRICE, "isolated", margin, 1.0)


def account() -> Account:
    held = positions(POSITIONS_PER_SYMBOL * len(SYMBOLS), SYMBOLS)
    held += [canary(symbol, number) for symbol in SYMBOLS for number in range(CANARIES)]
    return Account("main", VENUE.name, tuple(held))


@dataclass(frozen=True, slots=True)
class Frame:
    """One ``markPriceUpdate`` on the wire, an unmasked websocket text frame, but for the venue's time in it."""

    connection: int
    head: bytes
    tail: bytes

    def at(self, time: float) -> bytes:
        return b"%s%d%s" % (self.head, time * 1000, self.tail)


def frame(symbol: str, price: float) -> Frame:
    text = f"{price:.8f}"
    row = {"e": "markPriceUpdate", "E": 1795169703000, "s": symbol, "p": text, "ap": text, "P": text, "i": text}
    row |= {"r": "0.00010000", "T": 1795190400000, "st": 1}
    message = {"stream": f"{symbol.lower()}@markPrice@1s", "data": row}
    data = json.dumps(message, separators=(",", ":")).encode()
    head, _, tail = data.partition(b"1795169703000")
    return Frame(connection_of(symbol), b"\x81\x7e" + len(data).to_bytes(2, "big") + head, tail)


@dataclass(slots=True)
class Plan:
    """Frames in the order of their going. ``alarms``: number of a frame -> the position it takes over its line."""

    frames: list[Frame] = field(default_factory=list)
    alarms: dict[int, str] = field(default_factory=dict)


def plan(total: int, alerts: int) -> Plan:
    """Return *total* frames with *alerts* alarms at random places."""
    chance = random.Random(total)
    alarming = set(chance.sample(range(total), alerts))
    passed = dict.fromkeys(SYMBOLS, 0)
    made = Plan()
    for number in range(total):
        symbol = SYMBOLS[number % len(SYMBOLS)]
        if number in alarming and passed[symbol] < CANARIES:
            made.alarms[number] = f"canary-{symbol}-{passed[symbol]}"
            passed[symbol] += 1
        made.frames.append(frame(symbol, PRICE * (1.0 + STEP * (passed[symbol] + chance.uniform(0.2, 0.8)))))
    return made
