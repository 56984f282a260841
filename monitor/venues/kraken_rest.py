"""Kraken Futures: the public REST resources, polled.

Traps: an error may come with HTTP 200; the funding rate of a ticker is absolute (coins a USD for inverse contracts, USD a
coin for linear ones), so that its fraction is had by the index, never by the mark; symbols come in either case; levels
are in contracts for inverse contracts and in USD for linear ones, each under a name of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec

from monitor.core import events as ev
from monitor.core.events import Event
from monitor.errors import WireError
from monitor.numbers import LIMIT
from monitor.venues import wire
from monitor.venues.base import Poll
from monitor.venues.kraken_ticker import NAME, on_ticker_carefully
from monitor.venues.wire import Price, Quantity, common_coin, iso_seconds, next_full_hour, number, parsed, read, scalar

PATH = "/derivatives/api/v3"
ANY_CONTRACT = "PF_XBTUSD"
"""The contract whose small answer is asked for the sake of the venue's clock."""

CONFIRM_SECONDS = 8.0
"""How often prices that did not change are confirmed; three times that is a mark's longest age."""

TERMS_SECONDS = 3600.0
HOUR = 3600.0
"""Rates are per hour, and charged all through it."""

KINDS = {"futures_inverse": "inverse", "flexible_futures": "linear", "futures_vanilla": "linear"}

T = TypeVar("T", bound="_Answer")

Share = Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)]


class _Answer(msgspec.Struct):
    serverTime: str  # noqa: N815 - the venue's spelling
    result: str = ""
    error: str = ""


class _Tickers(_Answer):
    tickers: list[msgspec.Raw] = []


class _Instruments(_Answer):
    instruments: list[msgspec.Raw] = []


class _Named(msgspec.Struct):
    symbol: str


class _Level(msgspec.Struct):
    maintenanceMargin: Share  # noqa: N815
    initialMargin: Price  # noqa: N815
    contracts: Quantity | None = None
    numNonContractUnits: Quantity | None = None  # noqa: N815


class _Instrument(msgspec.Struct):
    symbol: str
    type: str
    tradeable: bool
    contractSize: Price  # noqa: N815
    tickSize: str | float | None = None  # noqa: N815
    marginLevels: list[msgspec.Raw] = []  # noqa: N815
    maxRelativeFundingRate: str | float | None = None  # noqa: N815
    postOnly: bool = False  # noqa: N815
    base: str = ""
    quote: str = ""
    lastTradingTime: str = ""  # noqa: N815


def _answer(body: bytes, kind: type[T]) -> tuple[T, float]:
    """Return an answer and the venue's time of it. Raises ``WireError``, also for an error in a 200."""
    answer = read(body, kind)
    if answer.result != "success":
        raise WireError(f"{answer.result}: {answer.error[:80]}", reason="refused")
    return answer, iso_seconds(answer.serverTime)


def _spelled(row: str, watched: frozenset[str]) -> str:
    """Return the symbol of a row as the websocket spells it.

    >>> _spelled("pi_xbtusd", frozenset()), _spelled("PF_AAPLxUSD", frozenset({"PF_AAPLxUSD"}))
    ('PI_XBTUSD', 'PF_AAPLxUSD')
    """
    return row if row in watched else row.upper()


def _of_watched(
    raws: Sequence[msgspec.Raw], watched: frozenset[str], channel: str, out: list[Event]
) -> dict[str, msgspec.Raw]:
    """Return the rows about watched symbols; a row without a symbol is rejected."""
    found: dict[str, msgspec.Raw] = {}
    for raw in raws:
        try:
            symbol = _spelled(read(raw, _Named).symbol, watched)
        except WireError:
            out.append(ev.Rejected(NAME, channel, "bad_row"))
            continue
        if symbol in watched:
            found[symbol] = raw
    return found


def _time(body: bytes, _received: float) -> list[Event]:
    """Return the venue's clock, which stands in a refusal as well."""
    return [ev.VenueTime(NAME, iso_seconds(read(body, _Answer).serverTime))]


# --- prices ------------------------------------------------------------------------------------------------


def _tickers(watched: frozenset[str], body: bytes, _received: float) -> list[Event]:
    """Return the facts of watched symbols at the time of the answer: rows have none of their own."""
    answer, time = _answer(body, _Tickers)
    out: list[Event] = []
    for symbol, raw in _of_watched(answer.tickers, watched, "tickers", out).items():
        row = parsed(bytes(raw))
        told = {
            "markPrice": row.get("markPrice"),
            "index": row.get("indexPrice"),
            "last": row.get("last"),
            "openInterest": row.get("openInterest"),
            "suspended": row.get("suspended"),
            "post_only": row.get("postOnly"),
        }
        if row.get("fundingRate") is not None:
            told["relative_funding_rate"] = _relative(symbol, row)
            told["next_funding_rate_time"] = next_full_hour(time) * 1000
        on_ticker_carefully(told, symbol, time, out)
    return out


def _relative(symbol: str, row: dict[str, Any]) -> object:
    """Return the funding rate as a fraction per hour, the raw one if it is no number; None without an index.

    >>> round(_relative("PI_XBTUSD", {"fundingRate": -6.2604214e-11, "indexPrice": 21984.54}) * 1e6, 4)
    -1.3763
    >>> _relative("PF_XBTUSD", {"fundingRate": 1.8, "indexPrice": 90000})
    2e-05
    """
    absolute = number(scalar(row["fundingRate"]), -LIMIT, LIMIT)
    index = number(scalar(row.get("indexPrice")), 0.0, LIMIT)
    if absolute is None:
        return row["fundingRate"]
    if index is None:
        return None
    return absolute * index if symbol[1:2] == "I" else absolute / index


# --- contracts ---------------------------------------------------------------------------------------------


def _instruments(watched: frozenset[str], body: bytes, received: float) -> list[Event]:
    """Return the terms and levels of watched contracts; what a list lacks that could be read whole is unlisted."""
    answer, time = _answer(body, _Instruments)
    if not answer.instruments:
        raise WireError("a venue without contracts", reason="empty")  # no reason to call every symbol unlisted
    out: list[Event] = []
    listed = _of_watched(answer.instruments, watched, "instruments", out)
    all_read = not out
    for symbol in sorted(watched):
        if symbol not in listed:
            if all_read:
                out.append(ev.ContractStatus(NAME, symbol, "not listed", watchable=False, event_time=received))
            continue
        try:
            row = read(listed[symbol], _Instrument)
            if row.type not in KINDS:
                raise WireError(f"type {row.type[:40]}", reason="bad_kind")
            _terms(symbol, row, KINDS[row.type], out)
        except WireError as error:
            reason = error.reason if error.reason in {"bad_kind", "bad_time"} else "bad_row"
            out.append(ev.Rejected(NAME, "instruments", reason, symbol))
            continue
        _levels(symbol, row, KINDS[row.type], time, out)
    return out


def _terms(symbol: str, row: _Instrument, kind: str, out: list[Event]) -> None:
    pair = symbol.split("_")[1] if "_" in symbol else symbol  # older rows do not name their coins
    base, quote = common_coin(row.base or pair[:-3]), common_coin(row.quote or pair[-3:])
    tradeable = "post_only" if row.postOnly else "tradeable"
    out.append(
        ev.ContractTerms(
            NAME,
            symbol,
            kind=kind,
            contract_size=row.contractSize,
            base=base,
            quote=quote,
            settle=base if kind == "inverse" else quote,
            status=tradeable if row.tradeable else "not tradeable",
            watchable=row.tradeable,
            tick_size=number(row.tickSize, 0.0, LIMIT),
            delivery_time=iso_seconds(row.lastTradingTime) if row.lastTradingTime else None,
        )
    )
    if symbol.startswith("P"):
        cap = number(row.maxRelativeFundingRate, 0.0, 1.0)
        out.append(ev.FundingTerms(NAME, symbol, HOUR, cap, None if cap is None else -cap))


def _levels(symbol: str, row: _Instrument, kind: str, time: float, out: list[Event]) -> None:
    """Append the ladder, or none at all: one with a hole, or in another unit, would be another ladder."""
    if not row.marginLevels:
        return
    bad: list[Event] = []
    levels = wire.rows(row.marginLevels, _Level, NAME, "instruments", bad)
    floors = [level.contracts if kind == "inverse" else level.numNonContractUnits for level in levels]
    if bad or None in floors:
        out.append(ev.Rejected(NAME, "instruments", "bad_tiers", symbol))
        return
    ladder = sorted(
        (floor or 0.0, level.maintenanceMargin, level.initialMargin)
        for floor, level in zip(floors, levels, strict=True)
    )
    rows = tuple((floor, rate, 0.0) for floor, rate, _ in ladder)
    out.append(ev.TierTableChanged(NAME, symbol, rows, time, tuple(1.0 / initial for _, _, initial in ladder)))


def polls(symbols: Sequence[str]) -> list[Poll]:
    """Return what to read about *symbols*."""
    watched = frozenset(symbols)
    contracts, prices = partial(_instruments, watched), partial(_tickers, watched)
    return [
        Poll("time", f"{PATH}/tickers/{ANY_CONTRACT}", {}, 1, 600.0, _time),
        Poll("instruments", f"{PATH}/instruments", {}, 1, TERMS_SECONDS, contracts, terms=True),
        Poll("tickers", f"{PATH}/tickers", {}, 1, CONFIRM_SECONDS, prices),
    ]
