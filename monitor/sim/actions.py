"""The timed actions of a scenario.

An action has ``at`` (seconds from the start of the story), ``do`` (what happens) and ``say`` (a label to
narrate it by). A new action is a class here and, if it does a new thing, a method of :class:`~monitor.sim.stage.Stage`.
"""

from __future__ import annotations

from http.client import responses
from typing import Annotated, Literal

import msgspec

from monitor.core.contract import build_deductions, ladder_problem
from monitor.sim.market import AdlRisk, LiquidationPrint, OrderSide, Positive, Seconds
from monitor.sim.stage import Server, Stage

HttpStatus = Annotated[int, msgspec.Meta(ge=300, le=599)]


class Action(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """Something that happens at a time."""

    at: Annotated[float, msgspec.Meta(ge=0, lt=1e7)]
    say: str = ""

    def perform(self, stage: Stage) -> None:
        """Let it happen."""
        raise NotImplementedError

    def problem(self) -> str | None:
        """Return what is wrong with the values taken together, or None."""
        return None


class Note(Action, frozen=True, tag="note"):
    """Nothing happens; the label is told."""

    def perform(self, stage: Stage) -> None:
        """Do nothing."""


class Set(Action, frozen=True, tag="set"):
    """Values change at once. ``last_price: follow`` and ``index_price: follow`` let them follow the mark again."""

    symbol: str
    mark_price: Positive | None = None
    index_price: Positive | Literal["follow"] | None = None
    last_price: Positive | Literal["follow"] | None = None
    spread_ratio: Annotated[float, msgspec.Meta(ge=0, lt=1)] | None = None
    funding_rate: Annotated[float, msgspec.Meta(gt=-1, lt=1)] | None = None
    open_interest: Annotated[float, msgspec.Meta(ge=0, lt=1e15)] | None = None
    adl_risk: AdlRisk | None = None

    def perform(self, stage: Stage) -> None:
        """Set what is given."""
        if self.mark_price is not None:
            stage.set_mark(self.symbol, self.mark_price)
        if self.index_price is not None:
            stage.set_index(self.symbol, None if self.index_price == "follow" else self.index_price)
        if self.last_price is not None:
            stage.set_last(self.symbol, None if self.last_price == "follow" else self.last_price)
        if self.spread_ratio is not None:
            stage.set_spread(self.symbol, self.spread_ratio)
        if self.funding_rate is not None:
            stage.set_funding_rate(self.symbol, self.funding_rate)
        if self.open_interest is not None:
            stage.set_open_interest(self.symbol, self.open_interest)
        if self.adl_risk is not None:
            stage.set_adl_risk(self.symbol, self.adl_risk)


class Ramp(Action, frozen=True, tag="ramp"):
    """The mark price walks in a straight line; index and last follow unless held."""

    symbol: str
    mark_price: Positive
    seconds: Seconds

    def perform(self, stage: Stage) -> None:
        """Start walking."""
        stage.ramp(self.symbol, self.mark_price, self.seconds)


class Wick(Action, frozen=True, tag="wick"):
    """The last price alone jumps, and returns after ``seconds``."""

    symbol: str
    last_price: Positive
    seconds: Seconds

    def perform(self, stage: Stage) -> None:
        """Jump."""
        stage.wick(self.symbol, self.last_price, self.seconds)


class Liquidation(Action, frozen=True, tag="liquidation"):
    """A forced order is filled: ``buy`` closes a short."""

    symbol: str
    order_side: OrderSide
    contracts: Positive
    limit_price: Positive
    fill_price: Positive

    def perform(self, stage: Stage) -> None:
        """Report the fill."""
        stage.print_liquidation(
            LiquidationPrint(self.symbol, self.order_side, self.contracts, self.limit_price, self.fill_price)
        )


class Fund(Action, frozen=True, tag="fund"):
    """The insurance pool behind ``symbol`` has a new balance."""

    symbol: str
    asset: str
    balance: float

    def perform(self, stage: Stage) -> None:
        """Set it."""
        stage.set_fund(self.symbol, self.asset, self.balance)


class FundingInterval(Action, frozen=True, tag="funding_interval"):
    """Funding is charged every ``hours`` from now on."""

    symbol: str
    hours: Literal[1, 2, 4, 8]

    def perform(self, stage: Stage) -> None:
        """Set it."""
        stage.set_funding_interval(self.symbol, self.hours)


class Tiers(Action, frozen=True, tag="tiers"):
    """The maintenance ladder changes: rows of [floor, maintenance_rate]."""

    symbol: str
    tiers: tuple[tuple[float, float], ...]

    def perform(self, stage: Stage) -> None:
        """Set it and announce it."""
        stage.set_tiers(self.symbol, build_deductions(self.tiers))

    def problem(self) -> str | None:
        """Check the ladder."""
        return ladder_problem(build_deductions(self.tiers))


class Status(Action, frozen=True, tag="status"):
    """The contract's status changes; PENDING_TRADING, DELIVERED and CLOSE also fall silent."""

    symbol: str
    status: str

    def perform(self, stage: Stage) -> None:
        """Set it and announce it."""
        stage.set_status(self.symbol, self.status)


class Delist(Action, frozen=True, tag="delist"):
    """A delivery date comes into sight, ``in_seconds`` from now."""

    symbol: str
    in_seconds: Seconds

    def perform(self, stage: Stage) -> None:
        """Set it and announce it."""
        stage.delist(self.symbol, self.in_seconds)


class Silence(Action, frozen=True, tag="silence"):
    """Data stop while sockets stay open and pings are answered: all of them, or one path, symbol or stream."""

    seconds: Seconds
    path: str | None = None
    symbol: str | None = None
    stream: str | None = None

    def perform(self, stage: Stage) -> None:
        """Fall silent."""
        stage.silence(self.seconds, path=self.path, symbol=self.symbol, stream=self.stream)


class Gap(Action, frozen=True, tag="gap"):
    """The next change of the order book gets lost on its way."""

    symbol: str

    def perform(self, stage: Stage) -> None:
        """Lose it."""
        stage.lose_book_change(self.symbol)


class Cut(Action, frozen=True, tag="cut"):
    """Websockets are closed with ``code``, or dropped without a word (``abort``)."""

    path: str | None = None
    code: Annotated[int, msgspec.Meta(ge=1000, le=4999)] = 1001
    reason: str = ""
    abort: bool = False

    def perform(self, stage: Stage) -> None:
        """Cut them."""
        stage.cut(path=self.path, code=self.code, reason=self.reason, abort=self.abort)


class Refuse(Action, frozen=True, tag="refuse"):
    """Nobody listens: new connections are refused by the system."""

    seconds: Seconds
    server: Server = "all"

    def perform(self, stage: Stage) -> None:
        """Stop listening."""
        stage.refuse(self.seconds, self.server)


class Answer(Action, frozen=True, tag="answer"):
    """Requests (``rest``) or websocket handshakes (``stream``) get one HTTP status, whatever they ask."""

    status: HttpStatus
    seconds: Seconds
    retry_after_seconds: int | None = None
    server: Server = "rest"

    def perform(self, stage: Stage) -> None:
        """Answer so from now on."""
        stage.answer_with(self.status, self.seconds, retry_after_seconds=self.retry_after_seconds, server=self.server)

    def problem(self) -> str | None:
        """Check that the status exists."""
        return None if self.status in responses else f"status {self.status} is not a status of HTTP"


class Raw(Action, frozen=True, tag="raw"):
    """A frame is sent exactly as written, to every socket of ``path`` (or all): malformed ones, for instance."""

    text: str
    path: str | None = None

    def perform(self, stage: Stage) -> None:
        """Send it."""
        stage.send_raw(self.path, self.text.encode())


AnyAction = (
    Note | Set | Ramp | Wick | Liquidation | Fund | FundingInterval | Tiers | Status | Delist
    | Silence | Gap | Cut | Refuse | Answer | Raw
)  # fmt: skip
