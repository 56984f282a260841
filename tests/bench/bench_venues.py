"""Every venue: decode and normalise one frame, in microseconds, beside ccxt's own handler for the same frame.

Ours: ``decode`` of the venue bound to what is watched, from the bytes of a frame to typed events in which every value
was checked; for changes of a book also their way into ``core.book.OrderBook``. ccxt's: its client's parsing of the
text and the exchange's ``handle_message`` (``ccxt_offline.py``), which merges the values into a ticker, a trade, a
liquidation or a book of its own and keeps it, together with the raw message; values are not checked there. What comes
after is counted on neither side: our engine, their user's task.

The frames are those of the decoders' tests, each written anew many times with other prices, sizes, times and numbers,
so that no warm string helps. They are what we listen to: where a venue's last price comes with its ticker, a
liquidation stands in the place of a trade. Without ccxt, and where it has no handler, ours stands alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from ccxt_offline import PEERS, Offline, version
from rounds import in_turns, ratio, rounded, show

from monitor.core.book import OrderBook
from monitor.core.events import BookChange, Event
from monitor.venues import VENUES
from monitor.venues.base import Venue

ROUNDS = 11
FRAMES = 300
PAYLOADS = Path(__file__).parents[1] / "venues"
NUMBER = 1_000_000_000
"""The number that the first change of a book builds on."""

FILES: dict[str, dict[str, str]] = {
    "binance": {"mark": "ws_mark_price", "quote": "ws_book_ticker", "trade": "ws_agg_trade", "book": "ws_depth"},
    "binance-coinm": {"mark": "ws_mark_price", "quote": "ws_book_ticker", "trade": "ws_agg_trade", "book": "ws_depth"},
    "bybit": {
        "mark": "ws_ticker_delta_mark",
        "ticker": "ws_ticker_snapshot",
        "liquidation": "ws_liquidations",
        "book": "ws_book_delta",
    },
    "okx": {
        "mark": "ws_mark_price",
        "ticker": "ws_tickers",
        "liquidation": "ws_liquidation_orders",
        "book": "ws_books_update",
    },
    "hyperliquid": {"mark": "ws_active_asset_ctx", "trade": "ws_trades", "book": "ws_l2_book"},
    "lighter": {"mark": "ws_stats_update", "liquidation": "ws_trade_liquidation_of_a_long", "book": "ws_book_change"},
    "dydx": {"mark": "ws_oracle_prices", "trade": "ws_trades", "book": "ws_book_single"},
    "deribit": {"mark": "ws_ticker_inverse", "trade": "ws_trades", "book": "ws_book_change"},
    "kraken-futures": {"mark": "ws_ticker_linear", "trade": "ws_trade", "book": "ws_book_bid"},
}
"""Venue -> what a frame is -> the file that has one. ``mark`` is whatever carries the mark price."""

NO_HANDLER = {("dydx", "mark")}
"""What ccxt does not listen to."""

FIRST = {("bybit", "mark"): "ws_ticker_snapshot"}
"""What comes before changes of a ticker: ccxt reads the whole of it again with each of them."""

SEEDED = {"binance", "binance-coinm", "okx", "kraken-futures"}
"""Where ccxt's book wants a whole one first."""

chance = random.Random(4)


# --- frames ----------------------------------------------------------------------------------------------------

DECIMAL = re.compile(r"-?\d+\.\d+")
SMALL = re.compile(r"[1-9]\d{0,6}")
STAMP = re.compile(r"1\d{12}")
ISO = re.compile(r"\.\d{3}Z$")
BEFORE = {"pu", "prevSeqId", "prev_change_id", "begin_nonce", "U"}
AFTER = {"u", "seqId", "change_id", "nonce", "seq"}
WHOLE = {"price", "bid", "ask", "last"}
"""Prices that may be written without a fraction."""

LOWER, HIGHER = ("b", "bid"), ("a", "ask")


def varied(value: Any, number: int, key: str = "", side: int = 0) -> Any:
    """Return a message as it might come as the *number*-th: bids and asks stay apart, the numbers of changes in line."""
    if isinstance(value, dict):
        return {name: varied(inner, number, name, _side(name, side)) for name, inner in value.items()}
    if isinstance(value, list):
        sides = (-1, 1) if key in {"levels", "bbo"} and len(value) == 2 else (side,) * len(value)
        return [varied(inner, number, "", which) for inner, which in zip(value, sides, strict=True)]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        if key in BEFORE or key in AFTER:
            return NUMBER + number + (key in AFTER or key == "U")
        if key in WHOLE:
            return round(value * _factor(side))
        return value + number if STAMP.fullmatch(str(value)) else value
    if isinstance(value, float):
        return round(value * _factor(side), max(1, len(repr(value).partition(".")[2]))) if value else value
    return _text(value, number, side)


def _side(name: str, side: int) -> int:
    """Return -1 for what belongs to bids, 1 for asks."""
    plain = name.removeprefix("best_")
    if plain == LOWER[0] or plain.startswith(LOWER[1]):
        return -1
    return 1 if plain == HIGHER[0] or plain.startswith(HIGHER[1]) else side


def _factor(side: int) -> float:
    spread = chance.uniform(0.00001, 0.0004)
    return 1.0 + (side or chance.choice((-1, 1))) * spread


def _text(value: str, number: int, side: int) -> str:
    if DECIMAL.fullmatch(value) and float(value):
        return f"{float(value) * _factor(side):.{len(value.partition('.')[2])}f}"
    if SMALL.fullmatch(value):
        return str(max(1, round(int(value) * _factor(side))))
    if STAMP.fullmatch(value):
        return str(int(value) + number)
    return ISO.sub(f".{number % 1000:03d}Z", value)


def frames(path: Path) -> list[bytes]:
    """Return many frames like the one in *path*."""
    message = json.loads(path.read_bytes())
    return [json.dumps(varied(message, n), separators=(",", ":")).encode() for n in range(FRAMES)]


# --- both sides ------------------------------------------------------------------------------------------------


def bound(name: str, folder: Path) -> Venue:
    """Return the venue as a feed has it, with the names that only its answers give."""
    symbols = [symbol for symbol, *_ in PEERS[name].markets]
    venue = VENUES[name].watching(symbols)
    for poll in venue.polls(symbols):
        if poll.resource == "orderBookDetails":
            poll.decode((folder / "get_order_book_details.json").read_bytes(), 1795169703.0)
    return venue


def ours(venue: Venue, taken: Sequence[bytes], *, book: bool) -> Callable[[], None]:
    """Return our work on the frames: events, and for changes of a book the book."""
    decode = venue.decode

    def events() -> None:
        for frame in taken:
            decode(frame, 1795169703.0)

    def books() -> None:
        kept = OrderBook()
        first = decode(taken[0], 0.0)[0]
        assert isinstance(first, BookChange)
        number = None if first.number is None else NUMBER
        kept.apply(BookChange(first.venue, first.symbol, (), (), 0.0, whole=True, number=number), 0.0)
        for frame in taken:
            for event in decode(frame, 1795169703.0):
                kept.apply(event, 0.0)  # type: ignore[arg-type]  # nothing else is in these frames
        assert kept.valid, "the chain of the frames has a hole"

    return books if book else events


def theirs(peer: Offline, taken: Sequence[bytes], begin: int | None, *, book: bool) -> Callable[[], None]:
    """Return ccxt's work on the same frames, which aiohttp would have made text already."""
    texts, take = [frame.decode() for frame in taken], peer.take

    def work() -> None:
        if book:
            peer.begin_books(begin)
        for text in texts:
            take(text)

    return work


def measure(name: str, what: str, venue: Venue, path: Path, ccxt_version: str | None) -> None:
    """Print the figures of one kind of frame, in microseconds a frame."""
    taken, book = frames(path), what == "book"
    events: list[list[Event]] = [venue.decode(frame, 1795169703.0) for frame in taken]
    assert all(events), f"{path.name} gives nothing"
    work = {"ours": ours(venue, taken, book=book)}
    missing = "ccxt is not installed" if ccxt_version is None else "ccxt has no handler for it"
    kept: Sequence[str] = ()
    if ccxt_version is not None and (name, what) not in NO_HANDLER:
        peer = Offline(PEERS[name])
        work["anchor"] = theirs(peer, taken, NUMBER if name in SEEDED else None, book=book)
        if (name, what) in FIRST:
            peer.take(path.with_stem(FIRST[name, what]).read_text())
        work["anchor"]()
        kept = peer.kept()
        assert kept, f"{path.name} gave ccxt nothing"
    took = in_turns(work, ROUNDS)
    us = {side: rounded(median(seconds) / len(taken) * 1e6) for side, seconds in took.items()}
    facts = {"bytes": round(median(map(len, taken))), "events": round(median(map(len, events))), "ours_us": us["ours"]}
    if "anchor" in us:
        anchor = {"anchor": f"ccxt.pro {ccxt_version} handler", "anchor_kept": " ".join(kept)}
        times = {"anchor_us": us["anchor"], "ratio": rounded(ratio(took["ours"], took["anchor"]))}
        show(bench="venues", what=f"{name} {what}", **facts, **anchor, **times)
    else:
        show(bench="venues", what=f"{name} {what}", **facts, anchor=None, missing=missing)


async def main() -> None:
    """Measure venue by venue; a loop runs because ccxt's client wants one."""
    ccxt_version = version()
    for name, files in FILES.items():
        if name not in VENUES:
            show(bench="venues", what=name, missing="the venue cannot be watched yet")
            continue
        folder = PAYLOADS / name.replace("-", "_")
        for what, file in files.items():
            path = folder / f"{file}.json"
            if path.exists():
                measure(name, what, bound(name, folder), path, ccxt_version)
            else:
                show(bench="venues", what=f"{name} {what}", missing=f"there is no {file}.json")


if __name__ == "__main__":
    asyncio.run(main())
