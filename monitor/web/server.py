"""The pages and where they are served. What they say comes from callables that the application gives."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import zlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

from aiohttp import web

from monitor.errors import ConfigError
from monitor.web.guard import bracketed, guard
from monitor.web.health import Verdict
from monitor.web.limits import MAX_CONNECTIONS, Connection, Full

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
BLOCK_BYTES = 128 << 10

_HEADERS: Final = {
    "Server": "perp-monitor",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'",
}

_INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>perp-monitor</title>
<h1>perp-monitor</h1>
<ul>
<li><a href="/metrics">/metrics</a>: for Prometheus</li>
<li><a href="/-/healthy">/-/healthy</a>: is the process doing its work</li>
<li><a href="/-/ready">/-/ready</a>: is every position watched and every alert on its way</li>
</ul>
</html>
"""


class WebServer:
    """Serves ``/metrics``, ``/-/healthy``, ``/-/ready`` and a page of links.

    *metrics* returns the text in pieces; *health* and *readiness* return verdicts. An address other than loopback
    needs a *token*, which every request must then carry. *hosts* are further names under which the server may be asked.
    """

    def __init__(
        self,
        *,
        host: str,
        port: int,
        metrics: Callable[[], Awaitable[Sequence[bytes]]],
        health: Callable[[], Verdict],
        readiness: Callable[[], Awaitable[Verdict]],
        token: str | None = None,
        hosts: Collection[str] = (),
    ) -> None:
        if not token and not _is_loopback(host):
            raise ConfigError(
                [f"{host}:{port} can be reached from other machines: set a token, or listen on 127.0.0.1"]
            )
        self.port = port
        self._host = host
        self._metrics, self._health, self._readiness = metrics, health, readiness
        self._server: asyncio.Server | None = None
        app = web.Application(middlewares=[guard((host, *hosts), token or None)])
        for path, handler in (
            ("/", self._index),
            ("/metrics", self._scrape),
            ("/-/healthy", self._healthy),
            ("/-/ready", self._ready),
        ):
            app.router.add_get(path, handler, allow_head=False)
        app.on_response_prepare.append(_finish_headers)
        self._runner = web.AppRunner(app, shutdown_timeout=1.0, handler_cancellation=True)

    async def start(self) -> None:
        """Listen. Raises ``ConfigError`` with what to do when the address cannot be had."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._connection, self._host, self.port)
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError([_why_not(error, self._host, self.port)]) from error
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and end what is still being served."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()

    def _connection(self) -> asyncio.BaseProtocol:
        server = self._runner.server
        assert server is not None
        if len(server.connections) >= MAX_CONNECTIONS:
            return Full()
        return Connection(server, asyncio.get_running_loop())

    async def _index(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(text=_INDEX, content_type="text/html")

    async def _healthy(self, _request: web.Request) -> web.StreamResponse:
        return _answer(self._health(), "healthy")

    async def _ready(self, _request: web.Request) -> web.StreamResponse:
        return _answer(await self._readiness(), "ready")

    async def _scrape(self, request: web.Request) -> web.StreamResponse:
        pieces = await self._metrics()
        response = web.StreamResponse(headers={"Content-Type": METRICS_TYPE, "Vary": "Accept-Encoding"})
        if _accepts_gzip(request.headers.get("Accept-Encoding", "")):
            # zlib lets the other threads run while it works, so the loop goes on meanwhile.
            pieces = await asyncio.to_thread(_gzip, pieces)
            response.headers["Content-Encoding"] = "gzip"
        response.content_length = sum(map(len, pieces))
        await response.prepare(request)
        for block in _blocks(pieces):
            await response.write(block)
            await asyncio.sleep(0)
        await response.write_eof()
        return response


def _answer(verdict: Verdict, good: str) -> web.Response:
    lines = [*(verdict.reasons or [good]), *verdict.notes]
    return web.Response(status=503 if verdict.reasons else 200, text="".join(f"{line}\n" for line in lines))


async def _finish_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Set what every answer says, and end the connection: one request each."""
    response.headers.update(_HEADERS)
    response.force_close()


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces into blocks that are worth a system call and too small to hold the loop."""
    block: list[bytes] = []
    size = 0
    for piece in pieces:
        block.append(piece)
        size += len(piece)
        if size >= BLOCK_BYTES:
            yield b"".join(block)
            block, size = [], 0
    yield b"".join(block)


def _gzip(pieces: Iterable[bytes]) -> list[bytes]:
    packer = zlib.compressobj(level=1, wbits=zlib.MAX_WBITS | 16)
    packed = [packer.compress(block) for block in _blocks(pieces)]
    return [*packed, packer.flush()]


def _accepts_gzip(header: str) -> bool:
    """Return whether an Accept-Encoding header names gzip with a weight above zero.

    >>> _accepts_gzip("deflate, gzip;q=0.5"), _accepts_gzip("gzip;q=0, br"), _accepts_gzip("")
    (True, False, False)
    """
    for coding in header.lower().split(","):
        name, *parameters = (part.strip() for part in coding.split(";"))
        if name == "gzip":
            weights = [value for value in parameters if value.startswith("q=")]
            return not any(weight[2:].strip("0.") == "" for weight in weights)
    return False


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _why_not(error: OSError, host: str, port: int) -> str:
    address = f"{bracketed(host)}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{address} is taken by another program (perhaps this daemon runs already): stop it or choose another port"
        )
    if error.errno == errno.EACCES:
        return f"{address} may not be used by this user: choose a port above 1023"
    if error.errno == errno.EADDRNOTAVAIL or "could not bind on any address" in str(error):  # asyncio from 3.12 on
        return f"{address} is no address of this machine: listen on one that it has, for example 127.0.0.1"
    return f"{address} cannot be listened on: {error.strerror or error}"
