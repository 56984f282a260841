"""The control messages of a simulated Lighter: what is asked, what is answered, and in which shape.

What is asked for with a slash is answered with a colon. There is no acknowledgement but the first data, and an error
names neither request nor channel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from monitor.sim.streams import Client, StreamServer

BAD_JSON, BAD_TYPE, NOT_SUBSCRIBED, ALREADY, BAD_CHANNEL = 30000, 30001, 30002, 30003, 30005
TOO_MANY_MESSAGES, TOO_MANY_SUBSCRIPTIONS, BAD_AUTH, NO_ACCOUNT = 30009, 23001, 20013, 21100

WORDS = {
    BAD_JSON: "Invalid JSON",
    BAD_TYPE: "Invalid Type",
    NOT_SUBSCRIBED: "Not Subscribed",
    ALREADY: "Already Subscribed",
    BAD_CHANNEL: "Invalid Channel",
    TOO_MANY_MESSAGES: "Too Many Websocket Messages",
    TOO_MANY_SUBSCRIPTIONS: "Too Many Subscriptions",
    BAD_AUTH: "invalid auth",
    NO_ACCOUNT: "account not found",
}

MESSAGES_PER_MINUTE = 200

PRIVATE = frozenset({"notification", "account_all_orders", "account_orders", "account_market", "account_tx"})
"""Channels that need a token, which nobody can have here."""


class BadControlError(Exception):
    """A control message that cannot be obeyed."""

    def __init__(self, code: int) -> None:
        super().__init__(WORDS[code])
        self.code = code


class Controls:
    """Obeys control messages of clients of *server*. *first* gives the first data of a channel, or None where there
    are none to give; it raises ``BadControlError`` for a channel that does not exist.
    """

    def __init__(
        self, server: StreamServer, first: Callable[[str, str], list[bytes] | None], clock: Callable[[], float]
    ) -> None:
        self._server = server
        self._first = first
        self._clock = clock
        self._heard: deque[float] = deque()

    def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        try:
            self._count()
            self._obey(client, _parse(text))
        except BadControlError as bad:
            say(client, {"error": {"code": bad.code, "message": str(bad)}})

    def _count(self) -> None:
        """All clients come from one address, which may send so much a minute."""
        now = self._clock()
        while self._heard and now - self._heard[0] >= 60.0:
            self._heard.popleft()
        if len(self._heard) >= MESSAGES_PER_MINUTE:
            raise BadControlError(TOO_MANY_MESSAGES)
        self._heard.append(now)

    def _obey(self, client: Client, request: dict[str, Any]) -> None:
        match request.get("type"):
            case "ping":
                say(client, {"type": "pong"})
            case "pong":
                return
            case "subscribe":
                self._subscribe(client, _channel(request))
            case "unsubscribe":
                name = ":".join(_channel(request))
                if name not in client.streams:
                    raise BadControlError(NOT_SUBSCRIBED)
                self._server.unsubscribe(client, name)
                say(client, {"type": "unsubscribed", "channel": name})
            case _:
                raise BadControlError(BAD_TYPE)

    def _subscribe(self, client: Client, channel: tuple[str, str]) -> None:
        if channel[0] in PRIVATE:
            raise BadControlError(BAD_AUTH)
        name = ":".join(channel)
        if name in client.streams:
            raise BadControlError(ALREADY)
        frames = self._first(*channel)
        if not self._server.subscribe(client, name):
            raise BadControlError(TOO_MANY_SUBSCRIPTIONS)
        for frame in frames or ():
            client.send(frame)


def say(client: Client, answer: object) -> None:
    """Send one object."""
    client.send(msgspec.json.encode(answer))


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise BadControlError(BAD_JSON) from None
    if not isinstance(request, dict):
        raise BadControlError(BAD_JSON)
    return request


def _channel(request: dict[str, Any]) -> tuple[str, str]:
    """Return kind and subject of a channel as it is asked for: with a slash."""
    channel = request.get("channel")
    kind, slash, subject = channel.partition("/") if isinstance(channel, str) else ("", "", "")
    if not slash:
        raise BadControlError(BAD_CHANNEL)
    return kind, subject
