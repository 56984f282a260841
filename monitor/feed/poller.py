"""The rate-limited REST poller beside the streams: every resource on its own interval, one request at a time."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from monitor.core.events import Event, VenueTime
from monitor.errors import FeedError, RateLimited, WireError
from monitor.feed.budget import Budget
from monitor.feed.intake import Intake
from monitor.feed.settings import FeedSettings
from monitor.log import Sampler
from monitor.net.backoff import Backoff
from monitor.net.clock import boot
from monitor.net.http import Http
from monitor.net.lookup import Lookup
from monitor.net.window import wait_for_room
from monitor.venues.base import Poll, Venue

log = structlog.get_logger()

OFTEN_SECONDS = 60.0
"""What is read at least this often confirms prices."""

LONGEST_WAIT_SECONDS = 600.0
"""What is read seldom gains on late prices from here on: it is put off, never starved."""

MOST_URGENT = 1.5
"""What is read seldom, or fails, is never more urgent than a price that is so many of its intervals late."""


class Poller:
    """Reads the polls of one host again and again. A failure is retried by backoff and never ends it."""

    def __init__(
        self,
        venue: Venue,
        polls: Sequence[Poll],
        rest_url: str,
        intake: Intake,
        settings: FeedSettings,
        *,
        tls: ssl.SSLContext | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._venue = venue
        self._polls = polls
        self._intake = intake
        self._settings = settings
        self._chance = chance
        self._budget = Budget(venue.limits, settings)
        self._failing: set[int] = set()
        self._soon: deque[Poll] = deque()
        self._wake = asyncio.Event()
        self._unread = {
            resource: [p for p in polls if p.resource == resource] for resource in {p.resource for p in polls}
        }
        self._read_once: dict[str, asyncio.Event] = {poll.resource: asyncio.Event() for poll in polls}
        for poll in polls:
            intake.stats.polls.setdefault((poll.resource,), 0)
        self._sampler = Sampler(settings.sample_seconds)
        self._backoffs = [Backoff(settings.poll_backoff_seconds) for _ in polls]
        self._due = [boot()] * len(polls)
        """Boot time at which each poll is to be read next: at first all at once, in the venue's order."""
        self._http = Http(
            rest_url,
            body_bytes=venue.limits.body_bytes,
            timeout_seconds=settings.request_timeout_seconds,
            quiet=venue.limits.quiet,
            retry_after_unit_seconds=venue.limits.retry_after_unit_seconds,
            lookup=Lookup(settings.lookup_timeout_seconds),
            tls=tls,
            heard=self._hear,
            headers=venue.headers,
        )

    async def first_round(self) -> bool:
        """Read every essential resource once and return whether all of them could be read."""
        async with self._http:
            return all([await self._read(index) for index, poll in enumerate(self._polls) if poll.essential])

    async def run(self) -> None:
        """Read on until cancelled."""
        if not self._polls:
            await asyncio.Event().wait()
        async with self._http:
            while True:
                if self._soon:
                    await self._read_extra(self._soon[0])
                    self._soon.popleft()  # only now: it is not asked for again while it is on its way
                index, now = self._most_overdue(boot()), boot()
                if self._due[index] > now:
                    self._wake.clear()
                    if self._soon:
                        continue
                    with suppress(TimeoutError):
                        async with asyncio.timeout(self._due[index] - now):
                            await self._wake.wait()
                if self._due[index] <= boot():
                    await self._read(index)

    def _most_overdue(self, now: float) -> int:
        """Return the poll to read next: the first to be due, or among those that are, the latest for its interval.

        A price that has to be confirmed every few seconds does not wait for a hundred hourly resources.
        """
        polls, due = self._polls, self._due
        waiting = [index for index in range(len(polls)) if due[index] <= now]
        if not waiting:
            return min(range(len(polls)), key=due.__getitem__)

        def urgency(index: int) -> tuple[float, float]:
            late, interval = now - due[index], polls[index].interval_seconds
            often = interval <= OFTEN_SECONDS and index not in self._failing
            times = late / min(interval, OFTEN_SECONDS)
            return times if often else max(min(times, MOST_URGENT), late / LONGEST_WAIT_SECONDS), late

        return max(waiting, key=urgency)

    async def was_read(self, resource: str) -> None:
        """Return when *resource* has been read once, all of it; one that is not polled is not waited for."""
        if resource in self._read_once:
            await self._read_once[resource].wait()

    def read_soon(self, poll: Poll) -> None:
        """Read *poll* once, before what is due: a whole order book, for instance."""
        if poll not in self._soon:
            self._soon.append(poll)
            self._wake.set()

    async def _read_extra(self, poll: Poll) -> None:
        """Read what somebody asked for; if that fails, it is for them to ask again."""
        now = await wait_for_room(lambda now: self._budget.delay(now, poll.weight))
        self._budget.spend(now, poll.weight)
        self._intake.stats.polls.add(poll.resource)
        try:
            await self._fetch(poll)
        except (FeedError, WireError) as error:
            self._obey(error)
            self._count_failure(poll, error, None)

    async def _read(self, index: int) -> bool:
        """Read one resource as soon as the venue allows it, and set when to read it next."""
        poll = self._polls[index]
        now = await wait_for_room(lambda now: self._budget.delay(now, poll.weight))
        self._budget.spend(now, poll.weight)
        self._intake.stats.polls.add(poll.resource)
        try:
            await self._fetch(poll)
        except (FeedError, WireError) as error:
            self._failing.add(index)
            self._failed(index, error)
            return False
        self._failing.discard(index)
        unread = self._unread[poll.resource]
        if poll in unread:
            unread.remove(poll)
            if not unread:
                self._read_once[poll.resource].set()
        jitter = self._settings.poll_jitter * (2.0 * self._chance() - 1.0)
        self._backoffs[index] = Backoff(self._settings.poll_backoff_seconds)
        self._due[index] = boot() + poll.interval_seconds * (1.0 + jitter)
        return True

    async def _fetch(self, poll: Poll) -> None:
        """Ask, decode, hand over. Raises ``FeedError`` or ``WireError``.

        The venue's clock is taken to have been read in the middle of the request.
        """
        asked = boot()
        if poll.body is None:
            body = await self._http.get(poll.path, poll.params)
        else:
            body = await self._http.post(poll.path, poll.params, poll.body)
        answered = boot()
        for event in self._intake.decode_body(poll.decode, body, answered):
            if type(event) is VenueTime:
                timed: Event = msgspec.structs.replace(event, round_trip_seconds=answered - asked)
                self._intake.deliver(timed, (asked + answered) / 2.0)
            else:
                self._intake.deliver(event, answered)

    def _failed(self, index: int, error: FeedError | WireError) -> None:
        """Retry or give up? Always retry: by backoff, and never while the venue asked for quiet."""
        poll, now = self._polls[index], boot()
        delay = min(self._backoffs[index].next_delay(self._chance), poll.interval_seconds)
        self._obey(error)
        if isinstance(error, RateLimited):
            delay = max(delay, self._budget.delay(now, poll.weight))
        self._due[index] = now + delay
        self._count_failure(poll, error, delay)

    def _obey(self, error: FeedError | WireError) -> None:
        if isinstance(error, RateLimited):
            self._budget.quiet(boot(), error.retry_after_seconds)

    def _count_failure(self, poll: Poll, error: FeedError | WireError, delay: float | None) -> None:
        now = boot()
        reason = "malformed" if isinstance(error, WireError) else error.reason
        self._intake.stats.polls_failed.add(poll.resource, reason)
        if self._sampler.allows(f"{poll.resource} {reason}", now):
            log.warning(
                "feed.refused",
                venue=self._venue.name,
                resource=poll.resource,
                reason=reason,
                error=str(error),
                retry_in_seconds=None if delay is None else round(delay, 3),
            )

    def _hear(self, headers: Mapping[str, str]) -> None:
        used = headers.get(self._venue.limits.weight_header, "")
        if used.isascii() and used.isdecimal():
            self._budget.reported(boot(), float(used[:12]))
