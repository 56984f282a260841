"""What goes into the store and comes out of it: plain rows, times in whole milliseconds of the wall clock.

A delivery holds one or more events (today always one), which is why the two are joined by a table of their own.
"""

from __future__ import annotations

import msgspec

from monitor.core.alert_event import StoredState

PENDING, DELIVERED, DEAD = "pending", "delivered", "dead"
"""The states of a delivery. A fourth, ``superseded``, is known to the schema and not used yet."""


class EventRow(msgspec.Struct, frozen=True):
    """One alert event, with its ``data`` object as it was rendered."""

    event_id: str
    run_id: str
    subject: str
    seq: int
    kind: str
    severity: str
    level: int
    prev_level: int
    created_ms: int
    payload: bytes


class DeliveryRow(msgspec.Struct, frozen=True):
    """One HTTP message to one receiver; ``body`` is what every attempt sends, byte for byte."""

    delivery_id: str
    receiver: str
    severity: str
    body: bytes
    state: str
    attempt: int
    created_ms: int
    delivered_ms: int | None
    last_error: str
    event_ids: tuple[str, ...]


class Mark(msgspec.Struct, frozen=True):
    """What became of a delivery: an attempt that failed, the 2xx, or the end of its time to live."""

    delivery_id: str
    state: str
    attempt: int
    delivered_ms: int | None
    last_error: str


class PendingRow(msgspec.Struct, frozen=True):
    """A delivery that still has to go out, with what its order and its log lines need of its events."""

    delivery_id: str
    receiver: str
    severity: str
    body: bytes
    attempt: int
    created_ms: int
    subject: str
    seq: int
    kind: str


class Transaction(msgspec.Struct, frozen=True):
    """What one COMMIT makes durable: the state of the subjects, their events, their deliveries."""

    states: tuple[StoredState, ...]
    events: tuple[EventRow, ...]
    deliveries: tuple[DeliveryRow, ...]


class Loaded(msgspec.Struct, frozen=True):
    """What a start finds: states by subject, what is undelivered (oldest first), dead letters by receiver."""

    state_id: str
    states: dict[str, StoredState]
    pending: list[PendingRow]
    dead: dict[str, int]
