"""Frames of a venue without a module of its own: unpacked, told apart, decoded; what has no facts is heard.

In this order: unpack, literal text, JSON, then socket by socket server ping, reply to our ping, refusal, acknowledgement,
end, and the stream by its key. A frame that fits nothing gives no events.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from monitor.core.events import Event
from monitor.errors import WireError
from monitor.venues.base import Word
from monitor.venues.generic_definition import Definition, ServerPing, Socket
from monitor.venues.generic_paths import compile_path, holds
from monitor.venues.generic_rows import Reader
from monitor.venues.generic_values import LONGEST_NAME, Known, finder, part, plain
from monitor.venues.generic_words import fill
from monitor.venues.wire import parsed

GZIP = b"\x1f\x8b"
ANY_HEADER = 32 + zlib.MAX_WBITS
"""Tells ``zlib`` to take gzip and zlib alike."""

_COPIED = re.compile(r"[\w.:+-]{1,64}", re.ASCII)
"""What of a ping may be said back."""

Test = Callable[[Any], bool]


def unpack(frame: bytes, most: int) -> bytes:
    """Return the text in a frame that may be packed with gzip or zlib, told by its first bytes.

    Raises ``WireError`` for one that is cut short, goes on after its end or comes to more than *most* bytes.

    >>> unpack(zlib.compress(b"Ping"), 100), unpack(b"Ping", 100)
    (b'Ping', b'Ping')
    """
    packed = frame[:2] == GZIP or (len(frame) > 2 and frame[0] == 0x78 and (frame[0] * 256 + frame[1]) % 31 == 0)
    if not packed:
        return frame
    inflater = zlib.decompressobj(ANY_HEADER)
    try:
        text = inflater.decompress(frame, most + 1)
    except zlib.error as error:
        raise WireError(str(error), reason="bad_compression") from None
    if len(text) > most:
        raise WireError(f"more than {most} bytes", reason="too_big")
    if not inflater.eof or inflater.unused_data.strip(b"\0"):
        raise WireError("a compressed frame that ends too early, or not where it should", reason="bad_compression")
    return text


def _test(expression: str) -> Test | None:
    if not expression:
        return None
    get = compile_path(expression)
    return lambda message: holds(get(message))


class Dialect:
    """How the frames of one socket are told apart."""

    def __init__(self, socket: Socket, known: Known, pong: str) -> None:
        self._key = compile_path(socket.key)
        self._key_pattern = re.compile(socket.key_regex) if socket.key_regex else None
        self._readers = {key: Reader(rows, known) for key, rows in socket.streams.items()}
        self._pings = [(test, ping) for ping in socket.server_pings if (test := _test(ping.when)) is not None]
        self._refused = _test(socket.refused)
        self._leaving = _test(socket.leaving)
        talk = (test for test, _ in self._pings)
        others = map(_test, (pong, socket.refused, socket.ack, socket.leaving))
        self._talk = [test for test in (*talk, *others) if test is not None]
        self._refused_key = finder(socket.refused_key) if socket.refused_key else None
        self._refused_symbol = finder(socket.refused_symbol) if socket.refused_symbol else None
        self._symbol_pattern = re.compile(socket.refused_symbol_regex) if socket.refused_symbol_regex else None
        self._reason = finder(socket.reason) if socket.reason else None
        self._names = [(each.name, each.scope == "subscribe") for each in socket.subscriptions]
        self._known = known

    def is_talk(self, message: Any) -> bool:
        """Return whether a message is a ping, a reply, a refusal or an acknowledgement: it has no facts."""
        return any(test(message) for test in self._talk)

    def reader(self, message: Any) -> Reader | None:
        """Return who reads a message, None if nobody here does."""
        key = plain(self._key(message))
        if self._key_pattern is not None:
            key = part(self._key_pattern, key)
        reader = self._readers.get(key)
        return reader if reader is not None and reader.matches(message) else None

    def hear(self, message: Any) -> Word | None:
        """Return what a message without facts says, None if it wants nothing. Raises ``WireError``."""
        for test, ping in self._pings:
            if test(message):
                return Word(answer=_copied(ping, message))
        leaving = self._leaving is not None and self._leaving(message)
        if self._refused is not None and self._refused(message):
            reason = plain(self._reason(message, message)) if self._reason is not None else ""
            return Word(refused=tuple(self._who(message)), reason=reason or "refused by the venue", leaving=leaving)
        return Word(leaving=True) if leaving else None

    def _who(self, message: Any) -> list[str]:
        """Return the request or the streams that a refusal is about, as far as it tells."""
        if self._refused_key is not None and (key := plain(self._refused_key(message, message))):
            return [key]
        wire = plain(self._refused_symbol(message, message)) if self._refused_symbol is not None else ""
        if self._symbol_pattern is not None:
            wire = part(self._symbol_pattern, wire[:LONGEST_NAME])
        if not wire or self._known.ours(wire) is None:
            return []
        return [f"{name}/{wire}" for name, each in self._names if each]


def _copied(ping: ServerPing, message: Any) -> str:
    """Return the answer to a ping with its values in it."""
    values = {name: plain(raw) for name, raw in message.items()} if isinstance(message, dict) else {}
    return fill(ping.answer, {name: text for name, text in values.items() if _COPIED.fullmatch(text)})


class Decoder:
    """Decodes and hears the frames of all sockets of one venue."""

    def __init__(self, definition: Definition, known: Known) -> None:
        ping = definition.ping
        pong = ping.answer if ping is not None else ""
        self._most = definition.limits.frame_bytes
        self._dialects = [Dialect(socket, known, pong) for socket in definition.sockets]
        texts = [each for socket in definition.sockets for each in socket.server_pings if each.text]
        self._literal_pings = {each.text.encode(): Word(answer=each.answer) for each in texts}
        self._literals = {*self._literal_pings, *([ping.answer_text.encode()] if ping and ping.answer_text else ())}

    def decode(self, frame: bytes, received: float) -> list[Event]:
        """Return the events of one frame. Raises ``WireError`` only."""
        message = self._message(frame)
        if message is None:
            return []
        try:
            reader = self._reader(self._dialects, message)
            return [] if reader is None else reader.read(message, received)
        except RecursionError:
            raise WireError("nested too deep", reason="malformed") from None

    def hear(self, frame: bytes) -> Word | None:
        """Return what a frame without facts says; never raises."""
        try:
            text = unpack(frame, self._most)
            if text in self._literals:
                return self._literal_pings.get(text)
            message = parsed(text)
            words = (dialect.hear(message) for dialect in self._dialects)
            return next((word for word in words if word is not None), None)
        except (WireError, RecursionError):
            return None

    def _message(self, frame: bytes) -> Any:
        """Return a frame as plain objects, None for a literal text."""
        text = unpack(frame, self._most)
        return None if text in self._literals else parsed(text)

    @staticmethod
    def _reader(dialects: Sequence[Dialect], message: Any) -> Reader | None:
        for dialect in dialects:
            if dialect.is_talk(message):
                return None
            if (reader := dialect.reader(message)) is not None:
                return reader
        return None
