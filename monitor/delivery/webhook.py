"""One attempt: one POST of one body, with every limit that R22 and R23 and the security checks put on it.

Nothing comes from the environment, no redirect is followed, TLS is verified, each attempt has a connection of its
own to an address judged for this attempt (:mod:`monitor.net.guard`), and of the answer only the status counts.
Errors are worded anew: those of an HTTP client carry the address, which may be a secret.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from monitor import __version__
from monitor.delivery.message import Delivery
from monitor.delivery.settings import DeliveryTimes, ReceiverSettings
from monitor.delivery.signing import signed_headers
from monitor.errors import DeliveryError, DeliveryRejected, DeliveryUnavailable
from monitor.net.clock import boot, wall
from monitor.net.guard import AddressDenied, GuardedResolver, url_problem
from monitor.net.http import retry_after_seconds
from monitor.net.lookup import Lookup
from monitor.net.tls import client_context

ABOUT_THE_BODY = (400, 413, 415, 422)


@dataclass(slots=True)
class _Flight:
    """What happened to one request so far."""

    first_byte: Callable[[], None]
    sent: bool = False


class Webhook:
    """The way to one receiver. Use as ``async with``; can be entered again after it was left."""

    def __init__(self, settings: ReceiverSettings, times: DeliveryTimes, lookup: Lookup | None = None) -> None:
        self._settings = settings
        self._times = times
        self._lookup = lookup or Lookup(timeout_seconds=times.connect, at_once=times.in_flight)
        self._secrets = [s for s in (settings.secret, settings.previous_secret) if s is not None]
        self._problem = url_problem(
            settings.url, allow_http_loopback=settings.allow_http_loopback, allow_private=settings.allow_private
        )
        self._session: aiohttp.ClientSession

    async def __aenter__(self) -> Self:
        settings = self._settings
        plain = urlsplit(settings.url).scheme == "http" if self._problem is None else False
        traces = aiohttp.TraceConfig()
        traces.on_request_headers_sent.append(_note_first_byte)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(self._lookup, plain_http=plain, allow_private=settings.allow_private),
                use_dns_cache=False,
                ssl=True if plain else client_context(settings.ca_file),
                force_close=True,  # no request on a connection that the other side may be closing just now
                limit=0,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._times.connect),
            headers={"User-Agent": f"perp-monitor/{__version__}", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
            trace_configs=[traces],
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def post(self, delivery: Delivery, first_byte: Callable[[], None]) -> None:
        """Return once the receiver has answered 2xx; raises ``DeliveryUnavailable`` or ``DeliveryRejected``.

        ``first_byte`` is called when the request begins to leave.
        """
        if self._problem is not None:
            raise DeliveryRejected(f"its address is refused: {self._problem}", reason="address_denied")
        flight = _Flight(first_byte)
        try:
            async with asyncio.timeout(self._times.total):
                status, retry_after = await self._exchange(delivery, flight)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _trouble(error, sent=flight.sent) from None
        if not 200 <= status < 300:
            raise _refusal(status, retry_after)

    async def _exchange(self, delivery: Delivery, flight: _Flight) -> tuple[int, float | None]:
        request = self._session.post(
            URL(self._settings.url),
            data=delivery.body,
            headers=self._headers(delivery),
            allow_redirects=False,
            trace_request_ctx=flight,
        )
        async with request as response:
            # What it says is of no interest; a little of it is read so that a polite server sees a clean end.
            with suppress(aiohttp.ClientError, OSError):
                async with asyncio.timeout(min(1.0, self._times.total / 4)):
                    await response.content.read(self._times.answer_bytes)
            response.close()
            return response.status, retry_after_seconds(response.headers)

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        headers = signed_headers(self._secrets, delivery.delivery_id, int(wall()), delivery.body)
        headers["content-type"] = "application/json"
        headers["perp-monitor-attempt"] = str(delivery.attempt)
        if delivery.possible_duplicate:
            headers["perp-monitor-possible-duplicate"] = "true"
        age = boot() - delivery.born
        if age > self._times.late:
            headers["perp-monitor-late-seconds"] = str(int(age))
        return headers


async def _note_first_byte(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    flight: _Flight = context.trace_request_ctx
    flight.sent = True
    flight.first_byte()


def _refusal(status: int, retry_after: float | None) -> DeliveryError:
    text = f"HTTP {status}"
    if status in (429, 503):
        reason = "rate_limited" if status == 429 else "server_error"
        return DeliveryUnavailable(text, reason=reason, retry_after_seconds=retry_after)
    if status >= 500 or status == 408:
        return DeliveryUnavailable(text, reason="server_error")
    if status == 410:
        return DeliveryRejected(text, reason="gone")
    if status in ABOUT_THE_BODY:
        return DeliveryRejected(text, reason="body_refused")
    return DeliveryRejected(text, reason="client_error" if status >= 400 else "redirect")


def _trouble(error: Exception, *, sent: bool) -> DeliveryError:
    """Return what an error below HTTP means; ``no_reply`` is the one after which the outcome is unknown."""
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return DeliveryUnavailable("its certificate cannot be verified", reason="tls_verify")
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, AddressDenied):
        return DeliveryRejected(f"its name leads to a refused address: {error}", reason="address_denied")
    if sent:
        return DeliveryUnavailable("the request went out, no answer came back", reason="no_reply")
    if isinstance(error, TimeoutError):
        return DeliveryUnavailable("no connection in time", reason="timeout")
    if isinstance(error, socket.gaierror):
        return DeliveryUnavailable("its name cannot be resolved", reason="dns")
    if isinstance(error, ConnectionRefusedError):
        return DeliveryUnavailable("connection refused", reason="refused")
    return DeliveryUnavailable("connection lost", reason="reset")
