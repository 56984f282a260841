"""The outbox: takes alert events, makes them durable, and sees to it that each receiver gets each of them.

``submit`` is synchronous and quick: it names and renders the event and hands it to the store's thread. When the
COMMIT has returned the senders wake (:mod:`.ledger`); each receiver has a sender of its own, so that a dead one
holds up nobody else (:mod:`.sender`). After a crash or a stop everything undelivered is sent again with the same
id and the same bytes. Those bytes cannot say that they are late, so a header does: ``perp-monitor-late-seconds``,
on every attempt of anything older than 15 minutes, next to ``perp-monitor-possible-duplicate``.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

import structlog

from monitor.core.alert_event import AlertEvent, StoredState
from monitor.core.alerts import Level, Quality
from monitor.delivery.ledger import Ledger
from monitor.delivery.message import Delivery, Message, restored
from monitor.delivery.sender import Sender, count_dead
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.delivery.stats import DeliveryStats
from monitor.delivery.summary import summary
from monitor.errors import OutboxError
from monitor.net.clock import boot, wall
from monitor.net.lookup import Lookup
from monitor.store.rows import DEAD, PENDING, Loaded
from monitor.store.store import Store

log = structlog.get_logger()


class Outbox:
    """Alerts out. ``loaded`` is what ``store.load()`` found at this start."""

    def __init__(
        self,
        store: Store,
        loaded: Loaded,
        receivers: Sequence[ReceiverSettings],
        times: DeliveryTimes | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        self._store = store
        self._loaded = loaded
        self._times = times or DeliveryTimes()
        self._run_id = secrets.token_hex(8)
        self.stats = DeliveryStats([receiver.name for receiver in receivers])
        self._ledger = Ledger(store, self._times, self.stats, release=self._release, recorded=self._wake)
        self._senders = {
            receiver.name: Sender(
                receiver,
                self._times,
                self.stats,
                changed=self._changed,
                unrecorded=self._ledger.unrecorded,
                refused=self._misconfigured,
                lookup=lookup,
            )
            for receiver in receivers
        }
        self._open: dict[str, dict[str, Delivery]] = {receiver.name: {} for receiver in receivers}
        self._announcements = 0
        self.stats.dead_pending |= loaded.dead
        self._orphans: list[Delivery] = []
        self._restore()

    def submit(self, alerts: Sequence[AlertEvent]) -> None:
        """Take *alerts* on for every receiver. Needs the running loop, not a running :meth:`run`."""
        names = list(self._senders)
        self._ledger.add([self._message(event, names) for event in alerts])

    async def run(self) -> None:
        """Deliver until cancelled; may be run again. At the end the store is handed what it has not got yet."""
        self._bury_orphans()
        try:
            async with asyncio.TaskGroup() as group:
                for name, sender in self._senders.items():
                    group.create_task(sender.run(), name=f"sender {name}")
                group.create_task(self._prune(), name="prune")
        finally:
            self._ledger.hand_over()

    async def drain(self, seconds: float) -> bool:
        """Wait until everything is delivered (or dead) and recorded, at most *seconds*; return whether it is."""
        try:
            async with asyncio.timeout(seconds):
                while self._orphans or any(self._open.values()) or not self._ledger.settled:  # noqa: ASYNC110 - at the stop only
                    await asyncio.sleep(0.01)
        except TimeoutError:
            self._ledger.hand_over()
            return False
        return True

    def _restore(self) -> None:
        """Queue what an earlier run left behind (R30), oldest first; the senders pick the worst first."""
        for delivery in map(restored, self._loaded.pending):
            if delivery.receiver in self._senders:
                self._count_in(delivery)
                self._senders[delivery.receiver].push(delivery)
            else:
                self._orphans.append(delivery)

    def _bury_orphans(self) -> None:
        """Make dead letters of what waits for receivers that the configuration no longer knows (R26)."""
        orphans, self._orphans = self._orphans, []
        for delivery in orphans:
            delivery.state = DEAD
            count_dead(self.stats, delivery, "no_receiver")
            self._ledger.mark(delivery)

    def _message(self, event: AlertEvent, receivers: list[str]) -> Message:
        message = Message(event, self._loaded.state_id, self._run_id, receivers)
        self.stats.events.add(event.kind, event.severity)
        for delivery in message.deliveries:
            self._count_in(delivery)
        # Without a receiver the log is where alerts go: they must not be lost below its level.
        say = log.warning if event.urgent or not self._senders else log.info
        say(
            "alert.fired",
            kind=event.kind,
            severity=event.severity,
            subject=event.subject,
            summary=summary(event),
            reason=event.reason or None,
            positions=event.positions or None,
            mark_price=event.mark_price,
            price_source=event.price_source or None,
            liquidation_price=event.liquidation_price,
            liquidation_distance_ratio=event.liquidation_distance_ratio,
            event_id=message.event_id,
        )
        return message

    def _release(self, message: Message) -> None:
        for delivery in message.deliveries:
            self._senders[delivery.receiver].push(delivery)

    def _wake(self) -> None:
        for sender in self._senders.values():
            sender.wake()

    def _changed(self, delivery: Delivery) -> None:
        """Record what became of an attempt; a settled delivery is no longer waited for."""
        self._ledger.mark(delivery)
        if delivery.state != PENDING:
            name = delivery.receiver
            self._open[name].pop(delivery.delivery_id, None)
            self.stats.pending[name, delivery.severity] -= 1
            self._note_oldest(name)

    def _count_in(self, delivery: Delivery) -> None:
        self._open[delivery.receiver][delivery.delivery_id] = delivery
        self.stats.pending[delivery.receiver, delivery.severity] += 1
        self._note_oldest(delivery.receiver)

    def _note_oldest(self, name: str) -> None:
        oldest = next(iter(self._open[name].values()), None)
        self.stats.oldest[name] = None if oldest is None else oldest.created_ms / 1000

    def _misconfigured(self, name: str, reason: str) -> None:
        """Say over the other receivers that *name* refuses what it is sent (R22)."""
        others = [other for other in self._senders if other != name]
        if not others:
            return
        subject = f"receiver:{name}"
        earlier = self._loaded.states.get(subject, StoredState(subject))
        self._announcements += 1
        seq = earlier.seq + self._announcements
        event = AlertEvent(
            kind="receiver.misconfigured",
            severity="critical",
            subject=subject,
            venue="",
            state=StoredState(subject, seq=seq),
            seq=seq,
            episode=0,
            level=Level.OK,
            prev_level=Level.OK,
            quality=Quality.LIVE,
            reason=reason,
            arrived=boot(),
        )
        self._ledger.add([self._message(event, others)])

    async def _prune(self) -> None:
        """Delete what was delivered a week ago, 500 rows at a time (T3)."""
        while True:
            before_ms = int((wall() - self._times.keep) * 1000)
            gone = 0
            try:
                gone = await asyncio.wrap_future(self._store.prune(before_ms))
            except OutboxError as error:
                log.warning("store.failed", reason=error.reason, detail="old rows were not deleted")
            await asyncio.sleep(0.1 if gone else self._times.prune)
