"""The messages of Hyperliquid's websocket as the decoder reads them, and the facts in their rows.

Only the fields that are needed, with nothing missing: what differs takes the careful way (``hyperliquid_wire.py``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.venues.wire import Milliseconds, Price, Quantity, Rate, next_full_hour

NAME = "hyperliquid"

METHODS = {"market": "market", "backstop": "takeover"}
"""How the venue liquidates, in our words."""


class Context(msgspec.Struct, gc=False):
    """The state of one contract, with nothing missing."""

    markPx: Price  # noqa: N815 - the venue's spelling
    oraclePx: Price  # noqa: N815
    funding: Rate
    openInterest: Quantity  # noqa: N815


class Asset(msgspec.Struct, gc=False):
    """A contract and its state."""

    coin: str
    ctx: Context


class Trade(msgspec.Struct, gc=False):
    """One trade; the aggressor's side is not needed."""

    coin: str
    px: Price
    time: Milliseconds


class Level(msgspec.Struct, gc=False):
    """One price of a book: coins there."""

    px: Price
    sz: Quantity


class Book(msgspec.Struct, gc=False):
    """A whole book, bids first."""

    coin: str
    time: Milliseconds
    levels: tuple[list[Level], list[Level]]


class Best(msgspec.Struct, gc=False):
    """The best of both sides."""

    coin: str
    time: Milliseconds
    bbo: tuple[Level, Level]


class Forced(msgspec.Struct, gc=False):
    """What marks a fill whose other side, or own, was being liquidated."""

    liquidatedUser: str  # noqa: N815
    method: Literal["market", "backstop"]


class Fill(msgspec.Struct, gc=False):
    """One fill of an account: ``B`` it bought, ``A`` it sold."""

    coin: str
    px: Price
    sz: Quantity
    side: Literal["A", "B"]
    time: Milliseconds
    liquidation: Forced | None = None


class Fills(msgspec.Struct, gc=False):
    """Fills of one account; a snapshot is its history."""

    user: str
    fills: list[Fill]
    isSnapshot: bool | None = None  # noqa: N815


class Message(msgspec.Struct, gc=False, tag_field="channel"):
    """Anything that comes on a channel."""


class ContextMessage(Message, gc=False, tag="activeAssetCtx"):
    """A contract's state."""

    data: Asset


class TradesMessage(Message, gc=False, tag="trades"):
    """Trades of one contract."""

    data: list[Trade]


class BookMessage(Message, gc=False, tag="l2Book"):
    """A book."""

    data: Book


class BestMessage(Message, gc=False, tag="bbo"):
    """A quote with both sides."""

    data: Best


class FillsMessage(Message, gc=False, tag="userFills"):
    """Fills."""

    data: Fills


# --- rows to events --------------------------------------------------------------------------------------------


def context_events(coin: str, ctx: Context, time: float) -> list[Event]:
    """Return the facts of one contract's state, as of *time*."""
    return [
        ev.MarkPrice(NAME, coin, ctx.markPx, time),
        ev.IndexPrice(NAME, coin, ctx.oraclePx, time),
        ev.FundingRate(NAME, coin, ctx.funding, next_full_hour(time), time),
        ev.OpenInterest(NAME, coin, ctx.openInterest, time),
    ]


def trade_events(rows: list[Trade]) -> list[Event]:
    """Return last prices by time: the first frame after subscribing is a backlog in an order of its own."""
    rows.sort(key=lambda row: row.time)
    return [ev.LastPrice(NAME, row.coin, row.px, row.time / 1000) for row in rows]


def liquidation_events(fill: Fill, user: str) -> list[Event]:
    """Return the liquidation behind a fill of *user*, who as a rule stands on the other side of it.

    Who buys from somebody being liquidated (``B``) buys what a long has to sell.
    """
    forced = fill.liquidation
    if forced is None or fill.sz == 0.0:
        return []
    own = forced.liquidatedUser.lower() == user.lower()
    side = "long" if (fill.side == "B") is not own else "short"
    method = METHODS[forced.method]
    return [ev.Liquidation(NAME, fill.coin, side, fill.sz, fill.px, "fill", fill.time / 1000, method=method)]
