"""The messages of Binance's public websockets, as the decoder reads them: only what is needed; None is absent."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from monitor.venues.wire import LAST_MS, Milliseconds, Price, Quantity, Rate

Levels = tuple[tuple[Price, Quantity], ...]


class Row(msgspec.Struct, gc=False, tag_field="e"):
    """Anything with an event name."""


class Mark(Row, gc=False, tag="markPriceUpdate"):
    """A mark price as it may come: dated contracts have no rate, old frames no index."""

    s: str
    E: int
    p: float | None = None
    i: float | None = None
    r: str | float | None = None
    T: int | None = None
    st: int | None = None


class PlainMark(Row, gc=False, tag="markPriceUpdate"):
    """A mark with nothing missing, checked by the decoder while it is read: it refuses the frame of any other."""

    s: str
    E: Milliseconds
    p: Price
    i: Price
    r: Rate | Literal[""]
    T: Annotated[int, msgspec.Meta(ge=0, lt=LAST_MS)]
    st: int


class Ticker(Row, gc=False, tag="24hrTicker"):
    """A ticker of the last day."""

    s: str
    E: int
    last: float | None = msgspec.field(name="c", default=None)
    st: int | None = None


class MiniTicker(Row, gc=False, tag="24hrMiniTicker"):
    """A ticker of the last day."""

    s: str
    E: int
    last: float | None = msgspec.field(name="c", default=None)
    st: int | None = None


class Trade(Row, gc=False, tag="aggTrade"):
    """A trade."""

    s: str
    E: int
    last: float | None = msgspec.field(name="p", default=None)
    st: int | None = None


class Book(Row, gc=False, tag="bookTicker"):
    """Best bid and ask: lower case the price, upper case the quantity."""

    s: str
    E: int
    b: float | None = None
    B: float | None = None
    a: float | None = None
    A: float | None = None
    st: int | None = None


class Depth(Row, gc=False, tag="depthUpdate"):
    """Absolute sizes of levels; ``pu`` is the ``u`` of the message before."""

    s: str
    E: int
    U: int
    u: int
    pu: int
    b: Levels
    a: Levels
    st: int | None = None


class Order(msgspec.Struct, gc=False):
    """The order of a liquidation: ``ap`` its average fill, ``p`` its limit, ``z`` what was filled."""

    s: str
    S: str
    p: float | None = None
    ap: float | None = None
    z: float | None = None
    T: int | None = None


class Force(Row, gc=False, tag="forceOrder"):
    """A liquidation. COIN-M has ``ps`` inside the order, USD-M outside; single streams may lack it and ``st``."""

    E: int
    o: Order
    st: int | None = None


class Bracket(msgspec.Struct, gc=False):
    """One tier: notional floor, maintenance rate, deduction, maximum leverage."""

    bnf: Quantity
    mmr: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
    cf: Quantity
    ma: Price | None = None


class ContractInfo(Row, gc=False, tag="contractInfo"):
    """Status of a contract, with its tiers when they changed."""

    s: str
    E: int
    cs: str
    bks: list[Bracket] | None = None
    st: int | None = None


KINDS: dict[str, type[Row]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (Mark, Ticker, MiniTicker, Trade, Book, Depth, Force, ContractInfo)
}


class Wrapped(msgspec.Struct, gc=False):
    """A frame of a combined stream."""

    data: PlainMark | Ticker | MiniTicker | Trade | Book | Depth | Force | ContractInfo | list[PlainMark]


wrapped = msgspec.json.Decoder(Wrapped, strict=False).decode
