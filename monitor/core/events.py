"""Facts that came in, one fact an event.

A partial message that carries only a mark price yields only a :class:`MarkPrice`, so that no decoder needs
a memory; an absent field is no event, never a zero. All numbers are float64, checked where they were
decoded. ``event_time`` is the venue's own time in epoch seconds; when it arrived is said by the caller.
Prices are in quote currency, ``contracts`` as the venue counts them.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class _Fact(msgspec.Struct, frozen=True, gc=False, tag_field="event"):
    """Common base: every fact is about one symbol of one venue."""

    FIELD: ClassVar[str | None] = None
    """The field that such a fact refreshes: mark, index, last, book or depth."""


class MarkPrice(_Fact, frozen=True, gc=False, tag="mark_price"):
    """The price that liquidation follows."""

    FIELD: ClassVar[str | None] = "mark"
    venue: str
    symbol: str
    mark_price: float
    event_time: float


class IndexPrice(_Fact, frozen=True, gc=False, tag="index_price"):
    """The venue's spot index of the underlying."""

    FIELD: ClassVar[str | None] = "index"
    venue: str
    symbol: str
    index_price: float
    event_time: float


class LastPrice(_Fact, frozen=True, gc=False, tag="last_price"):
    """The price of the last trade."""

    FIELD: ClassVar[str | None] = "last"
    venue: str
    symbol: str
    last_price: float
    event_time: float


class BestQuote(_Fact, frozen=True, gc=False, tag="best_quote"):
    """Best bid and ask with their sizes."""

    FIELD: ClassVar[str | None] = "book"
    venue: str
    symbol: str
    bid_price: float
    bid_contracts: float
    ask_price: float
    ask_contracts: float
    event_time: float


class BookChange(_Fact, frozen=True, gc=False, tag="book_change"):
    """Levels of the order book: rows of (price, contracts), where 0 contracts removes a level.

    ``whole``: these are all levels there are, the book begins anew. ``number`` is the book's id after this message and
    ``previous`` the one that it must have before; None where the venue does not number its messages. ``first`` is the
    first id in a message that covers several, for joining it to a whole book read elsewhere.
    """

    FIELD: ClassVar[str | None] = "depth"
    venue: str
    symbol: str
    bids: tuple[tuple[float, float], ...]
    asks: tuple[tuple[float, float], ...]
    event_time: float
    whole: bool = False
    number: int | None = None
    previous: int | None = None
    first: int | None = None


class FundingRate(_Fact, frozen=True, gc=False, tag="funding_rate"):
    """The running estimate of the rate charged at ``next_funding_time`` (a fraction per interval)."""

    venue: str
    symbol: str
    funding_rate: float
    next_funding_time: float
    event_time: float


class FundingTerms(_Fact, frozen=True, gc=False, tag="funding_terms"):
    """How often a contract is charged, and between which rates (fractions per interval)."""

    venue: str
    symbol: str
    interval_seconds: float
    rate_cap: float | None = None
    rate_floor: float | None = None


class OpenInterest(_Fact, frozen=True, gc=False, tag="open_interest"):
    """Open contracts, one side counted."""

    venue: str
    symbol: str
    contracts: float
    event_time: float


class Liquidation(_Fact, frozen=True, gc=False, tag="liquidation"):
    """One public liquidation. ``price_kind`` says what ``price`` is: ``fill`` or ``bankruptcy``.

    ``method``: ``market`` (an order in the book), ``takeover`` (the position went to the venue's backstop) or ``adl``
    (it was closed against winning positions).
    """

    venue: str
    symbol: str
    position_side: str
    contracts: float
    price: float
    price_kind: str
    event_time: float
    limit_price: float | None = None
    method: str = "market"


class AdlSignal(_Fact, frozen=True, gc=False, tag="adl_signal"):
    """What a venue says of auto-deleveraging in one contract, in its own word (``state``), lower case.

    Where it publishes its trigger: the fund's ``drawdown_ratio`` now (negative is a loss), the ``trigger_ratio`` at
    which ADL starts and the ``stop_ratio`` at which it ends; ``balance`` of the pool in its asset.
    """

    venue: str
    symbol: str
    state: str
    event_time: float
    drawdown_ratio: float | None = None
    trigger_ratio: float | None = None
    stop_ratio: float | None = None
    balance: float | None = None


class SubscriptionRefused(_Fact, frozen=True, gc=False, tag="subscription_refused"):
    """The venue said no to a stream of one contract, asked for alone. ``field`` as in ``FIELD``; "" if it has none."""

    venue: str
    symbol: str
    field: str
    reason: str


class InsuranceFund(_Fact, frozen=True, gc=False, tag="insurance_fund"):
    """The balance of one asset in one pool, with the contracts that the pool stands behind."""

    venue: str
    pool: str
    asset: str
    balance: float
    symbols: tuple[str, ...]
    event_time: float


class ContractTerms(_Fact, frozen=True, gc=False, tag="contract_terms"):
    """What the venue says of a contract. ``watchable`` is false while it does not trade normally."""

    venue: str
    symbol: str
    kind: str
    contract_size: float
    base: str
    quote: str
    settle: str
    status: str
    watchable: bool
    tick_size: float | None = None
    liquidation_fee_rate: float | None = None
    delivery_time: float | None = None


class ContractStatus(_Fact, frozen=True, gc=False, tag="contract_status"):
    """A contract's status alone, as a stream announces it."""

    venue: str
    symbol: str
    status: str
    watchable: bool
    event_time: float


class TierTableChanged(_Fact, frozen=True, gc=False, tag="tier_table"):
    """A maintenance ladder as the venue published it: rows of (floor, maintenance_rate, deduction).

    Deductions are 0 where the venue publishes none; ``max_leverages`` is one a row, or empty.
    """

    venue: str
    symbol: str
    rows: tuple[tuple[float, float, float], ...]
    event_time: float
    max_leverages: tuple[float, ...] = ()


class VenueTime(_Fact, frozen=True, gc=False, tag="venue_time"):
    """The venue's clock when it answered; its uncertainty is half of ``round_trip_seconds``."""

    venue: str
    event_time: float
    round_trip_seconds: float = 0.0


class VenueBehind(_Fact, frozen=True, gc=False, tag="venue_behind"):
    """How far a venue's newest state lies behind its own time: prices that are repeated then prove nothing."""

    venue: str
    behind_seconds: float
    event_time: float


class Rejected(_Fact, frozen=True, gc=False, tag="rejected"):
    """One row, or one value in it, that was not used, with the reason; its neighbours were."""

    venue: str
    channel: str
    reason: str
    symbol: str = ""


class FeedLost(_Fact, frozen=True, gc=False, tag="feed_lost"):
    """A connection ended. Prices age from now on; the reason is kept for those who ask why."""

    venue: str
    connection: str
    reason: str


class FeedConnected(_Fact, frozen=True, gc=False, tag="feed_connected"):
    """A socket is open, which proves nothing yet."""

    venue: str
    connection: str


Event = (
    MarkPrice
    | IndexPrice
    | LastPrice
    | BestQuote
    | BookChange
    | FundingRate
    | FundingTerms
    | OpenInterest
    | Liquidation
    | AdlSignal
    | InsuranceFund
    | ContractTerms
    | ContractStatus
    | SubscriptionRefused
    | TierTableChanged
    | VenueTime
    | VenueBehind
    | Rejected
    | FeedLost
    | FeedConnected
)
