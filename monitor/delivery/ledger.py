"""What has to be in the store, in which order, and what happens when the store cannot take it (R28, R29).

One COMMIT is under way at a time; what is submitted meanwhile goes into the next one, so that a cascade is a few
commits and not hundreds. A message is released to the senders when its COMMIT has returned. When the store fails,
or takes longer than a second for something critical or worse, the message is released from memory: same ids,
rendered anew as ``unpersisted`` before its first attempt, and stored with those bytes as soon as it can be.

No coroutine and no lock: all of this runs in callbacks of the event loop, short ones.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from itertools import chain

import structlog

from monitor.delivery.message import Delivery, Message
from monitor.delivery.settings import DeliveryTimes
from monitor.delivery.stats import DeliveryStats
from monitor.store.rows import DELIVERED, Transaction
from monitor.store.store import Store

log = structlog.get_logger()

BATCH = 200
"""So many events in one COMMIT at most: what was kept back by a full disk is stored piece by piece."""


class Ledger:
    """Keeps the store in step with the outbox; ``release`` is called once for each message.

    ``recorded`` is called when senders that wait for :meth:`unrecorded` to fall may look again.
    """

    def __init__(
        self,
        store: Store,
        times: DeliveryTimes,
        stats: DeliveryStats,
        *,
        release: Callable[[Message], None],
        recorded: Callable[[], None],
    ) -> None:
        self._store = store
        self._times = times
        self._stats = stats
        self._release = release
        self._recorded = recorded
        self._queue: deque[Message] = deque()
        self._writing: list[Message] = []
        self._held: dict[str, deque[Message]] = {}
        """What is not released yet, by subject and in order."""
        self._marks: dict[str, Delivery] = {}
        self._marking: dict[str, Delivery] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None

    @property
    def settled(self) -> bool:
        """Return whether the store has everything."""
        return not (self._queue or self._writing or self._marks or self._marking)

    def add(self, messages: Sequence[Message]) -> None:
        """Store *messages* (T1), then release them; release them at once while the store is known to fail."""
        for message in messages:
            self._queue.append(message)
            self._held.setdefault(message.event.subject, deque()).append(message)
            if self._stats.store_ok:
                patience = self._times.commit_urgent if message.event.urgent else self._times.commit
                message.timer = asyncio.get_running_loop().call_later(patience, self._overdue, message)
            else:
                self._fail_open(message)
        self._write()

    def mark(self, delivery: Delivery) -> None:
        """Record what became of *delivery* (T2), together with what else is recorded in the next 50 ms."""
        self._marks[delivery.delivery_id] = delivery
        if len(self._marks) >= self._times.in_flight:  # the senders wait for it
            self.hand_over()
        elif self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(self._times.mark, self.hand_over)

    def unrecorded(self, receiver: str) -> int:
        """Return how many deliveries would be repeated if the process were killed now; 0 if the store fails.

        They count as in flight, which bounds the duplicates that a kill can cause.
        """
        if not self._stats.store_ok:
            return 0
        waiting = chain(self._marks.values(), self._marking.values())
        return sum(d.receiver == receiver and d.state == DELIVERED for d in waiting)

    def hand_over(self) -> None:
        """Hand everything that is waiting to the store now, without waiting for it."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._write()
        if self._marks and not self._marking and self._retry is None:
            self._marking, self._marks = self._marks, {}
            slow = asyncio.get_running_loop().call_later(self._times.commit_urgent, self._complain, "slow")
            marks = [delivery.mark() for delivery in self._marking.values()]
            self._then(self._store.mark(marks), lambda error, _: self._marked(slow, error))

    def _write(self) -> None:
        if self._writing or not self._queue or self._retry is not None:
            return
        batch = self._writing = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        for message in batch:
            message.outdated = False
        self._then(self._store.commit(_transaction(batch)), lambda error, seconds: self._written(batch, error, seconds))

    def _then(self, future: Future[float], done: Callable[[BaseException | None, float], None]) -> None:
        loop = asyncio.get_running_loop()

        def finished(result: Future[float]) -> None:
            error = result.exception()
            with suppress(RuntimeError):  # the loop is closed: the process is ending, the store has it
                loop.call_soon_threadsafe(done, error, 0.0 if error is not None else result.result())

        future.add_done_callback(finished)

    def _written(self, batch: list[Message], error: BaseException | None, seconds: float) -> None:
        self._writing = []
        if error is not None:
            self._failing(error)
            self._queue.extendleft(reversed(batch))
            for message in batch:
                self._fail_open(message)
            return
        self._stats.commit.observe(seconds)
        self._recovered()
        if any(message.outdated for message in batch):
            # Sent from memory while this COMMIT was slow: the store holds other bytes than the receivers got. All
            # of the batch is stored again, so that no later state of a subject is replaced by an earlier one.
            self._queue.extendleft(reversed(batch))
        for message in batch:
            if not message.released:
                self._let_go(message)
        self._write()

    def _marked(self, slow: asyncio.TimerHandle, error: BaseException | None) -> None:
        slow.cancel()
        marking, self._marking = self._marking, {}
        if error is not None:
            self._marks = marking | self._marks
            self._failing(error)
            return
        if not (self._queue or self._writing):  # a mark may fit where an event does not
            self._recovered()
        self._recorded()
        if self._marks:
            self.hand_over()

    def _overdue(self, message: Message) -> None:
        self._complain("slow")
        self._fail_open(message)

    def _fail_open(self, message: Message) -> None:
        """Release *message* from memory, after those of its subject that are still held: they stay in order."""
        while not message.released:
            first = self._held[message.event.subject][0]
            first.mark_unpersisted()
            self._stats.unpersisted += 1
            self._let_go(first)

    def _let_go(self, message: Message) -> None:
        subject = message.event.subject
        held = self._held[subject]
        assert held[0] is message
        held.popleft()
        if not held:
            del self._held[subject]
        message.released = True
        if message.timer is not None:
            message.timer.cancel()
        self._release(message)

    def _failing(self, error: BaseException) -> None:
        self._complain(getattr(error, "reason", "io"), str(error))
        if self._retry is None:
            self._retry = asyncio.get_running_loop().call_later(self._times.store_retry, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.hand_over()

    def _complain(self, reason: str, detail: str = "") -> None:
        if self._stats.store_ok:
            self._stats.store_ok = False
            log.error("store.failed", reason=reason, detail=detail or None)
            self._recorded()

    def _recovered(self) -> None:
        if not self._stats.store_ok:
            self._stats.store_ok = True
            log.info("store.recovered", waiting=len(self._queue))


def _transaction(batch: list[Message]) -> Transaction:
    # Later states of a subject replace earlier ones, as the database would do.
    states = {message.event.state.subject: message.event.state for message in batch}
    return Transaction(
        states=tuple(states.values()),
        events=tuple(message.event_row() for message in batch),
        deliveries=tuple(delivery.row() for message in batch for delivery in message.deliveries),
    )
