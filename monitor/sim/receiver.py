"""A webhook receiver on loopback: stores what comes, checks its signature, answers as told.

Signatures are those of Standard Webhooks: ``webhook-signature`` holds ``v1,`` + base64 of HMAC-SHA-256 over
id, timestamp and exact body, joined by full stops, under the secret whose base64 follows ``whsec_``. Checked
here from the recipe alone, so that a mistake in our signing does not cancel itself out.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from aiohttp import web

from monitor.sim.journal import boot

TOLERANCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Reaction:
    """How one request is met. ``cut`` drops the connection instead of answering, after the body was read."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    cut: bool = False
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """One request. ``arrival`` is on the boot clock, ``problem`` what is wrong with the signature (None: it is right)."""

    body: bytes
    headers: Mapping[str, str]
    arrival: float
    problem: str | None
    reaction: Reaction

    @property
    def id(self) -> str:
        """The delivery's id, the same over retries."""
        return self.headers.get("webhook-id", "")

    @property
    def accepted(self) -> bool:
        """Whether it is answered with 2xx."""
        return not self.reaction.cut and 200 <= self.reaction.status < 300

    def json(self) -> Any:
        """Return the body as JSON."""
        return msgspec.json.decode(self.body)


def signature(secret: str, identity: str, timestamp: str, body: bytes) -> str:
    """Return the ``v1,...`` signature of one delivery.

    >>> signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
    ...           b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((identity.encode(), timestamp.encode(), body))
    return "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()


def signature_problem(secret: str, headers: Mapping[str, str], body: bytes, wall: float) -> str | None:
    """Return why a delivery must not be believed, or None if one of its signatures is right."""
    identity, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not identity:
        return "no webhook-id"
    if not timestamp.isdecimal():
        return "webhook-timestamp is not whole seconds"
    if abs(wall - int(timestamp)) > TOLERANCE_SECONDS:
        return "webhook-timestamp is too far from now"
    right = signature(secret, identity, timestamp, body).encode()
    for candidate in headers.get("webhook-signature", "").split(" "):
        if hmac.compare_digest(candidate.encode(), right):
            return None
    return "no signature is right"


class Receiver:
    """``async with Receiver(secret="whsec_...") as receiver``: its ``url`` is given to the sender.

    Requests are met by the reactions of :meth:`react` in their order, then by ``default``. Without a secret no
    signature is checked. *hear* is called with each message before it is answered.
    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        port: int = 0,
        hear: Callable[[Message], None] | None = None,
    ) -> None:
        self.messages: list[Message] = []
        self.default = Reaction()
        self.host, self.port = "127.0.0.1", port
        self._secret = secret
        self._hear = hear
        self._reactions: deque[Reaction] = deque()
        self._changed = asyncio.Condition()
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address to deliver to."""
        return f"http://{self.host}:{self.port}/hook"

    @property
    def accepted(self) -> list[Message]:
        """The messages that were answered with 2xx."""
        return [message for message in self.messages if message.accepted]

    def react(self, *reactions: Reaction) -> None:
        """Meet the next requests so, one after the other."""
        self._reactions.extend(reactions)

    async def wait_for(self, predicate: Callable[[Message], bool], timeout: float = 5.0) -> Message:
        """Return the first message, past or to come, that fits; raises ``TimeoutError``."""
        async with asyncio.timeout(timeout):
            async for message in self.stream():
                if predicate(message):
                    return message
        raise AssertionError("the stream of messages has no end")

    async def stream(self) -> AsyncIterator[Message]:
        """Yield every message, from the first one on, as they come in."""
        seen = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: len(self.messages) > seen)  # noqa: B023 - read while waiting
            while seen < len(self.messages):
                seen += 1
                yield self.messages[seen - 1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        arrival = boot()
        reaction = self._reactions.popleft() if self._reactions else self.default
        headers = {name.lower(): value for name, value in request.headers.items()}
        problem = signature_problem(self._secret, headers, body, time.time()) if self._secret else None
        message = Message(body, headers, arrival, problem, reaction)
        self.messages.append(message)
        if self._hear is not None:
            self._hear(message)
        async with self._changed:
            self._changed.notify_all()
        if reaction.delay_seconds:
            await asyncio.sleep(reaction.delay_seconds)
        if reaction.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=reaction.status, headers=reaction.headers, body=reaction.body)
