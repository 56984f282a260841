"""What the venues' decoders share: checked values, times, rows of which a bad one costs itself alone.

A decoder is quick where a message is as it should be: msgspec checks values while it reads them (``Price`` and the like
below). What it refuses goes the careful way: ``careful`` keeps every value that fits and rejects the others one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, TypeVar

import msgspec

from monitor.core.events import Event, IndexPrice, LastPrice, MarkPrice, Rejected
from monitor.errors import WireError
from monitor.numbers import LIMIT, parse_decimal

FIRST_MS, LAST_MS = 1_000_000_000_000, 10_000_000_000_000
"""Milliseconds since 1970 that are a time of this age: what lies outside is another unit, or nonsense."""

Price = Annotated[float, msgspec.Meta(gt=0.0, lt=LIMIT)]
Quantity = Annotated[float, msgspec.Meta(ge=0.0, lt=LIMIT)]
Rate = Annotated[float, msgspec.Meta(gt=-1.0, lt=1.0)]
Milliseconds = Annotated[int, msgspec.Meta(ge=FIRST_MS, lt=LAST_MS)]

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)
Raw = str | float | None
"""A value as a venue writes it: a decimal string or a number; None and an empty string are absent."""

PRICE_CHANNELS: dict[type[MarkPrice | IndexPrice | LastPrice], str] = {
    MarkPrice: "mark_price",
    IndexPrice: "index_price",
    LastPrice: "last_price",
}

COMMON_COINS = {"XBT": "BTC", "XDG": "DOGE"}
"""Coins that a venue spells in its own way; its symbols stay as they are."""


def read(data: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Return a body as *kind*, decimal strings taken for numbers; raises ``WireError`` for anything else."""
    try:
        return msgspec.json.decode(data, type=kind, strict=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(f"unexpected answer: {error}", reason="malformed") from None


def parsed(frame: bytes) -> Any:
    """Return a frame as plain objects; raises ``WireError`` if it is not JSON."""
    try:
        return msgspec.json.decode(frame)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WireError(f"not JSON: {error}", reason="not_json") from None


def rows(raws: Sequence[msgspec.Raw], kind: type[T], venue: str, channel: str, out: list[Event]) -> list[T]:
    """Return the rows that are of *kind*; every other one costs itself alone."""
    found: list[T] = []
    for raw in raws:
        try:
            found.append(read(raw, kind))
        except WireError:
            out.append(Rejected(venue, channel, "bad_row"))
    return found


def number(raw: Raw, low: float, high: float) -> float | None:
    """Return a value strictly between the bounds, None for anything else, absent ones included.

    >>> number("0.0001", -1.0, 1.0), number("", -1.0, 1.0), number("nan", -1.0, 1.0), number(True, 0.0, 9.0)
    (0.0001, None, None, None)
    """
    if raw is None or raw == "" or isinstance(raw, bool):
        return None
    try:
        value = parse_decimal(raw) if isinstance(raw, str) else float(raw)
    except (ValueError, OverflowError, TypeError):
        return None
    return value if low < value < high else None


def scalar(value: object) -> Raw:
    """Return a value as it may stand for a number; what is neither text nor number becomes a text that is no number.

    >>> scalar("1.5"), scalar(None), scalar([1])
    ('1.5', None, '?')
    """
    return value if value is None or isinstance(value, str | float | int) else "?"


def time_in(value: object) -> float:
    """Return epoch seconds of a time in ms, a number or a text; raises ``WireError`` for anything else."""
    found = number(scalar(value), FIRST_MS - 1, LAST_MS)
    if found is None:
        raise WireError(f"{str(value)[:40]!r} is not a time in ms", reason="bad_time")
    return found / 1000


def price(
    kind: type[MarkPrice | IndexPrice | LastPrice], venue: str, symbol: str, raw: Raw, time: float, out: list[Event]
) -> None:
    """Append one price if there is one; what is no price is rejected aloud, what is absent is no news."""
    value = number(raw, 0.0, LIMIT)
    if value is not None:
        out.append(kind(venue, symbol, value, time))
    elif raw is not None and raw != "":
        out.append(Rejected(venue, PRICE_CHANNELS[kind], "bad_price", symbol))


def levels(raw: Sequence[Sequence[Raw]]) -> tuple[tuple[float, float], ...] | None:
    """Return book rows of (price, contracts, ...) as numbers, None if one of them is not usable."""
    found: list[tuple[float, float]] = []
    for row in raw:
        if not isinstance(row, Sequence) or len(row) < 2:
            return None
        at, there = number(row[0], 0.0, LIMIT), number(row[1], -1e-300, LIMIT)
        if at is None or there is None:
            return None
        found.append((at, there))
    return tuple(found)


def seconds(milliseconds: float) -> float:
    """Return epoch seconds; raises ``WireError`` for anything that is not milliseconds of this age."""
    if not FIRST_MS <= milliseconds < LAST_MS:
        raise WireError(f"{milliseconds} is not a time in ms", reason="bad_time")
    return milliseconds / 1000


_ISO = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:Z|\+00:?00)?", re.ASCII)


@lru_cache(maxsize=64)
def _day(year: int, month: int, day: int) -> int:
    """Return days since 1970-01-01 (proleptic Gregorian calendar, years counted from March)."""
    year -= month <= 2
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    era, of_era = divmod(year, 400)
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def iso_seconds(text: str) -> float:
    """Return epoch seconds of an ISO 8601 time in UTC; raises ``WireError`` for anything else.

    >>> iso_seconds("2024-08-23T00:00:54.301Z")
    1724371254.301
    """
    found = _ISO.fullmatch(text)
    if found is None:
        raise WireError(f"{text[:40]!r} is not a time", reason="bad_time")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        raise WireError(f"{text[:40]!r} is not a time", reason="bad_time")
    whole = _day(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
    return whole + float(found.group(7) or 0.0)


def next_full_hour(time: float) -> float:
    """Return the next full UTC hour after *time*, where a venue charges hourly and does not say when.

    >>> next_full_hour(7199.5), next_full_hour(7200.0)
    (7200.0, 10800.0)
    """
    return time - time % 3600.0 + 3600.0


def common_coin(coin: str) -> str:
    """Return the common name of a coin, in capitals.

    >>> common_coin("xbt"), common_coin("ETH")
    ('BTC', 'ETH')
    """
    return COMMON_COINS.get(coin.upper(), coin.upper())


@lru_cache(maxsize=256)
def _fields(kind: type[msgspec.Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(kind)}


def careful(row: dict[str, Any], kind: type[S], venue: str, channel: str, symbol: str, out: list[Event]) -> S:
    """Return *row* as a *kind* without the values that do not fit, each of which is rejected by itself.

    Raises ``WireError`` if a field that must be there has no usable value.
    """
    clean: dict[str, Any] = {}
    for name, field in _fields(kind).items():
        if name not in row:
            continue
        try:
            clean[name] = msgspec.to_builtins(msgspec.convert(row[name], field.type, strict=False))
        except (msgspec.ValidationError, RecursionError):
            if field.required:
                raise WireError(f"field {name} has no usable value", reason=f"bad_{name}") from None
            out.append(Rejected(venue, channel, "bad_value", symbol))
    tag = kind.__struct_config__.tag
    if tag is not None and kind.__struct_config__.tag_field is not None:
        clean[kind.__struct_config__.tag_field] = tag
    try:
        return msgspec.convert(clean, kind, strict=False)
    except msgspec.ValidationError as error:
        raise WireError(str(error), reason="missing_field") from None
