"""What waits for one receiver: in order within a subject (R16), worst first between subjects (R23).

Each subject has a lane. Only the head of a lane can go, and the lane ranks by the worst that waits in it, since
that cannot go before its head has. Heads that the receiver has refused go after those it has not seen, so that one
body it cannot take does not stand in the way of the rest. Picking costs O(log n). Pure: time is handed in.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count

from monitor.core.alert_event import SEVERITIES
from monitor.delivery.message import RANK, Delivery


class _Lane:
    __slots__ = ("busy", "counts", "entry", "queue")

    def __init__(self) -> None:
        self.queue: deque[Delivery] = deque()
        self.counts = [0] * len(SEVERITIES)
        self.busy = False
        self.entry = 0
        """Number of its newest entry in a heap; older entries are void."""

    @property
    def rank(self) -> int:
        return max(rank for rank, waiting in enumerate(self.counts) if waiting)


class Lanes:
    """The undelivered of one receiver."""

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._ready: list[tuple[int, int, int, int, _Lane]] = []
        self._waiting: list[tuple[float, int, _Lane]] = []
        self._numbers = count(1)

    def push(self, delivery: Delivery) -> None:
        """Add *delivery* behind the others of its subject."""
        lane = self._lanes.setdefault(delivery.subject, _Lane())
        lane.queue.append(delivery)
        lane.counts[RANK[delivery.severity]] += 1
        if not lane.busy:
            self._enter(lane)

    def take(self, now: float) -> Delivery | None:
        """Return the next one to attempt; its lane is busy until ``finish`` or ``put_back``."""
        while self._waiting and self._waiting[0][0] <= now:
            _, number, lane = heappop(self._waiting)
            if number == lane.entry:
                self._make_ready(lane)
        while self._ready:
            *_, number, lane = heappop(self._ready)
            if number == lane.entry:
                lane.busy = True
                return lane.queue[0]
        return None

    def finish(self, delivery: Delivery) -> None:
        """Take *delivery* out: it is delivered or dead."""
        lane = self._lanes[delivery.subject]
        lane.queue.popleft()
        lane.counts[RANK[delivery.severity]] -= 1
        lane.busy = False
        if lane.queue:
            self._enter(lane)
        else:
            lane.entry = 0
            del self._lanes[delivery.subject]

    def put_back(self, delivery: Delivery, not_before: float) -> None:
        """Let *delivery* be attempted again from *not_before* on."""
        delivery.not_before = not_before
        lane = self._lanes[delivery.subject]
        lane.busy = False
        self._enter(lane)

    def reset(self) -> None:
        """Let every busy lane go again: nothing is in flight."""
        for lane in self._lanes.values():
            if lane.busy:
                lane.busy = False
                self._enter(lane)

    def urgent(self, delivery: Delivery) -> bool:
        """Return whether something critical or worse waits for or behind *delivery*."""
        return self._lanes[delivery.subject].rank > 0

    def bring_forward(self, not_after: float) -> None:
        """Let nothing wait longer than until *not_after*: the receiver is well again."""
        for lane in self._lanes.values():
            if not lane.busy and lane.queue[0].not_before > not_after:
                lane.queue[0].not_before = not_after
                self._enter(lane)

    def next_time(self) -> float | None:
        """Return when the first waiting one may go, or None."""
        while self._waiting and self._waiting[0][1] != self._waiting[0][2].entry:
            heappop(self._waiting)
        return self._waiting[0][0] if self._waiting else None

    def _enter(self, lane: _Lane) -> None:
        if lane.queue[0].not_before > 0.0:
            lane.entry = next(self._numbers)
            heappush(self._waiting, (lane.queue[0].not_before, lane.entry, lane))
        else:
            self._make_ready(lane)

    def _make_ready(self, lane: _Lane) -> None:
        head = lane.queue[0]
        lane.entry = next(self._numbers)
        heappush(self._ready, (head.refusals, -lane.rank, head.created_ms, lane.entry, lane))
