"""What a simulated venue saw: connections, control messages and requests, for tests and demos to read."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from monitor.tally import Tally

KEPT = 50_000
"""Entries kept of each kind; the counters go on for ever."""

_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot() -> float:
    """Return seconds on the clock by which arrivals are stamped: since boot, suspended time included."""
    return time.clock_gettime(_BOOT)


@dataclass(frozen=True, slots=True)
class Opened:
    """A websocket was opened: the address asked for and the routed path that it leads to."""

    time: float
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Closed:
    """A websocket ended, with the close code (1006: without a closing handshake) and reason."""

    time: float
    path: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Control:
    """A text message that a client sent, exactly as received."""

    time: float
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A REST request and the HTTP status it was given (0: the connection was dropped without an answer)."""

    time: float
    path: str
    query: dict[str, str]
    status: int


class Journal:
    """Everything received, newest last."""

    def __init__(self) -> None:
        self.opened: deque[Opened] = deque(maxlen=KEPT)
        self.closed: deque[Closed] = deque(maxlen=KEPT)
        self.control: deque[Control] = deque(maxlen=KEPT)
        self.requests: deque[Request] = deque(maxlen=KEPT)
        self.counts = Tally([("opened",), ("closed",), ("control",), ("request",), ("sent",)])
        """How often each thing happened; ``sent`` counts data frames, one a client."""

    def note_opened(self, target: str, path: str) -> None:
        """Record a new websocket."""
        self.opened.append(Opened(boot(), target, path))
        self.counts.add("opened")

    def note_closed(self, path: str, code: int, reason: str) -> None:
        """Record the end of a websocket."""
        self.closed.append(Closed(boot(), path, code, reason))
        self.counts.add("closed")

    def note_control(self, path: str, text: str) -> None:
        """Record a message from a client."""
        self.control.append(Control(boot(), path, text))
        self.counts.add("control")

    def note_request(self, path: str, query: dict[str, str], status: int) -> None:
        """Record an answered REST request."""
        self.requests.append(Request(boot(), path, query, status))
        self.counts.add("request")

    def statuses(self, path: str) -> list[int]:
        """Return the HTTP statuses that requests of *path* were given, in order."""
        return [request.status for request in self.requests if request.path == path]
