"""The worker of one receiver: takes what waits, worst first, and attempts it until it is delivered or dead.

"Retry or give up?" is answered in ``_failed`` and ``_due``: a failure is always tried again, as :mod:`.pace` says;
only the end of its time to live, or a receiver that is gone, makes a dead letter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import random

import structlog

from monitor.delivery.lanes import Lanes
from monitor.delivery.message import Delivery
from monitor.delivery.pace import Pace
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.delivery.stats import DeliveryStats
from monitor.delivery.webhook import Webhook
from monitor.errors import DeliveryError, DeliveryRejected
from monitor.net.clock import boot, wall
from monitor.net.lookup import Lookup
from monitor.store.rows import DEAD, DELIVERED

log = structlog.get_logger()


class Sender:
    """Delivers to one receiver. ``changed`` is told of each delivery whose fate has to be recorded.

    ``unrecorded`` says how many of its deliveries are not yet known to the store to be delivered. ``refused`` is told, once until the next success, that the receiver is misconfigured, with the reason.
    """

    def __init__(
        self,
        settings: ReceiverSettings,
        times: DeliveryTimes,
        stats: DeliveryStats,
        *,
        changed: Callable[[Delivery], None],
        unrecorded: Callable[[str], int],
        refused: Callable[[str, str], None],
        lookup: Lookup | None = None,
    ) -> None:
        self.settings = settings
        self._times = times
        self._stats = stats
        self._changed = changed
        self._unrecorded = unrecorded
        self._refused = refused
        self._webhook = Webhook(settings, times, lookup)
        self._lanes = Lanes()
        self._pace = Pace(times, random)
        self._in_flight = 0
        self._announced = False
        self._woken = asyncio.Event()

    def push(self, delivery: Delivery) -> None:
        """Take *delivery* on; it may leave from now on."""
        self._lanes.push(delivery)
        self.wake()

    def wake(self) -> None:
        """Look again at what may be attempted."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until cancelled. What is in flight then may have arrived, and is kept."""
        self._lanes.reset()
        self._in_flight = 0
        async with self._webhook, asyncio.TaskGroup() as group:
            while True:
                while (delivery := self._due(boot())) is not None:
                    self._in_flight += 1
                    group.create_task(self._attempt(delivery), name=f"deliver {delivery.delivery_id}")
                await self._pause(boot())

    def _due(self, now: float) -> Delivery | None:
        """Return what has to be attempted now; what nobody needs to attempt any more is buried on the way."""
        while not self._full() and now >= self._pace.opens(urgent=True):
            delivery = self._lanes.take(now)
            if delivery is None:
                return None
            opens = self._pace.opens(urgent=self._lanes.urgent(delivery))
            if self._pace.gone or now >= delivery.expires(self._times):
                self._bury(delivery, "gone" if self._pace.gone else "expired")
            elif opens > now:
                self._lanes.put_back(delivery, opens)
            else:
                return delivery
        return None

    def _full(self) -> bool:
        return self._in_flight + self._unrecorded(self.settings.name) >= self._pace.at_once

    async def _pause(self, now: float) -> None:
        """Wait until something is due, was pushed, or came back."""
        wake = self._lanes.next_time()
        if self._full():
            wake = None
        elif (opens := self._pace.opens(urgent=True)) > now:
            wake = opens
        with suppress(TimeoutError):
            async with asyncio.timeout(None if wake is None else max(0.0, wake - now)):
                await self._woken.wait()
        self._woken.clear()

    async def _attempt(self, delivery: Delivery) -> None:
        delivery.attempt += 1
        started = boot()
        error: DeliveryError | None = None
        try:
            await self._webhook.post(delivery, lambda: self._note_first_byte(delivery))
        except DeliveryError as failure:
            error = failure
        except BaseException:  # cancelled, or a bug: it may have arrived all the same
            delivery.possible_duplicate = True
            raise
        finally:
            self._in_flight -= 1
            self.wake()
        if error is None:
            self._succeeded(delivery, started)
        else:
            self._failed(delivery, error)
        self._stats.accepting[self.settings.name] = self._pace.accepting

    def _note_first_byte(self, delivery: Delivery) -> None:
        arrival = delivery.arrival
        if arrival is not None and not arrival.timed:
            arrival.timed = True
            self._stats.alert_latency[delivery.severity].observe(max(0.0, boot() - arrival.time))

    def _succeeded(self, delivery: Delivery, started: float) -> None:
        name = self.settings.name
        self._stats.attempts.add(name, "delivered")
        if delivery.arrival is not None:
            self._stats.latency[name].observe(max(0.0, boot() - delivery.arrival.time))
        delivery.state, delivery.delivered_ms, delivery.last_error = DELIVERED, int(wall() * 1000), ""
        self._announced = False
        self._lanes.finish(delivery)
        if self._pace.succeeded(started):
            self._lanes.bring_forward(boot())
        log.info(
            "delivery.succeeded",
            receiver=name,
            kind=delivery.kind,
            delivery_id=delivery.delivery_id,
            attempt=delivery.attempt,
        )
        self._changed(delivery)

    def _failed(self, delivery: Delivery, error: DeliveryError) -> None:
        now, name = boot(), self.settings.name
        rejected = isinstance(error, DeliveryRejected)
        unknown = error.reason == "no_reply"
        outcome = "rejected" if rejected else "unknown" if unknown else "unavailable"
        self._stats.attempts.add(name, outcome)
        delivery.possible_duplicate |= unknown
        delivery.last_error = f"{error.reason}: {error}"
        again = self._pace.failed(delivery, error, now)
        log.warning(
            "delivery.failed",
            receiver=name,
            target=self.settings.origin,
            kind=delivery.kind,
            delivery_id=delivery.delivery_id,
            attempt=delivery.attempt,
            reason=error.reason,
            detail=str(error),
            retry_in_seconds=round(again - now, 1),
        )
        self._lanes.put_back(delivery, min(again, delivery.expires(self._times)))
        if self._pace.gone:
            self._lanes.bring_forward(now)
        self._changed(delivery)
        if rejected and not self._announced:
            self._announced = True
            self._refused(name, error.reason)

    def _bury(self, delivery: Delivery, reason: str) -> None:
        delivery.state = DEAD
        self._lanes.finish(delivery)
        count_dead(self._stats, delivery, reason)
        self._changed(delivery)


def count_dead(stats: DeliveryStats, delivery: Delivery, reason: str) -> None:
    """Count a dead letter and say so: a person is needed. Its row stays in the store, with the reason."""
    delivery.last_error = f"{reason}, last: {delivery.last_error}" if delivery.last_error else reason
    stats.dead.add(delivery.receiver, reason)
    stats.dead_pending[delivery.receiver] = stats.dead_pending.get(delivery.receiver, 0) + 1
    log.error(
        "delivery.abandoned",
        receiver=delivery.receiver,
        kind=delivery.kind,
        delivery_id=delivery.delivery_id,
        attempt=delivery.attempt,
        reason=reason,
        last_error=delivery.last_error,
    )
