"""An alert event on its way out: its deliveries, one a receiver, and the rows they leave in the store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from monitor.core.alert_event import SEVERITIES, AlertEvent
from monitor.delivery.identity import event_id, webhook_id
from monitor.delivery.render import body, event_data
from monitor.delivery.settings import DeliveryTimes
from monitor.net.clock import boot, wall
from monitor.store.rows import PENDING, DeliveryRow, EventRow, Mark, PendingRow

RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}


@dataclass(slots=True, eq=False)
class Arrival:
    """When the price behind an event came in (boot clock), and whether its first attempt has been timed."""

    time: float
    timed: bool = False


@dataclass(slots=True, eq=False)
class Delivery:
    """One HTTP message to one receiver. ``born`` and ``not_before`` are on the boot clock."""

    delivery_id: str
    receiver: str
    severity: str
    subject: str
    kind: str
    body: bytes = field(repr=False)
    created_ms: int
    born: float
    arrival: Arrival | None = None
    event_ids: tuple[str, ...] = ()
    state: str = PENDING
    attempt: int = 0
    refusals: int = 0
    not_before: float = 0.0
    delivered_ms: int | None = None
    last_error: str = ""
    possible_duplicate: bool = False

    @property
    def urgent(self) -> bool:
        """Return whether this is critical or worse."""
        return RANK[self.severity] > 0

    def expires(self, times: DeliveryTimes) -> float:
        """Return when its time to live is over, on the boot clock."""
        return self.born + (times.live_urgent if self.urgent else times.live)

    def mark(self) -> Mark:
        """Return what the store has to know of it now."""
        return Mark(self.delivery_id, self.state, self.attempt, self.delivered_ms, self.last_error)

    def row(self) -> DeliveryRow:
        """Return it as it is now."""
        return DeliveryRow(
            delivery_id=self.delivery_id,
            receiver=self.receiver,
            severity=self.severity,
            body=self.body,
            state=self.state,
            attempt=self.attempt,
            created_ms=self.created_ms,
            delivered_ms=self.delivered_ms,
            last_error=self.last_error,
            event_ids=self.event_ids,
        )


class Message:
    """One alert event with its deliveries: ids given and bytes rendered when it is made."""

    def __init__(self, event: AlertEvent, state_id: str, run_id: str, receivers: Sequence[str]) -> None:
        now = boot()
        self.event = event
        self.run_id = run_id
        self.created = wall()
        self.created_ms = int(self.created * 1000)
        self.happened = self.created - max(0.0, now - event.arrived)
        self.event_id = event_id(state_id, run_id, event, self.created_ms)
        self.released = False
        self.timer: asyncio.TimerHandle | None = None
        self.outdated = False
        """Whether it was rendered anew since it was last handed to the store."""
        arrival = Arrival(event.arrived)
        self._render(unpersisted=False)
        self.deliveries = [
            Delivery(
                delivery_id=webhook_id(receiver, [self.event_id]),
                receiver=receiver,
                severity=event.severity,
                subject=event.subject,
                kind=event.kind,
                body=self._body,
                created_ms=self.created_ms,
                born=now,
                arrival=arrival,
                event_ids=(self.event_id,),
            )
            for receiver in receivers
        ]

    def mark_unpersisted(self) -> None:
        """Render it anew, before its first attempt, because it goes out from memory."""
        self._render(unpersisted=True)
        self.outdated = True
        for delivery in self.deliveries:
            delivery.body = self._body

    def event_row(self) -> EventRow:
        """Return the event as it is stored."""
        return EventRow(
            event_id=self.event_id,
            run_id=self.run_id,
            subject=self.event.subject,
            seq=self.event.seq,
            kind=self.event.kind,
            severity=self.event.severity,
            level=int(self.event.level),
            prev_level=int(self.event.prev_level),
            created_ms=self.created_ms,
            payload=self._payload,
        )

    def _render(self, *, unpersisted: bool) -> None:
        data = event_data(self.event, self.event_id, unpersisted=unpersisted)
        self._payload = msgspec.json.encode(data)
        self._body = body(self.event.kind, self.happened, data)


def restored(row: PendingRow) -> Delivery:
    """Return a delivery that an earlier run left behind: same id, same bytes, perhaps sent before.

    Its age is the one difference of wall times that cannot be avoided: the boot clock of that run is gone.
    """
    return Delivery(
        delivery_id=row.delivery_id,
        receiver=row.receiver,
        severity=row.severity,
        subject=row.subject,
        kind=row.kind,
        body=row.body,
        created_ms=row.created_ms,
        born=boot() - max(0.0, wall() - row.created_ms / 1000),
        attempt=row.attempt,
        possible_duplicate=True,
    )
