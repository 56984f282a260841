"""What a venue is to the rest of the house: data and pure functions, no socket, no clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.contract import LiquidationRule, TierTable
from monitor.core.events import Event

SHIPPED = "table shipped with perp-monitor"

OPEN_FEES = "the venue's own figure may also contain open fees and unsettled funding"
PORTFOLIO_MARGIN = "portfolio margin is left out: there the venue's own ratio is what counts"
COLLATERAL_HELD = "the prices of other collateral coins are held where they are"
"""What several venues' rules leave out, in the same words."""

DEPTH_LEVELS = 200
"""Levels of an order book that are asked for, per side, where a venue lets us choose."""

FACTS = (
    "mark",
    "index",
    "last",
    "funding",
    "open interest",
    "liquidations",
    "depth",
    "contracts",
    "tiers",
    "insurance fund",
    "ADL",
)
"""What a venue may publish, in the order in which people are shown it."""


@dataclass(frozen=True, slots=True)
class Feature:
    """How a venue gives one of ``FACTS``.

    ``how`` is ``stream``, ``poll``, ``shipped`` (a table in the package) or ``file`` (the operator's), and ``source`` the
    channel or resource. ``interval_seconds`` is the longest normal silence; None where it comes when there is news.
    """

    fact: str
    how: str
    source: str
    interval_seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Poll:
    """One REST resource read again and again. ``decode(body, received_time)`` raises ``WireError`` only.

    The ``essential`` ones are read once before the streams start; those that tell ``terms`` of contracts also while a
    price has jumped beyond belief. With a ``body`` the request is a POST of that JSON. ``host`` is another base address
    than the venue's own; where the operator names an address for the venue, everything is read there.
    """

    resource: str
    path: str
    params: Mapping[str, str]
    weight: int
    interval_seconds: float
    decode: Callable[[bytes, float], list[Event]]
    essential: bool = True
    body: bytes | None = None
    terms: bool = False
    host: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """One subscription. ``symbols`` are the watched contracts it serves and ``field`` what its data refresh (a price
    field, or ``depth``); None where silence is normal (liquidations), so that no data is expected of it.

    ``snapshot`` is the resource that gives the whole book which the changes of a depth stream build on; where there
    is none, subscribing anew brings one.
    """

    name: str
    symbols: tuple[str, ...]
    field: str | None
    expected_interval: float
    snapshot: Poll | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """One websocket: where to connect and which streams it carries.

    ``after`` names a resource that must have been read before: where the venue wants ids that only it gives.
    """

    name: str
    url: str
    streams: tuple[Stream, ...]
    after: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One control frame with the streams that it is about, and the ``key`` by which the answer names it, if any."""

    text: str
    streams: tuple[Stream, ...]
    key: str = ""


@dataclass(frozen=True, slots=True)
class Word:
    """What a frame without facts says.

    ``answer`` has to be sent back at once. ``refused`` names the requests (``Request.key``) or streams
    (``Stream.name``) that the venue said no to: one it does not know is some other client's business. ``leaving``:
    the venue is about to end the connection.
    """

    answer: str = ""
    refused: tuple[str, ...] = ()
    reason: str = ""
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Keepalive:
    """What the client has to say every so often. ``text(number, now)``: a request number, the venue's epoch time."""

    interval_seconds: float
    text: Callable[[int, float], str]


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to connect: where to, and how often to speak then (None: as the venue says)."""

    url: str
    keepalive_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """A POST that must be made before every connection. ``decode(body, url)`` raises ``WireError`` only."""

    path: str
    decode: Callable[[bytes, str], Pass]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the venue allows one client. ``lifetime_seconds`` is the age at which it cuts a websocket, ``quiet`` the HTTP
    statuses, besides 418 and 429, with which it asks to be left alone, and for how many seconds;
    ``retry_after_unit_seconds`` what its Retry-After counts in, where that is not seconds. ``requests_per_second``: so many
    of ours at most, where a burst is counted, too.
    """

    weight_per_minute: int
    weight_header: str
    control_messages_per_second: float
    lifetime_seconds: float
    frame_bytes: int = 1 << 20
    body_bytes: int = 5 << 20
    quiet: Mapping[int, float] = field(default_factory=dict)
    retry_after_unit_seconds: float = 1.0
    requests_per_second: float | None = None
    connects: int = 300
    connect_window_seconds: float = 300.0


def nothing_heard(_frame: bytes) -> Word | None:
    """Return None: the venue says nothing that needs an answer."""
    return None


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue. ``decode(frame, received_time)`` gives ``[]`` for messages it does not know and raises
    ``WireError`` for malformed ones; nothing else ever escapes it. ``hear`` is asked about frames without events:
    acknowledgements, refusals, pings; it never raises.

    ``subscribe`` and ``unsubscribe`` turn streams, a first request number and the venue's epoch time into control
    frames, ``connections`` watched symbols and a base address into websockets. ``greeting`` frames go out first;
    with ``welcomes`` the venue speaks before it is spoken to. ``frame_number`` finds the number in a frame where a
    venue counts all that it sends on a connection: a hole means that something was lost.

    ``expected_intervals`` is the longest normal silence per price field, in seconds. ``rules`` are by the kinds of
    contract that the wire carries: linear, inverse. ``features`` says where each fact comes from.

    ``given(symbols, now)`` are facts that nobody has to be asked for: what the operator wrote down of a venue.
    ``bind(symbols)`` gives the venue for one feed, where decoding needs to know what is watched or what the venue
    calls it (names, never facts); None where it does not.
    """

    name: str
    rules: Mapping[str, LiquidationRule]
    stream_url: str
    rest_url: str
    limits: Limits
    expected_intervals: Mapping[str, float]
    decode: Callable[[bytes, float], list[Event]]
    connections: Callable[[Sequence[str], str], list[Connection]]
    subscribe: Callable[[Sequence[Stream], int, float], list[Request]]
    unsubscribe: Callable[[Sequence[Stream], int, float], list[Request]]
    polls: Callable[[Sequence[str]], list[Poll]]
    shipped_tiers: Callable[[str], TierTable | None]
    features: tuple[Feature, ...] = ()
    hear: Callable[[bytes], Word | None] = nothing_heard
    keepalive: Keepalive | None = None
    greeting: tuple[str, ...] = ()
    welcomes: bool = False
    admission: Admission | None = None
    frame_number: Callable[[bytes], int | None] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    given: Callable[[Sequence[str], float], list[Event]] | None = None
    bind: Callable[[Sequence[str]], Venue] | None = None

    def watching(self, symbols: Sequence[str]) -> Venue:
        """Return the venue for a feed of *symbols*."""
        return self if self.bind is None else self.bind(symbols)
