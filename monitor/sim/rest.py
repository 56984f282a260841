"""The REST side of a simulated venue: one catch-all handler, request log, gzip, overrides and refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from monitor.sim.journal import Journal


@dataclass(frozen=True, slots=True)
class Reply:
    """What is answered: an HTTP status, a JSON body, extra headers."""

    status: int
    body: object
    headers: dict[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """A request the venue says no to, with the *body* of its answer if that is not the usual code and message."""

    def __init__(self, status: int, code: int, message: str, body: object = None) -> None:
        super().__init__(message)
        self.reply = Reply(status, {"code": code, "msg": message} if body is None else body)


Answerer = Callable[[str, Mapping[str, str], str, bytes], Reply]
"""(path, query, client address, body) -> reply."""


class WeightWindow:
    """Request weight per client address and UTC clock minute, strictly counted."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = -1
        self._used: dict[str, int] = {}

    def charge(self, address: str, weight: int, wall: float) -> int:
        """Add *weight* and return what *address* has used in the minute of *wall*."""
        minute = int(wall // 60)
        if minute != self._minute:
            self._minute, self._used = minute, {}
        self._used[address] = self._used.get(address, 0) + weight
        return self._used[address]

    def seconds_left(self, wall: float) -> int:
        """Return whole seconds until the minute of *wall* is over, at least one."""
        return max(1, 60 - int(wall % 60))


class RestServer:
    """The HTTP server of one venue. ``clock`` is the scenario's time."""

    def __init__(self, answer: Answerer, journal: Journal, *, clock: Callable[[], float]) -> None:
        self.host, self.port = "127.0.0.1", 0
        self.refusing_until = 0.0
        self._answer = answer
        self._journal = journal
        self._clock = clock
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._override: tuple[float, Reply] | None = None

    async def listen(self) -> None:
        """Start (or start again) to accept connections; the port stays the same once chosen."""
        if self._runner is None:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", self._serve)
            self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
            await self._runner.setup()
        self._site = web.TCPSite(self._runner, self.host, self.port)
        await self._site.start()
        self.port = self._runner.addresses[0][1]

    async def stop_listening(self) -> None:
        """Let new connections be refused by the system, and drop those kept alive when they next ask."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()

    async def close(self) -> None:
        """Close everything."""
        if self._runner is not None:
            await self._runner.cleanup()

    def answer_with(self, reply: Reply, until: float) -> None:
        """Give every request this answer until then."""
        self._override = (until, reply)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path, query = request.path, dict(request.query)
        if self._site is None and request.transport is not None:
            self._journal.note_request(path, query, 0)
            request.transport.abort()
            return web.Response(status=503)
        if self._override is not None and self._override[0] > self._clock():
            reply = self._override[1]
        else:
            try:
                reply = self._answer(path, query, request.remote or "", await request.read())
            except RefusedError as refused:
                reply = refused.reply
        self._journal.note_request(path, query, reply.status)
        response = web.Response(
            status=reply.status,
            body=msgspec.json.encode(reply.body),
            headers=reply.headers,
            content_type="application/json",
        )
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
        return response
