"""Structured logs: one event a line, facts as keys, nothing of a secret and never a local variable."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog

from monitor.tally import Tally

MAX_TEXT = 256

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def _shortened(value: Any) -> Any:
    """Return *value* with foreign text in it cut, inside rendered exceptions as well."""
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else value[: MAX_TEXT - 1] + "…"
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return value


def _cut(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Shorten foreign text; escaping of line ends is the renderer's."""
    return {key: _shortened(value) for key, value in event.items()}


def _printable(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Escape what would steer a terminal; JSON escapes it by itself."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return event


def _json(_logger: Any, _method: str, event: dict[str, Any]) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()


def configure(level: str = "info", form: str = "json", stream: TextIO | None = None) -> None:
    """Set up logging for the process: *form* is ``json`` (one object a line) or ``console``."""
    tracebacks = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
    processors: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if form == "json":
        processors += [structlog.processors.ExceptionRenderer(tracebacks), _cut, _json]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        processors += [_cut, _printable, renderer]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )


class Sampler:
    """Lets one log line per key pass in ``seconds`` and counts the others."""

    def __init__(self, seconds: float = 10.0) -> None:
        self._seconds = seconds
        self._next: dict[str, float] = {}
        self.dropped = Tally()

    def allows(self, key: str, now: float) -> bool:
        """Return whether *key* may be logged at *now* (any steady clock)."""
        if now < self._next.get(key, float("-inf")):
            self.dropped.add(key)
            return False
        self._next[key] = now + self._seconds
        return True
