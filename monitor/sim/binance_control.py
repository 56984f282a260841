"""The control messages of a simulated Binance websocket: what is asked, what is answered, and in which shape.

An acknowledgement proves nothing: any stream name at all is acknowledged. Errors come in two shapes: nested
with the id where one could be read, flat where not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from monitor.sim.streams import Client, StreamServer

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
UNKNOWN_PROPERTY, WRONG_TYPE, BAD_REQUEST, BAD_JSON, TOO_MANY = range(5)


class BadControlError(Exception):
    """A control message that cannot be obeyed."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Controls:
    """Obeys control messages of clients of *server*."""

    def __init__(self, server: StreamServer) -> None:
        self._server = server

    async def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        identity: int | None = None
        try:
            request = _parse(text)
            identity = _identity(request)
            _say(client, {"result": self._obey(client, request), "id": identity})
        except BadControlError as bad:
            _refuse(client, bad, identity)
            if bad.code == TOO_MANY:
                await client.connection.close(1008, "Too many subscriptions")

    async def welcome(self, client: Client, streams: Iterable[str]) -> None:
        """Subscribe to what the address named, without an acknowledgement."""
        try:
            self._subscribe(client, streams)
        except BadControlError as bad:
            _refuse(client, bad, None)
            await client.connection.close(1008, "Too many subscriptions")

    def _obey(self, client: Client, request: dict[str, Any]) -> object:
        match request.get("method"):
            case "SUBSCRIBE":
                self._subscribe(client, _names(request))
            case "UNSUBSCRIBE":
                for name in _names(request):
                    self._server.unsubscribe(client, name)
            case "LIST_SUBSCRIPTIONS":
                return list(client.streams)
            case "SET_PROPERTY":
                name, value = _parameters(request, 2)
                _check_property(name)
                if not isinstance(value, bool):
                    raise BadControlError(WRONG_TYPE, "Invalid value type: expected Boolean")
                client.combined = value
            case "GET_PROPERTY":
                _check_property(_parameters(request, 1)[0])
                return client.combined
            case None:
                raise BadControlError(BAD_REQUEST, "Invalid request: missing field `method`")
            case method:
                expected = ", ".join(f"`{known}`" for known in METHODS)
                raise BadControlError(
                    BAD_REQUEST, f"Invalid request: unknown variant `{method}`, expected one of {expected}"
                )
        return None

    def _subscribe(self, client: Client, names: Iterable[str]) -> None:
        for name in names:
            if not self._server.subscribe(client, name):
                raise BadControlError(TOO_MANY, "Too many subscriptions")


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        raise BadControlError(BAD_JSON, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict):
        raise BadControlError(BAD_REQUEST, "Invalid request: request must be an object")
    return request


def _identity(request: dict[str, Any]) -> int:
    identity = request.get("id")
    if not isinstance(identity, int) or isinstance(identity, bool) or identity < 0:
        raise BadControlError(BAD_REQUEST, "Invalid request: request ID must be an unsigned integer")
    return identity


def _names(request: dict[str, Any]) -> list[str]:
    names = request.get("params")
    if not isinstance(names, list):
        raise BadControlError(BAD_REQUEST, "Invalid request: missing field `params`")
    if not all(isinstance(name, str) for name in names):
        raise BadControlError(BAD_REQUEST, "Invalid request: property name must be a string")
    return names


def _parameters(request: dict[str, Any], count: int) -> list[Any]:
    parameters = request.get("params")
    if not isinstance(parameters, list) or len(parameters) < count:
        raise BadControlError(BAD_REQUEST, "Invalid request: missing parameters")
    if len(parameters) > count:
        raise BadControlError(BAD_REQUEST, "Invalid request: too many parameters")
    return parameters


def _check_property(name: object) -> None:
    if not isinstance(name, str):
        raise BadControlError(BAD_REQUEST, "Invalid request: property name must be a string")
    if name != "combined":
        raise BadControlError(UNKNOWN_PROPERTY, "Unknown property")


def _refuse(client: Client, bad: BadControlError, identity: int | None) -> None:
    error = {"code": bad.code, "msg": str(bad)}
    _say(client, error if identity is None else {"error": error, "id": identity})


def _say(client: Client, answer: object) -> None:
    client.send(msgspec.json.encode(answer))
