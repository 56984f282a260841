"""HTTP GET and POST as this daemon does them: bounded in time and size, no redirect, no proxy, no cookie.

The size limit holds for the decompressed body, so gzip is inflated here, in steps, and never beyond the limit.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp

from monitor.errors import FeedError, RateLimited
from monitor.net.lookup import Lookup, LookupResolver
from monitor.net.tls import client_context

GZIP = 16 + zlib.MAX_WBITS
OVERLOADED_SECONDS = 600.0
DEFAULT_QUIET_SECONDS = {418: 120.0, 429: 60.0}
"""How long a venue that asks for quiet without saying how long is left alone."""


class RequestError(FeedError):
    """A request brought no body; ``reason`` is one of a short closed list (``timeout dns tls_verify reset refused
    too_big redirected client_error server_error malformed``), and rate limits are :class:`RateLimited`.
    """

    reason = "reset"


class Http:
    """Requests below one base address. Use as ``async with``; can be entered again after it was left.

    *quiet* are further statuses with which a server asks to be left alone, and for how many seconds. *heard* is given
    the headers of every response, good or bad, since venues report used weights there.
    """

    def __init__(
        self,
        base_url: str,
        *,
        body_bytes: int,
        timeout_seconds: float = 10.0,
        lookup: Lookup | None = None,
        tls: ssl.SSLContext | None = None,
        heard: Callable[[Mapping[str, str]], None] = lambda _headers: None,
        headers: Mapping[str, str] | None = None,
        quiet: Mapping[int, float] | None = None,
        retry_after_unit_seconds: float = 1.0,
    ) -> None:
        self._retry_after_unit_seconds = retry_after_unit_seconds
        self._quiet = dict(quiet or {})
        self._headers = dict(headers or {})
        self._base_url = base_url.rstrip("/")
        self._body_bytes = body_bytes
        self._timeout_seconds = timeout_seconds
        self._lookup = lookup or Lookup()
        self._tls = tls or client_context()
        self._heard = heard
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=LookupResolver(self._lookup), use_dns_cache=False, ssl=self._tls, limit=4
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # one time limit, below, holds for all of it
            headers={
                "Accept-Encoding": "gzip",
                "Accept": "application/json",
                "User-Agent": "perp-monitor",
                **self._headers,
            },
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, params: Mapping[str, str]) -> bytes:
        """Return the body, inflated, of a GET. Raises :class:`RequestError` or :class:`RateLimited`, nothing else."""
        return await self._request("GET", path, params, None)

    async def post(self, path: str, params: Mapping[str, str], body: bytes) -> bytes:
        """Return the body of a POST of JSON; raises as :meth:`get` does."""
        return await self._request("POST", path, params, body)

    async def _request(self, method: str, path: str, params: Mapping[str, str], body: bytes | None) -> bytes:
        assert self._session is not None, "entered with 'async with'"
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._session.request(
                    method, self._base_url + path, params=params, data=body, headers=headers, allow_redirects=False
                ) as response,
            ):
                self._heard(response.headers)
                failure = self._failure(response)
                if failure is not None:
                    response.close()  # its body is not wanted, however long it is
                    raise failure
                return await self._body(response)
        except FeedError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise RequestError(str(error), reason=_reason(error)) from error

    def _failure(self, response: aiohttp.ClientResponse) -> FeedError | None:
        status = response.status
        if status == 200:
            return None
        text = f"HTTP {status}"
        quiet = quiet_seconds(status, response.headers, self._retry_after_unit_seconds)
        if quiet is None:
            quiet = self._quiet.get(status)
        if quiet is not None:
            return RateLimited(text, retry_after_seconds=quiet)
        if status >= 500:
            return RequestError(text, reason="server_error")
        return RequestError(text, reason="client_error" if status >= 400 or status < 300 else "redirected")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in {"gzip", "identity"}:
            raise RequestError(f"content encoding {encoding[:40]!r} was not asked for", reason="malformed")
        inflater = zlib.decompressobj(GZIP) if encoding == "gzip" else None
        body = bytearray()
        async for chunk in response.content.iter_any():
            try:
                # one byte more than allowed is enough to know that it is too much
                body += inflater.decompress(chunk, self._body_bytes + 1 - len(body)) if inflater else chunk
            except zlib.error as error:
                raise RequestError(str(error), reason="malformed") from error
            if len(body) > self._body_bytes:
                raise RequestError(f"more than {self._body_bytes} bytes", reason="too_big")
        if inflater is not None and not inflater.eof:
            raise RequestError("the gzip body ends too early", reason="malformed")
        return bytes(body)


def retry_after_seconds(headers: Mapping[str, str], unit_seconds: float = 1.0) -> float | None:
    """Return how long the server wants to be left alone, if it says so: in units (of a second), or until a date.

    A date is compared with the server's own ``Date``, since our wall clock may be wrong.

    >>> retry_after_seconds({"Retry-After": "30"})
    30.0
    >>> retry_after_seconds({"Retry-After": "Sun, 22 Nov 2026 10:01:00 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"})
    60.0
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:12]) * unit_seconds
    try:
        until, date = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
        return max((until - date).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def quiet_seconds(status: int, headers: Mapping[str, str], unit_seconds: float = 1.0) -> float | None:
    """Return for how long a response with *status* asks for quiet; None if it does not."""
    asked = retry_after_seconds(headers, unit_seconds) if status >= 400 else None
    if asked is not None and status not in DEFAULT_QUIET_SECONDS:
        return min(asked, OVERLOADED_SECONDS)  # a mistake of an overloaded server must not silence a venue for a day
    return DEFAULT_QUIET_SECONDS.get(status) if asked is None else asked


def _reason(error: Exception) -> str:
    """Return the short word for what went wrong below HTTP."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return "dns"
    if isinstance(error, ssl.SSLError | aiohttp.ClientSSLError):
        return "tls_verify"
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    if isinstance(error, aiohttp.ClientConnectionError | OSError):
        return "reset"
    return "malformed"
