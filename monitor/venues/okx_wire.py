"""OKX swaps: websocket frames into events and words. The traps are told in ``okx.py``.

The four channels that speak all the time are checked by the decoder while it reads. Whatever it refuses, and every
rarer channel, takes the careful way of ``okx_rows.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.venues.base import Word
from monitor.venues.okx_rest import NAME
from monitor.venues.okx_rows import ROWS, Names, on_book, text
from monitor.venues.wire import Milliseconds, Price, Quantity, parsed

PONG = b"pong"
"""The answer to our bare ``ping``; not JSON."""

UPGRADE = "64008"


class _Arg(msgspec.Struct, gc=False):
    channel: str
    instId: str = ""  # noqa: N815 - the venue's spelling


class _Frame(msgspec.Struct, gc=False):
    arg: _Arg
    data: msgspec.Raw
    action: str = ""


class _Mark(msgspec.Struct, gc=False):
    instId: str  # noqa: N815
    markPx: Price  # noqa: N815
    ts: Milliseconds


class _Index(msgspec.Struct, gc=False):
    instId: str  # noqa: N815
    idxPx: Price  # noqa: N815
    ts: Milliseconds


class _Ticker(msgspec.Struct, gc=False):
    instId: str  # noqa: N815
    last: Price
    bidPx: Price  # noqa: N815
    bidSz: Quantity  # noqa: N815
    askPx: Price  # noqa: N815
    askSz: Quantity  # noqa: N815
    ts: Milliseconds


_Level = tuple[Price, Quantity, Any, Any]


class _Book(msgspec.Struct, gc=False):
    asks: list[_Level]
    bids: list[_Level]
    ts: Milliseconds
    seqId: int  # noqa: N815
    prevSeqId: int  # noqa: N815


_frame = msgspec.json.Decoder(_Frame).decode
_marks = msgspec.json.Decoder(list[_Mark], strict=False).decode
_indexes = msgspec.json.Decoder(list[_Index], strict=False).decode
_tickers = msgspec.json.Decoder(list[_Ticker], strict=False).decode
_books = msgspec.json.Decoder(list[_Book], strict=False).decode


class OkxDecoder:
    """Frames into events for the watched *symbols*; None: for whichever they name."""

    def __init__(self, symbols: Sequence[str] | None = None) -> None:
        self._names = Names(symbols)

    def decode(self, frame: bytes, received_time: float = 0.0) -> list[Event]:
        """Return the events of one frame.

        Acknowledgements, refusals and unknown channels give ``[]``. A bad value costs itself alone and comes out as
        ``Rejected``; a frame that cannot be read at all raises ``WireError``.
        """
        try:
            said = _frame(frame)
            channel = said.arg.channel
            if channel == "mark-price":
                return [ev.MarkPrice(NAME, row.instId, row.markPx, row.ts / 1000) for row in _marks(said.data)]
            if channel == "tickers":
                return _plain_tickers(_tickers(said.data))
            if channel == "books" and said.action in {"snapshot", "update"} and said.arg.instId:
                return _plain_books(_books(said.data), said.arg.instId, whole=said.action == "snapshot")
            if channel == "index-tickers":
                return [
                    ev.IndexPrice(NAME, swap, row.idxPx, row.ts / 1000)
                    for row in _indexes(said.data)
                    for swap in self._names.of_index(row.instId)
                ]
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
            pass
        return self.decode_carefully(frame, received_time)

    def decode_carefully(self, frame: bytes, received_time: float = 0.0) -> list[Event]:
        """Decode what the quick way refused or leaves alone, row by row."""
        if frame == PONG:
            return []
        message = parsed(frame)
        if not isinstance(message, dict):
            raise WireError("a message must be an object", reason="not_an_object")
        if "event" in message or "arg" not in message:
            return []
        arg, rows = message.get("arg"), message.get("data")
        channel = text(arg, "channel")
        if not channel or not isinstance(rows, list):
            raise WireError("no rows of a channel", reason="malformed")
        out: list[Event] = []
        if channel in ROWS or channel == "books":
            for row in rows:
                self._take(channel, row, arg, text(message, "action"), received_time, out)
        return out

    def _take(self, channel: str, row: object, arg: object, action: str, received: float, out: list[Event]) -> None:
        """Take one row; one that cannot be used costs itself alone."""
        symbol = text(row, "instId") or text(arg, "instId")
        try:
            if not isinstance(row, dict):
                raise WireError("a row must be an object", reason="not_an_object")
            if channel == "books":
                on_book(row, symbol, action, out)
            else:
                ROWS[channel](self._names, row, symbol, received, out)
        except WireError as error:
            out.append(ev.Rejected(NAME, channel, error.reason, symbol))


def _plain_tickers(rows: Sequence[_Ticker]) -> list[Event]:
    out: list[Event] = []
    for row in rows:
        time = row.ts / 1000
        out.append(ev.LastPrice(NAME, row.instId, row.last, time))
        out.append(ev.BestQuote(NAME, row.instId, row.bidPx, row.bidSz, row.askPx, row.askSz, time))
    return out


def _plain_books(rows: Sequence[_Book], symbol: str, *, whole: bool) -> list[Event]:
    return [
        ev.BookChange(
            NAME,
            symbol,
            tuple([level[:2] for level in row.bids]),
            tuple([level[:2] for level in row.asks]),
            row.ts / 1000,
            whole,
            row.seqId,
            None if whole else row.prevSeqId,
        )
        for row in rows
    ]


# --- words -------------------------------------------------------------------------------------------------

_CULPRIT = re.compile(r"channel:([a-z0-9-]{1,40}),(?:instId|instType|instFamily):([A-Za-z0-9_-]{1,60}) doesn't exist")


def hear(frame: bytes) -> Word | None:
    """Return what a frame without facts wants: a refusal names its stream if the text says which, else the request."""
    try:
        message = parsed(frame)
    except WireError:
        return None
    event, code, said = (text(message, field) for field in ("event", "code", "msg"))
    if event == "notice" and code == UPGRADE:
        return Word(leaving=True)
    if event != "error":
        return None
    culprit = _CULPRIT.search(said)
    request = text(message, "id")
    if culprit is None and not request:
        return None
    name = request if culprit is None else f"{culprit[1]}:{culprit[2]}"
    return Word(refused=(name,), reason=f"{code} {said}".strip())
