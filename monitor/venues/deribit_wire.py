"""Deribit: websocket frames into events. The traps are told in ``deribit.py``.

The envelope names a channel, the channel says how its data are read: the common shapes are checked by the decoder
while it reads; whatever it refuses takes the careful way, value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.deribit_contracts import NAME, Contracts
from monitor.venues.wire import Milliseconds, Price, Quantity, Rate, number, parsed, read, seconds

DEAD = {"created", "closed", "deactivated", "terminated"}
"""Words of ``instrument.state`` for a contract that does not trade; a perpetual is ``settled`` every day and goes on."""

SIDES = {"sell": "long", "buy": "short"}
"""The side of the position that a forced order closes."""

REFUSED = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


# --- wire: only the fields that are needed -----------------------------------------------------------------


class _Params(msgspec.Struct, gc=False):
    channel: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct, gc=False):
    params: _Params | None = None


class _Head(msgspec.Struct, gc=False):
    """What every row must have; its time is checked apart."""

    instrument_name: str
    timestamp: float


class _PlainTicker(msgspec.Struct, gc=False):
    """A perpetual's ticker with nothing missing."""

    instrument_name: str
    timestamp: Milliseconds
    state: str
    mark_price: Price
    index_price: Price
    last_price: Price
    best_bid_price: Price
    best_bid_amount: Quantity
    best_ask_price: Price
    best_ask_amount: Quantity
    open_interest: Quantity
    current_funding: Rate


class _Trade(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: Milliseconds
    price: Price
    amount: float | None = None
    direction: str = ""
    liquidation: str | None = None


_BookRow = tuple[Literal["new", "change", "delete"], Price, Quantity]


class _Book(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: Milliseconds
    change_id: int
    bids: list[_BookRow]
    asks: list[_BookRow]
    type: Literal["snapshot", "change"] | None = None
    prev_change_id: int | None = None


class _State(msgspec.Struct, gc=False):
    instrument_name: str
    timestamp: float
    state: str


class _Platform(msgspec.Struct, gc=False):
    price_index: str | None = None
    locked: bool | None = None
    maintenance: bool | None = None


_message = msgspec.json.Decoder(_Message).decode
_ticker = msgspec.json.Decoder(_PlainTicker).decode
_trades = msgspec.json.Decoder(list[_Trade]).decode
_book = msgspec.json.Decoder(_Book).decode


# --- channels to events ------------------------------------------------------------------------------------


def _on_ticker(contracts: Contracts, data: msgspec.Raw, _received: float) -> list[Event]:
    try:
        row = _ticker(data)
    except REFUSED:
        return _on_ticker_slowly(contracts, data)
    symbol, time = row.instrument_name, row.timestamp / 1000
    size = contracts.size(symbol)
    if size is None:
        return _on_ticker_slowly(contracts, data)
    bids, asks = row.best_bid_amount / size, row.best_ask_amount / size
    return [
        ev.MarkPrice(NAME, symbol, row.mark_price, time),
        ev.IndexPrice(NAME, symbol, row.index_price, time),
        ev.LastPrice(NAME, symbol, row.last_price, time),
        ev.BestQuote(NAME, symbol, row.best_bid_price, bids, row.best_ask_price, asks, time),
        ev.FundingRate(NAME, symbol, row.current_funding, time, time),  # charged all the time, so now
        ev.OpenInterest(NAME, symbol, row.open_interest / size, time),
        ev.ContractStatus(NAME, symbol, row.state, row.state == "open", time),
    ]


def _on_ticker_slowly(contracts: Contracts, data: msgspec.Raw) -> list[Event]:
    head = read(data, _Head)
    symbol, time, row = head.instrument_name, seconds(head.timestamp), parsed(data)
    out: list[Event] = []
    for kind in (ev.MarkPrice, ev.IndexPrice, ev.LastPrice):
        wire.price(kind, NAME, symbol, wire.scalar(row.get(wire.PRICE_CHANNELS[kind])), time, out)
    size = contracts.size(symbol)
    if size is None:
        out.append(ev.Rejected(NAME, "ticker", "no_contract_size", symbol))
    else:
        _quote(row, symbol, size, time, out)
        interest = wire.scalar(row.get("open_interest"))
        if (amount := number(interest, -1e-300, LIMIT)) is not None:
            out.append(ev.OpenInterest(NAME, symbol, amount / size, time))
        elif interest is not None and interest != "":
            out.append(ev.Rejected(NAME, "open_interest", "bad_quantity", symbol))
    funding = wire.scalar(row.get("current_funding"))  # dated futures have none
    if (rate := number(funding, -1.0, 1.0)) is not None:
        out.append(ev.FundingRate(NAME, symbol, rate, time, time))
    elif funding is not None and funding != "":
        out.append(ev.Rejected(NAME, "funding_rate", "bad_rate", symbol))
    if isinstance(state := row.get("state"), str):
        out.append(ev.ContractStatus(NAME, symbol, state, state == "open", time))
    return out


def _quote(row: dict[str, Any], symbol: str, size: float, time: float, out: list[Event]) -> None:
    """Append the best quotes; a price of 0 means that there is none."""
    found: list[float] = []
    for side in ("bid", "ask"):
        price = wire.scalar(row.get(f"best_{side}_price"))
        if price is None or number(price, -1e-300, 1e-300) is not None:
            continue
        amount = number(wire.scalar(row.get(f"best_{side}_amount")), -1e-300, LIMIT)
        value = number(price, 0.0, LIMIT)
        if value is None or amount is None:
            reason = "bad_price" if value is None else "bad_quantity"
            out.append(ev.Rejected(NAME, "best_quote", reason, symbol))
        else:
            found += (value, amount / size)
    if len(found) == 4:
        out.append(ev.BestQuote(NAME, symbol, found[0], found[1], found[2], found[3], time))


def _on_trades(contracts: Contracts, data: msgspec.Raw, _received: float) -> list[Event]:
    """Give the liquidations among the trades, and the price of the newest of each symbol, which stands last."""
    out: list[Event] = []
    try:
        rows = _trades(data)
    except REFUSED:
        rows = _trades_slowly(read(data, list[msgspec.Raw]), out)
    newest: dict[str, _Trade] = {}
    for row in rows:
        newest[row.instrument_name] = row
        if row.liquidation is not None:
            _liquidate(contracts, row, out)
    out += (ev.LastPrice(NAME, symbol, row.price, row.timestamp / 1000) for symbol, row in newest.items())
    return out


def _trades_slowly(raws: Sequence[msgspec.Raw], out: list[Event]) -> list[_Trade]:
    found: list[_Trade] = []
    for raw in raws:
        try:
            head = read(raw, _Head)
            seconds(head.timestamp)
        except WireError as error:
            out.append(ev.Rejected(NAME, "trades", error.reason))
            continue
        row, symbol = parsed(raw), head.instrument_name
        price = number(wire.scalar(row.get("price")), 0.0, LIMIT)
        if price is None:
            out.append(ev.Rejected(NAME, "trades", "bad_price", symbol))
            continue
        amount = number(wire.scalar(row.get("amount")), 0.0, LIMIT)
        direction, forced = row.get("direction"), row.get("liquidation")
        side = direction if isinstance(direction, str) else ""
        flag = forced if forced is None or isinstance(forced, str) else "no word"
        found.append(_Trade(symbol, int(head.timestamp), price, amount, side, flag))
    return found


def _liquidate(contracts: Contracts, row: _Trade, out: list[Event]) -> None:
    """Append what was liquidated: the taker (T), whose side is the trade's, the maker (M), or both (MT)."""
    symbol, size = row.instrument_name, contracts.size(row.instrument_name)
    taker = SIDES.get(row.direction)
    maker = {"long": "short", "short": "long"}.get(taker or "")
    victims = {"T": (taker,), "M": (maker,), "MT": (taker, maker)}.get(row.liquidation or "")
    if taker is None or victims is None:
        out.append(ev.Rejected(NAME, "liquidation", "bad_side", symbol))
    elif row.amount is None or not 0.0 < row.amount < LIMIT:
        out.append(ev.Rejected(NAME, "liquidation", "bad_quantity", symbol))
    elif size is None:
        out.append(ev.Rejected(NAME, "liquidation", "no_contract_size", symbol))
    else:
        time = row.timestamp / 1000
        out += (
            ev.Liquidation(NAME, symbol, str(victim), row.amount / size, row.price, "fill", time) for victim in victims
        )


def _on_book(contracts: Contracts, data: msgspec.Raw, _received: float) -> list[Event]:
    """Give one message of the book; a bad level spoils it all, and the hole that it leaves brings a new beginning."""
    try:
        row = _book(data)
    except REFUSED:
        head = read(data, _Head)
        seconds(head.timestamp)
        return [ev.Rejected(NAME, "book", "bad_row", head.instrument_name)]
    symbol, size = row.instrument_name, contracts.size(row.instrument_name)
    if size is None:
        return [ev.Rejected(NAME, "book", "no_contract_size", symbol)]
    whole = row.type == "snapshot" or (row.type is None and row.prev_change_id is None)  # older frames have no type
    previous = None if whole else row.prev_change_id
    bids, asks = _levels(row.bids, size), _levels(row.asks, size)
    return [ev.BookChange(NAME, symbol, bids, asks, row.timestamp / 1000, whole, row.change_id, previous)]


def _levels(rows: Sequence[_BookRow], size: float) -> tuple[tuple[float, float], ...]:
    return tuple((price, 0.0 if what == "delete" else amount / size) for what, price, amount in rows)


def _on_instrument(_contracts: Contracts, data: msgspec.Raw, _received: float) -> list[Event]:
    row = read(data, _State)
    watchable = row.state not in DEAD
    return [ev.ContractStatus(NAME, row.instrument_name, row.state, watchable, seconds(row.timestamp))]


def _on_platform(contracts: Contracts, data: msgspec.Raw, received: float) -> list[Event]:
    """Say that trading was locked on an index (or on all), or is free again; the message has no time of its own."""
    row = read(data, _Platform)
    if row.maintenance:
        word, watchable = "maintenance", False
    elif row.locked is not None:
        word, watchable = ("locked", False) if row.locked else ("unlocked", True)
    else:
        return []
    return [
        ev.ContractStatus(NAME, symbol, word, watchable, received) for symbol in contracts.on_index(row.price_index)
    ]


_ON: dict[str, Callable[[Contracts, msgspec.Raw, float], list[Event]]] = {
    "ticker": _on_ticker,
    "trades": _on_trades,
    "book": _on_book,
    "instrument": _on_instrument,
    "platform_state": _on_platform,
}


def decode(contracts: Contracts, frame: bytes, received: float = 0.0) -> list[Event]:
    """Return the events of one websocket frame; answers, heartbeats and other channels give ``[]``.

    A bad value costs itself alone and comes out as ``Rejected``; a frame that cannot be read raises ``WireError``.
    """
    try:
        params = _message(frame).params
    except REFUSED as error:
        raise WireError(f"no message: {error}", reason="malformed") from None
    if params is None:
        return []
    kind, _, rest = params.channel.partition(".")
    on = _ON.get(kind)
    if on is None or (kind == "book" and rest.count(".") > 1):  # grouped books have no chain
        return []
    return on(contracts, params.data, received)
