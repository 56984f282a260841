"""Opening a websocket, and what it means when that fails or the line ends.

The reasons are those of the fault catalogue, the one list of drop reasons.
"""

from __future__ import annotations

import asyncio
import random
import socket
import ssl
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.frames import CloseCode

from monitor.errors import FeedDropped, FeedError, RateLimited
from monitor.feed.settings import FeedSettings
from monitor.net.backoff import Backoff
from monitor.net.clock import boot
from monitor.net.http import quiet_seconds
from monitor.net.lookup import Lookup
from monitor.net.tls import client_context
from monitor.net.window import Window
from monitor.venues.base import Limits

HEALS_BY_WAITING = frozenset({408, 425, *range(500, 600)})
"""Handshake answers that are gone soon; any other refusal needs a person, or the venue to change its mind."""


class HandshakeRefused(FeedDropped):
    """The venue answered the upgrade with something else than 101."""

    reason = "refused"

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.retryable = status in HEALS_BY_WAITING


class _Connect(connect):
    """``connect`` that follows no redirect: the answer is an error like any other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Dialer:
    """Opens the websockets of one venue, never more often than it allows, and not while it asks for quiet."""

    def __init__(
        self,
        limits: Limits,
        settings: FeedSettings,
        *,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._headers = dict(headers or {})
        self._limits = limits
        self._settings = settings
        self._tls = tls or client_context()
        self._chance = chance
        self._lookup = Lookup(settings.lookup_timeout_seconds)
        self._windows = (
            Window(settings.connects_per_window, settings.connect_window_seconds),
            Window(limits.connects, limits.connect_window_seconds),
        )
        self._quiet_until = float("-inf")
        self._turn = 0

    async def open(self, url: str, *, data_expected: bool, patient: bool = True) -> ClientConnection:
        """Return an open websocket. Raises ``FeedError`` with one of the drop reasons.

        Where the venue must be left alone the patient wait until it may be asked, the others fail at once.
        """
        await self._wait_for_permission(patient=patient)
        try:
            async with asyncio.timeout(self._settings.open_timeout_seconds):
                return await self._open(url, data_expected=data_expected)
        except (OSError, InvalidHandshake, InvalidURI, ConnectionClosed) as error:
            self._turn += 1
            failure = self._failure(error)
            if isinstance(failure, RateLimited):
                self._quiet_until = boot() + failure.retry_after_seconds
            raise failure from error

    async def _wait_for_permission(self, *, patient: bool) -> None:
        """Return when an attempt is allowed, and count it; those that waited are spread by chance."""
        while (delay := self._delay(now := boot())) > 0.0:
            if not patient:
                raise RateLimited("the venue must be left alone", retry_after_seconds=delay)
            await asyncio.sleep(delay + self._settings.backoff_seconds[0] * self._chance())
        for window in self._windows:
            window.spend(now)

    async def may_ask(self, *, patient: bool) -> None:
        """Return when the venue does not want to be left alone; the impatient get a ``RateLimited``."""
        while (delay := self._quiet_until - boot()) > 0.0:
            if not patient:
                raise RateLimited("the venue must be left alone", retry_after_seconds=delay)
            await asyncio.sleep(delay + self._settings.backoff_seconds[0] * self._chance())

    def leave_alone(self, seconds: float) -> None:
        """Ask for nothing for *seconds*: the venue said so elsewhere."""
        seconds = min(seconds, self._settings.retry_after_cap_seconds)
        self._quiet_until = max(self._quiet_until, boot() + seconds)

    def _delay(self, now: float) -> float:
        return max(self._quiet_until - now, *(window.delay(now) for window in self._windows))

    async def _open(self, url: str, *, data_expected: bool) -> ClientConnection:
        """Try the addresses of the host in turn; after a failure the next call begins with the next address."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "wss" else 80)
        addresses = await self._lookup.addresses(host, port)
        first = self._turn % len(addresses)
        problem: OSError = ConnectionRefusedError(f"{host} has no address")
        for address in addresses[first:] + addresses[:first]:
            try:
                return await self._connect(url, address, data_expected=data_expected)
            except ssl.SSLError:
                raise
            except OSError as error:
                problem = error
        raise problem

    async def _connect(self, url: str, address: str, *, data_expected: bool) -> ClientConnection:
        settings = self._settings
        return await _Connect(
            url,
            host=address,  # the name in the URL stays the one for TLS and the Host header
            ssl=self._tls if url.startswith("wss:") else None,
            proxy=None,
            compression=None,
            max_size=self._limits.frame_bytes,
            user_agent_header="perp-monitor",
            additional_headers=self._headers,
            open_timeout=None,  # ours holds for the lookup too
            close_timeout=settings.close_timeout_seconds,
            ping_interval=settings.ping_interval_seconds,
            # Fresh data are the better proof of life: a missing pong ends a line only where silence is normal.
            ping_timeout=None if data_expected else settings.ping_interval_seconds,
        )

    def _failure(self, error: Exception) -> FeedError:
        """Return what *error* means in our words."""
        if isinstance(error, InvalidStatus):
            status = error.response.status_code
            quiet = quiet_seconds(status, error.response.headers, self._limits.retry_after_unit_seconds)
            if quiet is not None:
                quiet = min(quiet, self._settings.retry_after_cap_seconds)
                return RateLimited(f"HTTP {status}", retry_after_seconds=quiet)
            return HandshakeRefused(status)
        if isinstance(error, InvalidURI):
            return FeedDropped("the address is not one of a websocket", reason="refused")  # it may hold a token
        return FeedDropped(str(error) or type(error).__name__, reason=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return "tls_verify"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, TimeoutError):
        return "open_timeout"
    if isinstance(error, ConnectionResetError | ConnectionClosed) or isinstance(error.__cause__, EOFError | OSError):
        return "reset"
    return "refused"


def dropped(end: ConnectionClosed) -> FeedDropped:
    """Return why an open line ended: our limit, a close frame of the venue (a failure like any other), or nothing."""
    if end.sent is not None and not end.rcvd_then_sent and end.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return FeedDropped(str(end), reason="too_big")
    return FeedDropped(str(end), reason="closed" if end.rcvd is not None else "reset")


def wait_after(
    error: FeedError, refusals: int, backoff: Backoff, settings: FeedSettings, chance: Callable[[], float]
) -> float:
    """Return the seconds until the next attempt. Retry or give up? Always retry: a feed outlives every answer.

    From the third refusal in a row on that waiting does not heal (403, 404, 451, 200, a redirect) it is a minute,
    otherwise what the backoff says. Where the venue asked for quiet, the dialer waits that long besides.
    """
    delay = backoff.next_delay(chance)  # asked in any case, so that it counts the failure
    slow = isinstance(error, HandshakeRefused) and not error.retryable and refusals >= settings.quick_refusals
    return settings.slow_retry_seconds if slow else delay


def needs_a_person(error: FeedError) -> bool:
    """Return whether waiting will not heal *error*: a bad certificate, or most refusals."""
    return error.reason == "tls_verify" or not error.retryable
