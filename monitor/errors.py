"""The errors of the whole house, named after who must act.

Every error carries ``reason`` (a short fixed slug: the label of a metric, the key of a log line) and
``retryable`` (will trying again help without a person?). A position that no price can liquidate is a
value (``None``), not an error. ``AssertionError``, ``TypeError`` and the like are bugs.
"""

from __future__ import annotations


class MonitorError(Exception):
    """Root of all errors that somebody is expected to handle."""

    reason = "error"
    retryable = False

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class ConfigError(MonitorError):
    """The operator's file is wrong. ``problems`` are finished lines: file, line, key, what was expected."""

    reason = "config"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class WireError(MonitorError):
    """A frame or body that cannot be read: skipped, counted by ``reason``, sampled in the log."""

    reason = "malformed"
    retryable = True


class FeedError(MonitorError):
    """A feed failed in a way that will pass: reconnect after backoff."""

    reason = "feed"
    retryable = True


class FeedDropped(FeedError):
    """The connection ended; ``reason`` is one of the drop reasons (``reset``, ``closed``, ``dns``, ...)."""

    reason = "closed"


class FeedStale(FeedError):
    """The connection is open but its data stopped."""

    reason = "data_timeout"


class RateLimited(FeedError):
    """The venue asks for quiet; nothing may be sent for ``retry_after_seconds``."""

    reason = "rate_limited"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class DeliveryError(MonitorError):
    """One attempt to deliver failed; nothing is dropped before its time to live."""

    reason = "delivery"
    retryable = True

    def __init__(self, message: str, *, reason: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_after_seconds = retry_after_seconds


class DeliveryUnavailable(DeliveryError):
    """Network, time-out, 5xx, 408 or 429: the receiver may be well again soon."""

    reason = "unavailable"


class DeliveryRejected(DeliveryError):
    """A redirect or another 4xx: the receiver is misconfigured; retried at most once a minute."""

    reason = "rejected"


class OutboxError(MonitorError):
    """The store cannot take it: fail open while running, refuse at start."""

    reason = "store"
