"""One connection: one request, few bytes, few seconds; and no more than so many connections at once.

A client that is slow, chatty or hostile costs its own connection and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from aiohttp import web

MAX_REQUEST_BYTES: Final = 16 << 10
MAX_CONNECTIONS: Final = 64
REQUEST_SECONDS: Final = 5.0


def refusal(status: str) -> bytes:
    """Return a whole answer without a body for those who do not get as far as a handler."""
    return f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode()


class Connection(web.RequestHandler):
    """aiohttp's connection with a limit on what it may receive and on how long it may last.

    Headers and body together stay below 16 KiB (no request here needs a body), and everything, from the first
    byte to the last one that the client takes, has 5 s.
    """

    def __init__(self, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server, loop=loop, access_log=None, max_field_size=MAX_REQUEST_BYTES)  # type: ignore[arg-type]
        self._received = 0
        self._clock = loop
        self._wire: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time limit."""
        super().connection_made(transport)
        self._wire = cast("asyncio.Transport", transport)
        self._end = self._clock.call_later(REQUEST_SECONDS, self._wire.abort)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the time limit."""
        if self._end is not None:
            self._end.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass data on until the limit."""
        self._received += len(data)
        if self._received <= MAX_REQUEST_BYTES:
            super().data_received(data)
        elif self._wire is not None and not self._wire.is_closing():
            self._wire.write(refusal("431 Request Header Fields Too Large"))
            self._wire.close()


class Full(asyncio.Protocol):
    """A connection too many: told so and closed."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Answer before anything is read."""
        wire = cast("asyncio.Transport", transport)
        wire.write(refusal("503 Service Unavailable"))
        wire.close()
