"""What the operator says about a receiver, and the times of delivery (faults.md R15, R22 to R24, R28 to R30).

Nothing here shows a secret: the address beyond scheme and host, and the signing secrets, are left out of ``repr``.
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import msgspec


class DeliveryTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, unless the name says otherwise. Tests scale them; the defaults are the promises."""

    connect: float = 3.0
    total: float = 10.0
    delays: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 30.0, 30.0, 60.0)
    """Between attempts; the last one repeats."""
    jitter_ratio: float = 0.2
    rejected_delay: float = 60.0
    probe_gap: float = 5.0
    """At most this long between attempts at a receiver that fails again and again."""
    retry_after_urgent: float = 60.0
    retry_after: float = 600.0
    live_urgent: float = 24 * 3600.0
    live: float = 6 * 3600.0
    late: float = 15 * 60.0
    """From this age on, what a restart finds undelivered is marked late."""
    commit_urgent: float = 1.0
    """How long a critical or worse event waits for its COMMIT before it is sent from memory."""
    commit: float = 10.0
    mark: float = 0.05
    """The group commit of what was delivered."""
    store_retry: float = 2.0
    prune: float = 3600.0
    keep: float = 7 * 86400.0

    in_flight: int = 4
    answer_bytes: int = 4096


class ReceiverSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One destination of alerts. During a rotation both secrets sign, so that either one verifies."""

    name: str
    url: str
    secret: bytes
    previous_secret: bytes | None = None
    allow_http_loopback: bool = False
    allow_private: bool = False
    ca_file: Path | None = None

    @property
    def origin(self) -> str:
        """Return scheme and host: all of the address that may ever be shown."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}"

    def __repr__(self) -> str:
        return f"ReceiverSettings({self.name!r}, {self.origin})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, str]]:
        return [("name", self.name), ("origin", self.origin)]
