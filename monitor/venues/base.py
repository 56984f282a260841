"""What a venue is to the rest of the house: data and pure functions, no socket, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from monitor.core.contract import LiquidationRule, TierTable
from monitor.core.events import Event

SHIPPED = "table shipped with perp-monitor"

OPEN_FEES = "the venue's own figure may also contain open fees and unsettled funding"
PORTFOLIO_MARGIN = "portfolio margin is left out: there the venue's own ratio is what counts"
COLLATERAL_HELD = "the prices of other collateral coins are held where they are"
"""What several venues' rules leave out, in the same words."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One subscription. ``symbols`` are the watched contracts it serves and ``field`` the price field its data
    refresh; None where silence is normal (liquidations), so that no data is expected of it.
    """

    name: str
    symbols: tuple[str, ...]
    field: str | None
    expected_interval: float


@dataclass(frozen=True, slots=True)
class Connection:
    """One websocket: where to connect and which streams it carries."""

    name: str
    url: str
    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class Poll:
    """One REST resource read again and again. ``decode(body, received_time)`` raises ``WireError`` only.

    The ``essential`` ones are read once before the streams start.
    """

    resource: str
    path: str
    params: Mapping[str, str]
    weight: int
    interval_seconds: float
    decode: Callable[[bytes, float], list[Event]]
    essential: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue allows one client. ``lifetime_seconds`` is the age at which it cuts a websocket."""

    weight_per_minute: int
    weight_header: str
    control_messages_per_second: int
    lifetime_seconds: float
    frame_bytes: int = 1 << 20
    body_bytes: int = 5 << 20


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue. ``decode(frame, received_time)`` gives ``[]`` for messages it does not know and raises
    ``WireError`` for malformed ones; nothing else ever escapes it. ``subscribe`` and ``unsubscribe`` turn streams
    and a first request id into the text frames to send, ``connections`` watched symbols and a base address into
    websockets. ``expected_intervals`` is the longest normal silence per price field, in seconds. ``rules`` are by
    the kinds of contract that the wire carries: linear, inverse.
    """

    name: str
    rules: Mapping[str, LiquidationRule]
    stream_url: str
    rest_url: str
    limits: Limits
    expected_intervals: Mapping[str, float]
    decode: Callable[[bytes, float], list[Event]]
    connections: Callable[[Sequence[str], str], list[Connection]]
    subscribe: Callable[[Sequence[Stream], int], list[str]]
    unsubscribe: Callable[[Sequence[Stream], int], list[str]]
    polls: Callable[[Sequence[str]], list[Poll]]
    shipped_tiers: Callable[[str], TierTable | None]
