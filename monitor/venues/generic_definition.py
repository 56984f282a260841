"""What is said of a venue that has no module of its own, as checked values. How to write it: ``config/venues/``.

Expressions are JMESPath (``generic_paths``), frames ``string.Template`` texts. Nothing here is compiled or read from
a file: ``monitor.config.definition`` reads and checks, ``monitor.venues.generic`` makes a venue of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from monitor.core.contract import LiquidationRule, TierTable
from monitor.core.events import IndexPrice, LastPrice, MarkPrice
from monitor.venues.generic_words import uses

NOTHING: Mapping[str, str] = MappingProxyType({})
ANY_SYMBOL = "*"
"""In ``contracts``: what holds of every contract of which nothing is said."""

PRICES: Mapping[str, type[MarkPrice | IndexPrice | LastPrice]] = {
    "mark_price": MarkPrice,
    "index_price": IndexPrice,
    "last_price": LastPrice,
}
RATES = ("funding_rate", "predicted_funding_rate")
"""The rate that will be charged next: fixed already, or an estimate that still runs."""

SECONDS = {"_s": 1.0, "_ms": 1e-3, "_minutes": 60.0, "_hours": 3600.0}
"""How many seconds an ending stands for."""
NEXT_FUNDING = ("next_funding_s", "next_funding_ms", "next_funding_s_remaining", "next_funding_ms_remaining")
FUNDING_INTERVAL = tuple(f"funding_interval{end}" for end in SECONDS)
OPEN_INTEREST = ("open_interest_contracts", "open_interest_base", "open_interest_quote")
LIQUIDATED = ("liquidated_contracts", "liquidated_base", "liquidated_quote")
SIGNED_ORDER, SIGNED_POSITION = "liquidated_signed_order_contracts", "liquidated_signed_position_contracts"
QUOTE_SIZES = ("bid_contracts", "bid_base", "ask_contracts", "ask_base")
TIERS = ("tier_floor", "tier_cap", "tier_maintenance_rate", "tier_deduction", "tier_max_leverage")
STEPS = ("tier_first_cap", "tier_step", "tier_first_rate", "tier_rate_step", "tier_count")
"""A ladder in equal steps, told in one row: the cap and rate of its first tier, and by what each next one differs."""

FIELDS = (
    *PRICES,
    "bid_price",
    "ask_price",
    *QUOTE_SIZES,
    *RATES,
    *NEXT_FUNDING,
    *FUNDING_INTERVAL,
    "funding_cap",
    "funding_floor",
    *OPEN_INTEREST,
    "liquidated_price",
    *LIQUIDATED,
    SIGNED_ORDER,
    SIGNED_POSITION,
    "contract_size",
    "tick_size",
    "liquidation_fee_rate",
    "delivery_s",
    "delivery_ms",
    "fund_balance",
    *TIERS,
    *STEPS,
)
"""The numbers that a row may have; the ending is the unit of the venue's raw value."""

TEXTS = ("order_side", "position_side", "status", "base", "quote", "settle", "fund_asset", "fund_symbols")
"""The texts that a row may have; ``fund_symbols`` may be a list."""

TIME_UNITS: Mapping[str, float] = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "iso": 0.0, "auto": 0.0}
ROWS_AS = ("list", "map")
PRICE_KINDS = ("fill", "bankruptcy")
SCOPES = ("subscribe", "subscribe_list", "subscribe_once")
"""One frame a contract, one with the list of all, one that names none."""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """How a message becomes events. ``match``: only where this holds; ``rows``: what lies where in which rows.

    ``symbol`` and ``time`` of a row; without ``symbol`` the contract that a request was made for, without ``time`` the
    moment at which the message came. ``trading``: the statuses in which a contract trades normally, any if empty.
    ``complete``: a watched contract without a row is not listed. ``pool`` and ``asset``: of a fund that the rows do not
    name themselves.
    """

    name: str
    match: str = ""
    rows: str = "[@]"
    rows_as: str = "list"
    symbol: str = ""
    symbol_regex: str = ""
    time: str = ""
    unit: str = "auto"
    fields: Mapping[str, str] = NOTHING
    text: Mapping[str, str] = NOTHING
    price_kind: str = "fill"
    trading: tuple[str, ...] = ()
    complete: bool = False
    pool: str = ""
    asset: str = ""


class PollRows(Rows, frozen=True, kw_only=True):
    """A REST resource. With ``${symbol}`` in ``path`` or ``query`` it is asked once a contract.

    ``host`` is empty for the definition's ``rest_url``. ``clock`` is the venue's own time, on the whole answer.
    """

    path: str
    host: str = ""
    query: Mapping[str, str] = NOTHING
    every_seconds: float
    weight: int = 1
    essential: bool = False
    clock: str = ""

    @property
    def each(self) -> bool:
        """Return whether one request asks for one contract."""
        return any(uses(text, "symbol") for text in (self.path, *self.query.values()))


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that asks for data, and the one that ends them. ``scope`` is one of ``SCOPES``.

    ``refreshes`` is the price field whose data are normally coming, every ``expected_seconds`` at the latest; empty
    where silence is normal. ``name`` names its streams: ``tickers/BTC_USDT``, or ``tickers`` alone.
    """

    name: str
    scope: str
    send: str
    end: str = ""
    refreshes: str = ""
    expected_seconds: float = 0.0


class ServerPing(msgspec.Struct, frozen=True, kw_only=True):
    """A ping of the server: a frame for which ``when`` holds, or that is this very ``text``; and what it wants to hear.

    ``${name}`` in the answer is what the ping has under that name.
    """

    answer: str
    when: str = ""
    text: str = ""


class Ping(msgspec.Struct, frozen=True, kw_only=True):
    """What the client has to say every so often; ``answer`` or ``answer_text`` tell the reply from data."""

    every_seconds: float
    send: str
    answer: str = ""
    answer_text: str = ""


class Socket(msgspec.Struct, frozen=True, kw_only=True):
    """One websocket address, what is said there, and how its frames are told apart.

    ``key`` finds in a frame the name of its stream (with ``key_regex``: a part of it), ``streams`` go by that.
    ``refused_key`` finds in a refusal the number (or uuid) of the request or the name of the stream, and
    ``refused_symbol`` the contract, that was refused; ``reason`` why.
    """

    name: str
    subscriptions: tuple[Subscription, ...]
    streams: Mapping[str, Rows]
    key: str
    url: str = ""
    key_regex: str = ""
    ack: str = ""
    refused: str = ""
    refused_key: str = ""
    refused_symbol: str = ""
    refused_symbol_regex: str = ""
    reason: str = ""
    leaving: str = ""
    server_pings: tuple[ServerPing, ...] = ()
    streams_per_connection: int = 100


class Bootstrap(msgspec.Struct, frozen=True, kw_only=True):
    """A POST before every connection; ``url``, ``token`` and ``ping_ms`` are found in its answer, ``connect`` is the
    address that they make.
    """

    path: str
    host: str
    url: str
    connect: str
    token: str = ""
    ping_ms: str = ""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """What no resource of the venue says of a contract, with where and when it was read."""

    source: str
    date: str
    contract_size: float | None = None
    base: str = ""
    quote: str = ""
    settle: str = ""


class Fund(msgspec.Struct, frozen=True, kw_only=True):
    """An insurance fund that no resource tells, with where and when its balance was read (``time`` is that day)."""

    pool: str
    asset: str
    balance: float
    time: float
    source: str
    date: str


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue allows one client."""

    requests_per_minute: int = 60
    messages_per_second: float = 5.0
    connections_per_minute: int = 30
    lifetime_seconds: float = 86_400.0
    frame_bytes: int = 1 << 20
    body_bytes: int = 8 << 20


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A venue by configuration alone.

    ``symbols`` maps the names that positions use to the venue's own where they differ; ``symbol_parts`` is a pattern
    with the groups ``base``, ``quote`` and perhaps ``settle``. ``rule`` is None where the operator's terms must name it.
    """

    name: str
    kind: str
    source: str
    date: str
    sockets: tuple[Socket, ...] = ()
    polls: tuple[PollRows, ...] = ()
    rest_url: str = ""
    expected_seconds: Mapping[str, float] = {}
    headers: Mapping[str, str] = NOTHING
    bootstrap: Bootstrap | None = None
    welcomes: bool = False
    ping: Ping | None = None
    rule: LiquidationRule | None = None
    limits: Allowed = Allowed()
    symbols: Mapping[str, str] = NOTHING
    symbol_parts: str = ""
    contracts: Mapping[str, Contract] = {}
    tiers: Mapping[str, TierTable] = {}
    funds: tuple[Fund, ...] = ()

    def contract(self, symbol: str) -> Contract | None:
        """Return what is said of *symbol*, or of any contract."""
        return self.contracts.get(symbol, self.contracts.get(ANY_SYMBOL))
