"""The control messages of a simulated OKX websocket: what is asked, what is answered, and in which shape.

Every argument is acknowledged, or refused, by itself: a refusal carries the request's id and a sentence, never the
argument. ``ping`` and ``pong`` are bare texts. Frames that ask for something are counted by the hour.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from monitor.sim.market import Market
from monitor.sim.okx_frames import index_id
from monitor.sim.streams import Client, StreamServer

PUBLIC = "public"
OPERATIONS_AN_HOUR = 480
BYTES_OF_ARGUMENTS = 64 << 10
SORTS = frozenset({"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION", "ANY"})

BY_INSTRUMENT = frozenset({"mark-price", "tickers", "funding-rate", "open-interest", "books"})
BY_SORT = frozenset({"liquidation-orders", "adl-warning", "instruments"})

BAD_REQUEST, BAD_ARGUMENTS, TOO_OFTEN, NO_SUCH_THING, LOGIN_FAILED = "60012", "60013", "60014", "60018", "60009"

_REQUEST_ID = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)


class BadControlError(Exception):
    """A control message that cannot be obeyed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Controls:
    """Obeys control messages of clients of *server*; ``first(client, stream)`` sends what a new stream begins with."""

    def __init__(
        self,
        server: StreamServer,
        market: Market,
        first: Callable[[Client, str], None],
        clock: Callable[[], float],
    ) -> None:
        self._server = server
        self._market = market
        self._first = first
        self._clock = clock

    def hear(self, client: Client, text: str) -> None:
        """Answer one control message."""
        if text == "ping":
            client.send(b"pong")
            return
        identity = ""
        try:
            request = _parse(text)
            identity = _identity(request)
            self._obey(client, request, identity)
        except BadControlError as bad:
            _refuse(client, bad, identity)

    def _obey(self, client: Client, request: Mapping[str, Any], identity: str) -> None:
        operation, arguments = request.get("op"), request.get("args")
        if operation == "login":
            raise BadControlError(LOGIN_FAILED, "Login failed.")
        if operation not in {"subscribe", "unsubscribe"}:
            raise BadControlError(BAD_REQUEST, f"Invalid request: {msgspec.json.encode(request).decode()}")
        if not isinstance(arguments, list) or not arguments or len(str(arguments)) > BYTES_OF_ARGUMENTS:
            raise BadControlError(BAD_ARGUMENTS, "Invalid args")
        self._count(client)
        for argument in arguments:
            try:
                stream = self.stream(client.path, argument)
            except BadControlError as bad:
                _refuse(client, bad, identity)
                continue
            if operation == "subscribe":
                self._server.subscribe(client, stream)
            else:
                self._server.unsubscribe(client, stream)
            _say(client, {**_id(identity), "event": operation, "arg": argument})
            if operation == "subscribe":
                self._first(client, stream)

    def stream(self, path: str, argument: object) -> str:
        """Return the name under which an argument's data are published. Raises ``BadControlError``."""
        if not isinstance(argument, dict) or not isinstance(argument.get("channel"), str):
            raise BadControlError(BAD_ARGUMENTS, "Invalid args")
        channel = argument["channel"]
        field = "instType" if channel in BY_SORT else "instId"
        name = argument.get(field)
        if path != PUBLIC or "uly" in argument or not isinstance(name, str) or name not in self._known(channel):
            said = ",".join(f"{key}:{value}" for key, value in argument.items())
            raise BadControlError(
                NO_SUCH_THING,
                f"Wrong URL or {said} doesn't exist. Please use the correct URL, channel and parameters "
                "referring to API document.",
            )
        narrowed = argument.get("instFamily", "")
        return f"{channel}:{name}" + (f":{narrowed}" if narrowed else "")

    def _known(self, channel: str) -> Iterable[str]:
        if channel in BY_SORT:
            return SORTS
        if channel in BY_INSTRUMENT:
            return self._market.instruments
        if channel == "index-tickers":
            return {index_id(instrument) for instrument in self._market.instruments.values()}
        return ()

    def _count(self, client: Client) -> None:
        """Count a frame that asks for something; too many in an hour are refused."""
        now = self._clock()
        times: deque[float] = client.notes.setdefault("operations", deque())
        while times and times[0] <= now - 3600.0:
            times.popleft()
        if len(times) >= OPERATIONS_AN_HOUR:
            raise BadControlError(TOO_OFTEN, "Requests too frequent. Please try again later.")
        times.append(now)


def connection_id(client: Client) -> str:
    """Return the eight hexadecimal digits by which the venue names a connection."""
    return f"{id(client) & 0xFFFFFFFF:08x}"


def _parse(text: str) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        request = None
    if not isinstance(request, dict):
        raise BadControlError(BAD_REQUEST, f"Invalid request: {text[:200]}")
    return request


def _identity(request: Mapping[str, Any]) -> str:
    identity = request.get("id", "")
    if identity == "":
        return ""
    if not isinstance(identity, str) or _REQUEST_ID.fullmatch(identity) is None:
        raise BadControlError(BAD_REQUEST, "Invalid request: id must be 1 to 32 letters and digits")
    return identity


def _id(identity: str) -> dict[str, str]:
    return {"id": identity} if identity else {}


def _refuse(client: Client, bad: BadControlError, identity: str) -> None:
    _say(client, {**_id(identity), "event": "error", "code": bad.code, "msg": str(bad)})


def _say(client: Client, answer: Mapping[str, object]) -> None:
    client.send(msgspec.json.encode({**answer, "connId": connection_id(client)}))
