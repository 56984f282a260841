"""What is known of one symbol, and which new values are believed.

A value refreshes a field only when it is valid, newer by the venue's own time, not late, and no jump that still
waits for confirmation. Ages hang on the boot clock, never on the wall clock or on our own traffic.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from math import inf

import msgspec

from monitor.core.alerts import Quality
from monitor.core.book import OrderBook
from monitor.core.contract import TierTable
from monitor.core.events import AdlSignal, ContractTerms
from monitor.engine.triggers import TriggerBook

LATE_SECONDS = 3.0
"""An event time this far behind the venue's now: usable to raise, not to lower, not fresh."""

AHEAD_SECONDS = 5.0
DAY = 86_400.0

JUMP = 0.2
JUMP_WINDOW_SECONDS = 10.0
QUARANTINE_SECONDS = 2.0


class Verdict(IntEnum):
    """What became of a value. An undated one has the event time of the value before: it may raise, no more."""

    ACCEPTED = 0
    LATE = 1
    UNDATED = 2
    HELD = 3
    REFUSED = 4


class VenueClock:
    """The venue's time against the boot clock.

    ``offset`` is venue time minus boot clock, from the venue's time call; until one was answered, the
    least-lag message seen gives it (``approximate``). ``late`` and ``ahead`` bound ``event_time - now``.
    """

    __slots__ = ("ahead", "approximate", "behind", "late", "offset")

    def __init__(self) -> None:
        self.behind = False
        """The venue stands still, by its own account, whatever it goes on sending."""
        self.approximate = True
        self.offset = -inf
        self.late = inf
        self.ahead = -inf

    def set(self, offset: float) -> None:
        """Take the offset that a time call gave."""
        self.approximate = False
        self._use(offset)
        self.ahead = offset + AHEAD_SECONDS

    def learn(self, offset: float) -> None:
        """Take the offset of a message if it is the least delayed so far and nothing better is known."""
        if self.approximate and offset > self.offset:
            self._use(offset)
            self.ahead = offset

    def _use(self, offset: float) -> None:
        self.offset = offset
        self.late = offset - LATE_SECONDS


class Field(msgspec.Struct, gc=False):
    """One price field: newest value, its venue time, and when a fresh value was last accepted (boot clock)."""

    value: float = 0.0
    time: float = -inf
    accepted: float = -inf
    late: bool = False

    def age(self, now: float) -> float:
        """Return seconds since the last accepted value; infinity if there was none."""
        return now - self.accepted

    def judge(self, value: float, time: float, now: float, clock: VenueClock) -> str | None:
        """Return why a value must not be used (R4, R5), or None; a venue's least-lag message teaches its clock."""
        clock.learn(time - now)
        if time < self.time:
            return "out_of_order"
        if not clock.offset - DAY < time - now <= clock.offset + AHEAD_SECONDS:
            return "bad_time"
        if time == self.time and value == self.value:
            return "repeated"
        return None

    def store(self, value: float, time: float, now: float, *, late: bool) -> None:
        """Keep a value that was judged usable; only one that is not late is fresh."""
        self.value, self.time, self.late = value, time, late
        if not late:
            self.accepted = now

    def take(self, value: float, time: float, now: float, clock: VenueClock) -> str | None:
        """Store a value of a field that is never quarantined; return why it was refused, or None."""
        reason = self.judge(value, time, now, clock)
        if reason is None:
            self.store(value, time, now, late=time - now <= clock.late)
        return reason


class Held(msgspec.Struct, gc=False, frozen=True):
    """A jump in quarantine: the price, its venue time, when it came, whether it is up, whether it was late."""

    price: float
    time: float
    since: float
    up: bool
    late: bool


class Intervals(msgspec.Struct, frozen=True):
    """Ages at which the fields of a venue turn stale, from the longest normal silence of each channel."""

    mark_calm: float
    mark_alarmed: float
    last: float
    book: float

    @classmethod
    def of(cls, expected: Mapping[str, float]) -> Intervals:
        """Derive them: 3 x expected (5..30 s), for alarmed positions 2 x (3..15 s)."""

        def calm(field: str) -> float:
            return min(30.0, max(5.0, 3.0 * expected.get(field, 10.0)))

        return cls(
            mark_calm=calm("mark"),
            mark_alarmed=min(15.0, max(3.0, 2.0 * expected.get("mark", 10.0))),
            last=calm("last"),
            book=calm("book"),
        )


class SymbolFacts:
    """All facts of one symbol. ``live`` is true while the mark is fresh enough for every one of its positions,
    ``unsolved`` while the levels of one of them are not known.
    """

    __slots__ = (
        "adl",
        "book",
        "came",
        "clock",
        "contract",
        "delivery_time",
        "depth",
        "funding_interval",
        "funding_rate",
        "held",
        "index",
        "intervals",
        "last",
        "liquidated_contracts",
        "liquidated_notional",
        "live",
        "mark",
        "next_funding_time",
        "open_interest",
        "proxy",
        "quarantined",
        "refusal_survived",
        "refused",
        "settle",
        "shown",
        "shown_watchable",
        "source",
        "status",
        "symbol",
        "table",
        "triggers",
        "unsolved",
        "venue",
        "watchable",
        "wrong_units",
    )

    def __init__(self, venue: str, symbol: str, clock: VenueClock, intervals: Intervals) -> None:
        self.venue, self.symbol, self.clock, self.intervals = venue, symbol, clock, intervals
        self.mark, self.index, self.last, self.book = Field(), Field(), Field(), Field()
        self.came: dict[str, float] = {}
        """When facts that are no prices last came in (boot clock): funding, open interest, ADL, liquidations."""
        self.depth = OrderBook()
        self.adl: AdlSignal | None = None
        self.held: Held | None = None
        self.live = False
        self.unsolved = True
        self.shown: tuple[Quality, Quality, str] = (Quality.NEVER, Quality.NEVER, "no_data")
        self.quarantined = 0
        self.triggers = TriggerBook()
        self.table: TierTable | None = None
        self.status, self.watchable, self.shown_watchable = "", True, True
        self.refused = False
        """The venue said no to its marks."""
        self.refusal_survived = False
        """A mark came in although the venue had said no."""
        self.contract: ContractTerms | None = None
        self.delivery_time: float | None = None
        self.wrong_units = ""
        """Which of the contract's units the operator's figures are not in."""
        self.source: SymbolFacts | None = None
        """The contract by whose mark this one is watched; None where it has its own."""
        self.proxy = ""
        """The same in words: ``venue symbol``."""
        self.settle = ""
        self.funding_rate: float | None = None
        self.next_funding_time: float | None = None
        self.funding_interval: float | None = None
        self.open_interest: float | None = None
        self.liquidated_contracts = {"long": 0.0, "short": 0.0}
        self.liquidated_notional = {"long": 0.0, "short": 0.0}

    def follow(self, source: SymbolFacts) -> None:
        """Watch this contract by the mark of another one, on that venue's clock: an estimate, never live."""
        self.proxy = f"{source.venue} {source.symbol}"
        self.source, self.clock, self.intervals = source, source.clock, source.intervals

    def worth(self, contracts: float, price: float) -> float:
        """Return what *contracts* are worth at *price*, in the settlement asset; unknown terms count as one coin."""
        contract = self.contract
        if contract is None:
            return contracts * price
        quantity = contracts * contract.contract_size
        return quantity / price if contract.kind == "inverse" else quantity * price

    def take_mark(self, price: float, time: float, now: float) -> tuple[Verdict, str]:
        """Judge a mark price that the quick check did not settle, and store it if it is believed."""
        field, clock = self.mark, self.clock
        reason = field.judge(price, time, now, clock)
        if reason is None and self.held is not None and time <= self.held.time:
            reason = "out_of_order"  # neither a repeat nor an older price says anything about a jump
        if reason is not None:
            return Verdict.REFUSED, reason
        late = time - now <= clock.late
        if self._is_jump(price, now):
            up = price > field.value
            if not (self.held is not None and self.held.up == up) and not self._confirmed_elsewhere(up, now):
                self.held = Held(price, time, now, up, late)
                self.quarantined += 1
                return Verdict.HELD, "quarantined"
        self.held = None
        if time == field.time:
            return Verdict.UNDATED, "event_time"
        field.store(price, time, now, late=late)
        return (Verdict.LATE, "late") if late else (Verdict.ACCEPTED, "")

    def release(self, now: float) -> bool:
        """Accept a jump whose quarantine ended undisproved or which another source confirms; return whether."""
        held = self.held
        if held is None or not (now - held.since >= QUARANTINE_SECONDS or self._confirmed_elsewhere(held.up, now)):
            return False
        self.held = None
        self.mark.store(held.price, held.time, held.since, late=held.late)
        return True

    def _is_jump(self, price: float, now: float) -> bool:
        field = self.mark
        return field.age(now) <= JUMP_WINDOW_SECONDS and not (1.0 - JUMP) < price / field.value < (1.0 + JUMP)

    def _confirmed_elsewhere(self, up: bool, now: float) -> bool:  # noqa: FBT001 - a side, named at each call
        reference = self.mark.value
        return any(
            field.age(now) <= limit
            and (field.value >= reference * (1.0 + JUMP) if up else field.value <= reference * (1.0 - JUMP))
            for field, limit in ((self.last, self.intervals.last), (self.book, self.intervals.book))
        )

    def quality(self, now: float) -> tuple[Quality, Quality, str]:
        """Return the quality for calm and for alarmed positions, and the reason when it is not live."""
        if not self.watchable or self.refused:
            return Quality.STALE, Quality.STALE, "status"
        if self.wrong_units:
            return Quality.STALE, Quality.STALE, "terms"
        if self.source is not None and (self.source.refused or not self.source.watchable):
            return Quality.STALE, Quality.STALE, "suspended"
        if self.clock.behind:
            return Quality.STALE, Quality.STALE, "late"
        mark, limits = self.mark, self.intervals
        age = mark.age(now)
        otherwise, reason = Quality.STALE, "late" if mark.late else "no_data"
        if self.fallback(now):
            otherwise = Quality.FALLBACK
        elif mark.time == -inf:
            otherwise = Quality.NEVER
        calm = Quality.LIVE if age <= limits.mark_calm and not mark.late else otherwise
        alarmed = Quality.LIVE if age <= limits.mark_alarmed and not mark.late else otherwise
        return calm, alarmed, reason

    def quality_for(self, *, alarmed: bool) -> tuple[Quality, str]:
        """Return the quality worked out last for alarmed or for calm positions, and the reason."""
        calm, tight, reason = self.shown
        return (tight if alarmed else calm), reason

    def fallback(self, now: float) -> list[tuple[float, str]]:
        """Return the prices that may stand in for the mark, with their names: last trade and middle of the book.

        They must be as fresh as a mark would have to be: a quiet book is normal, but it does not stand in for one.
        """
        limit = self.intervals.mark_calm
        candidates = ((self.last, "last"), (self.book, "book"))
        return [(field.value, name) for field, name in candidates if field.age(now) <= limit and not field.late]
